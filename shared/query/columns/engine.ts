import { hashOf, hashText } from '../../segment/groups.ts'
import { isTimeDimension } from '../buckets.ts'
import { type CountPlan, type Counts, daysOf, type OfSample } from '../counting.ts'
import { createWork, doneFilters, type Filter, type Work } from '../filters.ts'
import { createDonePass } from '../fold.ts'
import { queryLimits } from '../limits.ts'
import type { Visit } from '../merge.ts'
import type { Sums } from '../metrics.ts'
import type { MoneySum } from '../money.ts'
import { addVisits, foldOf, planColumns } from '../reference.ts'
import { type CountRows, countColumns, createCounter, needsHits } from './count.ts'
import type { Distinct, IsNew } from './distinct.ts'
import { createMasks, hitsOf, isOfVisits, type Masks } from './masks.ts'
import type { Places } from './numbers.ts'
import { commonColumns, type Done, didIn, inRange, isIn, leaveOut, newIn, severalOf } from './passes.ts'
import { joinRows, passingOf, sliceOf } from './slice.ts'
import { firstFrom, type Table, timeColumn } from './table.ts'
import { counts as at, countWidth, createTally, type Tally } from './tally.ts'
import { groupsIn, isWhole, type Share, type Sizes, spanOf, type Unit, unitsFor, usualSizes } from './units.ts'

/**
 * The column engine: counts the rows of tables into groups. It works through ranges of visitors (units), each over all days: visitors
 * that one unit has counted no other one counts, so what units count adds up. What it answers is what the reference fold (../fold.ts)
 * answers of the same rows; visits on several days are folded by that one.
 */

/**
 * Counts the rows of some tables, one for each day and partition. Groups that make no row of an answer are among what is counted, and of a
 * sample it is what the sample has: `countedOf` makes an answer of it. What is counted does not depend on `sizes`.
 */
export const countRows = async (tables: readonly Table[], plan: CountPlan, sizes: Sizes = usualSizes): Promise<OfSample> => {
  const { units, sampled } = unitsFor(tables, plan.mostVisits, sizes.unit)
  return { ...(await countUnits(tables, plan, { units, of: spanOf(units) }, sizes)), sampled }
}

/**
 * Counts a share of a question: the visitors of its units. Visits on several days may have another visitor on each, so every share puts them
 * all together for its own visitors, and the first one counts their sums.
 */
export const countUnits = async (
  tables: readonly Table[],
  plan: CountPlan,
  { units, of }: Share,
  sizes: Sizes = usualSizes,
): Promise<Counts> => {
  const { dimensions, buckets, keep, room, needs } = plan
  const work = createWork()
  const asked = createAsked(plan, work)
  const timeAt = dimensions.findIndex(isTimeDimension)
  const tally = createTally({ dimensions, timeAt, buckets, keep, room, mostGroups: queryLimits.allGroups })
  const counter = createCounter(plan, tally)
  const several = await foldSeveral(tables, { units, of }, asked.dones, plan, work)
  const folded = several.groups(tally, timeAt)
  const others = othersOf(folded, several.all)
  for (const unit of units) {
    const did = await didIn(tables, unit, asked.dones, plan, several.did)
    counter.distinct.begin(needs.firstDays ? await newOnes(tables, unit, plan, several.firstDays) : () => false)
    const parts: Part[] = []
    for (const table of tables) parts.push(...(await partsOf(table, unit, did, plan, asked, counter)))
    await countUnit(rangesOf(unit, parts, sizes.range), parts, others, counter.distinct, plan)
    for (const { bytes } of parts) plan.room.give(bytes)
    for (const places of did) places.clear()
  }
  for (const { group, sums, revenue } of units[0]!.from === of.from ? folded : []) {
    for (const name of summed) tally.counts[group * countWidth + at[name]]! += sums[name]
    for (const [currency, sum] of revenue) counter.revenue.add(group, currency, sum)
  }
  if (dimensions.length === 0) tally.groupOf([])
  return { groups: sumsOf(tally, counter.revenue.byGroup()), allVisitors: counter.distinct.all() }
}

/** The filters of a plan: those of visits alone are asked first, so that hits are read only where a visit passes. */
type Asked = { visits: Masks; hits: Masks; dones: Done[]; goals: Masks[]; updates: Masks | undefined }

const createAsked = ({ filters, goals, updates, calendar }: CountPlan, work: Work): Asked => {
  const dones = doneFilters(filters)
  const masks = (of: readonly Filter[]): Masks => createMasks(of, dones, calendar, work)
  return {
    visits: masks(filters.filter(isOfVisits)),
    hits: masks(filters.filter((filter) => !isOfVisits(filter))),
    dones: dones.map(({ of, updates }) => ({ of: masks([of]), updates: updates && masks([updates]) })),
    goals: goals.map(({ filter }) => masks([filter])),
    updates: updates && masks([updates]),
  }
}

/** Rows of a unit in one row group, and how they are counted. `passing`: how many of them may count; `bytes`: what they hold. */
type Part = { visitors: Float64Array; passing: number; count: CountRows; bytes: number }

/** Where less of the rows pass, they are copied before they are counted. */
const fewOf = 0.25

/** The rows of a unit in one table that may count. */
const partsOf = async (
  table: Table,
  unit: Unit,
  did: readonly Places[],
  plan: CountPlan,
  { visits, hits, goals, updates }: Asked,
  counter: ReturnType<typeof createCounter>,
): Promise<Part[]> => {
  const { pause } = plan
  if (!(await visits.prepare(table, pause)) || !(await hits.prepare(table, pause))) return []
  const more = [...goals, ...(updates ? [updates] : [])]
  for (const masks of more) await masks.prepare(table, pause)
  const withHits = !hits.isEmpty || !isWhole(table, plan) || needsHits(plan, table)
  const first = [...commonColumns, ...visits.columns]
  const then = [
    ...hits.columns,
    ...more.flatMap(({ columns }) => columns),
    ...countColumns(plan, table, withHits),
    ...(isWhole(table, plan) ? [] : [timeColumn]),
  ]
  const parts: Part[] = []
  for (const group of groupsIn(table, unit)) {
    const bytes = table.bytesOf(group, [...first, ...then])
    plan.room.take(bytes)
    const some = sliceOf(await table.load(group, first), unit.from, unit.to)
    const rowMask = visits.of(some, did)?.mask ?? new Uint8Array(some.rows).fill(1)
    const passing = leaveOut(some, rowMask, plan.bots)
    if (passing > 0) {
      const all = joinRows(some, sliceOf(await table.load(group, then), unit.from, unit.to))
      const isFew = passing < fewOf * some.rows
      const rows = isFew ? passingOf(all, rowMask, passing) : all
      const counted = isFew ? new Uint8Array(passing).fill(1) : rowMask
      const count = withHits
        ? counter.hitsCounter(rows, table, {
            rows: counted,
            hits: inRange(rows, table, hitsOf(hits, rows, did), plan),
            goals: goals.map((goal) => hitsOf(goal, rows, did)!),
            updates: updates && hitsOf(updates, rows, did),
          })
        : counter.visitsCounter(rows, table, counted)
      parts.push({ visitors: rows.visitors, passing, count, bytes })
    } else plan.room.give(bytes)
    await pause()
  }
  return parts
}

/** Ranges of the visitors of a unit, with about `rows` rows of its parts that may count in each. */
const rangesOf = ({ from, to }: Unit, parts: readonly Part[], rows: number): Unit[] => {
  const all = parts.reduce((sum, { passing }) => sum + passing, 0)
  const ranges = Math.max(1, Math.ceil(all / rows))
  const edge = (range: number): number => (range === ranges ? to : from + Math.floor(((to - from) * range) / ranges))
  return Array.from({ length: ranges }, (_, range) => ({ from: edge(range), to: edge(range + 1) }))
}

/** Counts ranges of visitors, each through all parts before the next one. */
const countUnit = async (
  ranges: readonly Unit[],
  parts: readonly Part[],
  others: Others,
  distinct: Distinct,
  { pause }: CountPlan,
): Promise<void> => {
  const reached = new Uint32Array(parts.length)
  for (const { from, to } of ranges) {
    for (const [i, { visitors, count }] of parts.entries()) {
      const end = firstFrom(visitors, to)
      count(reached[i]!, end)
      reached[i] = end
    }
    for (const other of others.between(from, to)) addOther(other, distinct)
    distinct.next()
    await pause()
  }
}

/** A visitor of visits on several days: of no group (only among all), of a group, or with a page in it. */
type Other = { hash: number; group?: number; path?: string }
type Others = { between(from: number, to: number): Other[] }

const othersOf = (
  folded: readonly { group: number; visitors: Iterable<string>; pages: readonly [string, string][] }[],
  all: Iterable<string>,
): Others => {
  const others: Other[] = Array.from(all, (vis) => ({ hash: hashOf(vis) }))
  for (const { group, visitors, pages } of folded) {
    for (const vis of visitors) others.push({ hash: hashOf(vis), group })
    for (const [vis, path] of pages) others.push({ hash: hashOf(vis), group, path })
  }
  others.sort((a, b) => a.hash - b.hash)
  const hashes = Float64Array.from(others, ({ hash }) => hash)
  return { between: (from, to) => others.slice(firstFrom(hashes, from), firstFrom(hashes, to)) }
}

const addOther = ({ hash, group, path }: Other, distinct: Distinct): void => {
  const place = distinct.placeOf(hash)
  if (group === undefined) return
  if (path === undefined) distinct.visitor(group, place)
  else distinct.page(group, place, distinct.pathOf(path))
}

/** What visits on several days add to; their visitors and pages are told apart from those of other visits. */
const summed = [
  'visits',
  'pageviews',
  'events',
  'started',
  'bounces',
  'engaged',
  'durationMs',
  'foregroundMs',
  'exits',
  'scrollSum',
  'scrollPairs',
] as const

const newOnes = async (tables: readonly Table[], unit: Unit, plan: CountPlan, also: ReadonlyMap<string, number[]>): Promise<IsNew> => {
  const days = await newIn(tables, unit, plan, also)
  const touched = daysOf(plan)
  return (vis, bucket) => {
    const { first, last } = touched(bucket)
    return days.get(vis)?.some((day) => day >= first && day <= last) ?? false
  }
}

/** Folds visits on several days. */
const foldSeveral = async (tables: readonly Table[], { units, of }: Share, dones: readonly Done[], plan: CountPlan, work: Work) => {
  const visits = (await severalOf(tables, plan)).filter(({ vis }) => isIn(vis, of))
  const done = createDonePass(plan.filters, planColumns(plan), plan.bots, work, plan.room)
  if (dones.length > 0) await addVisits(visits, done.add, plan)
  const visitors =
    dones.length === 0 || visits.length === 0 ? done.visitors : await doneAmong(visits, tables, units, dones, plan, done.visitors)
  const fold = foldOf(plan, visitors, work)
  await addVisits(visits, fold.add, plan)
  const { groups, tails, firstDays, visitors: seen } = fold.all()
  return {
    firstDays,
    all: seen,
    /** Who of them did what each `has_done` asks. */
    did: done.visitors,
    /** What was folded, by the groups of a tally. */
    groups: (tally: Tally, timeAt: number) =>
      [...groups.values(), ...tails].map((sums) => ({
        group: sums.tail
          ? tally.tailOf(sums.bucket)
          : tally.groupOf(sums.values.map((value, i) => (i === timeAt ? sums.bucket : tally.ids[i]!.idOf(value)))),
        sums,
        revenue: sums.revenue,
        visitors: sums.visitors ?? [],
        pages: Array.from(sums.pagePairs ?? [], (pair): [string, string] => [pair.slice(0, hashLength), pair.slice(hashLength + 1)]),
      })),
  }
}

const hashLength = hashText(0).length

/** Which visitors of these visits did what each `has_done` asks, in whatever visit. */
const doneAmong = async (
  visits: readonly Visit[],
  tables: readonly Table[],
  units: readonly Unit[],
  dones: readonly Done[],
  plan: CountPlan,
  own: readonly ReadonlySet<string>[],
): Promise<Set<string>[]> => {
  const asked = new Set(visits.flatMap(({ hits }) => hits.map(({ vis }) => vis)))
  const found = own.map((set) => new Set(set))
  for (const unit of units) {
    const did = await didIn(tables, unit, dones, plan, [])
    for (const vis of asked) if (isIn(vis, unit)) for (const [i, places] of did.entries()) if (places.has(hashOf(vis))) found[i]!.add(vis)
    for (const places of did) places.clear()
  }
  return found
}

/** The groups of a tally. */
export const sumsOf = (tally: Tally, revenue: ReadonlyMap<number, Map<string, MoneySum>>): Sums[] =>
  Array.from({ length: tally.groups }, (_, group): Sums => {
    const count = (n: number): number => tally.counts[group * countWidth + n]!
    return {
      visits: count(at.visits),
      pageviews: count(at.pageviews),
      events: count(at.events),
      started: count(at.started),
      bounces: count(at.bounces),
      engaged: count(at.engaged),
      durationMs: count(at.durationMs),
      foregroundMs: count(at.foregroundMs),
      exits: count(at.exits),
      scrollSum: count(at.scrollSum),
      scrollPairs: count(at.scrollPairs),
      visitors: count(at.visitors),
      newVisitors: count(at.newVisitors),
      pagePairs: count(at.pagePairs),
      key: tally.keys[group]!,
      values: tally.values[group]!,
      bucket: tally.bucketOf[group]!,
      tail: tally.isTail[group] === 1,
      revenue: revenue.get(group) ?? new Map(),
    }
  })
