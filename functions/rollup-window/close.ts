import type { Clock } from '#shared/clock.ts'
import type { Memtables } from '#shared/ports/memtables.ts'
import type { Seals, SiteDay } from '#shared/ports/seals.ts'
import type { OpenDay, SegmentEntry, Segments } from '#shared/ports/segments.ts'
import type { Sites } from '#shared/ports/sites.ts'
import type { LedgerRow } from '#shared/rollup/block.ts'
import { ledgerChunks, ledgerRows } from '#shared/rollup/ledger-segment.ts'
import { endOf, isDue, isLedger, type LifeLimits, mayBeDue } from '#shared/rollup/life.ts'
import { storedLedger } from '#shared/rollup/stored.ts'
import { chainOf } from '#shared/segment/chain.ts'
import { openListed } from '#shared/segment/moved.ts'
import { mergeSorted } from '#shared/segment/together.ts'
import { calendarOf } from '#shared/site/zone.ts'
import { type Attempts, dayText } from './attempts.ts'
import { type AsyncSteps, createBegun } from './begun.ts'
import { groupsOf, putClosed } from './closed.ts'
import { holeIn } from './hole.ts'

/**
 * Close and close again (data.md §9.6): the chain of a day that is over becomes one segment. What it supersedes is left where it is: readers
 * and a state that was set back may stand on it; it goes in its time.
 */
export type ClosePorts = { memtables: Pick<Memtables, 'read'>; seals: Seals; segments: Segments; sites: Sites; clock: Clock }

const notClosed = (where: SiteDay): string => `${dayText(where)} could not be closed`

export const createClose = (
  { memtables, seals, segments, sites, clock }: ClosePorts,
  limits: LifeLimits,
  { attempt, inTurn }: Pick<Attempts, 'attempt' | 'inTurn'>,
) => {
  const isDayDue = async (open: OpenDay, logTime: number): Promise<boolean> => {
    if (!mayBeDue(open, logTime, limits)) return false
    const config = isLedger(open) ? undefined : await sites.find(open.site)
    return isDue(open, endOf(open, config && calendarOf(config.zones)), logTime, limits)
  }

  const ledgerOf = async (partition: number, entry: SegmentEntry): Promise<LedgerRow[]> => {
    const { head, fetch } = await openListed(segments, partition, entry)
    return ledgerRows(head, (await fetch(ledgerChunks))[0])
  }

  /** Puts one segment of those of a chain, in steps. */
  async function* putTogether(partition: number, chain: readonly SegmentEntry[], at: number): AsyncSteps<void> {
    const { site, day } = chain[0]!
    const where = { site, day, from: 0, to: chain.at(-1)!.to }
    if (isLedger(where)) {
      const rows: LedgerRow[] = []
      for (const entry of chain) rows.push(...(await ledgerOf(partition, entry)))
      const { entry, head, chunks } = storedLedger(rows, where)
      return await segments.put(partition, { ...entry, level: 1, ver: 0, at }, head, chunks)
    }
    const groups: Awaited<ReturnType<typeof groupsOf>>[] = []
    for (const entry of chain) groups.push(await groupsOf(segments, partition, entry))
    yield* putClosed({ segments, sites }, partition, where, { ver: 0, at }, mergeSorted(groups), limits)
  }

  /** What lies beyond the chain of a day is reached once the rows before it are flushed. Throws when there are none. */
  const checkBeyond = async (partition: number, { site, day }: SiteDay, list: readonly SegmentEntry[]): Promise<void> => {
    const { fence, intervals } = await memtables.read(partition, site, day, day, { characters: 1 })
    const hole = holeIn({ site, day }, [...list, ...intervals], fence?.next ?? 0)
    if (hole) throw hole
  }

  async function* close(partition: number, { site, day }: OpenDay, logTime: number): AsyncSteps<void> {
    const list = await segments.list(partition, site, day, day)
    const chain = chainOf(list)
    if (chain.length === 0 || (chain.length === 1 && chain[0]!.level === 1)) return await checkBeyond(partition, { site, day }, list)
    yield* putTogether(partition, chain, logTime)
    await seals.forgetBase(partition, { site, day }, chain.at(-1)!.to)
  }

  /** The day of each partition that is being closed: a large one takes many ticks. */
  const { isBegun, begin, goOn } = createBegun(clock, limits, attempt)

  /** Closes the days that are due, until `isOver`. What it reads never changes: events may be taken meanwhile. */
  const closeDue = async (partition: number, logTime: number, isOver: () => boolean): Promise<void> => {
    if (isBegun(partition)) await goOn(partition, isOver)
    for (const open of inTurn(await segments.open(partition), notClosed)) {
      if (isOver()) return
      let isNow = false
      await attempt(notClosed(open), async () => {
        isNow = await isDayDue(open, logTime)
      })
      if (!isNow) continue
      begin(partition, notClosed(open), close(partition, open, logTime))
      await goOn(partition, isOver)
    }
  }

  return { closeDue }
}
