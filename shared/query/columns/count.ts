import { isTimeDimension } from '../buckets.ts'
import type { CountPlan } from '../counting.ts'
import { goalDimension } from '../fold.ts'
import { isBounce, isEngaged } from '../metrics.ts'
import { dimensionOf } from './dimension.ts'
import { createDistinct } from './distinct.ts'
import { bucketOfDay, type GroupOf, groupReader } from './groups.ts'
import { pairOf, pairUnit } from './numbers.ts'
import { createRevenue, revenueColumns } from './revenue.ts'
import { type Rows, type Table, textAt, timeColumn, valueAt } from './table.ts'
import { counts as at, countWidth, type Tally } from './tally.ts'

/**
 * Counts visits that lie on one day into groups, a row group of a table at a time. What is counted is told in ../metrics.ts, and is the
 * same as in ../fold.ts.
 */

const pageview = 0
const engagement = 2

type Mask = Uint8Array
/** Which rows, and which of their hits, are counted; `undefined` = all hits. */
export type Passing = {
  rows: Mask
  hits: Mask | undefined
  /** Of each goal of the plan the hits that meet it. */
  goals: readonly Mask[]
  /** Engagement updates that count without the dimension of goals. */
  updates: Mask | undefined
}

/** Counts the rows `[first, end)` of those it was made for. */
export type CountRows = (first: number, end: number) => void

const startColumns = ['s.start', 's.dur', 's.pv', 's.ev', 's.fg', 's.goal'] as const

/** Whether hits must be looked at, where a day lies in the range as a whole: else the sums of a visit tell all. */
export const needsHits = (plan: CountPlan, table: Table): boolean => {
  const { needs, dimensions, updates } = plan
  if (needs.exits || needs.pagePairs || needs.scroll || needs.revenue || updates) return true
  return dimensions.some((name) => (isTimeDimension(name) ? bucketOfDay(table, plan) === undefined : levelOf(name) === 'hit'))
}

const levelOf = (name: string) => (name === goalDimension ? 'hit' : dimensionOf(name).level)

/** Columns that counting reads, beside those of filters. */
export const countColumns = (plan: CountPlan, table: Table, withHits: boolean): string[] => {
  const { needs, dimensions } = plan
  const own = dimensions.flatMap((name) => (isTimeDimension(name) || name === goalDimension ? [] : dimensionOf(name).columns))
  const starts = needs.started ? startColumns : []
  if (!withHits) return ['s.pv', 's.ev', ...starts, ...own]
  return [
    'h.n',
    ...starts,
    ...own,
    ...(dimensions.some(isTimeDimension) && bucketOfDay(table, plan) === undefined ? [timeColumn] : []),
    ...(needs.exits ? ['s.start', 's.dur', 's.exitBack', 's.exit', 'h.path', timeColumn] : []),
    ...(needs.pagePairs ? ['h.path', 'h.fg'] : []),
    ...(needs.scroll ? ['h.path', 'h.sd'] : []),
    ...(needs.revenue ? revenueColumns : []),
  ]
}

export const createCounter = (plan: CountPlan, tally: Tally) => {
  const { needs, buckets, range, room } = plan
  const revenue = createRevenue(room)
  const distinct = createDistinct(tally, needs, plan.dimensions.length === 0, room)
  const hasVisitors = needs.visitors || needs.pagePairs
  const touched: number[] = []
  const depths = new Map<number, number>()
  const goalAt = plan.dimensions.indexOf(goalDimension)
  const goalRows = goalAt >= 0
  const goals = plan.goals.map(({ name, scroll }) => ({ scroll, id: goalRows ? tally.ids[goalAt]!.idOf(name) : -1 }))
  const readsUpdates = needs.pagePairs || needs.scroll
  let serial = 0

  /** Counts visits by their sums alone. */
  const visitsCounter = (rows: Rows, table: Table, passing: Uint8Array): CountRows => {
    const groupOf = groupReader(rows, table, plan, tally)
    const [pv, ev] = [rows.number('s.pv'), rows.number('s.ev')]
    const countStart = needs.started ? startReader(rows) : undefined
    return (first, end) => {
      for (let row = first; row < end; row++) {
        if (passing[row] === 0) continue
        const events = valueAt(ev, row) ?? 0
        if (events === 0) continue
        const group = groupOf(row, -1, -1)
        const base = group * countWidth
        serial++
        tally.counts[base + at.visits]!++
        tally.counts[base + at.events]! += events
        tally.counts[base + at.pageviews]! += valueAt(pv, row) ?? 0
        if (hasVisitors) distinct.visitor(group, distinct.placeOf(rows.visitors[row]!))
        if (countStart !== undefined) {
          touched[0] = group
          touched.length = 1
          countStart(row)
        }
      }
    }
  }

  /** As the loop of `hitsCounter`, where nothing is asked for but visits, visitors and hits, as most questions do: a fifth quicker. */
  const plainCounter = (rows: Rows, kindOf: KindOf, groupOf: GroupOf, { rows: rowMask, hits: hitMask }: Passing): CountRows => {
    const { firstHit, visitors } = rows
    const countStart = needs.started ? startReader(rows) : undefined
    return (first, end) => {
      let { counts, lastVisit } = tally
      for (let row = first; row < end; row++) {
        if (rowMask[row] === 0) continue
        serial++
        if (countStart !== undefined) touched.length = 0
        let visitor = -1
        const endHit = firstHit[row + 1]!
        for (let hit = firstHit[row]!; hit < endHit; hit++) {
          if (hitMask !== undefined && hitMask[hit] === 0) continue
          const kind = kindOf(hit)
          if (kind === engagement) continue
          const group = groupOf(row, hit, -1)
          // A new group may have made the tally grow.
          if (counts !== tally.counts) ({ counts, lastVisit } = tally)
          const base = group * countWidth
          counts[base + at.events]!++
          if (kind === pageview) counts[base + at.pageviews]!++
          if (lastVisit[group] === serial) continue
          lastVisit[group] = serial
          counts[base + at.visits]!++
          if (countStart !== undefined) touched.push(group)
          if (!hasVisitors) continue
          if (visitor < 0) visitor = distinct.placeOf(visitors[row]!)
          distinct.visitor(group, visitor)
        }
        if (countStart !== undefined && touched.length > 0) countStart(row)
      }
    }
  }

  /** Counts visits hit by hit. */
  const hitsCounter = (rows: Rows, table: Table, passing: Passing): CountRows => {
    const { firstHit, visitors } = rows
    const { hits: hitMask, updates } = passing
    const groupOf = groupReader(rows, table, plan, tally)
    const kindOf = kindReader(rows)
    if (!goalRows && !updates && !readsUpdates && !needs.revenue && !needs.exits) return plainCounter(rows, kindOf, groupOf, passing)
    const pageOf = readsUpdates ? pageReader(rows) : undefined
    const addRevenue = needs.revenue ? revenue.reader(rows) : undefined
    const exitOf = needs.exits ? exitReader(rows, kindOf) : undefined
    const countStart = needs.started ? startReader(rows) : undefined
    const addUpdate = pageOf ? updateReader(rows, pageOf) : undefined
    let visitor = -1
    let exit = -1

    /** The visit and its visitor, in a group and in the whole answer. */
    const countVisit = (group: number, row: number): void => {
      if (tally.lastVisit[group] === serial) return
      tally.lastVisit[group] = serial
      tally.counts[group * countWidth + at.visits]!++
      touched.push(group)
      if (!hasVisitors) return
      if (visitor < 0) visitor = distinct.placeOf(visitors[row]!)
      distinct.visitor(group, visitor)
    }

    const countHit = (group: number, hit: number): void => {
      const base = group * countWidth
      tally.counts[base + at.events]!++
      if (kindOf(hit) === pageview) tally.counts[base + at.pageviews]!++
      if (pageOf !== undefined && needs.pagePairs && pageOf(hit) >= 0) distinct.page(group, visitor, pageOf(hit))
      if (addRevenue !== undefined) addRevenue(group, hit)
      if (hit === exit) tally.counts[base + at.exits]!++
    }

    /** Counts a hit in the row of each goal that it meets. */
    const addToGoals = (row: number, hit: number): void => {
      const isUpdate = kindOf(hit) === engagement
      if (needs.visitors && !isUpdate && visitor < 0) visitor = distinct.placeOf(visitors[row]!)
      let tail = -1
      for (let i = 0; i < goals.length; i++) {
        const { scroll, id } = goals[i]!
        if (isUpdate ? !scroll && !readsUpdates : scroll) continue
        if (passing.goals[i]![hit] === 0) continue
        const group = groupOf(row, hit, id)
        // Of several goals beyond the limit of groups there is one tail: the hit is in it once, as what it is for any of them.
        const isAgain = group === tail
        if (tally.isTail[group] === 1) tail = group
        if (!isUpdate || scroll) countVisit(group, row)
        if (isAgain) continue
        if (!isUpdate) countHit(group, hit)
        else if (addUpdate !== undefined) addUpdate(group, hit)
      }
    }

    return (first, end) => {
      for (let row = first; row < end; row++) {
        if (passing.rows[row] === 0) continue
        serial++
        touched.length = 0
        visitor = -1
        if (exitOf !== undefined) exit = exitOf(row)
        const endHit = firstHit[row + 1]!
        for (let hit = firstHit[row]!; hit < endHit; hit++) {
          if (hitMask !== undefined && hitMask[hit] === 0) continue
          if (goalRows) {
            addToGoals(row, hit)
            continue
          }
          if (kindOf(hit) === engagement) {
            const counts = updates !== undefined && updates[hit] === 1
            if (!counts && addUpdate === undefined) continue
            const group = groupOf(row, hit, -1)
            if (counts) countVisit(group, row)
            if (addUpdate !== undefined) addUpdate(group, hit)
            continue
          }
          const group = groupOf(row, hit, -1)
          countVisit(group, row)
          countHit(group, hit)
        }
        if (depths.size > 0) addDepths()
        if (countStart !== undefined && touched.length > 0) countStart(row)
      }
    }
  }

  const updateReader = (rows: Rows, pageOf: (hit: number) => number): ((group: number, hit: number) => void) => {
    const [foreground, depth] = [rows.number('h.fg'), rows.number('h.sd')]
    return (group, hit) => {
      const page = pageOf(hit)
      if (page < 0) return
      tally.counts[group * countWidth + at.foregroundMs]! += valueAt(foreground, hit) ?? 0
      const reached = needs.scroll ? valueAt(depth, hit) : undefined
      if (reached === undefined) return
      const key = pairOf(page, group)
      depths.set(key, Math.max(reached, depths.get(key) ?? 0))
    }
  }

  const addDepths = (): void => {
    for (const [key, depth] of depths) {
      const group = key % pairUnit
      tally.counts[group * countWidth + at.scrollSum]! += depth
      tally.counts[group * countWidth + at.scrollPairs]!++
    }
    depths.clear()
  }

  const pageReader = (rows: Rows): ((hit: number) => number) => {
    const pages = rows.text('h.path')
    if (!pages) return () => absent
    const { codes, texts } = pages
    const ids = new Int32Array(texts.length).fill(unknown)
    return (hit) => {
      const code = codes[hit]!
      if (ids[code] === unknown) ids[code] = code === 0 ? absent : distinct.pathOf(texts[code]!)
      return ids[code]!
    }
  }

  /** Counts a visit that starts in the range in the groups it touched, each in the time bucket of its start. */
  const startReader = (rows: Rows): ((row: number) => void) => {
    const [start, duration] = [rows.number('s.start'), rows.number('s.dur')]
    const [pv, ev, fg] = [rows.number('s.pv'), rows.number('s.ev'), rows.number('s.fg')]
    const goal = rows.number('s.goal')
    const visit: { pv: number; ev: number; fg: number; goal: 1 | undefined } = { pv: 0, ev: 0, fg: 0, goal: undefined }
    return (row) => {
      const time = valueAt(start, row)!
      if (time < range.from || time >= range.to) return
      visit.pv = valueAt(pv, row)!
      visit.ev = valueAt(ev, row)!
      visit.fg = valueAt(fg, row)!
      visit.goal = valueAt(goal, row) === 1 ? 1 : undefined
      const bucket = buckets ? buckets.at(time) : -1
      const [engaged, bounced] = [isEngaged(visit), isBounce(visit, plan.bounce)]
      for (const one of touched) {
        const group = tally.inBucket(one, bucket)
        if (tally.lastStart[group] === serial) continue
        tally.lastStart[group] = serial
        const base = group * countWidth
        tally.counts[base + at.started]!++
        if (engaged) tally.counts[base + at.engaged]!++
        if (bounced) tally.counts[base + at.bounces]!++
        else tally.counts[base + at.durationMs]! += valueAt(duration, row)!
      }
    }
  }

  return { visitsCounter, hitsCounter, revenue, distinct }
}

/** Of a hit without a page, and of a code whose page was not asked for yet. */
const absent = -1
const unknown = -2

/** The hit that is the last pageview of its visit, if it is among its hits; else -1. */
const exitReader = (rows: Rows, kindOf: KindOf): ((row: number) => number) => {
  const [start, duration, back] = [rows.number('s.start'), rows.number('s.dur'), rows.number('s.exitBack')]
  const [exits, pages] = [rows.text('s.exit'), rows.text('h.path')]
  const times = rows.number(timeColumn)
  return (row) => {
    const before = valueAt(back, row)
    if (before === undefined) return -1
    const time = valueAt(start, row)! + valueAt(duration, row)! - before
    const exit = textAt(exits, row)
    for (let hit = rows.firstHit[row + 1]! - 1; hit >= rows.firstHit[row]!; hit--)
      if (kindOf(hit) === pageview && valueAt(times, hit) === time && textAt(pages, hit) === exit) return hit
    return -1
  }
}

/** Tells what a hit is: a pageview, another event, or an update of engagement. */
export type KindOf = (hit: number) => number

/** There are few names: what each stands for is found once, and nothing is made for each hit. */
export const kindReader = (rows: Rows): KindOf => {
  const names = rows.text('h.n')
  if (!names) return () => pageview
  const { codes, texts } = names
  const kinds = Uint8Array.from(texts, (text) => (text === 'pageview' ? pageview : text === 'engagement' ? engagement : 1))
  return (hit) => kinds[codes[hit]!]!
}
