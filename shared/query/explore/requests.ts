import { z } from 'zod'
import { isTimeDimension } from '../buckets.ts'
import { type Comparison, parseDates } from '../dates.ts'
import { checkDimension } from '../dimensions.ts'
import { type Budget, createBudget, type Filter, parseFilters, type Settings } from '../filters.ts'
import { goalDimension } from '../fold.ts'
import { queryLimits } from '../limits.ts'
import { badQuery, unknownName } from '../names.ts'
import { flag, includeSchema, objectError, parseCompare, querySchema, refuse, whole } from '../schema.ts'
import type { Common } from './asked.ts'

/** The bodies of the explorations: what may stand in them, and what it means. Refusals are as those of a query. */

const name = z.string({ error: 'expected a name' })
const fields = <T extends z.ZodRawShape>(shape: T) => z.strictObject(shape, { error: objectError })
const bots = fields({ bots: flag.optional() })
const { site_id, date_range, filters } = querySchema.shape
const common = { site_id, date_range, filters, include: bots.optional() }
const ownFilters = z.array(z.unknown(), { error: 'expected a list of filters' }).min(1, { error: 'expected at least one filter' })

type Shapes = Record<string, readonly string[]>
const includeShape = { include: ['bots'] }

/** The body as its schema has it; throws `bad-query` with the field and what was expected. */
const parsed = <T extends z.ZodObject>(schema: T, body: unknown, shapes: Shapes = {}): z.infer<T> => {
  const result = schema.safeParse(body)
  if (result.success) return result.data
  throw refuse(result.error.issues[0]!, { query: Object.keys(schema.shape), ...includeShape, ...shapes })
}

type Body = { date_range: string | [string, string]; filters?: unknown[] | undefined; include?: { bots?: boolean | undefined } | undefined }

const commonOf = (body: Body, budget: Budget): Common => ({
  dates: parseDates('date_range', body.date_range),
  filters: parseFilters(body.filters ?? [], { budget }),
  bots: body.include?.bots ?? false,
})

export type FunnelStep = { name: string | undefined; filters: Filter[] }
export type FunnelRequest = Common & {
  steps: FunnelStep[]
  order: 'ordered' | 'strict'
  window: { text: string; ms: number } | undefined
  dimension: string | undefined
}

const stepName = z
  .string({ error: 'expected text' })
  .min(1, { error: 'expected text' })
  .max(queryLimits.stepName, { error: `at most ${queryLimits.stepName} characters` })
const stepCount = `expected 2 to ${queryLimits.funnelSteps} steps`
const funnelSchema = fields({
  ...common,
  steps: z
    .array(fields({ name: stepName.optional(), filters: ownFilters }), { error: stepCount })
    .min(2, { error: stepCount })
    .max(queryLimits.funnelSteps, { error: stepCount }),
  order: z.enum(['ordered', 'strict'], { error: 'expected "ordered" or "strict"' }).optional(),
  window: z.string({ error: 'expected "90s", "30m", "1h" or "7d"' }).optional(),
  dimensions: z
    .array(name, { error: 'expected a list of dimension names' })
    .max(1, { error: 'a funnel is broken down by one dimension' })
    .optional(),
})

const windowUnits: Record<string, number> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

const windowOf = (text: string): FunnelRequest['window'] => {
  const found = /^([1-9]\d{0,7})([smhd])$/.exec(text)
  const ms = found ? Number(found[1]) * windowUnits[found[2]!]! : 0
  if (ms === 0 || ms > queryLimits.windowDays * windowUnits['d']!)
    throw badQuery('window', `expected a number with its unit, "90s", "30m", "1h" or "7d", up to ${queryLimits.windowDays}d`)
  return { text, ms }
}

/** The body of `POST /api/v2/funnel`. */
export const parseFunnel = (body: unknown, settings: Settings = {}): FunnelRequest => {
  const q = parsed(funnelSchema, body, { 'steps[]': ['name', 'filters'] })
  const dimension = q.dimensions?.[0]
  if (dimension !== undefined) checkDimension('dimensions[0]', dimension, 'group')
  if (dimension === goalDimension) throw badQuery('dimensions[0]', 'a hit may meet several goals; take another dimension')
  const budget = createBudget(settings)
  return {
    ...commonOf(q, budget),
    steps: q.steps.map((step, i) => ({ name: step.name, filters: parseFilters(step.filters, { field: `steps[${i}].filters`, budget }) })),
    order: q.order ?? 'ordered',
    window: q.window === undefined ? undefined : windowOf(q.window),
    dimension,
  }
}

/** A page as it stands in `event:page`, or an event as in `event:name`. */
export type Anchor = { kind: 'page' | 'event'; value: string }
export type PathsRequest = Common & {
  anchor: Anchor | undefined
  direction: 'next' | 'previous'
  steps: number
  limit: number
  by: 'page' | 'event'
}

const anchorText = z
  .string({ error: 'expected text' })
  .min(1, { error: 'expected text' })
  .max(queryLimits.valueLength, { error: `at most ${queryLimits.valueLength} characters` })
const anchor = fields({ page: anchorText.optional(), event: anchorText.optional() })
const pathsSchema = fields({
  ...common,
  from: anchor.optional(),
  to: anchor.optional(),
  direction: z.enum(['next', 'previous'], { error: 'expected "next" or "previous"' }),
  steps: whole(1, queryLimits.pathSteps),
  limit: whole(1, queryLimits.pathNodes).optional(),
  by: z.enum(['page', 'event'], { error: 'expected "page" or "event"' }),
})

const anchorOf = (field: string, given: z.infer<typeof anchor> | undefined): Anchor | undefined => {
  if (!given) return undefined
  const { page, event } = given
  if ((page === undefined) === (event === undefined)) throw badQuery(field, 'expected {"page": …} or {"event": …}')
  return page === undefined ? { kind: 'event', value: event! } : { kind: 'page', value: page }
}

/** The body of `POST /api/v2/paths`. */
export const parsePaths = (body: unknown, settings: Settings = {}): PathsRequest => {
  const anchorFields = ['page', 'event']
  const q = parsed(pathsSchema, body, { from: anchorFields, to: anchorFields })
  const [own, wrong] = q.direction === 'next' ? (['from', 'to'] as const) : (['to', 'from'] as const)
  if (q[wrong]) throw badQuery(wrong, `direction "${q.direction}" begins at "${own}"; leave it out, or turn the direction`)
  const at = anchorOf(own, q[own])
  return {
    ...commonOf(q, createBudget(settings)),
    anchor: at,
    direction: q.direction,
    steps: q.steps,
    limit: q.limit ?? queryLimits.pathNodesDefault,
    by: q.by,
  }
}

export type RetentionRequest = Common & { period: 'day' | 'week' | 'month'; returnFilters: Filter[] | undefined }

const retentionSchema = fields({
  ...common,
  period: z.enum(['day', 'week', 'month'], { error: 'expected "day", "week" or "month"' }),
  return_filters: ownFilters.optional(),
})

/** The body of `POST /api/v2/retention`. */
export const parseRetention = (body: unknown, settings: Settings = {}): RetentionRequest => {
  const q = parsed(retentionSchema, body)
  const budget = createBudget(settings)
  return {
    ...commonOf(q, budget),
    period: q.period,
    returnFilters: q.return_filters && parseFilters(q.return_filters, { field: 'return_filters', budget }),
  }
}

/** Metrics that are sums: a change of them is made of the changes of rows. */
const additiveMetrics = ['visitors', 'visits', 'pageviews', 'events', 'engaged_visits', 'new_visitors', 'total_revenue'] as const
export type AdditiveMetric = (typeof additiveMetrics)[number]
export type WhyRequest = Common & {
  metric: AdditiveMetric
  dimension: string
  compare: Comparison
  matchWeekday: boolean
  currency: string | undefined
  limit: number
}

const whySchema = fields({
  ...common,
  compare: includeSchema.shape.compare.unwrap().unwrap(),
  compare_match_day_of_week: flag.optional(),
  metric: name,
  dimension: name,
  currency: z
    .string({ error: 'expected a currency as "EUR"' })
    .regex(/^[A-Z]{3}$/, { error: 'expected a currency as "EUR"' })
    .optional(),
  limit: whole(1, queryLimits.whyRows).optional(),
})

/** The body of `POST /api/v2/why`. */
export const parseWhy = (body: unknown, settings: Settings = {}): WhyRequest => {
  const q = parsed(whySchema, body)
  const metric = additiveMetrics.find((known) => known === q.metric)
  if (!metric) throw unknownName('metric', 'metric that adds up', q.metric, additiveMetrics)
  checkDimension('dimension', q.dimension, 'group')
  if (isTimeDimension(q.dimension)) throw badQuery('dimension', `"${q.dimension}" is no cause; take a dimension of visits or events`)
  if (q.currency !== undefined && metric !== 'total_revenue') throw badQuery('currency', 'only "total_revenue" has one; leave it out')
  return {
    ...commonOf(q, createBudget(settings)),
    metric,
    dimension: q.dimension,
    compare: parseCompare(q.compare, 'compare'),
    matchWeekday: q.compare_match_day_of_week ?? false,
    currency: q.currency,
    limit: q.limit ?? queryLimits.whyRowsDefault,
  }
}
