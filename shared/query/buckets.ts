import { addDays, type Calendar, type Day, isoDay, offsetAt, utcOf } from '../site/zone.ts'
import { addMonths, daysBetween, type Range, weekday } from './dates.ts'
import { queryLimits } from './limits.ts'
import { badQuery } from './names.ts'

/**
 * Time buckets of a range, as the site's wall clock shows them. The doubled hour of a daylight-saving night is one bucket,
 * the skipped one does not exist. What a day that was made longer by a change of zone has beyond 24:00 lies in its last hour,
 * so that the hours of a day are hours of that date.
 */

type TimeUnit = 'minute' | 'hour' | 'day' | 'week' | 'month'
export type TimeDimension = 'time' | `time:${TimeUnit}`

export type Buckets = {
  labels: readonly string[]
  /** Index of the bucket an instant of the range lies in. */
  at(t: number): number
  /** First and last day of the range that a bucket touches. */
  days(index: number): { first: Day; last: Day }
}

const minuteMs = 60_000
const hourMs = 3_600_000
const dayMs = 86_400_000

/** True for `time` and `time:…`. */
export const isTimeDimension = (name: string): name is TimeDimension => name === 'time' || name.startsWith('time:')

/** The unit behind a time dimension: `time` picks hours ≤ 48 h, days ≤ 40 d, weeks ≤ 52 w, else months. */
export const unitOf = (dimension: TimeDimension, range: Range): TimeUnit => {
  if (dimension !== 'time') return dimension.slice(5) as TimeUnit
  // Whole days are counted as days: two of them are 49 hours where one has a doubled hour.
  const days = range.days ? daysBetween(range.days.first, range.days.last) + 1 : (range.to - range.from) / dayMs
  return days <= 2 ? 'hour' : days <= 40 ? 'day' : days <= 364 ? 'week' : 'month'
}

/** A stretch of a day in which local time minus UTC does not change. */
type Piece = { from: number; to: number; offset: number }

const piecesOf = (tz: string, from: number, to: number, before: number, after: number): Piece[] => {
  if (before === after) return [{ from, to, offset: before }]
  let low = from
  let high = to
  // Clocks change at whole seconds; the bisection keeps its ends on them, so that the cut is exact.
  while (high - low > 1000) {
    const middle = low + Math.floor((high - low) / 2000) * 1000
    if (offsetAt(tz, middle) === before) low = middle
    else high = middle
  }
  return [{ from, to: high, offset: before }, ...piecesOf(tz, high, to, offsetAt(tz, high), after)]
}

const held = new WeakMap<Calendar, Map<Day, Piece[]>>()

const piecesHeld = (calendar: Calendar): Map<Day, Piece[]> => {
  const days = held.get(calendar) ?? new Map<Day, Piece[]>()
  held.set(calendar, days)
  return days
}

const dayPieces = (calendar: Calendar, day: Day): Piece[] => {
  const days = piecesHeld(calendar)
  let pieces = days.get(day)
  if (!pieces) {
    if (days.size >= 10_000) days.clear()
    const { start, end } = calendar.span(day)
    const tz = calendar.zoneOf(day)
    const middle = start + Math.floor((end - start) / 2000) * 1000
    const [a, b, c] = [offsetAt(tz, start), offsetAt(tz, middle), offsetAt(tz, end - 1)]
    pieces =
      a === b && b === c
        ? [{ from: start, to: end, offset: a }]
        : [...piecesOf(tz, start, middle, a, b), ...piecesOf(tz, middle, end, b, c)]
    days.set(day, pieces)
  }
  return pieces
}

const inDay = (day: Day, wall: number): number => Math.min(Math.max(wall - utcOf(day), 0), dayMs - 1)

/** Hour (0–23) that the site's clock shows at an instant. */
export const wallHour = (calendar: Calendar, t: number): number => {
  const { day } = calendar.dayAt(t)
  const piece = dayPieces(calendar, day).find(({ to }) => t < to)!
  return Math.floor(inDay(day, t + piece.offset) / hourMs)
}

type Span = { from: number; label: string; day: Day }

const dateLabel: Record<'day' | 'week' | 'month', (day: Day) => string> = {
  day: isoDay,
  week: (day) => isoDay(addDays(day, -weekday(day))),
  month: (day) => isoDay(addMonths(day - (day % 100) + 1, 0)),
}

const clockLabel = (day: Day, ms: number, step: number): string => {
  const minutes = (Math.floor(ms / step) * step) / minuteMs
  const two = (n: number) => String(n).padStart(2, '0')
  return `${isoDay(day)} ${two(Math.floor(minutes / 60))}:${two(minutes % 60)}:00`
}

/** The clock spans of a day between two instants: a new one wherever the label changes. */
const clockSpans = (calendar: Calendar, day: Day, step: number, from: number, to: number): Span[] => {
  const spans: Span[] = []
  for (const piece of dayPieces(calendar, day)) {
    const end = Math.min(piece.to, to)
    let t = Math.max(piece.from, from)
    while (t < end) {
      const wall = t + piece.offset
      spans.push({ from: t, label: clockLabel(day, inDay(day, wall), step), day })
      t = (Math.floor(wall / step) + 1) * step - piece.offset
    }
  }
  return spans
}

const spansOf = (unit: TimeUnit, range: Range, calendar: Calendar): Span[] => {
  const spans: Span[] = []
  for (let day = calendar.dayAt(range.from); day.start < range.to; day = calendar.span(addDays(day.day, 1))) {
    if (unit === 'hour' || unit === 'minute') {
      const step = unit === 'hour' ? hourMs : minuteMs
      for (const span of clockSpans(calendar, day.day, step, Math.max(day.start, range.from), Math.min(day.end, range.to))) spans.push(span)
    } else spans.push({ from: Math.max(day.start, range.from), label: dateLabel[unit](day.day), day: day.day })
  }
  return spans
}

const checkCount = (dimension: TimeDimension, unit: TimeUnit, range: Range): void => {
  const step = unit === 'minute' ? minuteMs : unit === 'hour' ? hourMs : dayMs
  const count = Math.ceil((range.to - range.from) / step)
  if (count <= queryLimits.buckets || step === dayMs) return
  throw badQuery(
    'dimensions',
    `"${dimension}" over this range would give ${count} buckets, more than ${queryLimits.buckets}; take a longer unit or a shorter range`,
  )
}

/** The buckets of a range under a time dimension; throws `bad-query` when they are too many. */
export const bucketsOf = (dimension: TimeDimension, range: Range, calendar: Calendar): Buckets => {
  const unit = unitOf(dimension, range)
  checkCount(dimension, unit, range)
  const spans = spansOf(unit, range, calendar)
  const labels: string[] = []
  const days: { first: Day; last: Day }[] = []
  const index = new Map<string, number>()
  const starts = new Float64Array(spans.length)
  const bucket = new Int32Array(spans.length)
  for (const [i, { from, label, day }] of spans.entries()) {
    let at = index.get(label)
    if (at === undefined) {
      at = labels.push(label) - 1
      index.set(label, at)
      days.push({ first: day, last: day })
    } else days[at]!.last = day
    starts[i] = from
    bucket[i] = at
  }
  return { labels, at: (t) => bucket[lastAtOrBefore(starts, t)] ?? 0, days: (i) => days[i]! }
}

const lastAtOrBefore = (starts: Float64Array, t: number): number => {
  let low = 0
  let high = starts.length
  while (high - low > 1) {
    const middle = (low + high) >> 1
    if (starts[middle]! <= t) low = middle
    else high = middle
  }
  return low
}
