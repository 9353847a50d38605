import type { Range } from '../dates.ts'
import { type ColumnOf, compileFilters, createWork, doneFilters, type Filter, type Test, type Work } from '../filters.ts'
import { type Adder, columnsOf, createDonePass, isDue } from '../fold.ts'
import { updatesAsked } from '../goals.ts'
import { columnOf, engagement, type Hit, type Visit } from '../merge.ts'
import { needsOf } from '../metrics.ts'
import { addVisits, type Scan } from '../reference.ts'
import type { Turn } from './journeys.ts'

/** Reads the visits of a range for an exploration, whose filters are several lists: those of the request, and of each step. */

export type ReadPlan = Turn & {
  scan: Scan
  range: Range
  bots: boolean
  lists: readonly (readonly Filter[])[]
  /** Dimensions that are read besides those of the filters. */
  dimensions: readonly string[]
}

/** Whether a hit passes: a counted hit, or an engagement update where the filters name a scroll goal, which updates meet. */
export type Passes = (visit: Visit, hit: Hit) => boolean

/** What an exploration looks at visits with: a test per list of filters, and where a dimension's value stands. */
export type Look = { tests: Passes[]; column: ColumnOf; work: Work }

/** Shows every visit that counts to an adder; visits of bots only where they are asked for. */
export const readVisits = async (plan: ReadPlan, adderOf: (look: Look) => Adder): Promise<void> => {
  const { scan, range, bots, lists, room } = plan
  const work = createWork()
  const all = lists.flat()
  const columns = columnsOf(plan.dimensions, all, needsOf([]))
  const addAll = async (add: Adder): Promise<void> => {
    for await (const visits of scan(range, columns)) await addVisits(bots ? visits : visits.filter(isNoBot), add, plan)
  }
  const done = createDonePass(all, columns, bots, work, room)
  if (doneFilters(all).length > 0) await addAll(done.add)
  let from = 0
  const tests = lists.map((filters) => {
    const to = from + doneFilters(filters).length
    const test = compileFilters(filters, columnOf(columns), done.visitors.slice(from, to), work)
    const asked = updatesAsked(filters)
    const updates: Test | undefined = asked && compileFilters([asked], columnOf(columns), [], work)
    from = to
    return (visit: Visit, hit: Hit) => (hit.kind !== engagement || updates?.(visit, hit) === true) && test(visit, hit)
  })
  await addAll(adderOf({ tests, column: columnOf(columns), work }))
}

const isNoBot = ({ flagged }: Visit): boolean => !flagged

/** True when one of the visit's hits passes: as `visits` of a query counts a visit. */
export function* hasHit(visit: Visit, test: Passes, work: Work): Generator<void, boolean> {
  for (const hit of visit.hits) {
    if (isDue(work)) yield
    if (test(visit, hit)) return true
  }
  return false
}
