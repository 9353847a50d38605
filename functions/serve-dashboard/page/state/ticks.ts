import type { Step } from './intervals.ts'

/** Which buckets are named below the chart: at round times, and only as many as there is room for. */
const strides: Readonly<Record<Step, readonly number[]>> = {
  minute: [1, 2, 5, 10, 15, 30, 60, 120, 180, 240, 360, 720],
  hour: [1, 2, 3, 4, 6, 12, 24, 48, 72, 168],
  day: [1, 2, 3, 5, 7, 14],
  week: [1, 2],
  month: [1, 2, 3, 6, 12, 24],
}

/** Where a label stands on the clock or in the calendar, in steps; what is divisible by the stride is round. */
const standing = (label: string, step: Step, index: number): number => {
  if (step === 'month') return Number(label.slice(0, 4)) * 12 + Number(label.slice(5, 7)) - 1
  if (step === 'day' || step === 'week') return index
  const hours = Math.round(Date.parse(`${label.slice(0, 10)}T00:00:00Z`) / 3_600_000) + Number(label.slice(11, 13))
  return step === 'hour' ? hours : hours * 60 + Number(label.slice(14, 16))
}

/** The first label of every month, as many months apart as there is room for. */
const monthTicks = (labels: readonly string[], most: number): number[] => {
  const begins = labels.flatMap((label, i) => {
    const before = labels[i - 1]
    const isFirst = before === undefined ? label.endsWith('-01') : before.slice(0, 7) !== label.slice(0, 7)
    return isFirst ? [i] : []
  })
  const stride = strideOf('month', begins.length / most)
  return begins.filter((i) => standing(labels[i]!, 'month', i) % stride === 0)
}

const strideOf = (step: Step, least: number): number => {
  const known = strides[step]
  const longest = known.at(-1)!
  return known.find((one) => one >= least) ?? Math.ceil(least / longest) * longest
}

/** Indices of the labels to write, at most about `most`. */
export const ticksOf = (labels: readonly string[], step: Step, most: number): number[] => {
  const least = labels.length / Math.max(1, most)
  const isDense = (step === 'day' || step === 'week') && least > strides[step].at(-1)!
  if (isDense) return monthTicks(labels, Math.max(1, most))
  const stride = strideOf(step, least)
  return labels.flatMap((label, i) => (standing(label, step, i) % stride === 0 ? [i] : []))
}
