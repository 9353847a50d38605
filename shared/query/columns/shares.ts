import { type CountPlan, type Counts, filtersOf } from '../counting.ts'
import { doneFilters } from '../filters.ts'
import { queryLimits } from '../limits.ts'
import type { Sums } from '../metrics.ts'
import { countNames, tooManyGroups } from './tally.ts'
import { type Share, spanOf, type Unit } from './units.ts'

/**
 * A question shared out among several that count: each counts some units. No visitor is in two of them, so all that they count adds up,
 * distinct visitors too.
 */

/** At most `count` shares of about the same size. */
export const sharesOf = (units: readonly Unit[], count: number): Share[] => {
  const shares = Math.min(count, units.length)
  const edge = (share: number): number => Math.round((units.length * share) / shares)
  return Array.from({ length: shares }, (_, share) => ({ units: units.slice(edge(share), edge(share + 1)), of: spanOf(units) }))
}

/** Who has done something may be in any share, and is asked of visits on several days in all of them: such a question is not shared out. */
export const isShared = (plan: CountPlan): boolean => doneFilters(filtersOf(plan)).length === 0

const addSums = (to: Sums, from: Sums): void => {
  for (const name of countNames) to[name] += from[name]
  for (const [currency, { amount, hits }] of from.revenue) {
    const known = to.revenue.get(currency)
    to.revenue.set(currency, { amount: (known?.amount ?? 0n) + amount, hits: (known?.hits ?? 0) + hits })
  }
}

/** A tail has no key; there is one in each time bucket. */
const nameOf = ({ tail, bucket, key }: Sums): string => (tail ? `tail ${bucket}` : `group ${key}`)

/** What all shares have counted together. Throws `bad-query` when that makes too many groups. */
export const addUp = (shares: readonly Counts[]): Counts => {
  const sums = new Map<string, Sums>()
  let allVisitors = 0
  for (const share of shares) {
    allVisitors += share.allVisitors
    for (const group of share.groups) {
      const known = sums.get(nameOf(group))
      if (known) addSums(known, group)
      else sums.set(nameOf(group), { ...group, revenue: new Map(group.revenue) })
    }
    if (sums.size > queryLimits.allGroups) throw tooManyGroups(queryLimits.allGroups)
  }
  return { groups: [...sums.values()], allVisitors }
}
