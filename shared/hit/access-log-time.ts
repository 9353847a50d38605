import { isoTime } from './parse.ts'

/** Times as access logs write them. A time without its offset from UTC is none: nobody could say when that was. */

/** The web is younger; an earlier time is a clock that was never set. */
const firstTime = Date.UTC(1990, 0, 1)

/** A line may be this far ahead of our clock (two machines are never quite together); it then happened now. */
export const aheadMs = 5 * 60_000

const months: ReadonlyMap<string, number> = new Map(
  ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'].map((name, i) => [name, i]),
)

const clfForm = /^(\d{1,2})\/([a-z]{3})\/(\d{4}):(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))? ?(?:([+-])(\d\d):?(\d\d)|Z)$/i

/** `29/Feb/2024:23:59:60 +0530`, also with a fraction; NaN for what is no such time. */
const clfTime = (text: string): number => {
  const parts = clfForm.exec(text)
  if (!parts) return Number.NaN
  const [day, year, hour, minute, second] = [parts[1], parts[3], parts[4], parts[5], parts[6]].map(Number) as [
    number,
    number,
    number,
    number,
    number,
  ]
  const month = months.get(parts[2]!.toLowerCase())
  const [offsetHours, offsetMinutes] = [Number(parts[9] ?? 0), Number(parts[10] ?? 0)]
  if (month === undefined || hour > 23 || minute > 59 || second > 60 || offsetHours > 15 || offsetMinutes > 59) return Number.NaN
  const date = Date.UTC(year, month, day)
  if (day === 0 || new Date(date).getUTCMonth() !== month) return Number.NaN
  const millis = Math.floor(Number(`0.${parts[7] ?? '0'}`) * 1_000)
  const ahead = (offsetHours * 60 + offsetMinutes) * 60_000 * (parts[8] === '-' ? -1 : 1)
  return date + ((hour * 60 + minute) * 60 + second) * 1_000 + millis - ahead
}

/** Seconds, milliseconds, micro- or nanoseconds since 1970, told apart by their size. */
const epochTime = (value: number): number => {
  if (!(value > 0)) return Number.NaN
  const unit = [1e11, 1e14, 1e17].findIndex((limit) => value < limit)
  return Math.floor(value * ([1_000, 1, 1e-3][unit] ?? 1e-6))
}

const numberForm = /^\d{1,19}(?:\.\d{1,9})?$/
const longestTime = 40

const timeOf = (text: string): number => {
  const bare = text.startsWith('[') && text.endsWith(']') ? text.slice(1, -1) : text
  if (bare.length > longestTime) return Number.NaN
  if (numberForm.test(bare)) return epochTime(Number(bare))
  return bare.includes('/') ? clfTime(bare) : isoTime(bare)
}

/** Most lines of a log have the time of the line before them. */
let last = { text: '', t: Number.NaN }

/** A time as text (Common Log Format, ISO 8601, a number since 1970) or as a number; ms UTC, NaN when it is none. */
export const logTime = (value: unknown): number => {
  if (typeof value === 'number') return epochTime(value)
  if (typeof value !== 'string' || value.length > longestTime + 2) return Number.NaN
  if (value !== last.text) last = { text: value, t: timeOf(value) }
  return last.t
}

/** The time of a line against our clock: itself, or why it cannot be. */
export const timeAgainst = (t: number, now: number): number | 'time' | 'future' => {
  if (!(t >= firstTime)) return 'time'
  return t > now + aheadMs ? 'future' : Math.min(t, now)
}
