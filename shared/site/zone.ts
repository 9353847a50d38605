import type { ZoneSpan } from './config.ts'

/**
 * Days of a site: a function of UTC time and its list of zones (data.md §4.2). Where the zone changes, let T0 be the end of
 * local day D in the old zone; day D+1 begins at max(T0, midnight of D+1 in the new zone). No date is repeated or lost,
 * and daylight saving gives days of 23 or 25 hours.
 */

/** A calendar date as YYYYMMDD. */
export type Day = number
/** `[start, end)` in ms UTC. */
type DaySpan = { day: Day; start: number; end: number }

const dayMs = 86_400_000

/** YYYYMMDD of a UTC instant's date in UTC. */
export const utcDay = (t: number): Day => {
  const date = new Date(t)
  return date.getUTCFullYear() * 10_000 + (date.getUTCMonth() + 1) * 100 + date.getUTCDate()
}

/** UTC midnight (ms) of a date. */
export const utcOf = (day: Day): number => Date.UTC(Math.floor(day / 10_000), (Math.floor(day / 100) % 100) - 1, day % 100)

/** The date `n` days later (earlier when negative). */
export const addDays = (day: Day, n: number): Day => utcDay(utcOf(day) + n * dayMs)

/** `2026-10-25` */
export const isoDay = (day: Day): string => new Date(utcOf(day)).toISOString().slice(0, 10)

const formats = new Map<string, Intl.DateTimeFormat>()
const formatOf = (tz: string): Intl.DateTimeFormat => {
  let format = formats.get(tz)
  if (!format) {
    format = new Intl.DateTimeFormat('en-US', {
      timeZone: tz,
      calendar: 'gregory',
      numberingSystem: 'latn',
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    })
    formats.set(tz, format)
  }
  return format
}

/**
 * True for a name the runtime's time zone database knows. A bare offset (`+05:00`), which Intl takes too, is none: it may be further
 * from UTC than any place on earth, and days and salts rely on that.
 */
export const isTimeZone = (tz: string): boolean => {
  if (/^[+-]/.test(tz)) return false
  try {
    new Intl.DateTimeFormat('en-US', { timeZone: tz }) // not formatOf: what is only asked about must not fill its cache
    return true
  } catch {
    return false // RangeError is how Intl says no
  }
}

/** Local wall time minus UTC, ms, at an instant. */
export const offsetAt = (tz: string, t: number): number => {
  const whole = Math.floor(t / 1000) * 1000
  const part: Record<string, number> = {}
  for (const { type, value } of formatOf(tz).formatToParts(whole)) if (type !== 'literal') part[type] = Number(value)
  return Date.UTC(part['year']!, part['month']! - 1, part['day']!, part['hour']!, part['minute']!, part['second']!) - whole
}

/** First instant of a date in one zone. Where daylight saving skips midnight it is the first instant after the gap; where midnight is doubled, the first. */
const midnight = (tz: string, day: Day): number => {
  const wall = utcOf(day)
  // The zone's offsets around the date: a day is never more than 26 h from UTC and clocks change at most once in between.
  const before = offsetAt(tz, wall - dayMs)
  const after = offsetAt(tz, wall + dayMs)
  const early = wall - Math.max(before, after)
  const late = wall - Math.min(before, after)
  if (early === late) return early
  if (early + offsetAt(tz, early) >= wall) return early
  if (late + offsetAt(tz, late - 1) - 1 < wall) return late
  let low = early // the wall clock at `low` is before the date, at `high` in it
  let high = late
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if (middle + offsetAt(tz, middle) >= wall) high = middle
    else low = middle
  }
  return high
}

/** A zone and the first date it governs; none of its days begins before `start`, the end of the last day of the zone before. */
type Rule = { tz: string; day: Day; start: number }

const ruleOf = (rules: readonly Rule[], day: Day): Rule => rules.findLast((rule) => rule.day <= day)!

// The maximum counts beyond the first day too: a change from UTC−12 to UTC+14 leaps over the whole of it and into the next.
const startOf = (rules: readonly Rule[], day: Day): number => {
  const { tz, start } = ruleOf(rules, day)
  return Math.max(start, midnight(tz, day))
}

/** The zone of a span governs from the first day on that begins, by the zones before it, at or after the span's `from`. */
const rulesOf = (zones: readonly ZoneSpan[]): Rule[] => {
  const rules: Rule[] = [{ tz: zones[0]!.tz, day: Number.NEGATIVE_INFINITY, start: Number.NEGATIVE_INFINITY }]
  for (const { tz, from } of zones.slice(1)) {
    let day = utcDay(from)
    while (startOf(rules, day) >= from) day = addDays(day, -1)
    while (startOf(rules, day) < from) day = addDays(day, 1)
    rules.push({ tz, day, start: startOf(rules, day) })
  }
  return rules
}

export type Calendar = {
  /** Its zones, as text: calendars of one name are equal. */
  name: string
  /** The day an instant lies in. */
  dayAt(t: number): DaySpan
  /** The span of a date. */
  span(day: Day): DaySpan
  /** The zone in force at the beginning of a date. */
  zoneOf(day: Day): string
}

const calendars = new Map<string, Calendar>()
const calendarLimit = 5_000

/** The calendar of a list of zones; spans are cached, looking one up again takes well under a microsecond. */
export const calendarOf = (zones: readonly ZoneSpan[]): Calendar => {
  const name = zones.length === 1 ? zones[0]!.tz : JSON.stringify(zones)
  let calendar = calendars.get(name)
  if (!calendar) {
    if (calendars.size >= calendarLimit) calendars.clear()
    calendar = createCalendar(name, zones)
    calendars.set(name, calendar)
  }
  return calendar
}

const createCalendar = (name: string, zones: readonly ZoneSpan[]): Calendar => {
  const rules = rulesOf(zones)
  const spans = new Map<Day, DaySpan>()
  let latest: DaySpan = { day: 0, start: 0, end: 0 }
  const span = (day: Day): DaySpan => {
    let found = spans.get(day)
    if (!found) {
      if (spans.size >= 10_000) spans.clear()
      found = { day, start: startOf(rules, day), end: startOf(rules, addDays(day, 1)) }
      spans.set(day, found)
    }
    return found
  }
  const dayAt = (t: number): DaySpan => {
    if (t >= latest.start && t < latest.end) return latest
    let found = span(utcDay(t))
    while (t < found.start) found = span(addDays(found.day, -1))
    while (t >= found.end) found = span(addDays(found.day, 1))
    latest = found
    return found
  }
  return { name, dayAt, span, zoneOf: (day) => ruleOf(rules, day).tz }
}

/**
 * The zone list after a change to `tz`: it takes effect with the first day that begins at least 24 h after `now` (changes are
 * written that far ahead, so that no hit already placed could lie on another day). An earlier change that is not in force yet is
 * taken back if it is still that far away, else it stands and the new one follows it.
 */
export const changeZone = (zones: readonly ZoneSpan[], tz: string, now: number): ZoneSpan[] => {
  const kept = zones.filter(({ from }, i) => i === 0 || from < now + dayMs)
  if (kept.at(-1)!.tz === tz) return kept
  const calendar = calendarOf(kept)
  let { day, start } = calendar.dayAt(now + dayMs)
  while (start < now + dayMs) {
    day = addDays(day, 1)
    start = calendar.span(day).start
  }
  return [...kept, { tz, from: start }]
}
