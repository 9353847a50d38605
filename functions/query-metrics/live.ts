import type { Clock } from '#shared/clock.ts'
import { FootfallError } from '#shared/errors.ts'
import type { Reply } from '#shared/handler.ts'
import type { Bus } from '#shared/ports/bus.ts'
import type { LogReader } from '#shared/ports/log.ts'
import type { Memtables } from '#shared/ports/memtables.ts'
import { type Freshness, isoTime } from '#shared/query/freshness.ts'
import type { SiteConfig } from '#shared/site/config.ts'
import type { GenerationList } from '#shared/site/generations.ts'
import { partitionsOf } from '#shared/site/shards.ts'
import type { Reached } from './reached.ts'
import { currentFreshness } from './reading.ts'

/**
 * The live stream of a site: server-sent events `current`, `hit` and `freshness`. The bus may lose messages, so hits are only
 * shown, never counted; what is counted is asked from the memtables, at once after a commit and every few seconds besides.
 */

export const liveLimits = {
  streams: 1_000,
  streamsPerKey: 50,
  hitsPerSecond: 20,
  tickMs: 1_000,
  /** How often a quiet stream looks by itself. */
  lookMs: 5_000,
  heartbeatMs: 15_000,
  lifetimeMs: 300_000,
  /** The browser comes back after this long. */
  retryMs: 1_000,
  currentMs: 300_000,
  /** Events waiting for a slow reader; further hits are left out (of the others a lifetime has a few hundred). */
  queue: 200,
  textLength: 2_000,
} as const

type Ports = { memtables: Memtables; reached: Reached; hits: LogReader; bus: Bus; generations: GenerationList; clock: Clock }
type Snapshot = { visitors: number; freshness: Freshness; taken: string }

const event = (name: string, data: unknown): string => `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`

const text = (value: unknown): string | null => (typeof value === 'string' ? value.slice(0, liveLimits.textLength) : null)

/** The five fields of a hit that the public stream shows; `undefined` for a message that is none. */
const shownHit = (message: string): Record<string, unknown> | undefined => {
  let hit: unknown
  try {
    hit = JSON.parse(message)
  } catch {
    return undefined // a lost message more: the feed promises nothing
  }
  if (typeof hit !== 'object' || hit === null) return undefined
  const { time, name, page, country, source } = hit as Record<string, unknown>
  return {
    time: typeof time === 'number' ? time : text(time),
    name: text(name),
    page: text(page),
    country: text(country),
    source: text(source),
  }
}

const lookAt = async ({ memtables, reached, hits, generations, clock }: Ports, site: SiteConfig): Promise<Snapshot> => {
  const since = clock.now() - liveLimits.currentMs
  const own = partitionsOf(site.site, site, await generations.list())
  const states = await Promise.all(own.map((partition) => reached.fence(partition)))
  const live = await Promise.all(own.map((partition) => memtables.live(partition, site.site, since)))
  const fences = new Map(own.map((partition, i) => [partition, states[i]!.fence]))
  const setBack = new Set(own.filter((_, i) => states[i]!.isBehind))
  return {
    visitors: live.reduce((sum, { visitors }) => sum + visitors, 0),
    freshness: await currentFreshness({ hits, generations, clock }, fences, setBack),
    taken: states.map(({ fence }) => `${fence?.gen}.${fence?.next}`).join(' '),
  }
}

/** What a query says in `meta`. */
const freshnessEvent = ({ asOf, lagMs, incompleteSince }: Freshness): string =>
  event('freshness', {
    as_of: isoTime(asOf),
    lag_ms: lagMs,
    ...(incompleteSince === undefined ? {} : { incomplete_since: isoTime(incompleteSince) }),
  })

const tooManyStreams = () =>
  new FootfallError('overloaded', { detail: `A key may have ${liveLimits.streamsPerKey} live streams.`, retryAfterS: 30 })

/** Answers the stream of a site; open streams are counted and bounded. */
export const createLive = (ports: Ports): ((site: SiteConfig, key: string, signal: AbortSignal | undefined) => Promise<Reply>) => {
  const open = new Map<string, number>()
  let all = 0
  const count = (key: string, by: 1 | -1): void => {
    const now = (open.get(key) ?? 0) + by
    if (now > 0) open.set(key, now)
    else open.delete(key)
    all += by
  }
  return async (site, key, signal) => {
    if (all >= liveLimits.streams) throw new FootfallError('overloaded')
    if ((open.get(key) ?? 0) >= liveLimits.streamsPerKey) throw tooManyStreams()
    // Asked before the answer begins, so that an outage is a 503 and no empty stream.
    const first = await lookAt(ports, site)
    const stream = async function* () {
      count(key, 1)
      try {
        yield* streamOf(ports, site, first, signal)
      } finally {
        count(key, -1)
      }
    }
    const headers = { 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-accel-buffering': 'no' }
    return { status: 200, headers, body: stream() }
  }
}

async function* streamOf(ports: Ports, site: SiteConfig, first: Snapshot, signal: AbortSignal | undefined): AsyncGenerator<string> {
  const stream = openStream(ports, site, first)
  signal?.addEventListener('abort', stream.end)
  try {
    if (signal?.aborted) return
    while (true) {
      for (let next = stream.next(); next !== undefined; next = stream.next()) yield next
      if (stream.ended()) return
      await stream.more()
    }
  } finally {
    signal?.removeEventListener('abort', stream.end)
    stream.close()
  }
}

type Stream = { next(): string | undefined; more(): Promise<void>; ended(): boolean; end(): void; close(): void }

/** Timers, subscriptions and the queue of one stream; `close` gives all of them back. */
const openStream = (ports: Ports, site: SiteConfig, first: Snapshot): Stream => {
  const { bus, clock } = ports
  const opened = clock.now()
  const queue: string[] = []
  let wake: (() => void) | undefined
  let ended = false
  let dirty = false
  let looking = false
  let shown = first
  let lookedAt = opened
  let beatAt = opened
  let second = { at: opened, hits: 0 }

  const put = (message: string): void => {
    queue.push(message)
    wake?.()
  }
  const end = (): void => {
    ended = true
    wake?.()
  }

  const takeHit = (message: string): void => {
    const now = clock.now()
    if (now - second.at >= 1_000) second = { at: now, hits: 0 }
    if (++second.hits > liveLimits.hitsPerSecond || queue.length >= liveLimits.queue) return
    const hit = shownHit(message)
    if (hit) put(event('hit', hit))
  }

  const show = (now: Snapshot): void => {
    // Behind and not moving is news as well: the lag grows.
    if (dirty || now.taken !== shown.taken || now.freshness.pendingRecords > 0) put(freshnessEvent(now.freshness))
    if (now.visitors !== shown.visitors) put(event('current', { visitors: now.visitors }))
    shown = now
    dirty = false
  }

  const look = async (): Promise<void> => {
    if (looking || ended) return
    looking = true
    lookedAt = clock.now()
    try {
      show(await lookAt(ports, site))
    } catch {
      end() // the store is out of reach: the browser comes back and is given the 503
    } finally {
      looking = false
    }
  }

  const tick = (): void => {
    const now = clock.now()
    if (now - opened >= liveLimits.lifetimeMs) {
      end()
      return
    }
    if (now - beatAt >= liveLimits.heartbeatMs) {
      beatAt = now
      put(': alive\n\n')
    }
    if (dirty || shown.freshness.pendingRecords > 0 || now - lookedAt >= liveLimits.lookMs) void look()
    cancel = clock.after(liveLimits.tickMs, tick)
  }

  const takeFresh = (): void => {
    const idle = !dirty && clock.now() - lookedAt >= liveLimits.tickMs
    dirty = true
    if (idle) void look()
  }

  let cancel = clock.after(liveLimits.tickMs, tick)
  const unsubscribe = [bus.subscribe(`live.${site.site}`, takeHit), bus.subscribe(`fresh.${site.site}`, takeFresh)]
  put(`retry: ${liveLimits.retryMs}\n\n`)
  put(event('current', { visitors: first.visitors }))
  put(freshnessEvent(first.freshness))

  return {
    next: () => queue.shift(),
    more: () =>
      new Promise((resolve) => {
        if (queue.length > 0 || ended) return resolve()
        wake = () => {
          wake = undefined
          resolve()
        }
      }),
    ended: () => ended,
    end,
    close: () => {
      ended = true
      cancel()
      for (const stop of unsubscribe) stop()
    },
  }
}
