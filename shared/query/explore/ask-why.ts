import { answerQuery } from '../answer.ts'
import { goalDimension } from '../fold.ts'
import { goalRow, goalsLeft, updatesAsked } from '../goals.ts'
import type { MetricValue } from '../metrics.ts'
import { decimal, type Money } from '../money.ts'
import { badQuery, byCodePoint, other } from '../names.ts'
import { moneyList, unitsOf } from '../rows.ts'
import type { Query } from '../schema.ts'
import { type Answered, type Asked, commonJson, rangeOf } from './asked.ts'
import type { WhyRequest } from './requests.ts'

/**
 * Why a number changed: the rows of a dimension by what each adds to the change between two periods. It asks two queries with a
 * comparison, one of the rows and one of the whole, and subtracts; so every number is one that a query answers too.
 *
 * Rows need not add up to the whole: a visitor with two sources is in both rows. What they have too much stands as `overlap`.
 */

type Amount = number | Money
type Change = { before: Amount; now: Amount; change: Amount }
/** `share` = per cent of the change of the whole: below 0 it worked against it, null where the whole did not change. */
type WhyRow = { value: string; other?: true } & Change & { share: number | null }
export type WhyAnswer = Answered & { total: Change; overlap: Change; rows: WhyRow[] }

/** Counts as they are, money in 1/10,000 of its unit: sums of both are exact. */
type Pair = { before: bigint; now: bigint }
const changeOf = ({ before, now }: Pair): bigint => now - before
const sizeOf = (n: bigint): bigint => (n < 0n ? -n : n)

/** The answer to the question why a metric changed. */
export const answerWhy = async (request: WhyRequest, asked: Asked): Promise<WhyAnswer> => {
  const { metric, dimension, limit } = request
  if (metric === 'new_visitors' && asked.site.identity === 'cookieless')
    throw badQuery('metric', 'the site uses no cookies, so it is not known who is new; take "visitors"')
  const whole = await answerQuery({ ...asked, query: queryOf(request, [], asked) })
  const { metrics, comparison } = whole.results[0]!
  const currency = metric === 'total_revenue' ? currencyOf(request, [metrics[0]!, comparison!.metrics[0]!]) : undefined
  const pairOf = (now: readonly MetricValue[], before: readonly MetricValue[]): Pair => ({
    now: amountOf(now[0]!, currency),
    before: amountOf(before[0]!, currency),
  })
  const total = pairOf(metrics, comparison!.metrics)
  const parts = (await answerQuery({ ...asked, query: queryOf(request, [dimension], asked) })).results
    .map((row) => ({ value: row.dimensions[0]!, ...pairOf(row.metrics, row.comparison!.metrics) }))
    .filter(({ now, before }) => now !== 0n || before !== 0n)
    .sort(byContribution)
  const shown = parts.slice(0, limit)
  const rest = parts.slice(limit)
  const write = (pair: Pair): Change => ({
    before: written(pair.before, currency),
    now: written(pair.now, currency),
    change: written(changeOf(pair), currency),
  })
  const rowOf = (pair: Pair) => ({ ...write(pair), share: shareOf(changeOf(pair), changeOf(total)) })
  const sum = sumOf(parts)
  return {
    total: write(total),
    overlap: write({ before: sum.before - total.before, now: sum.now - total.now }),
    rows: [
      ...shown.map(({ value, ...pair }) => ({ value, ...rowOf(pair) })),
      ...(rest.length > 0 ? [{ value: other, other: true as const, ...rowOf(sumOf(rest)) }] : []),
    ],
    meta: currency === undefined ? whole.meta : withoutWarnings(whole.meta),
    query: echo(request, asked, currency, whole.query),
  }
}

const byContribution = (a: Pair & { value: string }, b: Pair & { value: string }): number => {
  const [x, y] = [sizeOf(changeOf(a)), sizeOf(changeOf(b))]
  return x === y ? byCodePoint(a.value, b.value) : x > y ? -1 : 1
}

const sumOf = (parts: readonly Pair[]): Pair =>
  parts.reduce((a, b) => ({ before: a.before + b.before, now: a.now + b.now }), { before: 0n, now: 0n })

const queryOf = (request: WhyRequest, dimensions: string[], { site }: Asked): Query => ({
  metrics: [request.metric],
  dates: request.dates,
  dimensions,
  filters: request.filters,
  goals: dimensions.includes(goalDimension) ? goalsLeft(request.filters, site.goals ?? []).map(goalRow) : [],
  updates: updatesAsked(request.filters),
  asked: undefined,
  orderBy: [[request.metric, 'desc']],
  limit: Number.MAX_SAFE_INTEGER,
  offset: 0,
  include: {
    imports: false,
    timeLabels: false,
    totalRows: false,
    exact: true,
    bots: request.bots,
    compare: request.compare,
    matchWeekday: request.matchWeekday,
    compareMissing: true,
  },
})

/** The one currency that there is, or that is asked for: amounts of several do not add up. */
const currencyOf = ({ currency }: WhyRequest, totals: readonly MetricValue[]): string | undefined => {
  if (currency !== undefined) return currency
  const found = [...new Set(totals.flatMap((total) => moneyList(total).map((money) => money.currency)))].sort(byCodePoint)
  if (found.length > 1) throw badQuery('currency', `revenue came in ${found.join(', ')}; name one of them`)
  return found[0]
}

const amountOf = (value: MetricValue, currency: string | undefined): bigint => {
  if (typeof value === 'number') return BigInt(value)
  const money = moneyList(value).find((one) => one.currency === currency)
  return money ? unitsOf(money.value) : 0n
}

const written = (amount: bigint, currency: string | undefined): Amount =>
  currency === undefined ? Number(amount) : { value: decimal(amount, currency), currency }

/** Per cent with two decimals, halves away from zero. */
const shareOf = (part: bigint, whole: bigint): number | null => {
  if (whole === 0n) return null
  const [a, b] = [sizeOf(part) * 10_000n, sizeOf(whole)]
  const size = Number((2n * a + b) / (2n * b)) / 100
  return part < 0n === whole < 0n || size === 0 ? size : -size
}

/** One currency was chosen: that there are several is no warning any more. */
const withoutWarnings = ({ metric_warnings: _none, ...meta }: Record<string, unknown>): Record<string, unknown> => meta

const echo = (request: WhyRequest, asked: Asked, currency: string | undefined, whole: Record<string, unknown>): Record<string, unknown> => {
  const { calendar, range } = rangeOf(asked, request)
  const { compare } = whole['include'] as { compare: unknown }
  return {
    ...commonJson(asked, request, calendar, range),
    compare,
    compare_match_day_of_week: request.matchWeekday,
    metric: request.metric,
    dimension: request.dimension,
    ...(currency === undefined ? {} : { currency }),
    limit: request.limit,
  }
}
