import { expect } from 'vitest'
import { createHandler } from '#functions/query-metrics/handler.ts'
import { systemClock } from '#shared/clock.ts'
import { replyOf } from '#shared/errors.ts'
import type { Handler, Reply } from '#shared/handler.ts'
import type { LogReader } from '#shared/ports/log.ts'
import type { RollupFence } from '#shared/ports/memtables.ts'
import type { SiteDay } from '#shared/ports/seals.ts'
import { decodeRows, encodeRows } from '#shared/rollup/block.ts'
import { createClosedDay, createVisits } from '#shared/rollup/stored.ts'
import { mergeRows } from '#shared/segment/merge.ts'
import type { Block, Row } from '#shared/segment/row.ts'
import { finish } from '#shared/segment/steps.ts'
import { hashOf, newKey } from '#shared/site/access.ts'
import type { SiteConfig } from '#shared/site/config.ts'
import { createKnownSites } from '#shared/site/known-sites.ts'
import { partitionsOf } from '#shared/site/shards.ts'
import { calendarOf } from '#shared/site/zone.ts'
import type { Ports as Stores } from '#shared/wire.ts'
import type { Random } from './random.ts'
import { finished } from './tables.ts'
import { type AVisit, askReference, blocksOf, visitorHash } from './world.ts'

/**
 * Sites in real stores, and query-metrics over them: some of a site's days are hot, some flushed in one or several intervals, some closed, some
 * closed with late rows behind. What is answered must be what the reference fold answers of the same rows.
 */

type Asked = Record<string, unknown>
type Seeded = { site: SiteConfig; visits: readonly AVisit[]; now: string }

/** Some events of one partition: rows by day. */
type Lot = ReadonlyMap<number, readonly Row[]>

/** The rows of visits by day, cut into lots by their offsets. */
const lotsOf = (site: SiteConfig, visits: readonly AVisit[], oneEvent: boolean, lots: number): Lot[] => {
  if (visits.length === 0) return Array.from({ length: lots }, () => new Map())
  const all = [...blocksOf(site, visits, oneEvent)].flatMap(([day, blocks]) => blocks.flatMap(decodeRows).map((row) => ({ day, row })))
  const size = Math.max(1, Math.ceil((1 + Math.max(...all.map(({ row }) => row.off))) / lots))
  return Array.from({ length: lots }, (_, n) => {
    const own = all.filter(({ row }) => Math.floor(row.off / size) === n)
    return new Map([...Map.groupBy(own, ({ day }) => day)].map(([day, rows]) => [day, rows.map(({ row }) => row)]))
  })
}

/** Every visitor in one of so many partitions; where there are several, nobody's hash changes with the day, by which he would seem to move. */
const spread = (visits: readonly AVisit[], shards: number): AVisit[][] => {
  if (shards === 1) return [[...visits]]
  const routeOf = ({ who = '' }: AVisit): number => Number.parseInt(visitorHash(who).slice(0, 2), 16)
  const steady = visits.map(({ whoNext: _changes, ...visit }): AVisit => visit)
  return Array.from({ length: shards }, (_, n) => steady.filter((visit) => routeOf(visit) % shards === n))
}

const key = newKey('read', systemClock)

/** Who helps with each question, however small it is; `like` is a query-metrics over the same stores. */
type HelpersOf = (like: Handler) => readonly Handler[]

/** Sites in these stores, one after the other. Nothing else may write there. */
export const openStored = async (stores: Stores, helpersOf?: HelpersOf) => {
  const { memtables, seals, segments, generations } = stores
  await stores.secrets.put({ hash: hashOf(key), kind: 'key', role: 'read', site: '', label: '', created: 0, until: 0 })
  const fences = new Map<number, RollupFence>()

  const fenceOf = async (partition: number): Promise<RollupFence> => {
    const first = { gen: 1, topic: 'events', next: 0, src: -1, logTime: 0 }
    return fences.get(partition) ?? (await memtables.init(partition, first))
  }
  /** A hits log of which all is taken. */
  const hits: LogReader = {
    ends: async (_topic, partition) => ({ id: 'hits', earliest: 0, end: (fences.get(partition)?.src ?? -1) + 1 }),
    read: async () => [],
    offsetAt: async () => 0,
  }

  /** Commits rows behind those that are there, as one batch; answers them as blocks. */
  const commit = async (site: SiteConfig, partition: number, lot: Lot): Promise<Block[]> => {
    const fence = await fenceOf(partition)
    const rows = [...lot.values()].flat()
    if (rows.length === 0) return []
    const first = Math.min(...rows.map(({ off }) => off))
    const next = fence.next + Math.max(0, ...rows.map(({ off }) => 1 + off - first))
    const blocks = [...lot].map(([day, own]): Block => {
      const body = encodeRows(own.map((row) => ({ ...row, off: row.off - first + fence.next })))
      return { site: site.site, day, from: fence.next, to: next, rows: own.length, body }
    })
    const now = { ...fence, next, src: next - 1 }
    const bases = blocks.map(({ day }) => ({ site: site.site, day, base: 0 }))
    expect(await memtables.commit(partition, fence, now, { blocks, bases, minutes: [], seen: [] })).toBe('done')
    fences.set(partition, now)
    return blocks
  }

  /** Seals and flushes rows of a day, in intervals of so many bytes at least; all of them, or the first interval. */
  const flush = async (partition: number, where: SiteDay, random: Random): Promise<void> => {
    const bytes = random.pick([2_000, 1_000_000])
    for (let isOver = false; !isOver; ) {
      const copy = await seals.seal(partition, where, 0, bytes)
      if (!copy) return
      const visits = createVisits(copy)
      visits.add(mergeRows((await seals.readSealed(partition, copy))!.flatMap(decodeRows)))
      const { entry, head, chunks } = finish(visits.done())
      await segments.put(partition, { ...entry, level: 0, ver: 0, at: 0 }, head, chunks)
      // As long as the copy stands, its rows are in both.
      if (random.chance(0.7)) await seals.dropSealed(partition, copy)
      isOver = random.chance(0.2)
    }
  }

  /** What is flushed of a day, as one segment with cells. */
  const close = async (site: SiteConfig, partition: number, day: number, blocks: readonly Block[]): Promise<void> => {
    const to = Math.max(0, ...(await segments.list(partition, site.site, day, day)).map((entry) => entry.to))
    if (to === 0) return
    const rules = { day, bounce: site.bounce, calendar: calendarOf(site.zones) }
    const closing = createClosedDay({ site: site.site, day, from: 0, to }, rules, 0)
    closing.add(mergeRows(blocks.filter(({ from }) => from < to).flatMap(decodeRows)))
    const { entry, head, chunks } = await finished(closing.done())
    await segments.put(partition, { ...entry, level: 1, ver: 0, at: 0 }, head, chunks)
  }

  /** Some days stay hot, some are flushed, some of these are closed. */
  const settle = async (
    site: SiteConfig,
    partition: number,
    days: ReadonlyMap<number, readonly Block[]>,
    random: Random,
  ): Promise<void> => {
    for (const [day, blocks] of days) {
      if (random.chance(0.5)) continue
      await flush(partition, { site: site.site, day }, random)
      if (random.chance(0.5)) await close(site, partition, day, blocks)
    }
  }

  const service = async (site: SiteConfig, now: number) => {
    await stores.sites.put(site)
    const clock = { ...systemClock, now: () => now }
    const ports = { ...stores, hits, sites: createKnownSites(stores.sites, clock), clock }
    const like = createHandler(ports)
    const onError = (error: unknown): void => {
      throw error
    }
    const handle = helpersOf ? createHandler(ports, { helpers: helpersOf(like), sizes: { unit: 1, range: 1 }, onError }) : like
    return async (query: Asked) => {
      const body = Buffer.from(JSON.stringify({ site_id: site.site, date_range: 'all', ...query }))
      const headers = { authorization: `Bearer ${key}` }
      const request = { method: 'POST', path: '/api/v2/query', query: '', headers, body, address: '' }
      const { status, body: text } = await handle(request).catch((error): Reply => replyOf(error))
      const { meta, ...answer } = JSON.parse(String(text))
      const { as_of: _asOf, lag_ms: _lag, ...told } = meta ?? {}
      return { status, ...answer, meta: told }
    }
  }

  /**
   * Puts visits into the stores as those of a site of its own, `name`, in some lots, and asks after each. Throws where an answer is
   * not the reference's. `random` says how the rows lie.
   */
  return async (name: string, { site: given, visits, now }: Seeded, questions: readonly Asked[], random: Random): Promise<void> => {
    const shards = random.pick([1, 1, 1, 2, 4])
    const site = { ...given, site: name, ...(shards === 1 ? {} : { shards: [{ bits: Math.log2(shards), from: 0 }] }) }
    const own = partitionsOf(site.site, site, await generations.list())
    const lots = random.pick([1, 2, 4, 8])
    const oneEvent = random.chance(0.3)
    const each = spread(visits, own.length).map((some) => lotsOf(site, some, oneEvent, lots))
    const stored = own.map((): Map<number, Block[]> => new Map())
    const ask = await service(site, Date.parse(now))
    for (let n = 0; n < lots; n++) {
      for (const [i, partition] of own.entries()) {
        const days = stored[i]!
        for (const block of await commit(site, partition, each[i]![n]!)) days.set(block.day, [...(days.get(block.day) ?? []), block])
        await settle(site, partition, days, random)
      }
      const blocks = new Map<number, Block[]>()
      for (const days of stored) for (const [day, some] of days) blocks.set(day, [...(blocks.get(day) ?? []), ...some])
      const edge = (lot: number): number => Math.round((questions.length * lot) / lots)
      for (const query of questions.slice(edge(n), edge(n + 1))) {
        const expected = await askReference(query, { site, now: Date.parse(now), blocks })
        expect(await ask(query), `lot ${n}: ${JSON.stringify(query)}`).toEqual({ status: 200, ...JSON.parse(JSON.stringify(expected)) })
      }
    }
  }
}
