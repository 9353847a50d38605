import type { Clock } from '#shared/clock.ts'
import { FootfallError } from '#shared/errors.ts'
import type { LogReader } from '#shared/ports/log.ts'
import type { BlockCursor, BlockPage, Memtables, RollupFence } from '#shared/ports/memtables.ts'
import type { SegmentEntry, Segments } from '#shared/ports/segments.ts'
import type { Scan } from '#shared/query/answer.ts'
import { type Freshness, freshnessOf, oldestPending, together } from '#shared/query/freshness.ts'
import { queryLimits } from '#shared/query/limits.ts'
import { createMerge } from '#shared/query/merge.ts'
import { endless, type Room } from '#shared/query/room.ts'
import { decodeLedger, decodeRows, type LedgerRow, ledgerDay } from '#shared/rollup/block.ts'
import { ledgerChunks, ledgerRows } from '#shared/rollup/ledger-segment.ts'
import { readableChain, type Span } from '#shared/segment/chain.ts'
import type { Block, SegmentRow } from '#shared/segment/row.ts'
import { rowGroupsOf } from '#shared/segment/stream.ts'
import { addDays, type Calendar } from '#shared/site/zone.ts'

/**
 * One consistent reading of a site's rows. Days are read one after the other, page by page, so that in memory is what a question needs
 * of one day; the fence of the first read is the end of all of them: later rows are left out, so a visit is never seen half before and
 * half after a commit, and a second pass sees what the first one saw.
 */

export type Reading = {
  /** First and last day with rows. */
  days(): Promise<{ first: number; last: number } | undefined>
  /** Rows of one partition and day that lie below the reading's end, some at a time; what of a segment is decoded for them takes `room`. */
  visits(partition: number, day: number, room: Room): AsyncIterable<readonly SegmentRow[]>
  /** Rows of the ledger of one partition and UTC day. */
  ledger(partition: number, day: number): AsyncIterable<readonly LedgerRow[]>
  /** How far the reading reaches. `now` is taken inside, before the log is asked. */
  freshness(): Promise<Freshness>
}

type Sources = { memtables: Memtables; segments: Segments; hits: LogReader; clock: Clock }

/** Partitions that may hold rows of a site, whatever its shards were on a day. */
export const partitions = (count: number): number[] => Array.from({ length: count }, (_, partition) => partition)

/** A reading that cannot go on; one that begins again, with the end that is then, can. */
const moved = (why: string) => new FootfallError('store-unavailable', { detail: `Its state ${why} while it was read.` })

/** So many readings are begun for a question whose rows are moved under it. */
const attempts = 4

/** Asks with a reading of its own each time, until one comes to its end. */
export const reread = async <T>(ask: () => Promise<T>): Promise<T> => {
  for (let attempt = 1; ; attempt++)
    try {
      return await ask()
    } catch (error) {
      if (attempt === attempts || !(error instanceof FootfallError) || error.code !== 'store-unavailable') throw error
    }
}

/** Rows of a segment are handed on so many at a time, so that others have their turn. */
const sliceRows = 500

function* slicesOf<R>(rows: Iterable<R>): Generator<R[], void, void> {
  let slice: R[] = []
  for (const row of rows) {
    slice.push(row)
    if (slice.length < sliceRows) continue
    yield slice
    slice = []
  }
  yield slice
}

/** How rows of one kind come out of the store. */
type Kind<R> = {
  decode(block: Block): readonly R[]
  cold(head: Buffer, entry: SegmentEntry, partition: number, segments: Segments, room: Room): AsyncIterable<Iterable<R>>
}

const visitKind: Kind<SegmentRow> = {
  decode: decodeRows,
  cold: (head, entry, partition, segments, room) => rowGroupsOf(head, (chunks) => segments.read(partition, entry, chunks), room),
}

const ledgerKind: Kind<LedgerRow> = {
  decode: decodeLedger,
  async *cold(head, entry, partition, segments) {
    yield ledgerRows(head, (await segments.read(partition, entry, ledgerChunks))[0])
  },
}

const lies = ({ from }: Block, spans: readonly Span[]): boolean => spans.some((span) => from >= span.from && from < span.to)
/** Whether the rows of an interval are hot still; a seal in between changes its borders, not its rows. */
const holds = ({ intervals }: BlockPage, { from, to }: Span): boolean => {
  let reached = from
  for (const one of intervals) if (one.from <= reached && one.to > reached) reached = one.to
  return reached >= to
}

/** Begins a reading of one site. Its fences are taken now. */
export const beginReading = async ({ memtables, segments, hits, clock }: Sources, site: string, count: number): Promise<Reading> => {
  const fences: (RollupFence | undefined)[] = await Promise.all(partitions(count).map((partition) => memtables.fence(partition)))
  const endOf = (partition: number): number => fences[partition]?.next ?? 0

  const pageOf = async (partition: number, day: number, after?: BlockCursor): Promise<BlockPage> => {
    const was = fences[partition]
    const page = await memtables.read(partition, site, day, day, { after })
    const { fence } = page
    if (was && (fence?.gen !== was.gen || fence.topic !== was.topic || fence.next < was.next)) throw moved('went back')
    return page
  }

  async function* hotRows<R>(
    partition: number,
    day: number,
    first: BlockPage,
    spans: readonly Span[],
    decode: Kind<R>['decode'],
  ): AsyncGenerator<readonly R[], void, void> {
    const before = endOf(partition)
    for (let page = first; ; page = await pageOf(partition, day, page.next)) {
      if (!spans.every((span) => holds(page, span))) throw moved('was flushed')
      for (const block of page.blocks) {
        if (block.from >= before) return // so is everything behind it
        if (lies(block, spans)) yield (decode(block) as readonly (R & { off: number })[]).filter(({ off }) => off < before)
      }
      if (!page.next) return
    }
  }

  /** Hot first, then cold (R8): what is flushed in between is in both, and the chain takes it once. */
  async function* rowsOf<R>(partition: number, day: number, kind: Kind<R>, room: Room): AsyncGenerator<readonly R[], void, void> {
    const before = endOf(partition)
    const first = await pageOf(partition, day)
    const cold = await segments.list(partition, site, day, day)
    // Where nothing says how far the state has come, an answer could be smaller than one before it.
    if (cold.length > 0 && !fences[partition]) throw moved('is being restored')
    const chain = readableChain(cold, first.intervals, before)
    if (!chain) throw moved('was flushed')
    for (const part of chain) {
      if (!('cold' in part)) continue
      const head = await segments.head(partition, part.cold)
      if (!head) throw moved('was closed')
      for await (const rows of kind.cold(head, part.cold, partition, segments, room)) yield* slicesOf(rows)
    }
    const spans = chain.flatMap((part) => ('hot' in part ? [{ from: part.hot.from, to: Math.min(part.hot.to, before) }] : []))
    if (spans.length > 0) yield* hotRows(partition, day, first, spans, kind.decode)
  }

  return {
    async days() {
      const hot = await Promise.all(partitions(count).map((partition) => memtables.days(partition, site)))
      const cold = await Promise.all(partitions(count).map((partition) => segments.days(partition, site)))
      const known = [...hot, ...cold].filter((days) => days !== undefined)
      if (known.length === 0) return undefined
      return { first: Math.min(...known.map(({ first }) => first)), last: Math.max(...known.map(({ last }) => last)) }
    },
    visits: (partition, day, room) => rowsOf(partition, day, visitKind, room),
    ledger: (partition, day) => rowsOf(partition, ledgerDay(day), ledgerKind, endless),
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

/** The visits of a reading, a day of a partition at a time. */
export const scanOf = (
  reading: Reading,
  count: number,
  calendar: Calendar,
  data: { first: number; last: number } | undefined,
  pause: Pause,
  room: Room,
): Scan =>
  async function* (range, columns) {
    if (!data || range.from >= range.to) return
    const first = Math.max(calendar.dayAt(range.from).day, data.first)
    const last = Math.min(calendar.dayAt(range.to - 1).day, data.last)
    for (const partition of partitions(count)) {
      const merge = createMerge(columns, range, calendar, room)
      for (let day = first; day <= last; day = addDays(day, 1)) {
        for await (const rows of reading.visits(partition, day, room)) {
          merge.add(rows)
          await pause()
        }
        yield merge.day()
      }
      yield merge.rest()
      merge.end()
    }
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
