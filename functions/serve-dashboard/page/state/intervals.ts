import { daysFrom, daysOf, type Period } from './periods.ts'
import type { Interval, View } from './view.ts'

/**
 * Steps of the chart: which of them make sense for a period, and which one is shown when none is chosen. The server takes up to 10,000
 * buckets; far fewer can be told apart on a screen.
 */
export type Step = Exclude<Interval, ''>
export const steps: readonly Step[] = ['minute', 'hour', 'day', 'week', 'month']
export const stepLabel: Readonly<Record<Step, string>> = { minute: 'Minutes', hour: 'Hours', day: 'Days', week: 'Weeks', month: 'Months' }

/** From how many days on, and up to how many, a step is offered: at least two buckets, at most 1,440 of them or as many days as there are. */
const fitting: Readonly<Record<Step, readonly [number, number]>> = {
  minute: [0, 1],
  hour: [0, 31],
  day: [2, 5_000],
  week: [14, 5_000],
  month: [60, 5_000],
}

const rolling = ['realtime', '30m', '24h']

/** Days of a period; `undefined` for `all`, which only the server knows. */
const lengthOf = (period: Period, today: string): number | undefined => {
  if (rolling.includes(period)) return 1
  const days = daysOf(period, today)
  return days && daysFrom(...days)
}

/** The steps that fit a period, shortest first. Of `all` not the ones that may be too many. */
export const stepsFor = (period: Period, today: string): readonly Step[] => {
  if (period === 'realtime' || period === '30m') return ['minute']
  const length = lengthOf(period, today)
  if (length === undefined) return ['day', 'week', 'month']
  return steps.filter((step) => fitting[step][0] <= length && length <= fitting[step][1])
}

/** As the server picks it: hours up to two days, days up to 40, weeks up to 52, else months. `undefined` leaves it to the server. */
const usual = (period: Period, today: string): Step | undefined => {
  if (period === 'realtime' || period === '30m') return 'minute'
  const length = lengthOf(period, today)
  if (length === undefined) return undefined
  return length <= 2 ? 'hour' : length <= 40 ? 'day' : length <= 364 ? 'week' : 'month'
}

/** The step of a view's chart: the chosen one where it fits, else the usual one; `undefined` leaves it to the server. */
export const stepOf = ({ interval, period }: Pick<View, 'interval' | 'period'>, today: string): Step | undefined => {
  const chosen = stepsFor(period, today).find((step) => step === interval)
  return chosen ?? usual(period, today)
}

/** A change to another period: a chosen step stays where it fits there. */
export const toPeriod = (view: Pick<View, 'interval'>, period: Period, today: string): Pick<View, 'period' | 'interval'> => ({
  period,
  interval: stepsFor(period, today).some((step) => step === view.interval) ? view.interval : '',
})
