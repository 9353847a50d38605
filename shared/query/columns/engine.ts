import { hashOf, hashText } from '../../segment/groups.ts'
import { isTimeDimension } from '../buckets.ts'
import { type Counted, type CountPlan, daysOf } from '../counting.ts'
import { createWork, doneFilters, type Filter, type Work } from '../filters.ts'
import { createDonePass } from '../fold.ts'
import { queryLimits } from '../limits.ts'
import type { Visit } from '../merge.ts'
import type { Sums } from '../metrics.ts'
import type { MoneySum } from '../money.ts'
import { addVisits, foldOf, planColumns } from '../reference.ts'
import { countColumns, createCounter, needsHits } from './count.ts'
import type { IsNew } from './distinct.ts'
import { createMasks, hitsOf, isOfVisits, type Masks } from './masks.ts'
import type { Places } from './numbers.ts'
import { commonColumns, type Done, didIn, inRange, isIn, leaveOut, newIn, severalOf } from './passes.ts'
import { estimated } from './sample.ts'
import { joinRows, sliceOf } from './slice.ts'
import { type Table, timeColumn } from './table.ts'
import { counts as at, countWidth, createTally, type Tally } from './tally.ts'
import { groupsIn, isWhole, type Unit, unitsFor } from './units.ts'

/**
 * The column engine: counts the rows of tables into groups. It works through ranges of visitors (units), each over all days: visitors
 * that one unit has counted no other one counts, so what units count adds up. What it answers is what the reference fold (../fold.ts)
 * answers of the same rows; visits on several days are folded by that one.
 */

/** Counts the rows of some tables, one for each day and partition. */
export const countTables = async (tables: readonly Table[], plan: CountPlan): Promise<Counted> => {
  const { dimensions, buckets, keep, room, needs } = plan
  const work = createWork()
  const asked = createAsked(plan, work)
  const timeAt = dimensions.findIndex(isTimeDimension)
  const tally = createTally({ dimensions, timeAt, buckets, keep, room, mostGroups: queryLimits.allGroups })
  const counter = createCounter(plan, tally)
  const { units, sampled } = unitsFor(tables, plan.mostVisits)
  const several = await foldSeveral(tables, units, asked.dones, plan, work)
  const folded = several.groups(tally, timeAt)
  for (const unit of units) {
    const did = await didIn(tables, unit, asked.dones, plan, several.did)
    counter.distinct.begin(needs.firstDays ? await newOnes(tables, unit, plan, several.firstDays) : () => false)
    for (const table of tables) await countTable(table, unit, did, plan, asked, counter)
    for (const { group, visitors, pages } of folded) {
      for (const vis of visitors) if (isIn(vis, unit)) counter.distinct.visitor(group, counter.distinct.placeOf(hashOf(vis)), hashOf(vis))
      for (const [vis, path] of pages)
        if (isIn(vis, unit)) counter.distinct.page(group, counter.distinct.placeOf(hashOf(vis)), counter.distinct.pathOf(path))
    }
    for (const vis of several.all) if (isIn(vis, unit)) counter.distinct.placeOf(hashOf(vis))
    for (const places of did) places.clear()
  }
  for (const { group, sums, revenue } of folded) {
    for (const name of summed) tally.counts[group * countWidth + at[name]]! += sums[name]
    for (const [currency, sum] of revenue) counter.revenue.add(group, currency, sum)
  }
  if (dimensions.length === 0) tally.groupOf([])
  const groups = sumsOf(tally, counter.revenue.byGroup(), dimensions.length === 0)
  const counted = { groups, allVisitors: counter.distinct.all(), sampled, relativeError: 0 }
  return sampled === 1 ? counted : estimated(counted)
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

/** Counts the visitors of a unit in one table. */
const countTable = async (
  table: Table,
  unit: Unit,
  did: readonly Places[],
  plan: CountPlan,
  { visits, hits, goals, updates }: Asked,
  counter: ReturnType<typeof createCounter>,
): Promise<void> => {
  const { pause } = plan
  if (!(await visits.prepare(table, pause)) || !(await hits.prepare(table, pause))) return
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
  for (const group of groupsIn(table, unit)) {
    const bytes = table.bytesOf(group, [...first, ...then])
    plan.room.take(bytes)
    const some = sliceOf(await table.load(group, first), unit.from, unit.to)
    const rowMask = visits.of(some, did)?.mask ?? new Uint8Array(some.rows).fill(1)
    if (leaveOut(some, rowMask, plan.bots)) {
      const rows = joinRows(some, sliceOf(await table.load(group, then), unit.from, unit.to))
      if (withHits)
        counter.addHits(rows, table, {
          rows: rowMask,
          hits: inRange(rows, table, hitsOf(hits, rows, did), plan),
          goals: goals.map((goal) => hitsOf(goal, rows, did)!),
          updates: updates && hitsOf(updates, rows, did),
        })
      else counter.addVisits(rows, table, rowMask)
    }
    plan.room.give(bytes)
    await pause()
  }
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
const foldSeveral = async (tables: readonly Table[], units: readonly Unit[], dones: readonly Done[], plan: CountPlan, work: Work) => {
  const end = units.at(-1)!.to
  const visits = (await severalOf(tables, plan)).filter(({ vis }) => hashOf(vis) < end)
  const done = createDonePass(plan.filters, planColumns(plan), plan.bots, work, plan.room)
  if (dones.length > 0) await addVisits(visits, done.add, plan)
  const visitors =
    dones.length === 0 || visits.length === 0 ? done.visitors : await doneAmong(visits, tables, units, dones, plan, done.visitors)
  const fold = foldOf(plan, visitors, work)
  await addVisits(visits, fold.add, plan)
  const { groups, tails, firstDays, visitors: all } = fold.all()
  return {
    firstDays,
    all,
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

/** The groups of a tally. One of engagement updates alone is no row; without dimensions there is always one. */
const sumsOf = (tally: Tally, revenue: ReadonlyMap<number, Map<string, MoneySum>>, isWhole: boolean): Sums[] => {
  const groups = Array.from({ length: tally.groups }, (_, group): Sums => {
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
  return groups.filter(({ visits, started }) => isWhole || visits + started > 0)
}
