import { createHash } from 'node:crypto'
import { expect } from 'vitest'
import { createHandler, type Ports } from '#functions/query-metrics/handler.ts'
import type { Clock } from '#shared/clock.ts'
import { createBus } from '#shared/engines/sqlite/bus.ts'
import { openDatabase } from '#shared/engines/sqlite/database.ts'
import { formats } from '#shared/engines/sqlite/formats.ts'
import { createGenerations } from '#shared/engines/sqlite/generations.ts'
import { createMemtables } from '#shared/engines/sqlite/memtables.ts'
import { createReplays, createVersions } from '#shared/engines/sqlite/replays.ts'
import { createRetention } from '#shared/engines/sqlite/retention.ts'
import { createProgress, createSegments } from '#shared/engines/sqlite/segments.ts'
import { createSites } from '#shared/engines/sqlite/sites.ts'
import { replyOf } from '#shared/errors.ts'
import type { Reply, Request } from '#shared/handler.ts'
import type { LogReader } from '#shared/ports/log.ts'
import type { Memtables, RollupFence, Seen } from '#shared/ports/memtables.ts'
import { encodeRows } from '#shared/rollup/block.ts'
import type { Block } from '#shared/segment/row.ts'
import { hashOf, newKey, type Role } from '#shared/site/access.ts'
import { createKnownSites } from '#shared/site/known-sites.ts'
import { type AVisit, aSite, blocksOf } from './world.ts'

/** query-metrics over embedded stores in memory: a clock turned by hand, a hits log of numbers, and a door to knock at. */

export const start = Date.parse('2026-03-15T12:00:00Z')

/** A clock that is turned by hand and runs what is due on the way. */
const aClock = () => {
  let now = start
  let count = 0
  const timers = new Map<number, { at: number; run: () => void }>()
  const clock: Clock = {
    now: () => now,
    random: (bytes) => createHash('sha512').update(`${count++}`).digest().subarray(0, bytes),
    after: (ms, run) => {
      const id = count++
      timers.set(id, { at: now + ms, run })
      return () => timers.delete(id)
    },
  }
  const settle = () => new Promise<void>((resolve) => setImmediate(resolve))
  const turn = async (ms: number): Promise<void> => {
    const end = now + ms
    while (true) {
      const due = [...timers].filter(([, { at }]) => at <= end).sort(([, a], [, b]) => a.at - b.at)[0]
      if (!due) break
      timers.delete(due[0])
      now = due[1].at
      due[1].run()
      await settle()
    }
    now = end
    await settle()
  }
  return { clock, turn, settle, pending: () => timers.size }
}

/** A hits log of which only ends and append times matter. */
const aLog = () => {
  const state = { earliest: 0, times: [] as number[] }
  const log: LogReader = {
    ends: async () => ({ id: 'hits', earliest: state.earliest, end: state.times.length }),
    read: async (_topic, _partition, offset) => state.times.slice(offset, offset + 1).map((time) => ({ offset, time, body: '' })),
    offsetAt: async () => 0,
  }
  return { log, state }
}

export const aWorld = async () => {
  const { clock, turn, settle, pending } = aClock()
  const { log, state: hits } = aLog()
  const siteFile = openDatabase(formats.site, { path: ':memory:' })
  const { sites, secrets } = createSites(siteFile)
  const state = openDatabase(formats.state, { path: ':memory:' })
  const memtables = createMemtables(state)
  const progress = createProgress(state)
  const bus = createBus()
  const subscribed = new Set<object>()
  const counted: Ports['bus'] = {
    publish: bus.publish,
    subscribe: (subject, take) => {
      const stop = bus.subscribe(subject, take)
      const mark = {}
      subscribed.add(mark)
      return () => {
        subscribed.delete(mark)
        stop()
      }
    },
  }
  const site = aSite({ created: start })
  await sites.put(site)
  await sites.put(aSite({ site: 'other.example' }))
  const ports: Ports = {
    memtables,
    segments: createSegments(state),
    progress,
    retention: createRetention(state),
    versions: createVersions(state),
    replays: createReplays(siteFile),
    hits: log,
    generations: createGenerations(1),
    sites: createKnownSites(sites, clock),
    secrets,
    bus: counted,
    clock,
  }

  const aKey = async (role: Role, of = ''): Promise<string> => {
    const key = newKey(role, clock)
    await secrets.put({ hash: hashOf(key), kind: 'key', role, site: of, label: '', created: start, until: 0 })
    return key
  }
  let fence: RollupFence = { gen: 1, topic: 'events', next: 0, src: -1, logTime: 0 }
  const commit = async (blocks: Block[], seen: Seen[] = [], table: Memtables = memtables): Promise<void> => {
    await table.init(0, fence)
    const next = blocks.reduce((end, block) => Math.max(end, block.to), fence.next + 1)
    const now = { ...fence, next, src: fence.src + 1, logTime: clock.now() }
    expect(
      await table.commit(0, fence, now, {
        blocks,
        bases: blocks.map(({ site: of, day }) => ({ site: of, day, base: 0 })),
        minutes: [],
        seen,
      }),
    ).toBe('done')
    fence = now
    while (hits.times.length <= fence.src) hits.times.push(clock.now())
  }
  /** Everything that visits leave, in one batch. */
  const visit = (...visits: AVisit[]): Promise<void> => {
    const blocks = [...blocksOf(site, visits).values()].map((list): Block => {
      const rows = list.flatMap((block) => JSON.parse(block.body).map((row: { off: number }) => ({ ...row, off: row.off + fence.next })))
      return { ...list[0]!, from: fence.next, to: fence.next + 1_000, rows: rows.length, body: encodeRows(rows) }
    })
    return commit(blocks)
  }
  const handle = createHandler(ports)
  const send = async (
    path: string,
    { key, body, method = 'GET', query = '', ...rest }: Partial<Omit<Request, 'body'>> & { key?: string; body?: unknown } = {},
  ) => {
    const headers = key === undefined ? {} : { authorization: `Bearer ${key}` }
    const bytes = Buffer.from(typeof body === 'string' ? body : JSON.stringify(body ?? ''))
    // The runtime answers what is thrown.
    return await handle({ method, path, query, headers, body: bytes, address: '::1', ...rest }).catch((error): Reply => replyOf(error))
  }
  const read = await aKey('read', 'example.com')
  const ask = async (query: Record<string, unknown>, key = read) => {
    const reply = await send('/api/v2/query', {
      method: 'POST',
      key,
      body: { site_id: 'example.com', metrics: ['visitors'], date_range: 'day', ...query },
    })
    return { status: reply.status, headers: reply.headers, ...JSON.parse(String(reply.body)) }
  }
  return {
    clock,
    turn,
    settle,
    pending,
    hits,
    ports,
    memtables,
    progress,
    sites,
    secrets,
    bus,
    subscribed,
    site,
    aKey,
    commit,
    visit,
    send,
    ask,
    read,
  }
}

export const parse = (reply: Reply) => JSON.parse(String(reply.body))

export type World = Awaited<ReturnType<typeof aWorld>>
