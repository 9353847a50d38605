import type { LedgerHour } from './api.ts'
import { addDays, daysOf, earliestOf, latestOf, type Period } from './periods.ts'

/** What was left out of the numbers, and why: the ledger of a site over a period. It counts hits by the hour they came in, whatever is filtered. */
export type Excluded = {
  received: number
  counted: number
  flagged: readonly (readonly [reason: string, hits: number])[]
  refused: readonly (readonly [reason: string, hits: number])[]
  repeated: number
  dead: number
  lost: number
}

/** Days that the server reads of a ledger at once. */
export const mostDays = 400

const rollingMs: Readonly<Record<string, number>> = { realtime: 300_000, '30m': 1_800_000, '24h': 86_400_000 }

/** `from` and `to` of `/api/ledger` for a period, and whether it is shorter than the period. */
export const ledgerSpan = (period: Period, today: string, now: number): { from: string; to: string; isCut: boolean } => {
  const ms = rollingMs[period]
  if (ms !== undefined) return { from: new Date(now - ms).toISOString(), to: new Date(now).toISOString(), isCut: false }
  const [first, last] = daysOf(period, today) ?? [addDays(today, -5_000), today]
  const to = earliestOf(last, today)
  // One less, for the clock changes that make a stretch of days a little longer than its number.
  const earliest = addDays(to, -(mostDays - 2))
  return { from: earliestOf(latestOf(first, earliest), to), to, isCut: first < earliest }
}

const sumReasons = (hours: readonly LedgerHour[], of: (hour: LedgerHour) => Record<string, number>): [string, number][] => {
  const sums = new Map<string, number>()
  for (const hour of hours) for (const [reason, hits] of Object.entries(of(hour))) sums.set(reason, (sums.get(reason) ?? 0) + hits)
  return [...sums].sort(([, a], [, b]) => b - a)
}

/** The hours added up, reasons with most hits first. */
export const excludedOf = (hours: readonly LedgerHour[]): Excluded => {
  const sum = (of: (hour: LedgerHour) => number) => hours.reduce((total, hour) => total + of(hour), 0)
  return {
    received: sum((hour) => hour.received),
    counted: sum((hour) => hour.counted),
    flagged: sumReasons(hours, (hour) => hour.flagged),
    refused: sumReasons(hours, (hour) => hour.refused),
    repeated: sum((hour) => hour.repeated),
    dead: sum((hour) => hour.dead),
    lost: sum((hour) => hour.lost),
  }
}

/** What the server's words for reasons mean; a reason without a sentence here is shown by its word alone. */
export const reasonText: Readonly<Record<string, string>> = {
  agent: 'known robots',
  headless: 'browsers run by a program',
  library: 'programs that fetch pages',
  'no-agent': 'no user agent at all',
  host: 'a host that is not the site’s',
  malformed: 'not a hit',
  'unknown-site': 'no such site',
  'too-long': 'a field over its limit',
  'too-many': 'too many properties',
  'too-old': 'older than 72 hours',
  'bad-url': 'no usable address',
  'bad-revenue': 'no usable amount',
  'needs-key': 'a field that needs a key',
  'needs-visitor': 'nothing to tell visitors apart',
  rate: 'too many from one network',
  'over-quota': 'over the quota',
  erased: 'visitors that were erased',
}
