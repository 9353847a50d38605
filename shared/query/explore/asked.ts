import type { SiteConfig } from '../../site/config.ts'
import { type Calendar, calendarOf } from '../../site/zone.ts'
import type { Count } from '../counting.ts'
import { type DateSpec, isoRange, type Range, resolveRange } from '../dates.ts'
import { type Filter, filterJson } from '../filters.ts'
import type { Scan } from '../reference.ts'
import type { Turn } from './journeys.ts'

/** What all explorations are asked with, and what their answers have in common. */

export type Asked = Turn & {
  site: Pick<SiteConfig, 'site' | 'zones' | 'identity' | 'bounce' | 'goals'>
  now: number
  /** First and last day that the site has rows on. */
  data: { first: number; last: number } | undefined
  scan: Scan
  count: Count
}

/** What every request has. */
export type Common = { dates: DateSpec; filters: Filter[]; bots: boolean }

/** Answers one request; its `meta` lacks freshness, which is the caller's. */
export type Answered = { meta: Record<string, unknown>; query: Record<string, unknown> }

/** The site's calendar and the range that a request means. */
export const rangeOf = ({ site, now, data }: Asked, { dates }: Common): { calendar: Calendar; range: Range } => {
  const calendar = calendarOf(site.zones)
  return { calendar, range: resolveRange(dates, calendar, now, data) }
}

/** The request as it is echoed, before what is its own. */
export const commonJson = ({ site }: Asked, { filters, bots }: Common, calendar: Calendar, range: Range): Record<string, unknown> => ({
  site_id: site.site,
  date_range: isoRange(calendar, range),
  filters: filters.map(filterJson),
  include: { bots },
})

const perDay = 'The site uses no cookies: a visitor is known for one day only, so '

/** Meta as an answer to a query has it. `followed` = what a range of several days means on a site without cookies. */
export const metaOf = ({ site }: Asked, calendar: Calendar, range: Range, followed: string | undefined): Record<string, unknown> => {
  const severalDays = range.from < range.to && calendar.dayAt(range.from).day !== calendar.dayAt(range.to - 1).day
  const warns = followed !== undefined && severalDays && site.identity === 'cookieless'
  return {
    exact: true,
    sampled: 1,
    imports_included: false,
    ...(warns ? { metric_warnings: { visitors: { code: 'visitors_per_day', warning: `${perDay}${followed}.` } } } : {}),
  }
}
