import { isTimeDimension, unitOf } from '../buckets.ts'
import type { Counted, CountPlan, OfSample } from '../counting.ts'
import { goalDimension } from '../fold.ts'
import { queryLimits } from '../limits.ts'
import type { Needs, Sums } from '../metrics.ts'
import { dimensionOf, shownOf } from './dimension.ts'
import { areDisjoint } from './disjoint.ts'
import { countRows, sumsOf } from './engine.ts'
import { bucketOfDay } from './groups.ts'
import { createRevenue } from './revenue.ts'
import { countedOf } from './sample.ts'
import { countsFor, hoursOfDay, valuesOf, wholeDay } from './sums.ts'
import type { Table, TableCells } from './table.ts'
import { counts as at, countWidth, createTally } from './tally.ts'
import { isWhole, unitsFor } from './units.ts'

/**
 * Questions without a filter, answered from the cells of closed days (sums.ts). What cells leave out, the edge rows of the same days and
 * the rows of other ones, is counted beside them. Visits are never in both, so all that counts visits and hits adds up. Distinct visitors,
 * and pages of them, add up where each row of the answer is of one day, or where no visitor came on two; else they are counted from rows.
 */

/** What a closed day gives to an answer: the cells of a dimension, and what its values are called, by code. */
type Closed = { table: Table; cells: TableCells; dimension: string; texts: readonly string[] }
type Asked = { timeAt: number; valueAt: number; value: string | undefined; isByHour: boolean }

/**
 * How rows are counted: engine.ts, or with others (functions/query-metrics/shares.ts). `edgesOf` names the tables of the plan's range of which
 * only the edge rows are among `tables`; all others are there as a whole.
 */
export type CountRows = (tables: readonly Table[], plan: CountPlan, edgesOf: readonly string[]) => Promise<OfSample>

/** Of these tables the edge rows where `edgesOf` says so, and all of the others; `undefined` where a table that it names is not there. */
export const besideCells = async (tables: readonly Table[], edgesOf: readonly string[]): Promise<Table[] | undefined> => {
  const rows: Table[] = []
  const found = new Set<string>()
  for (const table of tables) {
    const isEdge = edgesOf.includes(table.name)
    if (isEdge) found.add(table.name)
    const part = isEdge ? await table.cells?.edge() : table
    if (part) rows.push(part)
  }
  return found.size === new Set(edgesOf).size ? rows : undefined
}

/** Counts what can be counted from cells, and what lies beside them by `count`; `undefined` where all must be counted from rows. */
export const countCells = async (
  tables: readonly Table[],
  plan: CountPlan,
  count: CountRows = (rows, asked) => countRows(rows, asked),
): Promise<Counted | undefined> => {
  const asked = askedOf(plan)
  if (!asked) return undefined
  const closed: Closed[] = []
  for (const table of tables) {
    const found = await closedOf(table, asked, plan)
    if (found) closed.push(found)
  }
  if (closed.length === 0) return undefined
  const distinct = await distinctFrom(tables, asked, plan)
  if (distinct === undefined) return undefined
  const needs = distinct === 'rows' ? withoutDistinct(plan.needs) : plan.needs
  const edgesOf = closed.map(({ table }) => table.name)
  const rows = (await besideCells(tables, edgesOf))!
  const isSample = (list: readonly Table[]) => unitsFor(list, plan.mostVisits).sampled < 1
  if (isSample(rows) || (distinct === 'rows' && isSample(tables))) return undefined
  const beside = rows.length > 0 ? await count(rows, { ...plan, needs }, edgesOf) : nothing
  const whole = await addedUp(closed, beside, asked, { ...plan, needs })
  if (distinct === 'cells') return countedOf(whole)
  return countedOf(withDistinct(whole, await count(tables, { ...plan, needs: onlyDistinct(plan.needs) }, [])))
}

const nothing: OfSample = { groups: [], allVisitors: 0, sampled: 1 }

/** What is asked, where cells may know it: one dimension of values at most, by hours (alone), days, or longer. */
const askedOf = ({ dimensions, filters, goals, updates, bots, keep, range }: CountPlan): Asked | undefined => {
  if (filters.length > 0 || goals.length > 0 || updates || bots || keep || dimensions.includes(goalDimension)) return undefined
  const timeAt = dimensions.findIndex(isTimeDimension)
  const values = dimensions.filter((name) => !isTimeDimension(name))
  const time = dimensions.find(isTimeDimension)
  const unit = time && unitOf(time, range)
  if (values.length > 1 || unit === 'minute' || (unit === 'hour' && values.length > 0)) return undefined
  return { timeAt, valueAt: values.length > 0 ? dimensions.indexOf(values[0]!) : -1, value: values[0], isByHour: unit === 'hour' }
}

/** The cells of a table that a question can be answered from. */
const closedOf = async (table: Table, asked: Asked, plan: CountPlan): Promise<Closed | undefined> => {
  const { cells, day } = table
  const { calendar, needs, bounce } = plan
  if (!cells || !isWhole(table, plan)) return undefined
  const { start, end } = calendar.span(day)
  if (cells.from !== start || cells.to !== end || cells.zone !== calendar.zoneOf(day)) return undefined
  if (needs.started && cells.bounce !== bounce) return undefined
  const isKept = (dimension: string) => cells.has(dimension, countsFor(needs), needs.revenue)
  const source = await sourceOf(table, asked, isKept)
  if (source === undefined || !isKept(source)) return undefined
  const name = asked.value ?? source
  const texts = await valuesOf(name, table, { day, calendar })
  return { table, cells, dimension: source, texts }
}

/** The dimension whose cells tell what is asked; `undefined` where none does. */
const sourceOf = async (table: Table, { value, isByHour }: Asked, isKept: (dimension: string) => boolean): Promise<string | undefined> => {
  if (value === undefined) return isByHour ? hoursOfDay : wholeDay
  // No row has a value: then all are in the one group of those without.
  if (dimensionOf(value).columns.every((column) => table.kindOf(column) === undefined)) return wholeDay
  if (isKept(value)) return value
  const same = shownOf(value)
  if (!same) return undefined
  if (!same.isNaming) return same.of
  // Two values of one name are one group, in which a visitor of both is one.
  const texts = await dimensionOf(value).texts(table)
  return new Set(texts).size === texts.length ? same.of : undefined
}

/** Where distinct visitors come from, if they are asked for: `undefined` = from rows, and all the rest too. */
const distinctFrom = async (
  tables: readonly Table[],
  { value, isByHour }: Asked,
  plan: CountPlan,
): Promise<'cells' | 'rows' | undefined> => {
  const { needs } = plan
  if (!needs.visitors && !needs.pagePairs) return 'cells'
  const bucketOf = (table: Table): number => (isByHour ? table.day : plan.buckets ? bucketOfDay(table, plan)! : -1)
  const isOneEach = new Set(tables.map(bucketOf)).size === tables.length
  if (isOneEach && (!needs.everybody || tables.length === 1)) return 'cells'
  if (await areDisjoint(tables, plan)) return 'cells'
  return value === undefined && !needs.pagePairs ? 'rows' : undefined
}

const withoutDistinct = (needs: Needs): Needs => ({ ...needs, visitors: false, firstDays: false, everybody: false })
const onlyDistinct = ({ visitors, firstDays, everybody }: Needs): Needs => ({
  ...{ visitors, firstDays, everybody },
  ...{ pagePairs: false, scroll: false, exits: false, started: false, revenue: false },
})

const withDistinct = ({ groups, ...rest }: OfSample, rows: OfSample): OfSample => {
  const visitors = new Map(rows.groups.map((group) => [group.key, group]))
  const of = ({ key }: Sums) => visitors.get(key)
  return {
    ...rest,
    groups: groups.map((group) => ({ ...group, visitors: of(group)?.visitors ?? 0, newVisitors: of(group)?.newVisitors ?? 0 })),
    allVisitors: rows.allVisitors,
  }
}

/** The cells of all days, and what was counted beside them. */
const addedUp = async (closed: readonly Closed[], beside: OfSample, asked: Asked, plan: CountPlan): Promise<OfSample> => {
  const { dimensions, buckets, needs, room, pause } = plan
  const { timeAt, valueAt } = asked
  const tally = createTally({ dimensions, timeAt, buckets, keep: undefined, room, mostGroups: queryLimits.allGroups })
  const revenue = createRevenue(room)
  const names = countsFor(needs)
  const idsOf = ({ values, bucket }: Sums) => values.map((value, i) => (i === timeAt ? bucket : tally.ids[i]!.idOf(value)))
  for (const sums of beside.groups) {
    const group = tally.groupOf(idsOf(sums))
    for (const name of names) tally.counts[group * countWidth + at[name]]! += sums[name]
    for (const [currency, sum] of sums.revenue) revenue.add(group, currency, sum)
  }
  if (dimensions.length === 0) tally.groupOf([])

  let { allVisitors } = beside
  const bucketsByLabel = new Map(asked.isByHour ? buckets!.labels.map((label, bucket) => [label, bucket] as const) : [])
  const of = dimensions.map(() => 0)
  for (const { table, cells, dimension, texts } of closed) {
    const { codes, counts, revenue: money } = await cells.load(dimension, names, needs.revenue)
    if (timeAt >= 0 && !asked.isByHour) of[timeAt] = bucketOfDay(table, plan)!
    const groupAt = (code: number): number => {
      if (valueAt >= 0) of[valueAt] = tally.ids[valueAt]!.idOf(texts[code]!)
      if (asked.isByHour) of[timeAt] = bucketsByLabel.get(texts[code]!)!
      return tally.groupOf(of)
    }
    const groups = Uint32Array.from(codes, groupAt)
    for (const [name, values] of counts) {
      const offset = at[name]
      for (let i = 0; i < groups.length; i++) tally.counts[groups[i]! * countWidth + offset]! += values[i]!
    }
    for (const { place, currency, amount, hits } of money) revenue.add(groups[place]!, currency, { amount, hits })
    if (needs.everybody) allVisitors += (await cells.load(wholeDay, ['visitors'], false)).counts[0]![1][0] ?? 0
    await pause()
  }
  return { groups: sumsOf(tally, revenue.byGroup()), allVisitors, sampled: 1 }
}
