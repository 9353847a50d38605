import { apiFilter } from './filters.ts'
import { dateRangeOf, datesOf } from './periods.ts'
import type { View } from './view.ts'

/** Bodies of `POST /api/v2/query` for a view. */
export type Question = {
  site_id: string
  metrics: readonly string[]
  date_range: string | readonly [string, string]
  dimensions?: readonly string[]
  filters?: readonly unknown[]
  order_by?: readonly (readonly [string, 'asc' | 'desc'])[]
  pagination?: { limit: number; offset: number }
  include?: Record<string, unknown>
}

/** Periods without one before them. */
const hasNoBefore = ['all', 'realtime', '30m']

/** Whether there is anything before a period to compare it with. */
export const canCompare = (period: string): boolean => !hasNoBefore.includes(period)

export const isCompared = (view: View): boolean => view.compare !== 'off' && canCompare(view.period)

/** What a view is compared with, as questions say it; nothing where it is not. */
export const comparison = (view: View): Record<string, unknown> => {
  if (!isCompared(view)) return {}
  const named = { previous: 'previous_period', year: 'year_over_year' } as Record<string, string>
  const compare = named[view.compare] ?? datesOf(view.compare)
  return { compare, ...(view.weekday ? { compare_match_day_of_week: true } : {}) }
}

/**
 * What every question of a view has in common: site, range, filters, comparison, and whether flagged hits count. `today` is the date at
 * the site.
 */
export const questionOf = (view: View, today: string, rest: Omit<Question, 'site_id' | 'date_range'>): Question => ({
  site_id: view.site,
  date_range: dateRangeOf(view.period, today),
  ...rest,
  filters: [...view.filters.map(apiFilter), ...(rest.filters ?? [])],
  include: { ...comparison(view), ...(view.bots ? { bots: true } : {}), ...rest.include },
})
