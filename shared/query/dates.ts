import { addDays, type Calendar, type Day, isoDay, offsetAt, utcDay, utcOf } from '../site/zone.ts'
import { queryLimits } from './limits.ts'
import { badQuery } from './names.ts'

/**
 * Which stretch of time a query means: `date_range` and the comparison, as instants `[from, to)` and, where it is made of
 * whole days of the site's calendar, as days. Dates are the site's; an instant without a fraction names its whole second.
 */

export type DateSpec =
  | { kind: 'day' | 'month' | 'year' | 'all' }
  | { kind: 'days' | 'months'; n: number }
  | { kind: 'rolling'; ms: number }
  | { kind: 'dates'; first: Day; last: Day }
  | { kind: 'instants'; from: number; to: number }

/** Whole days, counted in days or in calendar months (which decides what the period before is). */
type WholeDays = { first: Day; last: Day; months?: number }
export type Range = { from: number; to: number; days?: WholeDays }

export type Comparison = 'previous_period' | 'year_over_year' | DateSpec

const dayMs = 86_400_000
const secondMs = 1_000

const rangeForms =
  'expected "day", "month", "year", "7d" (1–5000 days), "6mo" (1–100 months), "24h", "30m", "realtime", "all", or two dates or two instants with offset'

const rollingMs = new Map([
  ['realtime', 300_000],
  ['30m', 1_800_000],
  ['24h', dayMs],
])

const dateForm = /^(\d{4})-(\d\d)-(\d\d)$/
const instantForm = /^(\d{4}-\d\d-\d\d)T([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,3})?)?(Z|[+-]([01]\d|2[0-3]):?[0-5]\d)$/

/** A date `2026-10-25` as YYYYMMDD; `undefined` when there is no such date. */
export const parseDate = (text: string): Day | undefined => {
  const found = dateForm.exec(text)
  if (!found) return undefined
  const day = Number(found[1]) * 10_000 + Number(found[2]) * 100 + Number(found[3])
  return day >= 1_00_00 && isoDay(day) === text ? day : undefined
}

/** An instant with offset as the `[from, to)` that it names: a second, or a millisecond where it has a fraction. */
export const parseInstant = (text: string): { from: number; to: number } | undefined => {
  const found = instantForm.exec(text)
  if (!found || parseDate(found[1]!) === undefined) return undefined
  const from = Date.parse(text.replace(/([+-]\d\d)(\d\d)$/, '$1:$2'))
  return Number.isNaN(from) ? undefined : { from, to: from + (found[4] ? 1 : secondMs) }
}

const parsePair = (field: string, [a, b]: readonly [string, string]): DateSpec => {
  const [first, last] = [parseDate(a), parseDate(b)]
  const [start, end] = [parseInstant(a), parseInstant(b)]
  if (first !== undefined && last !== undefined) {
    if (first > last) throw badQuery(field, `${a} is after ${b}`)
    if (daysBetween(first, last) >= queryLimits.rangeDays) throw badQuery(field, `at most ${queryLimits.rangeDays} days`)
    return { kind: 'dates', first, last }
  }
  if (start && end) {
    const [from, to] = [start.from, end.to]
    if (from >= to) throw badQuery(field, `${a} is after ${b}`)
    if (to - from > queryLimits.rangeDays * dayMs) throw badQuery(field, `at most ${queryLimits.rangeDays} days`)
    return { kind: 'instants', from, to }
  }
  const wrong = first === undefined && !start ? a : last === undefined && !end ? b : undefined
  const why =
    wrong === undefined ? 'a date and an instant cannot be mixed' : `"${wrong.slice(0, 60)}" is no date and no instant with offset`
  throw badQuery(field, `${why}; ${rangeForms}`)
}

/** The meaning of `date_range` (or of a comparison's two ends) as written; throws `bad-query`. */
export const parseDates = (field: string, value: string | readonly [string, string]): DateSpec => {
  if (typeof value !== 'string') return parsePair(field, value)
  if (value === 'day' || value === 'month' || value === 'year' || value === 'all') return { kind: value }
  const ms = rollingMs.get(value)
  if (ms !== undefined) return { kind: 'rolling', ms }
  const found = /^([1-9]\d{0,3})(d|mo)$/.exec(value)
  const n = Number(found?.[1])
  if (found?.[2] === 'd' && n <= queryLimits.rangeDays) return { kind: 'days', n }
  if (found?.[2] === 'mo' && n <= queryLimits.rangeMonths) return { kind: 'months', n }
  throw badQuery(field, rangeForms)
}

/** Days from one date to another. */
export const daysBetween = (a: Day, b: Day): number => Math.round((utcOf(b) - utcOf(a)) / dayMs)

/** The same day of the month `n` months later; the month's last day where it has no such day. */
export const addMonths = (day: Day, n: number): Day => {
  const months = Math.floor(day / 10_000) * 12 + (Math.floor(day / 100) % 100) - 1 + n
  const first = utcDay(Date.UTC(Math.floor(months / 12), months % 12, 1))
  const lastOfMonth = utcDay(Date.UTC(Math.floor(months / 12), (months % 12) + 1, 0))
  return Math.min(first - 1 + (day % 100), lastOfMonth)
}

/** 0 = Monday … 6 = Sunday. */
export const weekday = (day: Day): number => (new Date(utcOf(day)).getUTCDay() + 6) % 7

/** End of the second an instant lies in: what is asked "up to now" ends here, so that its echo asks the same again. */
const endOfSecond = (t: number): number => Math.floor(t / secondMs) * secondMs + secondMs

const wholeDays = (calendar: Calendar, days: WholeDays): Range => ({
  from: calendar.span(days.first).start,
  to: calendar.span(days.last).end,
  days,
})

const months = (first: Day, n: number): WholeDays => ({ first, last: addDays(addMonths(first, n), -1), months: n })

/** The range that a specification means now. `data` = first and last day that the site has rows on (only `all` asks). */
export const resolveRange = (spec: DateSpec, calendar: Calendar, now: number, data: { first: Day; last: Day } | undefined): Range => {
  const today = calendar.dayAt(now).day
  const thisMonth = today - (today % 100) + 1
  switch (spec.kind) {
    case 'day':
      return wholeDays(calendar, { first: today, last: today })
    case 'month':
      return wholeDays(calendar, months(thisMonth, 1))
    case 'year':
      return wholeDays(calendar, months(Math.floor(today / 10_000) * 10_000 + 101, 12))
    case 'days':
      return wholeDays(calendar, { first: addDays(today, -spec.n), last: addDays(today, -1) })
    case 'months':
      return wholeDays(calendar, months(addMonths(thisMonth, -spec.n), spec.n))
    case 'all':
      return wholeDays(calendar, { first: Math.min(data?.first ?? today, today), last: Math.max(data?.last ?? today, today) })
    case 'dates':
      return wholeDays(calendar, { first: spec.first, last: spec.last })
    case 'rolling':
      return { from: endOfSecond(now) - spec.ms, to: endOfSecond(now) }
    case 'instants':
      return { from: spec.from, to: spec.to }
  }
}

const sameWallTime = (calendar: Calendar, t: number, move: (day: Day) => Day): number => {
  const { day, start } = calendar.dayAt(t)
  const moved = calendar.span(move(day))
  return Math.min(moved.start + (t - start), moved.end)
}

const yearBefore = (day: Day): Day => addMonths(day, -12)

const comparedDays = (mode: 'previous_period' | 'year_over_year', { first, last, months: n }: WholeDays): WholeDays => {
  if (n !== undefined) return months(addMonths(first, mode === 'year_over_year' ? -12 : -n), n)
  if (mode === 'year_over_year') return { first: yearBefore(first), last: yearBefore(last) }
  const length = daysBetween(first, last) + 1
  return { first: addDays(first, -length), last: addDays(last, -length) }
}

/** Moves a comparison so that it begins on the same day of the week: earlier before, to the nearest a year before. */
const onSameWeekday = (mode: 'previous_period' | 'year_over_year', days: WholeDays, first: Day): WholeDays => {
  const back = (weekday(days.first) - weekday(first) + 7) % 7
  const move = mode === 'year_over_year' && back > 3 ? 7 - back : -back
  return { first: addDays(days.first, move), last: addDays(days.last, move) }
}

/** What a range that is not over yet is compared with: the same elapsed time. */
const elapsedOnly = (calendar: Calendar, range: Range, compared: Range, now: number): Range => {
  const end = endOfSecond(now)
  if (range.to <= end) return compared
  if (!range.days || !compared.days)
    return { ...compared, to: Math.max(compared.from, Math.min(compared.to, compared.from + end - range.from)) }
  const { day, start } = calendar.dayAt(now)
  const index = daysBetween(range.days.first, day)
  const span = calendar.span(addDays(compared.days.first, index))
  const to = Math.min(span.start + (end - start), span.end, compared.to)
  return { ...compared, to: Math.max(compared.from, to) }
}

/** The range that `include.compare` means for a range. Two given ends stand as given. */
export const compareRange = (compare: Comparison, matchWeekday: boolean, range: Range, calendar: Calendar, now: number): Range => {
  if (typeof compare !== 'string') return resolveRange(compare, calendar, now, undefined)
  if (range.days) {
    const days = comparedDays(compare, range.days)
    return elapsedOnly(calendar, range, wholeDays(calendar, matchWeekday ? onSameWeekday(compare, days, range.days.first) : days), now)
  }
  const length = range.to - range.from
  const compared =
    compare === 'previous_period'
      ? { from: range.from - length, to: range.from }
      : { from: sameWallTime(calendar, range.from, yearBefore), to: sameWallTime(calendar, range.from, yearBefore) + length }
  return elapsedOnly(calendar, range, compared, now)
}

const two = (n: number): string => String(n).padStart(2, '0')

/** An instant in the site's zone: `2026-10-25T00:00:00+02:00`. */
const isoInstant = (calendar: Calendar, t: number, fraction: boolean): string => {
  const offset = Math.round(offsetAt(calendar.zoneOf(calendar.dayAt(t).day), t) / 60_000)
  const wall = new Date(t + offset * 60_000).toISOString()
  const minutes = Math.abs(offset)
  return `${wall.slice(0, fraction ? 23 : 19)}${offset < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`
}

/** A range as two inclusive instants, such that asking for them is asking for the range. */
export const isoRange = (calendar: Calendar, { from, to }: Range): [string, string] => {
  const whole = to % secondMs === 0
  return [isoInstant(calendar, from, from % secondMs !== 0), isoInstant(calendar, to - (whole ? secondMs : 1), !whole)]
}
