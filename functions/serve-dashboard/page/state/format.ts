import type { Unit } from './metrics.ts'

/** Numbers and times as people read them, in the language of their browser. */
export type Value = number | null

const whole = new Intl.NumberFormat()
const two = new Intl.NumberFormat(undefined, { minimumFractionDigits: 0, maximumFractionDigits: 2 })
const short = new Intl.NumberFormat(undefined, { notation: 'compact', maximumFractionDigits: 1 })

const minutes = (seconds: number): string => {
  const s = Math.round(seconds)
  if (s < 60) return `${s}s`
  const [h, m] = [Math.floor(s / 3600), Math.floor((s % 3600) / 60)]
  return h > 0 ? `${h}h ${String(m).padStart(2, '0')}m` : `${m}m ${String(s % 60).padStart(2, '0')}s`
}

const writers: Record<Unit, (value: number) => string> = {
  count: (value) => whole.format(value),
  ratio: (value) => two.format(value),
  percent: (value) => `${two.format(value)}%`,
  duration: minutes,
}

/** The value in full; a dash where there is none. */
export const written = (value: Value | undefined, unit: Unit): string =>
  value === null || value === undefined ? '–' : writers[unit](value)

/** The value where there is little room: 12.3K. */
export const brief = (value: Value | undefined, unit: Unit): string =>
  unit === 'count' && typeof value === 'number' && value >= 10_000 ? short.format(value) : written(value, unit)

export type Tone = 'good' | 'bad' | 'same'

/** A change in per cent, as text and as whether it is welcome; `undefined` where there is nothing to compare with. */
export const changed = (change: Value | undefined, better: 'more' | 'less'): { text: string; tone: Tone; spoken: string } | undefined => {
  if (change === null || change === undefined) return undefined
  if (change === 0) return { text: '0%', tone: 'same', spoken: 'no change' }
  const up = change > 0
  const tone = up === (better === 'more') ? 'good' : 'bad'
  const amount = whole.format(Math.abs(change))
  return { text: `${up ? '↑' : '↓'} ${amount}%`, tone, spoken: `${up ? 'up' : 'down'} ${amount} per cent` }
}

const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' })

/** A time of day where the reader is. */
export const timeOfDay = (t: number | string): string => clock.format(new Date(t))

const names = (type: 'region' | 'language'): Intl.DisplayNames => new Intl.DisplayNames(undefined, { type, fallback: 'code' })
const regions = names('region')
const languages = names('language')

const named = (display: Intl.DisplayNames, code: string): string => {
  try {
    return display.of(code) ?? code
  } catch {
    return code // not a code: what a visitor sent is shown as it is
  }
}

const weekdays = ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday']

const readers: Readonly<Record<string, (value: string) => string>> = {
  country: (value) => (/^[A-Z]{2}$/.test(value) ? named(regions, value) : value),
  language: (value) => (value.startsWith('(') ? value : named(languages, value)),
  hour: (value) => `${value}:00`,
  weekday: (value) => weekdays[Number(value) - 1] ?? value,
  new: (value) => (value === 'new' ? 'New' : value === 'returning' ? 'Returning' : value),
}

/** What a value of a dimension is called: the country of a code, the language of a tag; everything else is itself. */
export const valueLabel = (key: string, value: string): string => (Object.hasOwn(readers, key) ? readers[key]!(value) : value)
