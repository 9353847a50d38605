/**
 * Periods as they are picked, written in the URL and asked of the API. Dates are days of the site's time zone, `2026-11-24`.
 *
 *   period = "day" | "yesterday" | "realtime" | "30m" | "24h" | N "d" | "month" | N "mo" | "year" | "all" | date | date ".." date
 *
 * `7d` are the 7 complete days before today, `1mo` is the last month, a date is that day.
 */
export type Period = string

/** What the menu offers: its name, the key that picks it, what it is called. */
export const offered: readonly { period: Period; key: string; label: string }[] = [
  { period: 'day', key: 'd', label: 'Today' },
  { period: 'yesterday', key: 'e', label: 'Yesterday' },
  { period: 'realtime', key: 'r', label: 'Realtime' },
  { period: '24h', key: '', label: 'Last 24 hours' },
  { period: '7d', key: 'w', label: 'Last 7 days' },
  { period: '28d', key: 'f', label: 'Last 28 days' },
  { period: '30d', key: 't', label: 'Last 30 days' },
  { period: '91d', key: 'n', label: 'Last 91 days' },
  { period: 'month', key: 'm', label: 'This month' },
  { period: '1mo', key: 'p', label: 'Last month' },
  { period: 'year', key: 'y', label: 'This year' },
  { period: '12mo', key: 'l', label: 'Last 12 months' },
  { period: 'all', key: 'a', label: 'All time' },
]

const dayMs = 86_400_000
/** Years of four digits: earlier and later ones are not written so, and no site has hits in them. */
const dateForm = /^([1-9]\d{3})-(\d\d)-(\d\d)$/
const countForm = /^([1-9]\d{0,3})(d|mo)$/

const msOf = (date: string): number => Date.parse(`${date}T00:00:00Z`)
const dateOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10)

/** A date that exists, such as 2026-02-28. */
export const isDate = (text: string): boolean => dateForm.test(text) && !Number.isNaN(msOf(text)) && dateOf(msOf(text)) === text

/** The first, and the last, of some dates: as text they are in the order of time. */
export const earliestOf = (...dates: string[]): string => dates.sort()[0]!
export const latestOf = (...dates: string[]): string => dates.sort().at(-1)!

export const addDays = (date: string, days: number): string => dateOf(msOf(date) + days * dayMs)
/** Days from the first to the last, both counted. */
export const daysFrom = (first: string, last: string): number => Math.round((msOf(last) - msOf(first)) / dayMs) + 1

/** First day of the month that lies `months` after the month of `date`. */
const monthStart = (date: string, months: number): string => {
  const [year, month] = date.split('-').map(Number)
  return dateOf(Date.UTC(year!, month! - 1 + months, 1))
}

/** The two ends of `2026-11-01..2026-11-30`, or of one date. */
export const datesOf = (text: string): [string, string] | undefined => {
  const [first = '', last = first, ...more] = text.split('..')
  return more.length === 0 && isDate(first) && isDate(last) && first <= last && daysFrom(first, last) <= 5_000 ? [first, last] : undefined
}

export const isPeriod = (text: string): boolean => {
  if (offered.some(({ period }) => period === text) || text === '30m') return true
  const [, n, unit] = countForm.exec(text) ?? []
  if (n !== undefined) return Number(n) <= (unit === 'd' ? 5_000 : 100)
  return datesOf(text) !== undefined
}

/** Today's date in a time zone. */
export const todayIn = (timeZone: string, now: number): string => {
  const parts = new Intl.DateTimeFormat('en-CA', { timeZone, year: 'numeric', month: '2-digit', day: '2-digit' }).formatToParts(now)
  const part = (type: string) => parts.find((one) => one.type === type)!.value
  return `${part('year').padStart(4, '0')}-${part('month')}-${part('day')}`
}

/** `date_range` of the API. */
export const dateRangeOf = (period: Period, today: string): string | [string, string] => {
  if (period === 'yesterday') return [addDays(today, -1), addDays(today, -1)]
  return datesOf(period) ?? period
}

/** The whole days of a period, as far as it has them; a rolling one has none, and of `all` the first is not known here. */
export const daysOf = (period: Period, today: string): [string, string] | undefined => {
  if (period === 'day') return [today, today]
  if (period === 'yesterday') return [addDays(today, -1), addDays(today, -1)]
  if (period === 'month') return [monthStart(today, 0), addDays(monthStart(today, 1), -1)]
  if (period === 'year') return [`${today.slice(0, 4)}-01-01`, `${today.slice(0, 4)}-12-31`]
  const [, n, unit] = countForm.exec(period) ?? []
  if (unit === 'd') return [addDays(today, -Number(n)), addDays(today, -1)]
  if (unit === 'mo') return [monthStart(today, -Number(n)), addDays(monthStart(today, 0), -1)]
  return datesOf(period)
}

/** Whether hits that come now belong to it. */
export const isOpen = (period: Period, today: string): boolean => {
  const days = daysOf(period, today)
  return days === undefined || (days[0] <= today && today <= days[1])
}

const isWholeMonths = ([first, last]: readonly [string, string]): boolean => first.endsWith('-01') && addDays(last, 1).endsWith('-01')

const monthsFrom = (first: string, last: string): number => {
  const [a, b] = [first, last].map((date) => Number(date.slice(0, 4)) * 12 + Number(date.slice(5, 7)))
  return b! - a! + 1
}

/** The name of these days: the shortest there is, so that going back and forth ends where it began. */
const named = (first: string, last: string, today: string): Period => {
  const found = offered.find(({ period }) => {
    const days = daysOf(period, today)
    return days?.[0] === first && days[1] === last
  })
  return found?.period ?? (first === last ? first : `${first}..${last}`)
}

/** The period of the same length before or after; `undefined` where there is none (rolling ones, and what lies in the future). */
export const shifted = (period: Period, direction: -1 | 1, today: string): Period | undefined => {
  const days = daysOf(period, today)
  if (!days) return undefined
  const [first, last] = days
  const months = isWholeMonths(days) ? monthsFrom(first, last) : 0
  const from = months > 0 ? monthStart(first, direction * months) : addDays(first, direction * daysFrom(first, last))
  const to = months > 0 ? addDays(monthStart(from, months), -1) : addDays(from, daysFrom(first, last) - 1)
  return from > today || !isDate(from) || !isDate(to) ? undefined : named(from, to, today)
}

const long = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short', year: 'numeric', timeZone: 'UTC' })
const shortDay = (date: string): string => long.format(msOf(date))

/** What a period is called. */
export const labelOf = (period: Period): string => {
  const found = offered.find((one) => one.period === period)
  if (found) return found.label
  const dates = datesOf(period)
  if (dates) return dates[0] === dates[1] ? shortDay(dates[0]) : `${shortDay(dates[0])} – ${shortDay(dates[1])}`
  const [, n, unit] = countForm.exec(period) ?? []
  if (n) return `Last ${n} ${unit === 'd' ? 'days' : 'months'}`
  return 'Last 30 minutes'
}
