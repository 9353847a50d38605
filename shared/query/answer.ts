import type { SiteConfig } from '../site/config.ts'
import { type Calendar, calendarOf } from '../site/zone.ts'
import { type Buckets, bucketsOf, isTimeDimension } from './buckets.ts'
import type { Count, Counted, CountPlan } from './counting.ts'
import { compareRange, isoRange, type Range, resolveRange } from './dates.ts'
import { queryLimits } from './limits.ts'
import { type Beside, type MetricValue, metricValue, needsOf, noSums } from './metrics.ts'
import type { MetricName } from './names.ts'
import { endless, type Room } from './room.ts'
import { type AskedCounts, askedBeside, askedDimensions, changes, createFinder, ordered, type Row, rowsOf } from './rows.ts'
import { type Query, queryJson, timeDimensionOf } from './schema.ts'

/** From a query to its answer: counts the range, and the range it is compared with, and writes rows and meta. */

type Asked = {
  query: Query
  site: Pick<SiteConfig, 'site' | 'zones' | 'identity' | 'bounce'>
  now: number
  /** First and last day that the site has rows on. */
  data: { first: number; last: number } | undefined
  /** The engine. */
  count: Count
  /** Called now and then: lets others run when it is time to, throws when the time is up. */
  pause(): Promise<void> | undefined
  /** What may be held; without it, anything. */
  room?: Room
}

type AnswerRow = {
  dimensions: readonly string[]
  metrics: MetricValue[]
  comparison?: { dimensions: readonly string[]; metrics: MetricValue[]; change: (number | null)[] } | null
}
type Warning = { code: string; warning: string }
export type Answer = { results: AnswerRow[]; meta: Record<string, unknown>; query: Record<string, unknown> }

type Period = { range: Range; buckets: Buckets | undefined }
/** `asked`: who was asked for goals, for a row that another period has, too. */
type Table = Period & { counted: Counted; rows: Row[]; find(row: Row): Row | undefined; asked(row: Row): Pick<Beside, 'asked'> }

/** The answer to a query (without freshness, which is the caller's). */
export const answerQuery = async (asked: Asked): Promise<Answer> => {
  const { query, site, now } = asked
  const calendar = calendarOf(site.zones)
  const range = resolveRange(query.dates, calendar, now, asked.data)
  const { compare } = query.include
  const comparedRange = compare === undefined ? undefined : compareRange(compare, query.include.matchWeekday, range, calendar, now)
  const period = periodOf(query, range, calendar)
  const compared = comparedRange && periodOf(query, comparedRange, calendar)

  const counted = await countAll(asked, period, undefined)
  const main = await cutTail(asked, period, counted)
  const before = compared && (await comparedTable(asked, compared, main))

  const rows = ordered(main.rows, query.orderBy, query.metrics, query.dimensions)
  const all = [...rows.map((row) => answerRow(asked, row, before)), ...(before ? missingRows(asked, main, before) : [])]
  const results = all.slice(query.offset, query.offset + query.limit)
  asked.room?.take(pageBytes(results))
  return {
    results,
    meta: metaOf(asked, main, before, all, calendar),
    query: queryJson(query, site.site, isoRange(calendar, range), comparedRange && isoRange(calendar, comparedRange)),
  }
}

/** What a page of rows is as JSON, which pages of long names make large. */
const pageBytes = (results: readonly AnswerRow[]): number => {
  const lengthOf = (values: readonly string[] = []): number => values.reduce((sum, value) => sum + value.length, 0)
  return results.reduce((sum, { dimensions, comparison }) => sum + 2 * (lengthOf(dimensions) + lengthOf(comparison?.dimensions)), 0)
}

const periodOf = (query: Query, range: Range, calendar: Calendar): Period => {
  const dimension = timeDimensionOf(query)
  return { range, buckets: dimension && bucketsOf(dimension, range, calendar) }
}

const planOf = (asked: Asked, { range, buckets }: Period): CountPlan => {
  const { query, site, room = endless, pause } = asked
  const { dimensions, filters, goals, updates, metrics, include } = query
  const mostVisits = include.exact ? Number.POSITIVE_INFINITY : queryLimits.countedVisits
  const rules = { calendar: calendarOf(site.zones), bots: include.bots, bounce: site.bounce }
  return {
    dimensions,
    filters,
    goals,
    updates,
    needs: needsOf(metrics),
    buckets,
    range,
    ...rules,
    keep: undefined,
    mostVisits,
    room,
    pause,
  }
}

const countAll = (asked: Asked, period: Period, keep: ReadonlySet<string> | undefined): Promise<Counted> =>
  asked.count({ ...planOf(asked, period), keep })

/** Of those who could have met the goals only visitors are counted. */
const countAsked = async (asked: Asked, period: Period): Promise<AskedCounts | undefined> => {
  const { query } = asked
  const { asked: who } = query
  if (!who) return undefined
  const visitorsBy = async (metric: MetricName, dimensions: string[]): Promise<ReadonlyMap<string, number>> => {
    if (!query.metrics.includes(metric)) return new Map()
    const buckets = dimensions.some(isTimeDimension) ? period.buckets : undefined
    const plan = { ...planOf(asked, period), ...who, goals: [], dimensions, buckets, needs: needsOf(['visitors']) }
    const { groups } = await asked.count(plan)
    return new Map(groups.map(({ key, visitors }) => [key, visitors]))
  }
  const { all, within } = askedDimensions(query.dimensions)
  return { all: await visitorsBy('conversion_rate', all), within: await visitorsBy('group_conversion_rate', within) }
}

const knowsNew = ({ site }: Asked): boolean => site.identity !== 'cookieless'

const tableOf = (asked: Asked, period: Period, counted: Counted, who: AskedCounts | undefined): Table => {
  const { metrics, dimensions } = asked.query
  const rows = rowsOf(counted, { metrics, dimensions, knowsNew: knowsNew(asked), asked: who })
  return { ...period, counted, rows, find: createFinder(rows), asked: (row) => askedBeside(who, row, dimensions) }
}

/**
 * Keeps the first groups in the order asked for; the tail is counted anew into `(other)`, so that its distinct visitors and
 * visits are exact. Few sites ever have so many rows, and reading twice is simpler than keeping every group's sets mergeable.
 */
const cutTail = async (asked: Asked, period: Period, counted: Counted): Promise<Table> => {
  const who = await countAsked(asked, period)
  const table = tableOf(asked, period, counted, who)
  if (table.rows.length <= queryLimits.groups) return table
  const { query } = asked
  const kept = ordered(table.rows, query.orderBy, query.metrics, query.dimensions).slice(0, queryLimits.groups)
  return tableOf(asked, period, await countAll(asked, period, new Set(kept.map(({ key }) => key))), who)
}

/** The earlier period; where either period has a tail it is that of the same groups. */
const comparedTable = async (asked: Asked, period: Period, main: Table): Promise<Table> => {
  const isCut = main.rows.some(({ tail }) => tail)
  const who = await countAsked(asked, period)
  const counted = isCut ? undefined : await countAll(asked, period, undefined)
  if (counted && counted.groups.length <= queryLimits.groups) return tableOf(asked, period, counted, who)
  return tableOf(asked, period, await countAll(asked, period, new Set(main.rows.map(({ key }) => key))), who)
}

/** What a row shows in a period in which nothing was counted of it: counts 0, what divides null, but for a goal that nobody met who was there. */
const zeros = (asked: Asked, period: Table, row: Row): MetricValue[] => {
  const beside = { allVisitors: 0, knowsNew: knowsNew(asked), ...period.asked(row) }
  return asked.query.metrics.map((metric) => metricValue(metric, noSums, beside))
}

const withLabel = (query: Query, values: readonly string[], label: string | undefined): readonly string[] => {
  const time = timeDimensionOf(query)
  return time === undefined || label === undefined ? values : values.map((value, i) => (query.dimensions[i] === time ? label : value))
}

const answerRow = (asked: Asked, row: Row, before: Table | undefined): AnswerRow => {
  const plain = { dimensions: row.values, metrics: row.metrics }
  if (!before) return plain
  const label = before.buckets?.labels[row.bucket]
  // The earlier period is shorter and has no such bucket.
  if (before.buckets && label === undefined) return { ...plain, comparison: null }
  const earlier = before.find(row)
  const metrics = earlier?.metrics ?? zeros(asked, before, row)
  const dimensions = earlier?.values ?? withLabel(asked.query, row.values, label)
  return { ...plain, comparison: { dimensions, metrics, change: changes(row.metrics, metrics) } }
}

/** Rows that only the earlier period has, with zeros now. A bucket that this period does not have is left out. */
const missingRows = (asked: Asked, main: Table, before: Table): AnswerRow[] => {
  const { query } = asked
  if (!query.include.compareMissing) return []
  const missing = ordered(before.rows, query.orderBy, query.metrics, query.dimensions).filter((row) => !main.find(row))
  return missing.flatMap((row) => {
    const label = main.buckets?.labels[row.bucket]
    if (main.buckets && label === undefined) return []
    const metrics = zeros(asked, main, row)
    return [
      {
        dimensions: withLabel(query, row.values, label),
        metrics,
        comparison: { dimensions: row.values, metrics: row.metrics, change: changes(metrics, row.metrics) },
      },
    ]
  })
}

const metaOf = (
  asked: Asked,
  main: Table,
  before: Table | undefined,
  all: readonly AnswerRow[],
  calendar: Calendar,
): Record<string, unknown> => {
  const { include } = asked.query
  const warnings = warningsOf(asked, main, all, calendar)
  const sampled = Math.min(main.counted.sampled, before?.counted.sampled ?? 1)
  return {
    exact: sampled === 1,
    sampled,
    ...(sampled < 1 ? { relative_error: Math.max(main.counted.relativeError, before?.counted.relativeError ?? 0) } : {}),
    imports_included: false,
    ...(include.timeLabels ? { time_labels: main.buckets?.labels ?? [] } : {}),
    ...(include.totalRows ? { total_rows: all.length } : {}),
    ...(before ? { comparison_date_range: isoRange(calendar, before.range) } : {}),
    ...(Object.keys(warnings).length > 0 ? { metric_warnings: warnings } : {}),
  }
}

const perDay: Warning = {
  code: 'visitors_per_day',
  warning: 'The site uses no cookies: a visitor is known for one day only, so visitors of several days are the sum of the days.',
}
const noCookies: Warning = { code: 'no_cookies', warning: 'The site uses no cookies, so it is not known who is new.' }
const severalCurrencies: Warning = {
  code: 'several_currencies',
  warning: 'Revenue came in several currencies; such rows list one amount for each.',
}

const sumsOfDays: readonly MetricName[] = ['visitors', 'percentage', 'conversion_rate', 'group_conversion_rate']

const warningsOf = ({ query, site }: Asked, main: Table, all: readonly AnswerRow[], calendar: Calendar): Record<string, Warning> => {
  const warnings: Record<string, Warning> = {}
  const severalDays = calendar.dayAt(main.range.from).day !== calendar.dayAt(main.range.to - 1).day
  for (const [i, metric] of query.metrics.entries()) {
    if (site.identity === 'cookieless' && severalDays && sumsOfDays.includes(metric)) warnings[metric] = perDay
    if (site.identity === 'cookieless' && metric === 'new_visitors') warnings[metric] = noCookies
    if (all.some(({ metrics }) => Array.isArray(metrics[i]))) warnings[metric] = severalCurrencies
  }
  return warnings
}
