import type { LedgerRow } from '../rollup/block.ts'
import type { Calendar } from '../site/zone.ts'
import type { LedgerSums } from '../visit/event.ts'
import { parseDate, parseInstant } from './dates.ts'
import { queryLimits } from './limits.ts'

/** The public ledger of a site: what became of every hit received, per hour of receipt (data.md §15.2). */

export type LedgerHour = {
  from: string
  received: number
  counted: number
  flagged: Record<string, number>
  refused: Record<string, number>
  repeated: number
  dead: number
  lost: number
}

type Reasons = Map<string, number>
type Sums = Omit<LedgerHour, 'from' | 'flagged' | 'refused'> & { flagged: Reasons; refused: Reasons }

const hourMs = 3_600_000
const dayMs = 86_400_000

/** Start of the hour that an instant lies in. Hours of receipt are hours of UTC. */
const hourOf = (t: number): number => Math.floor(t / hourMs) * hourMs

const addReasons = (to: Reasons, reasons: Record<string, number> = {}): void => {
  for (const [reason, n] of Object.entries(reasons)) to.set(reason, (to.get(reason) ?? 0) + n)
}

const addSums = (sums: Sums, n: LedgerSums): void => {
  sums.received += n.received
  sums.counted += n.counted
  sums.repeated += n.repeated
  sums.dead += n.dead
  sums.lost += n.lost
  addReasons(sums.flagged, n.flagged)
  addReasons(sums.refused, n.refused as Record<string, number> | undefined)
}

type LedgerFold = { add(rows: Iterable<LedgerRow>): void; hours(): LedgerHour[] }

/** Adds up ledger rows of hours that overlap `[from, to)`. */
export const createLedgerFold = ({ from, to }: { from: number; to: number }): LedgerFold => {
  const byHour = new Map<number, Sums>()
  const sumsOf = (hour: number): Sums => {
    let sums = byHour.get(hour)
    if (!sums) {
      sums = { received: 0, counted: 0, flagged: new Map(), refused: new Map(), repeated: 0, dead: 0, lost: 0 }
      byHour.set(hour, sums)
    }
    return sums
  }
  return {
    add(rows) {
      for (const { n } of rows) if (n.hour >= hourOf(from) && n.hour < to) addSums(sumsOf(n.hour), n)
    },
    hours: () =>
      [...byHour]
        .sort(([a], [b]) => a - b)
        .map(([hour, { received, counted, flagged, refused, repeated, dead, lost }]) => ({
          from: new Date(hour).toISOString(),
          received,
          counted,
          flagged: Object.fromEntries(flagged),
          refused: Object.fromEntries(refused),
          repeated,
          dead,
          lost,
        })),
  }
}

const sum = (reasons: Record<string, number>): number => Object.values(reasons).reduce((a, b) => a + b, 0)

const isBalanced = (hour: LedgerHour): boolean =>
  hour.received === hour.counted + sum(hour.flagged) + sum(hour.refused) + hour.repeated + hour.dead

/** received = counted + flagged + refused + repeated + dead, in every hour (and so in total). */
export const balanced = (hours: readonly LedgerHour[]): boolean => hours.every(isBalanced)

/** The stretch that `from` and `to` of `/api/ledger` mean: dates of the site or instants, by default the last 24 hours. Text = what is wrong. */
export const ledgerRange = (
  from: string | undefined,
  to: string | undefined,
  calendar: Calendar,
  now: number,
): { from: number; to: number } | string => {
  const spanOf = (text: string): { from: number; to: number } | undefined => {
    const day = parseDate(text)
    if (day === undefined) return parseInstant(text)
    const { start, end } = calendar.span(day)
    return { from: start, to: end }
  }
  const first = from === undefined ? undefined : spanOf(from)
  const last = to === undefined ? undefined : spanOf(to)
  if (from !== undefined && !first) return 'from: expected a date (2026-10-25) or an instant with offset.'
  if (to !== undefined && !last) return 'to: expected a date (2026-10-25) or an instant with offset.'
  const end = last?.to ?? now + 1
  const start = first?.from ?? end - dayMs
  if (start >= end) return 'from: it is after the end.'
  if (end - start > queryLimits.ledgerDays * dayMs) return `from: at most ${queryLimits.ledgerDays} days.`
  return { from: start, to: end }
}
