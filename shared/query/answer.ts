import type { SiteConfig } from '../site/config.ts'
import { type Calendar, calendarOf } from '../site/zone.ts'
import { type Buckets, bucketsOf, isTimeDimension } from './buckets.ts'
import { compareRange, isoRange, type Range, resolveRange } from './dates.ts'
import { compileFilters, createWork, doneFilters, type Filter } from './filters.ts'
import { type Adder, columnsOf, createDonePass, createFold, type Fold, type Folded } from './fold.ts'
import { queryLimits } from './limits.ts'
import { type Columns, columnOf, type Visit } from './merge.ts'
import { type Beside, emptyGroup, type MetricValue, metricValue, needsOf } from './metrics.ts'
import type { MetricName } from './names.ts'
import { endless, type Room } from './room.ts'
import { askedBeside, askedDimensions, changes, createFinder, ordered, type Row, rowsOf } from './rows.ts'
import { type Query, queryJson, timeDimensionOf } from './schema.ts'

/** From a query to its answer: folds the range, and the range it is compared with, and writes rows and meta. */

/** Visits with hits in the range, some at a time; every reading of one answer gives the same visits. */
export type Scan = (range: Range, columns: Columns) => AsyncIterable<readonly Visit[]>

type Asked = {
  query: Query
  site: Pick<SiteConfig, 'site' | 'zones' | 'identity' | 'bounce'>
  now: number
  /** First and last day that the site has rows on. */
  data: { first: number; last: number } | undefined
  scan: Scan
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
type Table = Period & { rows: Row[]; find(row: Row): Row | undefined; asked(row: Row): Pick<Beside, 'asked'> }

/** The answer to a query (without freshness, which is the caller's). */
export const answerQuery = async (asked: Asked): Promise<Answer> => {
  const { query, site, now } = asked
  const calendar = calendarOf(site.zones)
  const range = resolveRange(query.dates, calendar, now, asked.data)
  const { compare } = query.include
  const comparedRange = compare === undefined ? undefined : compareRange(compare, query.include.matchWeekday, range, calendar, now)
  const period = periodOf(query, range, calendar)
  const compared = comparedRange && periodOf(query, comparedRange, calendar)

  const folded = await foldAll(asked, period, undefined)
  const main = await cutTail(asked, period, folded, calendar)
  const before = compared && (await comparedTable(asked, compared, main, calendar))

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

const foldAll = async (asked: Asked, { range, buckets }: Period, keep: ReadonlySet<string> | undefined): Promise<Folded> => {
  const { query, site, room = endless } = asked
  const work = createWork()
  const needs = needsOf(query.metrics)
  const columns = columnsOf(query.dimensions, filtersOf(query), needs)
  const { bots } = query.include
  const done = createDonePass(query.filters, columns, bots, work, room)
  const dones = doneFilters(query.filters)
  if (dones.length > 0) await addAll(asked, range, columns, [done.add])
  const compile = (filters: readonly Filter[]) => {
    const visitors = doneFilters(filters).map((filter) => done.visitors[dones.indexOf(filter)]!)
    return compileFilters(filters, columnOf(columns), visitors, work)
  }
  const shared = { columns, buckets, range, bots, bounce: site.bounce, work, room, mostGroups: queryLimits.allGroups }
  const fold = createFold({
    ...shared,
    dimensions: query.dimensions,
    test: compile(query.filters),
    goals: query.goals.map(({ name, filter, scroll }) => ({ name, test: compile([filter]), scroll })),
    updates: query.updates && compile([query.updates]),
    needs,
    keep,
  })
  const { asked: who } = query
  /** Of those who could have met the goals only visitors are counted. */
  const askedFold = (dimensions: readonly string[]): Fold | undefined =>
    who &&
    createFold({
      ...shared,
      dimensions,
      test: compile(who.filters),
      updates: who.updates && compile([who.updates]),
      buckets: dimensions.some(isTimeDimension) ? buckets : undefined,
      needs: needsOf(['visitors']),
      keep: undefined,
    })
  const groups = askedDimensions(query.dimensions)
  const all = query.metrics.includes('conversion_rate') ? askedFold(groups.all) : undefined
  const within = query.metrics.includes('group_conversion_rate') ? askedFold(groups.within) : undefined
  const folds = [fold, all, within].filter((one) => one !== undefined)
  await addAll(
    asked,
    range,
    columns,
    folds.map(({ add }) => add),
  )
  return { ...fold.done(), ...(who ? { asked: { all: visitorsOf(all), within: visitorsOf(within) } } : {}) }
}

/** All filters that a query asks. */
const filtersOf = ({ filters, goals, updates, asked }: Query): Filter[] => [
  ...filters,
  ...goals.map(({ filter }) => filter),
  ...(updates ? [updates] : []),
  ...(asked?.updates ? [asked.updates] : []),
]

const visitorsOf = (fold: Fold | undefined): ReadonlyMap<string, number> =>
  new Map(fold ? [...fold.done().groups].map(([key, { visitors }]) => [key, visitors?.size ?? 0]) : [])

const addAll = async (asked: Asked, range: Range, columns: Columns, adders: readonly Adder[]): Promise<void> => {
  for await (const visits of asked.scan(range, columns)) {
    for (const visit of visits) {
      for (const add of adders) {
        const steps = add(visit)
        while (!steps.next().done) await asked.pause()
      }
    }
    await asked.pause()
  }
}

const tableOf = (asked: Asked, period: Period, folded: Folded, calendar: Calendar): Table => {
  const finish = {
    metrics: asked.query.metrics,
    dimensions: asked.query.dimensions,
    buckets: period.buckets,
    range: period.range,
    cookieless: asked.site.identity === 'cookieless',
    dayAt: (t: number) => calendar.dayAt(t).day,
  }
  const rows = rowsOf(folded, finish)
  return { ...period, rows, find: createFinder(rows), asked: (row) => askedBeside(folded, row, asked.query.dimensions) }
}

/**
 * Keeps the first groups in the order asked for; the tail is folded anew into `(other)`, so that its distinct visitors and
 * visits are exact. Few sites ever have so many rows, and reading twice is simpler than keeping every group's sets mergeable.
 */
const cutTail = async (asked: Asked, period: Period, folded: Folded, calendar: Calendar): Promise<Table> => {
  const table = tableOf(asked, period, folded, calendar)
  if (table.rows.length <= queryLimits.groups) return table
  const { query } = asked
  const kept = ordered(table.rows, query.orderBy, query.metrics, query.dimensions).slice(0, queryLimits.groups)
  return tableOf(asked, period, await foldAll(asked, period, new Set(kept.map(({ key }) => key))), calendar)
}

/** The earlier period; where either period has a tail it is that of the same groups. */
const comparedTable = async (asked: Asked, period: Period, main: Table, calendar: Calendar): Promise<Table> => {
  const isCut = main.rows.some(({ tail }) => tail)
  const folded = isCut ? undefined : await foldAll(asked, period, undefined)
  if (folded && folded.groups.size <= queryLimits.groups) return tableOf(asked, period, folded, calendar)
  return tableOf(asked, period, await foldAll(asked, period, new Set(main.rows.map(({ key }) => key))), calendar)
}

/** What a row shows in a period in which nothing was counted of it: counts 0, what divides null, but for a goal that nobody met who was there. */
const zeros = ({ query, site }: Asked, period: Table, row: Row): MetricValue[] => {
  const group = emptyGroup([], -1, needsOf(query.metrics))
  const isNew = site.identity === 'cookieless' ? undefined : () => false
  return query.metrics.map((metric) => metricValue(metric, group, { allVisitors: 0, isNew, ...period.asked(row) }))
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
  return {
    exact: true,
    sampled: 1,
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
