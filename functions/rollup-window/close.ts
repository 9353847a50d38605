import type { Seals, SiteDay } from '#shared/ports/seals.ts'
import type { OpenDay, SegmentEntry, Segments } from '#shared/ports/segments.ts'
import type { Sites } from '#shared/ports/sites.ts'
import type { LedgerRow } from '#shared/rollup/block.ts'
import { ledgerChunks, ledgerRows } from '#shared/rollup/ledger-segment.ts'
import { endOf, isDue, isLedger, type LifeLimits, mayBeDue } from '#shared/rollup/life.ts'
import { type Stored, storedLedger, storedSorted } from '#shared/rollup/stored.ts'
import { chainOf } from '#shared/segment/chain.ts'
import type { SegmentRow } from '#shared/segment/row.ts'
import { fetchRows } from '#shared/segment/stream.ts'
import { mergeSorted } from '#shared/segment/together.ts'
import { calendarOf } from '#shared/site/zone.ts'
import { type Attempts, dayText } from './attempts.ts'

/**
 * Close and close again (data.md §9.6): the chain of a day that is over becomes one segment. What it supersedes is left where it is: readers
 * and a state that was set back may stand on it; it goes in its time.
 */
export type ClosePorts = { seals: Seals; segments: Segments; sites: Sites }

const notClosed = (where: SiteDay): string => `${dayText(where)} could not be closed`

export const createClose = (
  { seals, segments, sites }: ClosePorts,
  limits: LifeLimits,
  { attempt, inTurn }: Pick<Attempts, 'attempt' | 'inTurn'>,
) => {
  const isDayDue = async (open: OpenDay, logTime: number): Promise<boolean> => {
    if (!mayBeDue(open, logTime, limits)) return false
    const config = isLedger(open) ? undefined : await sites.find(open.site)
    return isDue(open, endOf(open, config && calendarOf(config.zones)), logTime, limits)
  }

  /** `undefined` when it was dropped meanwhile: the day was closed by another. */
  const visitsOf = async (partition: number, entry: SegmentEntry): Promise<Iterable<SegmentRow> | undefined> => {
    const head = await segments.head(partition, entry)
    return head && (await fetchRows(head, (chunks) => segments.read(partition, entry, chunks)))
  }

  const ledgerOf = async (partition: number, entry: SegmentEntry): Promise<LedgerRow[] | undefined> => {
    const head = await segments.head(partition, entry)
    return head && ledgerRows(head, (await segments.read(partition, entry, ledgerChunks))[0])
  }

  const together = async (partition: number, chain: readonly SegmentEntry[]): Promise<Stored | undefined> => {
    const { site, day } = chain[0]!
    const where = { site, day, from: 0, to: chain.at(-1)!.to }
    if (isLedger(where)) {
      const rows = await all(chain, (entry) => ledgerOf(partition, entry))
      return rows && storedLedger(rows.flat(), where)
    }
    const rows = await all(chain, (entry) => visitsOf(partition, entry))
    return rows && storedSorted(mergeSorted(rows), where)
  }

  const close = async (partition: number, { site, day }: OpenDay, logTime: number): Promise<void> => {
    const chain = chainOf(await segments.list(partition, site, day, day))
    if (chain.length === 0 || (chain.length === 1 && chain[0]!.level === 1)) return // what lies beyond cannot be reached yet
    const stored = await together(partition, chain)
    if (!stored) return
    const { entry, head, chunks } = stored
    await segments.put(partition, { ...entry, level: 1, at: logTime }, head, chunks)
    await seals.forgetBase(partition, { site, day }, entry.to)
  }

  /** Closes the days that are due, until `isOver`. */
  const closeDue = async (partition: number, logTime: number, isOver: () => boolean): Promise<void> => {
    for (const open of inTurn(await segments.open(partition), notClosed)) {
      if (isOver()) return
      await attempt(notClosed(open), async () => {
        if (await isDayDue(open, logTime)) await close(partition, open, logTime)
      })
    }
  }

  return { closeDue }
}

/** What is made of each, in order; `undefined` when one of them is not there. */
const all = async <From, To>(list: readonly From[], make: (one: From) => Promise<To | undefined>): Promise<To[] | undefined> => {
  const made: To[] = []
  for (const one of list) {
    const found = await make(one)
    if (found === undefined) return undefined
    made.push(found)
  }
  return made
}
