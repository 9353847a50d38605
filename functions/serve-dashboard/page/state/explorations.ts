import type { Meta, Site } from './api.ts'
import { dimensionOf, propPrefix } from './dimensions.ts'
import type { Unit } from './explore.ts'
import { apiFilter, type Filter } from './filters.ts'
import { dateRangeOf, daysFrom, daysOf } from './periods.ts'
import { comparison, isCompared } from './question.ts'
import type { View } from './view.ts'

/** Bodies of `POST /api/v2/funnel`, `/paths`, `/retention` and `/why` for a view, and what is answered (docs/explorations.md). */
export type FunnelStep = {
  step: number
  visitors: number
  conversion_from_previous: number | null
  conversion_from_first: number | null
  drop_off: number
  time_from_previous: { median: number; mean: number } | null
}
export type Funnel = { steps: readonly FunnelStep[]; breakdown?: readonly Split[]; meta: Meta }
export type Split = { value: string; other?: true; steps: readonly FunnelStep[] }

export type PathNode = {
  value: string | null
  other?: true
  visits: number
  share: number | null
  /** Visits whose path ends here; backwards, begins here. */
  exits?: number
  entries?: number
  children?: readonly PathNode[]
}
export type Paths = { tree: PathNode; meta: Meta }

export type Cohort = { cohort: string; visitors: number; periods: readonly { visitors: number; rate: number | null }[] }
export type Retention = { periods: readonly { label: string; complete: boolean }[]; cohorts: readonly Cohort[]; meta: Meta }

type Change = { before: number; now: number; change: number }
export type Cause = Change & { value: string; other?: true; share: number | null }
export type Why = { total: Change; overlap: Change; rows: readonly Cause[]; meta: Meta }

export type Body = Record<string, unknown>

const common = (view: View, today: string): Body => ({
  site_id: view.site,
  date_range: dateRangeOf(view.period, today),
  filters: view.filters.map(apiFilter),
  ...(view.bots ? { include: { bots: true } } : {}),
})

/** Of fewer than two steps there is no funnel. */
export const funnelBody = (view: View, today: string): Body | undefined => {
  const { steps, order, window, split } = view.explore
  if (steps.length < 2) return undefined
  return {
    ...common(view, today),
    steps: steps.map((step) => ({ filters: [apiFilter(step)] })),
    order,
    ...(window === '' ? {} : { window }),
    ...(split === '' ? {} : { dimensions: [dimensionOf(split)!.api] }),
  }
}

/** Nodes of a level, the API's most: those below a row that is opened share them with those below its neighbours. */
const levelNodes = 50

/** Filters of what was done: two of them under one `and` would have to hold for the same hit. */
const isOfHits = ({ key }: Filter): boolean =>
  ['page', 'host', 'title', 'event', 'goal', 'segment'].includes(key) || key.startsWith(propPrefix)

/**
 * Who can have gone the way of some rows: visitors who did all of it, and visits with the last of them. Nobody who went that way is left out.
 * Without cookies a visitor may be another one after midnight, in the same visit, so only visits are told apart.
 */
const narrowed = (view: View, way: readonly string[], identity: Site['identity']): unknown[] => {
  const met = (value: string) => ['is', dimensionOf(view.explore.by)!.api, [value]]
  return [
    ...(identity === 'cookie' ? way.map((value) => ['has_done', met(value)]) : []),
    ...(way.length === 0 || view.filters.some(isOfHits) ? [] : [met(way.at(-1)!)]),
  ]
}

/**
 * The tree down to the level behind the first `depth` rows of the trail. Whoever went another way is left out, or their rows would leave
 * no room on the level: so only what lies behind these rows is whole.
 */
export const pathsBody = (view: View, today: string, depth: number, identity: Site['identity']): Body => {
  const { root, direction, by, trail } = view.explore
  const asked = common(view, today)
  return {
    ...asked,
    filters: [...(asked['filters'] as unknown[]), ...narrowed(view, trail.slice(0, depth), identity)],
    direction,
    by,
    ...(root ? { [direction === 'next' ? 'from' : 'to']: { [root.key]: root.values[0] } } : {}),
    steps: depth + 1,
    limit: levelNodes,
  }
}

const longestByDay = 14
const longestByWeek = 120

/** The step of retention: as picked, else about as many as a table has room for. */
export const cohortsOf = (view: View, today: string): Unit => {
  if (view.explore.cohorts !== '') return view.explore.cohorts
  const days = daysOf(view.period, today)
  if (!days) return view.period === 'all' ? 'month' : 'day'
  const length = daysFrom(...days)
  return length <= longestByDay ? 'day' : length <= longestByWeek ? 'week' : 'month'
}

export const retentionBody = (view: View, today: string): Body => ({ ...common(view, today), period: cohortsOf(view, today) })

/** Metrics of the chart that are sums of rows; of another, visits are asked for. */
const sums = ['visitors', 'visits', 'pageviews']
export const causeMetric = (view: View): string => (sums.includes(view.metric) ? view.metric : 'visits')

/** Rows of why: those beyond them are one, `(other)`. */
const causes = 20

/** Without a comparison nothing has changed. */
export const whyBody = (view: View, today: string): Body | undefined => {
  if (!isCompared(view)) return undefined
  return {
    ...common(view, today),
    ...comparison(view),
    metric: causeMetric(view),
    dimension: dimensionOf(view.explore.cause)!.api,
    limit: causes,
  }
}

/** The row that a trail leads to; `undefined` where there is none any more. */
export const nodeAt = (tree: PathNode, trail: readonly string[]): PathNode | undefined =>
  trail.reduce<PathNode | undefined>((node, value) => node?.children?.find((child) => !child.other && child.value === value), tree)
