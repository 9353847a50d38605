import type { Calendar } from '../site/zone.ts'
import type { Buckets } from './buckets.ts'
import type { Range } from './dates.ts'
import type { Filter } from './filters.ts'
import type { GoalRow } from './goals.ts'
import type { Needs, Sums } from './metrics.ts'
import type { Room } from './room.ts'

/** What is to be counted: a query, with the range and the site's rules resolved. */
export type CountPlan = {
  dimensions: readonly string[]
  filters: readonly Filter[]
  /** Rows of `event:goal`, where it is a dimension. */
  goals: readonly GoalRow[]
  /** Engagement updates that count without that dimension; absent = none. */
  updates: Filter | undefined
  buckets: Buckets | undefined
  range: Range
  needs: Needs
  bots: boolean
  bounce: 'engaged' | 'single-page'
  calendar: Calendar
  /** Only groups with these keys are kept; all others are counted in the tail. Absent = keep all. */
  keep: ReadonlySet<string> | undefined
  /** Visits that are counted one by one; of more a sample is taken. */
  mostVisits: number
  room: Room
  /** Called now and then: lets others run when it is time to, throws when the time is up. */
  pause(): Promise<void> | undefined
}

/** All filters that a plan asks. */
export const filtersOf = ({ filters, goals, updates }: CountPlan): Filter[] => [
  ...filters,
  ...goals.map(({ filter }) => filter),
  ...(updates ? [updates] : []),
]

/** What was counted, and the distinct visitors of all groups together. */
export type Counts = { groups: Sums[]; allVisitors: number }

/** What was counted of a share `sampled` of all visitors (1 = of all). */
export type OfSample = Counts & { sampled: number }

/**
 * As an answer. `sampled`: the share of all visitors that were looked at; below 1 the counts are estimates of all, and `relativeError` is how far a count
 * of all that was looked at may be off (19 times of 20).
 */
export type Counted = OfSample & { relativeError: number }

/** An engine: the reference fold (reference.ts), or the columns (columns/engine.ts). All give the same. */
export type Count = (plan: CountPlan) => Promise<Counted>

/** The days that a group's time bucket touches; without one, those of the whole range. */
export const daysOf = ({ range, calendar, buckets }: CountPlan): ((bucket: number) => { first: number; last: number }) => {
  const whole = { first: calendar.dayAt(range.from).day, last: calendar.dayAt(range.to - 1).day }
  return (bucket) => (bucket < 0 ? whole : buckets!.days(bucket))
}
