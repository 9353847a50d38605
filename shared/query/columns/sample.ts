import type { Counted, OfSample } from '../counting.ts'
import type { Sums } from '../metrics.ts'

/** From what was counted of a share of all visitors to estimates of all. */

/** Of a normal distribution 95 % lie within so many standard deviations. */
const deviations = 1.96

/**
 * Each visitor is in the sample with probability p, independently: of n that are in it, n / p is the estimate of all, with a standard
 * deviation of sqrt(n × (1 − p)) / p. So the relative error is the same for what each visitor has once; for what some have often it is more.
 */
const estimated = ({ groups, allVisitors, sampled }: OfSample): Counted => {
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

/** What was counted of a share of all visitors as an answer. A group of engagement updates alone is no row; without dimensions there is always one. */
export const countedOf = ({ groups: all, allVisitors, sampled }: OfSample): Counted => {
  const groups = all.filter(({ values, visits, started }) => values.length === 0 || visits + started > 0)
  return sampled === 1 ? { groups, allVisitors, sampled, relativeError: 0 } : estimated({ groups, allVisitors, sampled })
}
