import type { Clock } from '#shared/clock.ts'
import { FootfallError } from '#shared/errors.ts'
import type { LogReader } from '#shared/ports/log.ts'
import type { BlockCursor, BlockPage, Memtables, RollupFence } from '#shared/ports/memtables.ts'
import type { SegmentEntry, Segments } from '#shared/ports/segments.ts'
import { type Freshness, freshnessOf, oldestPending, together } from '#shared/query/freshness.ts'
import { queryLimits } from '#shared/query/limits.ts'
import { decodeLedger, type LedgerRow, ledgerDay } from '#shared/rollup/block.ts'
import { ledgerChunks, ledgerRows } from '#shared/rollup/ledger-segment.ts'
import { readableChain } from '#shared/segment/chain.ts'
import type { Interval } from '#shared/segment/encode.ts'
import { fetchListed, Moved, openListed } from '#shared/segment/moved.ts'
import type { Block } from '#shared/segment/row.ts'

/**
 * One consistent reading of a site's rows: the fence of the first read is the end of all of them. Later rows are left out, so a visit is
 * never seen half before and half after a commit, and a second look sees what the first one saw.
 */

/** Where the rows of one partition and day lie: segments, and spans of offsets whose blocks are hot. Together they are one chain. */
export type DayParts = { cold: { entry: SegmentEntry; head: Buffer }[]; hot: Interval[] }

export type Reading = {
  site: string
  /** First and last day with rows. */
  days(): Promise<{ first: number; last: number } | undefined>
  /** Names the state of a partition that the reading stands on; `before`: the offset at which it ends. */
  state(partition: number): { name: string; before: number }
  parts(partition: number, day: number): Promise<DayParts>
  /** The hot blocks of a day that begin behind offset `after`, a page at a time. */
  blocks(partition: number, day: number, spans: readonly Interval[], after?: number): AsyncIterable<readonly Block[]>
  /** Rows of the ledger of one partition and UTC day. */
  ledger(partition: number, day: number): AsyncIterable<readonly LedgerRow[]>
  /** How far the reading reaches. `now` is taken inside, before the log is asked. */
  freshness(): Promise<Freshness>
}

type Sources = { memtables: Memtables; segments: Segments; hits: LogReader; clock: Clock }

/** Partitions that may hold rows of a site, whatever its shards were on a day. */
export const partitions = (count: number): number[] => Array.from({ length: count }, (_, partition) => partition)

/** No day lies behind it, no ledger before its negative. */
const lastDay = 99_991_231

/** So many readings are begun for a question whose rows are moved under it. */
const attempts = 4

/** Asks with a reading of its own each time, until one comes to its end. */
export const reread = async <T>(ask: () => Promise<T>): Promise<T> => {
  for (let attempt = 1; ; attempt++)
    try {
      return await ask()
    } catch (error) {
      if (attempt === attempts || !(error instanceof Moved)) throw error
    }
}

const lies = ({ from }: Block, spans: readonly Interval[]): boolean => spans.some((span) => from >= span.from && from < span.to)
/** Whether the rows of an interval are hot still; a seal in between changes its borders, not its rows. */
const holds = ({ intervals }: BlockPage, { from, to }: Interval): boolean => {
  let reached = from
  for (const one of intervals) if (one.from <= reached && one.to > reached) reached = one.to
  return reached >= to
}

/** Begins a reading of one site. Its fences are taken now. */
export const beginReading = async ({ memtables, segments, hits, clock }: Sources, site: string, count: number): Promise<Reading> => {
  const fences: (RollupFence | undefined)[] = await Promise.all(partitions(count).map((partition) => memtables.fence(partition)))
  // Where nothing says how far the state has come, an answer could be smaller than one before it.
  for (const partition of partitions(count))
    if (!fences[partition] && (await segments.list(partition, site, -lastDay, lastDay)).length > 0) throw new Moved('is being restored')
  const endOf = (partition: number): number => fences[partition]?.next ?? 0

  const pageOf = async (partition: number, day: number, page: { after?: BlockCursor; characters?: number }): Promise<BlockPage> => {
    const was = fences[partition]
    const read = await memtables.read(partition, site, day, day, page)
    const { fence } = read
    if (was && (fence?.gen !== was.gen || fence.topic !== was.topic || fence.next < was.next)) throw new Moved('went back')
    return read
  }

  /** Hot first, then cold (R8): what is flushed in between is in both, and the chain takes it once. */
  const parts = async (partition: number, day: number): Promise<DayParts> => {
    const before = endOf(partition)
    const { intervals } = await pageOf(partition, day, { characters: 1 })
    const listed = await segments.list(partition, site, day, day)
    const chain = readableChain(listed, intervals, before)
    if (!chain) throw new Moved('was flushed')
    const cold: DayParts['cold'] = []
    for (const part of chain) {
      if (!('cold' in part)) continue
      const { head } = await openListed(segments, partition, part.cold)
      cold.push({ entry: part.cold, head })
    }
    return { cold, hot: chain.flatMap((part) => ('hot' in part ? [{ from: part.hot.from, to: Math.min(part.hot.to, before) }] : [])) }
  }

  async function* blocks(partition: number, day: number, spans: readonly Interval[], after = -1): AsyncGenerator<Block[], void, void> {
    const before = endOf(partition)
    let next: BlockCursor | undefined = { from: after, day }
    while (next) {
      const page: BlockPage = await pageOf(partition, day, { after: next })
      if (!spans.every((span) => holds(page, span))) throw new Moved('was flushed')
      yield page.blocks.filter((block) => block.from < before && lies(block, spans))
      // What begins at the end or beyond it is later than the reading, and so is everything behind it.
      next = page.blocks.some(({ from }) => from >= before) ? undefined : page.next
    }
  }

  async function* ledger(partition: number, day: number): AsyncGenerator<readonly LedgerRow[], void, void> {
    const { cold, hot } = await parts(partition, day)
    for (const { entry, head } of cold) yield ledgerRows(head, (await fetchListed(segments, partition, entry)(ledgerChunks))[0])
    if (hot.length > 0) for await (const page of blocks(partition, day, hot)) for (const block of page) yield decodeLedger(block)
  }

  return {
    site,
    state(partition) {
      const fence = fences[partition]
      return { name: `${fence?.topic} ${fence?.gen}`, before: endOf(partition) }
    },
    async days() {
      const hot = await Promise.all(partitions(count).map((partition) => memtables.days(partition, site)))
      const cold = await Promise.all(partitions(count).map((partition) => segments.days(partition, site)))
      const known = [...hot, ...cold].filter((days) => days !== undefined)
      if (known.length === 0) return undefined
      return { first: Math.min(...known.map(({ first }) => first)), last: Math.max(...known.map(({ last }) => last)) }
    },
    parts,
    blocks,
    ledger: (partition, day) => ledger(partition, ledgerDay(day)),
    freshness: () => currentFreshness({ hits, clock }, fences),
  }
}

/** How far given fences reach into the hits log. */
export const currentFreshness = async (
  { hits, clock }: Pick<Sources, 'hits' | 'clock'>,
  fences: readonly (RollupFence | undefined)[],
): Promise<Freshness> => {
  const each = fences.map(async (fence, partition) => {
    const now = clock.now()
    const ends = await hits.ends('hits', partition)
    const offset = oldestPending({ fence, ends })
    const [oldest] = offset === undefined ? [] : await hits.read('hits', partition, offset, { records: 1, bytes: 1, waitMs: 0 })
    return freshnessOf({ fence, ends, oldest: oldest?.time }, now)
  })
  return together(await Promise.all(each))
}

export type Pause = () => Promise<void> | undefined

/** Gives others a turn every `sliceMs`, and ends what takes longer than `timeMs` or what nobody waits for any more. */
export const createPause = (clock: Clock, signal: AbortSignal | undefined): Pause => {
  const until = clock.now() + queryLimits.timeMs
  let slice = clock.now() + queryLimits.sliceMs
  return () => {
    const now = clock.now()
    if (now < slice) return undefined
    if (now > until) throw new FootfallError('timeout')
    if (signal?.aborted) throw new FootfallError('timeout', { detail: 'Nobody waits for the answer any more.' })
    // The event loop is no clock: this waits for its next turn, not for time.
    return new Promise((resolve) => setImmediate(resolve)).then(() => {
      slice = clock.now() + queryLimits.sliceMs
    })
  }
}
