import type { Due, SiteDay } from '../ports/seals.ts'
import type { OpenDay } from '../ports/segments.ts'
import { type Calendar, utcOf } from '../site/zone.ts'

/** When what happens in the life of a day (data.md §9.3, §9.6). All by the time of the log, so that a stage that is behind does as one that is not. */
export const lifeLimits = {
  /** A memtable is flushed at so many rows or bytes, or so long after its first row. */
  flushRows: 200_000,
  flushBytes: 8_000_000,
  flushAgeMs: 60 * 60_000,
  /** A day is closed so long after its end, and again when late rows have come and none for so long. */
  closeAfterMs: 2 * 3_600_000,
  closeAgainMs: 6 * 3_600_000,
  /** A closed day of fewer rows has no cells: its rows are counted in no time, and cells would take more room than they do. */
  cellRows: 1_000,
  /** At the latest: a busy site has late rows for three days, and never six hours without. */
  closeLateMs: 24 * 3_600_000,
  /** Flushed rows that no closed segment has after so long: closing does not work. */
  unclosedMs: 48 * 3_600_000,
  /** Days that are kept no longer, or not closed, are looked for this often (clock). */
  expireEveryMs: 3_600_000,
  /** What a closed segment has superseded stays readable for so long (R7): a state that was set back may still stand on it. */
  keepMs: 10 * 24 * 3_600_000,
  /**
   * A flushed copy stays hot for so long (clock): a question that began before the seal ends within the flushed interval, and a segment
   * cannot be cut. Longer than a question may take.
   */
  holdMs: 30_000,
  /** A tick, or a commit, is followed by no more work of this kind once it took so long (clock). */
  boxMs: 250,
  /** The same for closing at a tick; a day that is not closed by then is gone on with at the next one. */
  closeBoxMs: 500,
  /** After so long (clock) the rest of the thread has a turn. */
  sliceMs: 10,
  /** After a commit it is looked for work only so often (clock). */
  lookMs: 1_000,
  /** How far the state has come is kept this often (clock) while events are taken, and on each tick. */
  reachedMs: 10_000,
  /** Memtables and superseded segments of one look. */
  atOnce: 200,
  /** Events that one tick trims: some tens of megabytes, 5,000 a second. After an upgrade there may be years of them. */
  trimEvents: 50_000,
} as const
export type LifeLimits = { readonly [name in keyof typeof lifeLimits]: number }

const dayMs = 86_400_000
/** No place on earth ends a date later after its end in UTC, or earlier before it. */
const zoneMs = { late: 12 * 3_600_000, early: 14 * 3_600_000 } as const

export const dueAt = (logTime: number, { flushRows, flushBytes, flushAgeMs }: LifeLimits): Due => ({
  rows: flushRows,
  bytes: flushBytes,
  born: logTime - flushAgeMs,
})

export const isLedger = ({ day }: SiteDay): boolean => day < 0

/** True unless it is certain, whatever the site's zone, that a day is not over long enough. */
export const mayBeDue = (open: OpenDay, logTime: number, limits: LifeLimits): boolean =>
  isDue(open, utcOf(Math.abs(open.day)) + dayMs - zoneMs.early, logTime, limits)

/** The end of a day; without a calendar (a removed site) when it is over everywhere. A ledger's days are those of UTC. */
export const endOf = (where: SiteDay, calendar: Calendar | undefined): number => {
  if (isLedger(where)) return utcOf(-where.day) + dayMs
  return calendar ? calendar.span(where.day).end : utcOf(where.day) + dayMs + zoneMs.late
}

/** Whether a day that is open is to be closed, or closed again. */
export const isDue = ({ closed, newest, oldest }: OpenDay, end: number, logTime: number, limits: LifeLimits): boolean =>
  logTime >= end + limits.closeAfterMs && (!closed || logTime >= newest + limits.closeAgainMs || logTime >= oldest + limits.closeLateMs)

/** The first day that a site keeps: the same date so many months ago. `undefined` = all of them. (As a bound, 31 February does as well as any.) */
export const firstKept = (calendar: Calendar, logTime: number, months: number): number | undefined => {
  if (months === 0) return undefined
  const { day } = calendar.dayAt(logTime)
  const month = Math.floor(day / 10_000) * 12 + (Math.floor(day / 100) % 100) - 1 - months
  return Math.floor(month / 12) * 10_000 + ((month % 12) + 1) * 100 + (day % 100)
}
