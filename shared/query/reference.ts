import { type Count, type CountPlan, daysOf, filtersOf } from './counting.ts'
import type { Range } from './dates.ts'
import { compileFilters, createWork, doneFilters, type Filter, type Work } from './filters.ts'
import { type Adder, columnsOf, createDonePass, createFold, type Fold, type Folded } from './fold.ts'
import { queryLimits } from './limits.ts'
import { type Columns, columnOf, type Visit } from './merge.ts'
import type { Group, Sums } from './metrics.ts'

/** The reference engine: reads all visits of a range and folds them one by one. It is kept for ever; faster engines are tested against it. */

/** Visits with hits in the range, some at a time; every reading of one answer gives the same visits. */
export type Scan = (range: Range, columns: Columns) => AsyncIterable<readonly Visit[]>

/** Counts the visits of a scan. */
export const countVisits =
  (scan: Scan): Count =>
  async (plan) => {
    const { filters, range, bots, room } = plan
    const work = createWork()
    const columns = planColumns(plan)
    const addAll = async (add: Adder): Promise<void> => {
      for await (const visits of scan(range, columns)) await addVisits(visits, add, plan)
    }
    const done = createDonePass(filters, columns, bots, work, room)
    if (doneFilters(filters).length > 0) await addAll(done.add)
    const fold = foldOf(plan, done.visitors, work)
    await addAll(fold.add)
    return countedOf(fold.done(), plan)
  }

/** What of a visit a plan reads. */
export const planColumns = (plan: CountPlan): Columns => columnsOf(plan.dimensions, filtersOf(plan), plan.needs)

/** The fold of a plan. `done`: who has done what each of `doneFilters` asks. */
export const foldOf = (plan: CountPlan, done: readonly ReadonlySet<string>[], work: Work): Fold => {
  const columns = planColumns(plan)
  const compile = (filter: Filter) => compileFilters([filter], columnOf(columns), [], work)
  return createFold({
    ...plan,
    columns,
    test: compileFilters(plan.filters, columnOf(columns), done, work),
    goals: plan.goals.map(({ name, filter, scroll }) => ({ name, test: compile(filter), scroll })),
    updates: plan.updates && compile(plan.updates),
    work,
    mostGroups: queryLimits.allGroups,
  })
}

/** Adds visits to a fold; others have their turn in between. */
export const addVisits = async (visits: readonly Visit[], add: Adder, { pause }: Pick<CountPlan, 'pause'>): Promise<void> => {
  for (const visit of visits) {
    const steps = add(visit)
    while (!steps.next().done) await pause()
  }
  await pause()
}

const countedOf = ({ groups, tails, visitors: all, firstDays }: Folded, plan: CountPlan) => {
  const days = daysOf(plan)
  const newIn = ({ bucket, visitors }: Group): number => {
    const { first, last } = days(bucket)
    let count = 0
    for (const vis of visitors ?? []) if (firstDays.get(vis)?.some((day) => day >= first && day <= last)) count++
    return count
  }
  const sumsOf = (key: string, group: Group): Sums => {
    const { visitors, pagePairs, lastVisit: _visit, lastStart: _start, ...sums } = group
    return {
      ...sums,
      key,
      visitors: visitors?.size ?? 0,
      pagePairs: pagePairs?.size ?? 0,
      newVisitors: plan.needs.firstDays ? newIn(group) : 0,
    }
  }
  return {
    groups: [...[...groups].map(([key, group]) => sumsOf(key, group)), ...tails.map((group) => sumsOf('', group))],
    allVisitors: all.size,
    sampled: 1,
    relativeError: 0,
  }
}
