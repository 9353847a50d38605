import type { Answer, MetricValue } from './api.ts'
import type { Step } from './intervals.ts'
import { addDays, latestOf } from './periods.ts'

/**
 * The chart's lines from an answer. Labels are times of the site's wall clock as text (`2026-11-24 14:00:00`, `2026-11-24`) and stay
 * text: what is drawn stands at the index of its bucket, so that no clock change moves anything.
 */
export type Point = {
  label: string
  /** `null`: there is nothing to tell, such as a rate of nothing, or a time that has not come. */
  value: number | null
  /** The bucket of the earlier period and its value, where there is one. */
  earlier: { label: string; value: number | null } | undefined
  /** Hits may still come. */
  isOpen: boolean
  /** It has not begun. */
  isAhead: boolean
}
export type Series = { step: Step; points: readonly Point[] }

const two = (n: number): string => String(n).padStart(2, '0')

/** What a time zone's clock shows, `2026-11-24 14:03`. */
const wallClock = (timeZone: string, now: number): string => {
  const parts = new Intl.DateTimeFormat('en-CA', {
    timeZone,
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  }).formatToParts(now)
  const part = (type: string) => parts.find((one) => one.type === type)!.value
  return `${part('year').padStart(4, '0')}-${part('month')}-${part('day')} ${part('hour')}:${part('minute')}`
}

const mondayOf = (date: string): string => addDays(date, -((new Date(`${date}T00:00:00Z`).getUTCDay() + 6) % 7))

const starts: Readonly<Record<Step, (clock: string) => string>> = {
  minute: (clock) => `${clock}:00`,
  hour: (clock) => `${clock.slice(0, 13)}:00:00`,
  day: (clock) => clock.slice(0, 10),
  week: (clock) => mondayOf(clock.slice(0, 10)),
  month: (clock) => `${clock.slice(0, 7)}-01`,
}

/** The label of the bucket that is now, in a time zone. */
export const labelNow = (step: Step, timeZone: string, now: number): string => starts[step](wallClock(timeZone, now))

/** Days between two labels that are dates. */
const daysBetween = (a: string, b: string): number => Math.round((Date.parse(b) - Date.parse(a)) / 86_400_000)

/** The step of labels where the server has picked it. */
export const stepOfLabels = (labels: readonly string[]): Step => {
  const [first = '', second] = labels
  if (first.includes(' ')) return [first, second ?? first].every((label) => label.endsWith(':00:00')) ? 'hour' : 'minute'
  if (second === undefined) return 'day'
  const days = daysBetween(first, second)
  return days >= 28 ? 'month' : days > 1 ? 'week' : 'day'
}

const numberOf = (value: MetricValue | undefined): number | null => (typeof value === 'number' ? value : null)

type How = {
  /** `undefined`: the server has picked it. */
  step: Step | undefined
  timeZone: string
  /** How far the data reaches. */
  now: number
  /** Whether an empty bucket is 0 (counts) or nothing (rates and averages). */
  isCount: boolean
}

/** The points of an answer to a question of one metric by time, with `time_labels` and `compare_missing`. */
export const seriesOf = ({ results, meta }: Answer, { step: asked, timeZone, now, isCount }: How): Series => {
  const labels = meta.time_labels ?? []
  const step = asked ?? stepOfLabels(labels)
  const rows = new Map(results.map((row) => [row.dimensions[0], row]))
  const current = labelNow(step, timeZone, now)
  const nothing = isCount ? 0 : null
  const points = labels.map((label): Point => {
    const row = rows.get(label)
    const isAhead = label > current && !row
    const { comparison } = row ?? {}
    return {
      label,
      value: isAhead ? null : row ? numberOf(row.metrics[0]) : nothing,
      earlier: comparison ? { label: comparison.dimensions[0] ?? '', value: numberOf(comparison.metrics[0]) } : undefined,
      isOpen: label === current || (label > current && !isAhead),
      isAhead,
    }
  })
  return { step, points: meta.comparison_date_range ? withEarlier(points, meta.comparison_date_range, step, nothing) : points }
}

/**
 * Buckets that neither period has a row for are in no row: the earlier one is 0 there all the same, as far as it reaches. Its labels are
 * those of rows, or follow from where it begins.
 */
const withEarlier = (points: Point[], [from, to]: readonly [string, string], step: Step, nothing: number | null): Point[] => {
  const end = starts[step](to.slice(0, 16).replace('T', ' '))
  let label = starts[step](from.slice(0, 16).replace('T', ' '))
  return points.map((point) => {
    const earlier = point.earlier ?? (label <= end ? { label, value: nothing } : undefined)
    label = labelAfter(earlier?.label ?? label, step)
    return { ...point, earlier }
  })
}

const clockAfter = (label: string, ms: number): string => {
  const at = new Date(Date.parse(`${label.replace(' ', 'T')}Z`) + ms)
  return `${at.toISOString().slice(0, 10)} ${two(at.getUTCHours())}:${two(at.getUTCMinutes())}:00`
}

/** The label that follows on the clock's face. */
const labelAfter = (label: string, step: Step): string => {
  if (step === 'minute') return clockAfter(label, 60_000)
  if (step === 'hour') return clockAfter(label, 3_600_000)
  if (step === 'day') return addDays(label, 1)
  if (step === 'week') return addDays(label, 7)
  return starts.month(addDays(label, 31))
}

/** First and last day of the points from `i` to `j`, where they are another stretch of days than all of them; else `undefined`. */
export const daysBetweenPoints = ({ points, step }: Series, i: number, j: number, lastDay: string): [string, string] | undefined => {
  if (i === 0 && j === points.length - 1) return undefined
  const [a, b] = [points[i]?.label.slice(0, 10), points[j]?.label.slice(0, 10)]
  if (a === undefined || b === undefined) return undefined
  const next = points[j + 1]?.label.slice(0, 10)
  const isDate = step === 'day' || step === 'week' || step === 'month'
  const last = isDate ? (next === undefined ? lastDay : addDays(next, -1)) : b
  const whole = points[0]!.label.slice(0, 10) === points.at(-1)!.label.slice(0, 10)
  return whole && !isDate ? undefined : [a, latestOf(a, last)]
}
