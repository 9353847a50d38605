import { z } from 'zod'
import { isTimeDimension, type TimeDimension } from './buckets.ts'
import { type Comparison, type DateSpec, parseDates } from './dates.ts'
import { checkDimension } from './dimensions.ts'
import { type Filter, filterJson, parseFilters, type Settings } from './filters.ts'
import { type GoalRow, goalRow, goalsLeft, goalsNamed, updatesAsked, withoutGoals } from './goals.ts'
import { queryLimits } from './limits.ts'
import { badQuery, type MetricName, metricNames, nearNames, unknownName } from './names.ts'

/** The body of `POST /api/v2/query`: what may stand in it, and what it means. Every refusal names the field and what was expected. */

export type Direction = 'asc' | 'desc'
export type Query = {
  metrics: MetricName[]
  dates: DateSpec
  dimensions: string[]
  filters: Filter[]
  /** The rows of `event:goal`; none without that dimension. */
  goals: GoalRow[]
  /** Engagement updates that count without that dimension: those that meet a scroll goal which a filter names. */
  updates: Filter | undefined
  /** Who could have met the goals, where a metric asks how many of them did: the filters without goals, and updates that count. */
  asked: { filters: Filter[]; updates: Filter | undefined } | undefined
  orderBy: [string, Direction][]
  limit: number
  offset: number
  include: Include
}
type Include = {
  imports: boolean
  timeLabels: boolean
  totalRows: boolean
  bots: boolean
  /** No sample, however long it takes. */
  exact: boolean
  compare?: Comparison
  matchWeekday: boolean
  compareMissing: boolean
}

export const flag = z.boolean({ error: 'expected true or false' })
const pair = z.tuple([z.string(), z.string()])
const name = z.string({ error: 'expected a name' })

export const includeSchema = z.strictObject(
  {
    imports: flag.optional(),
    time_labels: flag.optional(),
    total_rows: flag.optional(),
    bots: flag.optional(),
    exact: flag.optional(),
    compare: z
      .union([z.enum(['previous_period', 'year_over_year']), pair], { error: 'expected "previous_period", "year_over_year" or [from, to]' })
      .nullish(),
    compare_match_day_of_week: flag.optional(),
    compare_missing: flag.optional(),
  },
  { error: objectError },
)

/** A whole number within limits. */
export const whole = (least: number, most: number) => {
  const error = `expected a whole number from ${least} to ${most}`
  return z.number({ error }).int({ error }).min(least, { error }).max(most, { error })
}

export const querySchema = z.strictObject(
  {
    site_id: z.string({ error: 'expected the domain of a site' }),
    metrics: z
      .array(name, { error: 'expected a list of metric names' })
      .min(1, { error: 'expected at least one metric' })
      .max(queryLimits.metrics, { error: `at most ${queryLimits.metrics} metrics` }),
    date_range: z.union([z.string(), pair], { error: 'expected "7d", "day", … or [from, to]' }),
    dimensions: z
      .array(name, { error: 'expected a list of dimension names' })
      .max(queryLimits.dimensions, { error: `at most ${queryLimits.dimensions} dimensions` })
      .optional(),
    filters: z.array(z.unknown(), { error: 'expected a list of filters' }).optional(),
    order_by: z
      .array(z.tuple([name, z.enum(['asc', 'desc'])], { error: 'expected [metric or dimension, "asc" or "desc"]' }), {
        error: 'expected a list of [name, "asc" or "desc"]',
      })
      .max(queryLimits.metrics + queryLimits.dimensions, { error: 'too many' })
      .nullish(),
    include: includeSchema.optional(),
    pagination: z
      .strictObject(
        { limit: whole(1, queryLimits.pageRows).optional(), offset: whole(0, 1_000_000_000).optional() },
        { error: objectError },
      )
      .optional(),
  },
  { error: objectError },
)

/** What is wrong with an object: a field too many, or that it is none. */
export function objectError(issue: { code?: string; keys?: string[] }): string {
  return issue.code === 'unrecognized_keys' ? `there is no field "${issue.keys?.[0]?.slice(0, 60)}"` : 'expected an object'
}

const fieldOf = (path: readonly PropertyKey[]): string =>
  path.map((part, i) => (typeof part === 'number' ? `[${part}]` : `${i > 0 ? '.' : ''}${String(part)}`)).join('') || 'query'

const queryShapes: Record<string, readonly string[]> = {
  query: Object.keys(querySchema.shape),
  include: Object.keys(includeSchema.shape),
  pagination: ['limit', 'offset'],
}

/** The refusal of what a schema found. `shapes` = the fields of each object, by its place with `[]` for an index. */
export const refuse = (issue: z.core.$ZodIssue, shapes: Record<string, readonly string[]>): Error => {
  const field = fieldOf(issue.path)
  if (issue.code !== 'unrecognized_keys') return badQuery(field, issue.message)
  const known = shapes[field.replace(/\[\d+\]/g, '[]')] ?? []
  const near = nearNames(issue.keys[0] ?? '', known)
  return badQuery(field, `${issue.message}. ${near.length > 0 ? `Near: ${near.join(', ')}.` : `Known: ${known.join(', ')}.`}`)
}

/** The query in a parsed JSON body to a site with these settings; throws `bad-query`. Which site it is is the caller's business. */
export const parseQuery = (body: unknown, settings: Settings = {}): Query => {
  const parsed = querySchema.safeParse(body)
  if (!parsed.success) throw refuse(parsed.error.issues[0]!, queryShapes)
  const q = parsed.data
  const dimensions = q.dimensions ?? []
  for (const [i, dimension] of dimensions.entries()) checkDimension(`dimensions[${i}]`, dimension, 'group')
  if (dimensions.filter(isTimeDimension).length > 1) throw badQuery('dimensions', 'at most one time dimension')
  const metrics = q.metrics.map((metric, i) => checkMetric(`metrics[${i}]`, metric))
  checkUnique('metrics', metrics)
  checkUnique('dimensions', dimensions)
  const filters = parseFilters(q.filters ?? [], { goals: settings.goals, segments: settings.segments })
  const goals = dimensions.includes('event:goal') ? goalsLeft(filters, settings.goals ?? []) : []
  const rated = metrics.find((metric) => metric.endsWith('conversion_rate'))
  if (rated && !dimensions.includes('event:goal') && !goalsNamed(filters)) throw needsGoal(metrics, rated)
  return {
    metrics,
    dimensions,
    dates: parseDates('date_range', q.date_range),
    filters,
    goals: goals.map(goalRow),
    updates: updatesAsked(filters),
    asked: rated && { filters: withoutGoals(filters), updates: updatesAsked(filters, goals) },
    orderBy: q.order_by && q.order_by.length > 0 ? checkOrder(q.order_by, metrics, dimensions) : defaultOrder(metrics, dimensions),
    limit: q.pagination?.limit ?? queryLimits.pageRows,
    offset: q.pagination?.offset ?? 0,
    include: parseInclude(q.include ?? {}),
  }
}

const needsGoal = (metrics: readonly MetricName[], metric: MetricName): Error =>
  badQuery(
    `metrics[${metrics.indexOf(metric)}]`,
    `"${metric}" needs a goal: add the dimension "event:goal", or a filter such as ["is","event:goal",["Signup"]]`,
  )

const checkMetric = (field: string, metric: string): MetricName => {
  const found = metricNames.find((known) => known === metric)
  if (!found) throw unknownName(field, 'metric', metric, metricNames)
  return found
}

const checkUnique = (field: string, names: readonly string[]): void => {
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (twice !== undefined) throw badQuery(field, `"${twice}" is named twice`)
}

const checkOrder = (order: [string, Direction][], metrics: readonly string[], dimensions: readonly string[]): [string, Direction][] => {
  const names = [...metrics, ...dimensions]
  for (const [i, [name]] of order.entries()) {
    if (!names.includes(name))
      throw badQuery(`order_by[${i}]`, `"${name.slice(0, 100)}" is not among the metrics and dimensions asked for (${names.join(', ')})`)
  }
  checkUnique(
    'order_by',
    order.map(([name]) => name),
  )
  return order
}

const defaultOrder = (metrics: readonly string[], dimensions: readonly string[]): [string, Direction][] => {
  const time = dimensions.find(isTimeDimension)
  const byMetric: [string, Direction] = [metrics[0]!, 'desc']
  return time === undefined ? [byMetric] : [[time, 'asc'], byMetric]
}

const parseInclude = (include: z.infer<typeof includeSchema>): Include => ({
  imports: include.imports ?? false,
  timeLabels: include.time_labels ?? false,
  totalRows: include.total_rows ?? false,
  bots: include.bots ?? false,
  exact: include.exact ?? false,
  ...(include.compare ? { compare: parseCompare(include.compare) } : {}),
  matchWeekday: include.compare_match_day_of_week ?? false,
  compareMissing: include.compare_missing ?? false,
})

/** What a comparison asks for. */
export const parseCompare = (compare: string | [string, string], field = 'include.compare'): Comparison =>
  compare === 'previous_period' || compare === 'year_over_year' ? compare : parseDates(field, compare)

/** The time dimension of a query, if it has one. */
export const timeDimensionOf = (query: Query): TimeDimension | undefined => query.dimensions.find(isTimeDimension)

/** The query as it is echoed: defaults filled in, ranges as instants. */
export const queryJson = (
  query: Query,
  site: string,
  dates: [string, string],
  compared: [string, string] | undefined,
): Record<string, unknown> => {
  const { include } = query
  return {
    site_id: site,
    metrics: query.metrics,
    date_range: dates,
    filters: query.filters.map(filterJson),
    dimensions: query.dimensions,
    order_by: query.orderBy,
    include: {
      imports: include.imports,
      time_labels: include.timeLabels,
      total_rows: include.totalRows,
      bots: include.bots,
      ...(include.exact ? { exact: true } : {}),
      ...(compared
        ? {
            compare: typeof include.compare === 'string' ? include.compare : compared,
            compare_match_day_of_week: include.matchWeekday,
            compare_missing: include.compareMissing,
          }
        : {}),
    },
    pagination: { limit: query.limit, offset: query.offset },
  }
}
