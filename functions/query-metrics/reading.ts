import type { Clock } from '#shared/clock.ts'
import { FootfallError } from '#shared/errors.ts'
import type { LogReader } from '#shared/ports/log.ts'
import type { BlockCursor, BlockPage, Memtables, RollupFence } from '#shared/ports/memtables.ts'
import type { Active, Versions } from '#shared/ports/replays.ts'
import type { SegmentEntry, Segments } from '#shared/ports/segments.ts'
import { type Freshness, freshnessOf, oldestPending, together } from '#shared/query/freshness.ts'
import { queryLimits } from '#shared/query/limits.ts'
import { decodeLedger, type LedgerRow, ledgerDay } from '#shared/rollup/block.ts'
import { ledgerChunks, ledgerRows } from '#shared/rollup/ledger-segment.ts'
import { readableChain } from '#shared/segment/chain.ts'
import type { Interval } from '#shared/segment/encode.ts'
import { Moved, openListed } from '#shared/segment/moved.ts'
import type { Block } from '#shared/segment/row.ts'
import { type GenerationList, isGone, isOwn } from '#shared/site/generations.ts'
import type { Reached } from './reached.ts'

/**
 * One consistent reading of a site's rows: the fence of the first read is the end of all of them. Later rows are left out, so a visit is
 * never seen half before and half after a commit, and a second look sees what the first one saw.
 */

/** Where the rows of one partition and day lie: segments, and spans of offsets whose blocks are hot. Together they are one chain. */
export type DayParts = { cold: SegmentEntry[]; hot: Interval[] }

/** What a reading stands on, as plain values. */
export type Ground = {
  /** The partitions that may hold rows of the site; what follows is of each of them, in this order. */
  partitions: readonly number[]
  /** Where the state was. */
  fences: readonly (RollupFence | null)[]
  /** Which version of a day is read; 0 where none is named. */
  versions: readonly (readonly (readonly [day: number, version: number])[])[]
  /** Days that were being led to another version. */
  transit: { from: number; to: number } | undefined
}

export type Reading = {
  site: string
  /** What it stands on. */
  ground: Ground
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

export type Sources = {
  memtables: Memtables
  segments: Segments
  versions: Pick<Versions, 'active' | 'days'>
  hits: LogReader
  generations: GenerationList
  clock: Clock
  /** What was seen of the states before. */
  reached: Reached
}

/** Nothing lies on it: a page of it tells the fence alone. */
const noDay = 0

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

/** Begins a reading of one site. Its fences are taken now, and which version of each day it reads; of the days of `preview` that version. */
export const beginReading = async (sources: Sources, site: string, partitions: readonly number[], preview?: number): Promise<Reading> => {
  const { segments, versions, reached } = sources
  const states = await Promise.all(partitions.map((partition) => reached.fence(partition)))
  const fences = states.map(({ fence }) => fence ?? null)
  const setBack = new Set(partitions.filter((_, i) => states[i]!.isBehind))
  // Where nothing says how far the state has come, an answer could be smaller than one before it.
  for (const [i, partition] of partitions.entries())
    if (!fences[i] && (await segments.list(partition, site, -lastDay, lastDay)).length > 0) throw new Moved('is being restored')
  const active: readonly Active[] = await Promise.all(partitions.map((partition) => versions.active(partition, site)))
  const days = active.map(({ days: standing }) => new Map(standing))
  if (preview !== undefined)
    for (const [i, partition] of partitions.entries())
      for (const { day } of await versions.days(partition, site, preview)) days[i]!.set(day, preview)
  const ground = { partitions, fences, versions: days.map((of) => [...of]), transit: transitOf(active) }
  return readingOn(sources, site, ground, setBack)
}

/** A reading that stands where another one does: it reads the same rows. `setBack`: partitions whose state was farther before. */
export const readingOn = (
  { memtables, segments, hits, generations, clock }: Omit<Sources, 'versions' | 'reached'>,
  site: string,
  ground: Ground,
  setBack: ReadonlySet<number> = new Set(),
): Reading => {
  const { partitions } = ground
  const fences = new Map(partitions.map((partition, i) => [partition, ground.fences[i] ?? undefined]))
  const versions = new Map(partitions.map((partition, i) => [partition, new Map(ground.versions[i])]))
  const versionOf = (partition: number, day: number): number => versions.get(partition)!.get(day) ?? 0
  const endOf = (partition: number): number => fences.get(partition)?.next ?? 0

  /** Throws unless what it reads, and what was read before it, is of the state that the reading stands on. */
  const pageOf = async (partition: number, day: number, page: { after?: BlockCursor; characters?: number }): Promise<BlockPage> => {
    const was = fences.get(partition)
    const read = await memtables.read(partition, site, day, day, page)
    const { fence } = read
    if (was && (fence?.gen !== was.gen || fence.topic !== was.topic || fence.next < was.next)) throw new Moved('went back')
    return read
  }

  /** Hot first, then cold (R8): what is flushed in between is in both, and the chain takes it once. */
  const parts = async (partition: number, day: number): Promise<DayParts> => {
    const before = endOf(partition)
    const { intervals } = await pageOf(partition, day, { characters: 1 })
    const listed = await segments.list(partition, site, day, day, versionOf(partition, day))
    const chain = readableChain(listed, intervals, before)
    if (!chain) throw new Moved('was flushed')
    const cold = chain.flatMap((part) => ('cold' in part ? [part.cold] : []))
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
    for (const entry of cold) {
      const { head, fetch } = await openListed(segments, partition, entry)
      yield ledgerRows(head, (await fetch(ledgerChunks))[0])
    }
    if (hot.length > 0) for await (const page of blocks(partition, day, hot)) for (const block of page) yield decodeLedger(block)
  }

  return {
    site,
    ground,
    state(partition) {
      const fence = fences.get(partition)
      return { name: `${fence?.topic} ${fence?.gen}`, before: endOf(partition) }
    },
    async days() {
      const hot = await Promise.all(partitions.map((partition) => memtables.days(partition, site)))
      const [cold] = await Promise.all([
        Promise.all(partitions.map((partition) => segments.days(partition, site))),
        // State that was emptied meanwhile has no days, or fewer, and no page of them would be read that could tell.
        Promise.all(partitions.map((partition) => pageOf(partition, noDay, { characters: 1 }))),
      ])
      const known = [...hot, ...cold].filter((days) => days !== undefined)
      if (known.length === 0) return undefined
      return { first: Math.min(...known.map(({ first }) => first)), last: Math.max(...known.map(({ last }) => last)) }
    },
    parts,
    blocks,
    ledger: (partition, day) => ledger(partition, ledgerDay(day)),
    freshness: () => currentFreshness({ hits, generations, clock }, fences, setBack),
  }
}

const transitOf = (active: readonly Active[]): Ground['transit'] => {
  const all = active.flatMap(({ transit }) => (transit ? [transit] : []))
  if (all.length === 0) return undefined
  return { from: Math.min(...all.map(({ from }) => from)), to: Math.max(...all.map(({ to }) => to)) }
}

/** How far the fences of partitions reach into the hits log; a log that is gone is none to fall behind of. */
export const currentFreshness = async (
  { hits, generations, clock }: Pick<Sources, 'hits' | 'generations' | 'clock'>,
  fences: ReadonlyMap<number, RollupFence | undefined>,
  setBack: ReadonlySet<number> = new Set(),
): Promise<Freshness> => {
  const list = await generations.list()
  const standing = [...fences].filter(([partition]) => !isGone(list, 'hits', partition))
  const each = standing.map(async ([partition, fence]) => {
    const now = clock.now()
    const ends = await hits.ends('hits', partition)
    const isOther = !isOwn(list, 'hits', partition, ends.id)
    const offset = isOther ? undefined : oldestPending({ fence, ends })
    const [oldest] = offset === undefined ? [] : await hits.read('hits', partition, offset, { records: 1, bytes: 1, waitMs: 0 })
    return freshnessOf({ fence, ends, oldest: oldest?.time, isSetBack: setBack.has(partition), isOther }, now)
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
