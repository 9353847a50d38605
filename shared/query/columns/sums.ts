import type { CellCount, Cells, DimensionCells } from '../../segment/cells.ts'
import type { EncodedSegment } from '../../segment/encode.ts'
import { openSegment } from '../../segment/read.ts'
import type { Calendar, Day } from '../../site/zone.ts'
import { bucketsOf } from '../buckets.ts'
import type { CountPlan } from '../counting.ts'
import type { Needs } from '../metrics.ts'
import { endless } from '../room.ts'
import { createCache } from './cache.ts'
import { countColumns, createCounter, needsHits } from './count.ts'
import { dayDimensions, dimensionOf, propDimension } from './dimension.ts'
import { commonColumns, leaveOut } from './passes.ts'
import { sliceOf } from './slice.ts'
import { storedTable } from './stored.ts'
import { type Rows, type Table, valueAt } from './table.ts'
import { counts as at, countWidth, createTally } from './tally.ts'

/**
 * The cells of a closed day: what its people (no flagged visits) sum up to, for the whole day, each hour, and each value of each
 * dimension. They are counted by the column engine itself, so they mean what it means. Left out are the visitors of the *edge rows*: who
 * has a visit on several days, of which what to count is known only when all its days are read. So every visitor is either in the cells
 * of a day or among its edge rows, and every visit of the cells lies on this day: sums of both add up.
 */

/** A site's day, and its rule of bounces as it is when the day is closed. */
export type DayRules = { day: Day; bounce: CountPlan['bounce']; calendar: Calendar }
/** Visitors whose rows are in no cell (hashes), and their rows. */
export type Edge = { visitors: ReadonlySet<number>; segment: EncodedSegment | undefined }

/** Cells of the whole day, and of its hours. */
export const wholeDay = ''
export const hoursOfDay = 'time:hour'

/** A dimension with more values on a day has no cells: it is answered from rows. */
export const mostValues = 100_000
/** Rows that are counted at a time, and dimensions whose sums are held at a time. */
const sliceRows = 2_048
const together = 8
/** Decoded columns that are kept between two dimensions. */
const cacheBytes = 64 * 2 ** 20
const currencyColumn = 'h.cur'

const plain = { visitors: true, started: true, firstDays: true, everybody: false } as const
/** Kept of each page, of the hours, and of the whole day. */
const everything: Needs = { ...plain, pagePairs: true, scroll: true, exits: true, revenue: true }
/** Kept of the other dimensions of hits. What pages have of their own is asked of pages; counting it takes four times as long. */
const ofHits: Needs = { ...everything, pagePairs: false, scroll: false, exits: false }
/** Kept of dimensions of visits: what follows from visits without a look at their hits, which all of them together cost next to nothing. */
const ofVisits: Needs = { ...ofHits, revenue: false }

const needsOf = (name: string): Needs => {
  if (name === wholeDay || name === hoursOfDay || name === 'event:page') return everything
  return dimensionOf(name).level === 'visit' ? ofVisits : ofHits
}

const planOf = (name: string, { day, bounce, calendar }: DayRules, hasRevenue: boolean): CountPlan => {
  const { start, end } = calendar.span(day)
  const range = { from: start, to: end }
  const all = needsOf(name)
  const needs = { ...all, revenue: all.revenue && hasRevenue }
  return {
    ...{
      dimensions: name === wholeDay ? [] : [name],
      filters: [],
      goals: [],
      updates: undefined,
      needs,
      range,
      bounce,
      calendar,
    },
    buckets: name === hoursOfDay ? bucketsOf(name, range, calendar) : undefined,
    ...{ bots: false, keep: undefined, mostVisits: Number.POSITIVE_INFINITY, room: endless, pause: () => undefined },
  }
}

/** What the values of a dimension are called, by code. */
export const valuesOf = async (
  name: string,
  table: Table,
  { day, calendar }: Pick<DayRules, 'day' | 'calendar'>,
): Promise<readonly string[]> => {
  if (name === wholeDay) return ['']
  if (name !== hoursOfDay) return await dimensionOf(name).texts(table)
  const { start, end } = calendar.span(day)
  return bucketsOf(name, { from: start, to: end }, calendar).labels
}

const createSums = (name: string, rules: DayRules, hasRevenue: boolean) => {
  const plan = planOf(name, rules, hasRevenue)
  const timeAt = name === hoursOfDay ? 0 : -1
  const tally = createTally({ ...plan, timeAt, mostGroups: Number.POSITIVE_INFINITY })
  return { name, plan, hasRevenue, tally, counter: createCounter(plan, tally) }
}
type Sums = ReturnType<typeof createSums>

/** The rows that cells count: 1. */
const maskOf = (rows: Rows, { visitors }: Edge): Uint8Array => {
  const mask = new Uint8Array(rows.rows).fill(1)
  leaveOut(rows, mask, false)
  if (visitors.size > 0) for (let row = 0; row < mask.length; row++) if (visitors.has(rows.visitors[row]!)) mask[row] = 0
  return mask
}

const newAmong = (rows: Rows, mask: Uint8Array): ReadonlySet<number> => {
  const isNew = rows.number('s.new')
  const visitors = new Set<number>()
  if (isNew) for (let row = 0; row < mask.length; row++) if (mask[row] === 1 && valueAt(isNew, row) === 1) visitors.add(rows.visitors[row]!)
  return visitors
}

/** Counts some dimensions at once; answers those that have not too many values. */
async function* sumTogether(table: Table, names: readonly string[], rules: DayRules, edge: Edge): AsyncGenerator<void, Sums[], void> {
  let all = names.map((name) => createSums(name, rules, table.kindOf(currencyColumn) !== undefined))
  for (const [group, { rows, from, to }] of table.groups.entries()) {
    if (rows === 0) continue
    const columns = [...commonColumns, 's.new', ...all.flatMap(({ plan }) => countColumns(plan, table, needsHits(plan, table)))]
    // One by one, with turns for others in between: they are kept decoded.
    for (const column of new Set(columns)) {
      await table.load(group, [column])
      yield
    }
    const loaded = await table.load(group, columns)
    const size = (to - from) / Math.ceil(rows / sliceRows)
    for (let begin = from; begin < to; begin += size) {
      const some = sliceOf(loaded, begin, begin + size)
      const mask = maskOf(some, edge)
      const news = newAmong(some, mask)
      for (const { plan, counter } of all) {
        counter.distinct.begin((vis) => news.has(vis))
        const count = needsHits(plan, table)
          ? counter.hitsCounter(some, table, { rows: mask, hits: undefined, goals: [], updates: undefined })
          : counter.visitsCounter(some, table, mask)
        count(0, some.rows)
        counter.distinct.next()
        yield
      }
      all = all.filter(({ tally }) => tally.groups <= mostValues)
    }
  }
  return all
}

/** The sums of a dimension by the codes of its values, ascending. */
const cellsFrom = ({ name, plan, tally, counter, hasRevenue }: Sums, texts: readonly string[]): DimensionCells => {
  const codes = new Map<string, number>()
  for (const [code, text] of texts.entries()) if (!codes.has(text)) codes.set(text, code)
  const codeOf = (group: number): number => (name === wholeDay ? 0 : codes.get(tally.values[group]![0]!)!)
  const groups = Array.from({ length: tally.groups }, (_, group) => ({ group, code: codeOf(group) })).sort((a, b) => a.code - b.code)
  const countsOf = (count: CellCount) => Float64Array.from(groups, ({ group }) => tally.counts[group * countWidth + at[count]]!)
  const revenue = counter.revenue.byGroup()
  return {
    name,
    codes: groups.map(({ code }) => code),
    counts: Object.fromEntries(countsFor(plan.needs).map((count) => [count, countsOf(count)])),
    // Where no hit of the day brought any, there is none of any dimension.
    revenue:
      plan.needs.revenue || !hasRevenue
        ? groups.flatMap(({ group }, place) =>
            Array.from(revenue.get(group) ?? [], ([currency, { amount, hits }]) => ({ place, currency, amount, hits })),
          )
        : undefined,
  }
}

/** The counts that these needs are answered with. */
export const countsFor = (needs: Needs): CellCount[] => [
  ...(['visits', 'pageviews', 'events'] as const),
  ...(needs.visitors ? (['visitors'] as const) : []),
  ...(needs.firstDays ? (['newVisitors'] as const) : []),
  ...(needs.started ? (['started', 'bounces', 'engaged', 'durationMs'] as const) : []),
  ...(needs.exits ? (['exits'] as const) : []),
  ...(needs.pagePairs ? (['pagePairs', 'foregroundMs'] as const) : []),
  ...(needs.scroll ? (['scrollSum', 'scrollPairs'] as const) : []),
]

/** Dimensions that have cells: one of which no row has a value is the whole day under another name. */
const dimensionsOf = (table: Table, props: Iterable<string>): string[] => [
  ...dayDimensions.filter((name) => dimensionOf(name).columns.some((column) => table.kindOf(column) !== undefined)),
  ...Array.from(props, propDimension),
]

/** The cells of a closed day's segment, in steps of some milliseconds. */
export async function* sumDay(segment: EncodedSegment, rules: DayRules, edge: Edge): AsyncGenerator<void, Cells, void> {
  const chunks = new Map(segment.chunks.map(({ column, group, data }) => [`${column} ${group}`, data]))
  const fetch = async (names: readonly { column: string; group: number }[]) =>
    names.map(({ column, group }) => chunks.get(`${column} ${group}`))
  const table = storedTable({ name: '', day: rules.day }, segment.head, fetch, createCache(cacheBytes))
  const names = [wholeDay, hoursOfDay, ...dimensionsOf(table, openSegment(segment.head).props.keys())]
  const dimensions: DimensionCells[] = []
  for (let n = 0; n < names.length; n += together) {
    for (const sums of yield* sumTogether(table, names.slice(n, n + together), rules, edge)) {
      dimensions.push(cellsFrom(sums, await valuesOf(sums.name, table, rules)))
      yield
    }
  }
  const { start, end } = rules.calendar.span(rules.day)
  const cut = names.filter((name) => !dimensions.some((dimension) => dimension.name === name))
  return { bounce: rules.bounce, zone: rules.calendar.zoneOf(rules.day), from: start, to: end, cut, dimensions, edge: edge.segment }
}
