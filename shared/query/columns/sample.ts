import type { Counted } from '../counting.ts'
import type { Sums } from '../metrics.ts'

/** Estimates of all from a sample of visitors. */

/** Of a normal distribution 95 % lie within so many standard deviations. */
const deviations = 1.96

/**
 * Each visitor is in the sample with probability p, independently: of n that are in it, n / p is the estimate of all, with a standard
 * deviation of sqrt(n × (1 − p)) / p. So the relative error is the same for what each visitor has once; for what some have often it is more.
 */
export const estimated = ({ groups, allVisitors, sampled }: Counted): Counted => {
  const scale = 1 / sampled
  const seen = Math.max(allVisitors, ...groups.map(({ visits }) => visits))
  return {
    groups: groups.map((group) => scaled(group, scale)),
    allVisitors: allVisitors * scale,
    sampled,
    relativeError: seen === 0 ? 1 : Number((deviations * Math.sqrt((1 - sampled) / seen)).toPrecision(2)),
  }
}

/** Shares of the sample are powers of two, so that the products are whole numbers. */
const scaled = (group: Sums, scale: number): Sums => {
  const { key, values, bucket, tail, revenue, ...counts } = group
  const sums = Object.fromEntries(Object.entries(counts).map(([name, count]) => [name, count * scale])) as typeof counts
  const money = Array.from(
    revenue,
    ([currency, { amount, hits }]) => [currency, { amount: amount * BigInt(scale), hits: hits * scale }] as const,
  )
  return { key, values, bucket, tail, ...sums, revenue: new Map(money) }
}
