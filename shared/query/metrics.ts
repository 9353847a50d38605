import { decimal, divided, type Money, type MoneySum } from './money.ts'
import type { MetricName } from './names.ts'

/**
 * What every metric counts, exactly. (docs/plausible.md and the page's definitions repeat this in other words.)
 *
 * The range is `[from, to)`. A *counted hit* is a hit that is no engagement update. A hit *matches* when it lies in the range and
 * it and its visit pass the filters; a row of the answer holds the matching hits that have its dimension values. Flagged visits
 * are left out unless `include.bots`.
 *
 * Of matching counted hits (so also in every time bucket in which there are some: buckets need not add up to the range):
 *   visitors          distinct visitor hashes (each hit's hash is that of its day: on a cookieless site days add up)
 *   visits            visits with at least one
 *   pageviews, events those named `pageview`; all of them
 *   views_per_visit   pageviews / visits
 *   percentage        visitors / visitors of the whole answer (same filters, no dimensions)
 *   new_visitors      of `visitors`, those whose first day is one of the days that the range touches (in a row with a time bucket:
 *                     that the bucket touches); null on a cookieless site, which does not know
 *   exit_rate         exits / pageviews; an exit is the pageview that is its visit's last, so it is counted where it happened
 *                     and the rate stays within 0–100
 *   total_revenue, average_revenue   sum, and sum per hit that carries revenue, per currency
 *   conversion_rate   visitors / visitors of the same question (in a row with a time bucket: of the bucket) without what it says about
 *                     goals, be it the dimension or filters
 *   group_conversion_rate   the same, of those who have the row's other dimension values too; null in `(other)`
 *
 * `event:goal`: a hit (an update as the pageview that it belongs to) lies in the row of each goal that it meets, and in none when it meets none. A goal of scroll depth is met by
 * engagement updates. Such an update, where it matches, counts in the row of that goal (without the dimension: where a filter names
 * the goal) like a counted hit for visitors and visits (started ones too) and all that is made of them, also for the rates above; never for pageviews
 * and events.
 *
 * Of visits that *start* in the range and have at least one matching counted hit (in a row with a time bucket: that start in the
 * bucket; other dimension values are those of their matching hits). Length, pages and foreground time are the whole visit's, also
 * where it goes on after the range:
 *   bounce_rate       bounced / started. Bounced: not engaged (site option `single-page`: one pageview and no other event)
 *   engaged_visits, engagement_rate   ≥ 10 s in the foreground, or ≥ 2 pageviews, or a goal met as the site was set then
 *   visit_duration    mean of last − first hit; a bounce counts as 0
 *
 * Of matching engagement updates (an update is filtered by its own page and as a pageview; it never makes a row by itself; hits
 * without a page have none to stay on):
 *   time_on_page      their foreground time / distinct (visitor, page) pairs of matching counted hits
 *   scroll_depth      greatest depth of each (visit, page) that reported one, averaged over them
 */

/** Counts of one group: what a metric is computed of. */
type Counts = {
  values: readonly string[]
  /** Index of its time bucket; −1 without a time dimension. */
  bucket: number
  /** The tail beyond the limit of groups: its values are `(other)`. A value that is called so is another group. */
  tail: boolean
  visits: number
  pageviews: number
  events: number
  started: number
  bounces: number
  engaged: number
  durationMs: number
  foregroundMs: number
  exits: number
  scrollSum: number
  scrollPairs: number
  revenue: Map<string, MoneySum>
}

/** A group that was counted. `key` joins groups of two periods; a tail has none. Counts that no metric needs are 0. */
export type Sums = Counts & { key: string; visitors: number; newVisitors: number; pagePairs: number }

/** A group of the reference fold while it is counted. The optional parts are kept only where a metric needs them. */
export type Group = Counts & {
  visitors: Set<string> | undefined
  pagePairs: Set<string> | undefined
  /** Visit that was last counted here, as visit and as start: a visit is folded whole, so one mark is enough. */
  lastVisit: number
  lastStart: number
}

export type MetricValue = number | null | Money | Money[]

/**
 * What lies beside a group: the whole answer's visitors, and whether it is known who is new; who was asked for its goals, in all and with
 * its other values.
 */
export type Beside = { allVisitors: number; knowsNew: boolean; asked?: { all: number; within: number } }

export type Needs = {
  visitors: boolean
  pagePairs: boolean
  scroll: boolean
  exits: boolean
  started: boolean
  revenue: boolean
  firstDays: boolean
  /** The distinct visitors of all groups together. */
  everybody: boolean
}

/** Parts of the state that these metrics need. */
export const needsOf = (metrics: readonly MetricName[]): Needs => {
  const any = (...names: MetricName[]) => names.some((name) => metrics.includes(name))
  return {
    visitors: any('visitors', 'percentage', 'new_visitors', 'conversion_rate', 'group_conversion_rate'),
    pagePairs: any('time_on_page'),
    scroll: any('scroll_depth'),
    exits: any('exit_rate'),
    started: any('bounce_rate', 'engaged_visits', 'engagement_rate', 'visit_duration'),
    revenue: any('total_revenue', 'average_revenue'),
    firstDays: any('new_visitors'),
    everybody: any('percentage'),
  }
}

const engagedMs = 10_000

/** GA4's rule. Which goals there were is settled when a hit comes: later changes of the settings engage nobody. */
export const isEngaged = (visit: { fg: number; pv: number; goal?: 1 | undefined }): boolean =>
  visit.fg >= engagedMs || visit.pv >= 2 || visit.goal === 1

/** The site's bounce rule. */
export const isBounce = (visit: { fg: number; pv: number; ev: number; goal?: 1 | undefined }, rule: 'engaged' | 'single-page'): boolean =>
  rule === 'engaged' ? !isEngaged(visit) : visit.pv === 1 && visit.ev === 1

/** `a / b` in units of 1/scale, null when there is nothing to divide by. Scaled before the one division: halves stay exact. */
const quotient = (a: number, b: number, scale: number): number | null => (b === 0 ? null : Math.round((a * scale) / b))
const hundredths = (n: number | null): number | null => (n === null ? null : n / 100)

const ratio = (a: number, b: number): number | null => hundredths(quotient(a, b, 100))
/** Per cent with two decimals. */
export const perCent = (a: number, b: number): number | null => hundredths(quotient(a, b, 10_000))
const wholePerCent = (a: number, b: number): number | null => quotient(a, b, 100)
/** Whole seconds. */
export const seconds = (ms: number, n: number): number | null => quotient(ms, n * 1000, 1)

const money = (group: Sums, amountOf: (sum: MoneySum) => bigint): MetricValue => {
  const all = [...group.revenue]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([currency, sum]) => ({ value: decimal(amountOf(sum), currency), currency }))
  return all.length === 0 ? null : all.length === 1 ? all[0]! : all
}

const finish: Record<MetricName, (group: Sums, beside: Beside) => MetricValue> = {
  visitors: (g) => g.visitors,
  visits: (g) => g.visits,
  pageviews: (g) => g.pageviews,
  events: (g) => g.events,
  views_per_visit: (g) => ratio(g.pageviews, g.visits),
  bounce_rate: (g) => wholePerCent(g.bounces, g.started),
  engaged_visits: (g) => g.engaged,
  engagement_rate: (g) => perCent(g.engaged, g.started),
  visit_duration: (g) => seconds(g.durationMs, g.started),
  time_on_page: (g) => seconds(g.foregroundMs, g.pagePairs),
  scroll_depth: (g) => quotient(g.scrollSum, g.scrollPairs, 1),
  total_revenue: (g) => money(g, ({ amount }) => amount),
  average_revenue: (g) => money(g, ({ amount, hits }) => divided(amount, hits)),
  new_visitors: (g, { knowsNew }) => (knowsNew ? g.newVisitors : null),
  exit_rate: (g) => perCent(g.exits, g.pageviews),
  percentage: (g, { allVisitors }) => perCent(g.visitors, allVisitors),
  conversion_rate: (g, { asked }) => perCent(g.visitors, asked?.all ?? 0),
  group_conversion_rate: (g, { asked }) => perCent(g.visitors, asked?.within ?? 0),
}

/** The value of a metric, computed from a group's sums, in the units of the answer. */
export const metricValue = (metric: MetricName, group: Sums, beside: Beside): MetricValue => finish[metric](group, beside)

/** Of groups of which nobody asks for money: a map for each of a million would be felt. */
const noRevenue = new Map<string, MoneySum>()

/** A group in which nothing was counted. */
export const emptyGroup = (values: readonly string[], bucket: number, needs: Needs, tail = false): Group => ({
  values,
  bucket,
  tail,
  visits: 0,
  pageviews: 0,
  events: 0,
  started: 0,
  bounces: 0,
  engaged: 0,
  durationMs: 0,
  foregroundMs: 0,
  exits: 0,
  scrollSum: 0,
  scrollPairs: 0,
  visitors: needs.visitors ? new Set() : undefined,
  pagePairs: needs.pagePairs ? new Set() : undefined,
  revenue: needs.revenue ? new Map() : noRevenue,
  lastVisit: -1,
  lastStart: -1,
})

/** What a group shows in which nothing was counted. */
export const noSums: Sums = {
  ...{ key: '', values: [], bucket: -1, tail: false, visits: 0, pageviews: 0, events: 0, started: 0, bounces: 0, engaged: 0 },
  ...{ durationMs: 0, foregroundMs: 0, exits: 0, scrollSum: 0, scrollPairs: 0, visitors: 0, newVisitors: 0, pagePairs: 0 },
  revenue: noRevenue,
}
