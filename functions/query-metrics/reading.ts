import type { Clock } from '#shared/clock.ts'
import { FootfallError } from '#shared/errors.ts'
import type { LogReader } from '#shared/ports/log.ts'
import type { BlockCursor, Memtables, RollupFence } from '#shared/ports/memtables.ts'
import type { Scan } from '#shared/query/answer.ts'
import { type Freshness, freshnessOf, oldestPending, together } from '#shared/query/freshness.ts'
import { queryLimits } from '#shared/query/limits.ts'
import { createMerge } from '#shared/query/merge.ts'
import type { Room } from '#shared/query/room.ts'
import type { Block } from '#shared/segment/row.ts'
import { addDays, type Calendar } from '#shared/site/zone.ts'

/**
 * One consistent reading of a site's rows. Days are read one after the other, page by page, so that in memory is what a question needs
 * of one day; the fence of the first read is the end of all of them: later rows are left out, so a visit is never seen half before and
 * half after a commit, and a second pass sees what the first one saw.
 */

export type Reading = {
  /** First and last day with rows. */
  days(): Promise<{ first: number; last: number } | undefined>
  /** Blocks of one partition and day, each with the offset at which the reading ends. A page of them at a time is in memory. */
  blocks(partition: number, day: number): AsyncIterable<{ block: Block; before: number }>
  /** How far the reading reaches. `now` is taken inside, before the log is asked. */
  freshness(): Promise<Freshness>
}

type Sources = { memtables: Memtables; hits: LogReader; clock: Clock }

/** Partitions that may hold rows of a site, whatever its shards were on a day. */
export const partitions = (count: number): number[] => Array.from({ length: count }, (_, partition) => partition)

const regressed = () => new FootfallError('store-unavailable', { detail: 'Its state went back while it was read.' })

/** Begins a reading of one site. Its fences are taken now. */
export const beginReading = async ({ memtables, hits, clock }: Sources, site: string, count: number): Promise<Reading> => {
  const fences: (RollupFence | undefined)[] = await Promise.all(partitions(count).map((partition) => memtables.fence(partition)))
  return {
    async days() {
      const known = (await Promise.all(partitions(count).map((partition) => memtables.days(partition, site)))).filter(
        (days) => days !== undefined,
      )
      if (known.length === 0) return undefined
      return { first: Math.min(...known.map(({ first }) => first)), last: Math.max(...known.map(({ last }) => last)) }
    },
    async *blocks(partition, day) {
      const was = fences[partition]
      const before = was?.next ?? 0
      let after: BlockCursor | undefined
      do {
        const { fence, blocks, next } = await memtables.read(partition, site, day, day, { after })
        if (was && (fence?.gen !== was.gen || fence.topic !== was.topic || fence.next < was.next)) throw regressed()
        for (const block of blocks) {
          if (block.from >= before) return // so is everything behind it
          yield { block, before }
        }
        after = next
      } while (after)
    },
    freshness: () => currentFreshness({ hits, clock }, fences),
  }
}

/** How far given fences reach into the hits log. */
export const currentFreshness = async (
  { hits, clock }: Omit<Sources, 'memtables'>,
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
        for await (const { block, before } of reading.blocks(partition, day)) {
          merge.take(block, before)
          await pause()
        }
        yield merge.day()
      }
      yield merge.rest()
      merge.end()
    }
  }

type Pause = () => Promise<void> | undefined

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
