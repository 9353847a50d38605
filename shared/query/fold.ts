import { isTimeDimension } from './buckets.ts'
import type { CountPlan } from './counting.ts'
import { type ColumnOf, compileFilters, doneFilters, type Filter, filterDimensions, hitWork, type Test, type Work } from './filters.ts'
import { queryLimits } from './limits.ts'
import { type Columns, columnOf, engagement, type Hit, pageview, type Visit } from './merge.ts'
import { emptyGroup, type Group, isBounce, isEngaged, type Needs } from './metrics.ts'
import { badQuery, other } from './names.ts'
import { type Room, sizes, textBytes } from './room.ts'

/**
 * The reference engine: a plain fold of whole visits into groups. It is kept for ever; faster engines are tested against it.
 * Its state is one group per row of the answer (and one tail per time bucket), its definitions are those of metrics.ts.
 */

type FoldPlan = Omit<CountPlan, 'filters' | 'goals' | 'updates' | 'calendar' | 'mostVisits' | 'pause'> & {
  columns: Columns
  test: Test
  /** Rows of `event:goal`, where it is a dimension. */
  goals?: readonly { name: string; test: Test; scroll: boolean }[]
  /** Engagement updates that count without that dimension; absent = none. */
  updates?: Test | undefined
  work: Work
  /** More groups than this are refused: anyone can send hits of pages that do not exist. */
  mostGroups: number
}

export type Folded = {
  /** Groups by key: dimension values, a time bucket by its index, so that two periods can be joined. */
  groups: Map<string, Group>
  tails: Group[]
  /** All whose hits matched, in whatever group. */
  visitors: ReadonlySet<string>
  /** First day (YYYYMMDD) of visitors who were new on a day that the range touches. */
  firstDays: Map<string, number[]>
}

/** It reads no column: its rows have filters of their own. */
export const goalDimension = 'event:goal'

/** Columns that dimensions and filters read. */
export const columnsOf = (dimensions: readonly string[], filters: readonly Filter[], needs: Needs): Columns => {
  const names = [...new Set([...dimensions, ...filterDimensions(filters)])]
  return {
    visit: names.filter((name) => name.startsWith('visit:')),
    hit: names.filter((name) => name.startsWith('event:') && name !== goalDimension),
    paths: needs.pagePairs || needs.scroll || needs.exits,
  }
}

/** An injective key of up to three values: every value but the last is preceded by its length. */
export const keyOf = (values: readonly string[]): string => {
  if (values.length === 1) return values[0]!
  return values.length === 0 ? '' : `${values.map(({ length }) => length).join(' ')} ${values.join('')}`
}

/** The key that a group has among groups of only some of its dimensions. */
export const keyAmong = (
  { values, bucket }: Pick<Group, 'values' | 'bucket'>,
  dimensions: readonly string[],
  some: readonly string[],
): string => keyOf(some.map((name) => (isTimeDimension(name) ? String(bucket) : values[dimensions.indexOf(name)]!)))

type ValueReader = (visit: Visit, hit: Hit) => string

const readerOf = (dimension: string, column: ColumnOf): ValueReader | undefined => {
  if (isTimeDimension(dimension) || dimension === goalDimension) return undefined
  const index = column(dimension)
  return dimension.startsWith('event:') ? (_visit, hit) => hit.v[index]! : (visit) => visit.v[index]!
}

/** Takes a visit in steps: between two of them others may run. */
export type Adder = (visit: Visit) => Iterator<void, void>
export type Fold = {
  add: Adder
  done(): Folded
  /** As `done`, with the groups in which only engagement updates were counted: what another fold counts may make rows of them. */
  all(): Folded
}

export const createFold = (plan: FoldPlan): Fold => {
  const { needs, buckets, range, test, work, room } = plan
  const groupBytes = sizes.group + (needs.visitors ? sizes.set : 0) + (needs.pagePairs ? sizes.set : 0) + (needs.revenue ? sizes.set : 0)
  const groups = new Map<string, Group>()
  const tails = new Map<number, Group>()
  const allVisitors = new Set<string>()
  const firstDays = new Map<string, number[]>()
  const readers = plan.dimensions.map((dimension) => readerOf(dimension, columnOf(plan.columns)))
  const timeAt = plan.dimensions.findIndex(isTimeDimension)
  const goalAt = plan.dimensions.indexOf(goalDimension)
  /** Without the dimension there is one row for all, in which updates count as the filters have it. */
  const goalRows = goalAt < 0 ? undefined : (plan.goals ?? [])
  const readsUpdates = needs.pagePairs || needs.scroll
  const countsUpdates = goalRows ? goalRows.some(({ scroll }) => scroll) : plan.updates !== undefined
  let serial = 0

  /** The group of some values; the value of the time dimension is the bucket's. */
  const groupOf = (values: string[], bucket: number): Group => {
    if (timeAt >= 0) values[timeAt] = String(bucket)
    const key = keyOf(values)
    let group = groups.get(key)
    if (group) return group
    if (plan.keep && !plan.keep.has(key)) return tailOf(bucket)
    if (groups.size >= plan.mostGroups) throw tooManyGroups(plan.mostGroups)
    room.take(groupBytes + 2 * key.length)
    if (timeAt >= 0) values[timeAt] = buckets!.labels[bucket]!
    group = emptyGroup(values, bucket, needs)
    groups.set(key, group)
    return group
  }

  const tailOf = (bucket: number): Group => {
    let tail = tails.get(bucket)
    if (!tail) {
      const values = plan.dimensions.map((_, i) => (i === timeAt ? buckets!.labels[bucket]! : other))
      tail = emptyGroup(values, bucket, needs, true)
      tails.set(bucket, tail)
    }
    return tail
  }

  const hitGroup = (visit: Visit, hit: Hit, goal: string): Group => {
    const values = readers.map((read) => (read ? read(visit, hit) : ''))
    if (goalAt >= 0) values[goalAt] = goal
    return groupOf(values, buckets ? buckets.at(hit.t) : -1)
  }

  /** The visit and its visitor, in a group and in the whole answer. */
  const countVisit = (group: Group, hit: Hit, touched: Group[]): void => {
    if (group.lastVisit !== serial) {
      group.lastVisit = serial
      group.visits++
      touched.push(group)
    }
    if (group.visitors) addTo(group.visitors, hit.vis, room)
    if (needs.visitors) addTo(allVisitors, hit.vis, room)
  }

  const countHit = (group: Group, hit: Hit): void => {
    group.events++
    if (hit.kind === pageview) group.pageviews++
    if (group.pagePairs && hit.path !== undefined) addTo(group.pagePairs, `${hit.vis} ${hit.path}`, room, true)
    if (needs.revenue && hit.rev) addRevenue(group, hit.rev, room)
  }

  const countStart = (visit: Visit, touched: readonly Group[]): void => {
    const bucket = buckets ? buckets.at(visit.start) : -1
    for (const at of touched) {
      const group = at.bucket === bucket ? at : at.tail ? tailOf(bucket) : groupOf([...at.values], bucket)
      if (group.lastStart === serial) continue
      group.lastStart = serial
      group.started++
      if (isEngaged(visit)) group.engaged++
      if (isBounce(visit, plan.bounce)) group.bounces++
      else group.durationMs += visit.last - visit.start
    }
  }

  const noteFirstDay = ({ vis, day }: Visit): void => {
    room.take(sizes.firstDay)
    firstDays.set(vis, [...(firstDays.get(vis) ?? []), day])
  }

  function* add(visit: Visit): Generator<void, void> {
    if (visit.flagged && !plan.bots) return
    if (needs.firstDays && visit.new === 1) noteFirstDay(visit)
    serial++
    const touched: Group[] = []
    const depths: Depths = new Map()
    const exit = needs.exits ? visit.hits.findLast((hit) => isExit(visit, hit)) : undefined
    const put = (hit: Hit, group: Group, counts: boolean): void => {
      if (counts) countVisit(group, hit, touched)
      if (hit.kind === engagement) {
        if (hit.path !== undefined) group.foregroundMs += hit.fg
        noteDepth(depths, group, hit)
        return
      }
      countHit(group, hit)
      if (hit === exit) group.exits++
    }
    for (const hit of visit.hits) {
      if (isDue(work)) yield
      const isUpdate = hit.kind === engagement
      if (isUpdate && !readsUpdates && !countsUpdates) continue
      if (!test(visit, hit)) continue
      if (!goalRows) {
        put(hit, hitGroup(visit, hit, ''), !isUpdate || plan.updates?.(visit, hit) === true)
        continue
      }
      if (needs.visitors && !isUpdate) addTo(allVisitors, hit.vis, room)
      let tail: Group | undefined
      for (const goal of goalRows) {
        if (isUpdate ? !goal.scroll && !readsUpdates : goal.scroll) continue
        if (!goal.test(visit, hit)) continue
        const group = hitGroup(visit, hit, goal.name)
        const counts = !isUpdate || goal.scroll
        // Of several goals beyond the limit of groups there is one tail: the hit is in it once, as what it is for any of them.
        if (group.tail && tail === group) {
          if (counts) countVisit(group, hit, touched)
          continue
        }
        if (group.tail) tail = group
        put(hit, group, counts)
      }
    }
    addDepths(depths)
    if (needs.started && visit.start >= range.from && visit.start < range.to) countStart(visit, touched)
  }

  const all = (): Folded => ({ groups, tails: [...tails.values()], visitors: allVisitors, firstDays })

  const done = (): Folded => {
    if (plan.dimensions.length === 0) groupOf([], -1)
    // A group of engagement updates alone is no row; where there are no dimensions there is always one.
    for (const [key, group] of groups) if (plan.dimensions.length > 0 && group.visits + group.started === 0) groups.delete(key)
    const folded = all()
    return { ...folded, tails: folded.tails.filter((tail) => tail.visits + tail.started > 0) }
  }

  return { add, done, all }
}

const tooManyGroups = (most: number): Error =>
  badQuery('dimensions', `they make more than ${most} groups; narrow the range, filter, or take fewer dimensions`)

/** Counts a hit, and tells when enough was worked that others should have their turn. */
export const isDue = (work: Work): boolean => {
  work.spent += hitWork
  if (work.spent < queryLimits.sliceWork) return false
  work.spent = 0
  return true
}

const addTo = (set: Set<string>, value: string, room: Room, ownText = false): void => {
  const { size } = set
  if (set.add(value).size > size) room.take(sizes.member + (ownText ? textBytes(value) : 0))
}

const isExit = (visit: Visit, hit: Hit): boolean => hit.kind === pageview && hit.t === visit.exitT && hit.path === visit.exit

const addRevenue = (group: Group, { a, c }: { a: string; c: string }, room: Room): void => {
  const sum = group.revenue.get(c)
  if (!sum) {
    room.take(sizes.sum)
    return void group.revenue.set(c, { amount: BigInt(a), hits: 1 })
  }
  sum.amount += BigInt(a)
  sum.hits++
}

type Depths = Map<Group, Map<string, number>>

const noteDepth = (depths: Depths, group: Group, { sd, path }: Hit): void => {
  if (sd === undefined || path === undefined) return
  const pages = depths.get(group) ?? new Map<string, number>()
  pages.set(path, Math.max(sd, pages.get(path) ?? 0))
  depths.set(group, pages)
}

const addDepths = (depths: Depths): void => {
  for (const [group, pages] of depths) {
    for (const depth of pages.values()) {
      group.scrollSum += depth
      group.scrollPairs++
    }
  }
}

/** Who did what each `has_done` asks: a first pass over the same visits. */
export const createDonePass = (
  filters: readonly Filter[],
  columns: Columns,
  bots: boolean,
  work: Work,
  room: Room,
): { add: Adder; visitors: Set<string>[] } => {
  const dones = doneFilters(filters)
  const tests = dones.map(({ of }) => compileFilters([of], columnOf(columns), [], work))
  const updates = dones.map((done) => done.updates && compileFilters([done.updates], columnOf(columns), [], work))
  const countsUpdates = updates.some((test) => test !== undefined)
  const visitors = tests.map(() => new Set<string>())
  function* add(visit: Visit): Generator<void, void> {
    if (visit.flagged && !bots) return
    for (const hit of visit.hits) {
      if (isDue(work)) yield
      const isUpdate = hit.kind === engagement
      if (isUpdate && !countsUpdates) continue
      for (const [i, test] of tests.entries()) {
        if (isUpdate && !updates[i]?.(visit, hit)) continue
        if (test(visit, hit)) addTo(visitors[i]!, hit.vis, room)
      }
    }
  }
  return { add, visitors }
}
