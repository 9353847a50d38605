import type { Step } from './intervals.ts'
import { datesOf } from './periods.ts'

/** Stretches of time and buckets as people read them. All texts are of the site's wall clock and are shown as they are, never shifted. */
const utc = { timeZone: 'UTC' } as const
const day = new Intl.DateTimeFormat(undefined, { ...utc, day: 'numeric', month: 'short', year: 'numeric' })
const weekdayDay = new Intl.DateTimeFormat(undefined, { ...utc, weekday: 'short', day: 'numeric', month: 'short', year: 'numeric' })
const dayMonth = new Intl.DateTimeFormat(undefined, { ...utc, day: 'numeric', month: 'short' })
const month = new Intl.DateTimeFormat(undefined, { ...utc, month: 'long', year: 'numeric' })
const shortMonth = new Intl.DateTimeFormat(undefined, { ...utc, month: 'short' })
const year = new Intl.DateTimeFormat(undefined, { ...utc, year: 'numeric' })

const atUtc = (date: string): number => Date.parse(`${date}T00:00:00Z`)

/** One date, or two ends. */
const datesLabel = (first: string, last: string): string =>
  first === last ? day.format(atUtc(first)) : day.formatRange(atUtc(first), atUtc(last))

/** `query.date_range` and the like: two inclusive instants of the site's clock. Times are told where they are not whole days. */
export const spanLabel = ([from, to]: readonly [string, string]): string => {
  const [first, last] = [from.slice(0, 10), to.slice(0, 10)]
  const dates = datesOf(`${first}..${last}`) ? datesLabel(first, last) : `${first} – ${last}`
  const isWhole = from.slice(11, 19) === '00:00:00' && to.slice(11, 19) === '23:59:59'
  if (isWhole) return dates
  const [begins, ends] = [from.slice(11, 16), to.slice(11, 16)]
  return first === last ? `${dates}, ${begins} – ${ends}` : `${datesLabel(first, first)}, ${begins} – ${datesLabel(last, last)}, ${ends}`
}

/** A bucket in full. */
export const bucketLabel = (label: string, step: Step): string => {
  const date = label.slice(0, 10)
  if (step === 'month') return month.format(atUtc(date))
  if (step === 'week') return `Week of ${day.format(atUtc(date))}`
  const text = weekdayDay.format(atUtc(date))
  return step === 'day' ? text : `${text}, ${label.slice(11, 16)}`
}

/** A bucket below the chart, where there is little room. `before` is the label to its left; `isLong`: there are several days. */
export const tickLabel = (label: string, step: Step, before: string | undefined, isLong: boolean): string => {
  const date = label.slice(0, 10)
  const at = atUtc(date)
  if (step === 'minute' || step === 'hour') return isLong && label.slice(11, 16) === '00:00' ? dayMonth.format(at) : label.slice(11, 16)
  const isNewYear = before !== undefined && before.slice(0, 4) !== date.slice(0, 4)
  if (step === 'month') return isNewYear ? year.format(at) : shortMonth.format(at)
  return isNewYear ? `${dayMonth.format(at)} ${date.slice(0, 4)}` : dayMonth.format(at)
}
