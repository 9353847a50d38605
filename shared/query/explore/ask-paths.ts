import { isDue } from '../fold.ts'
import { queryLimits } from '../limits.ts'
import { engagement, type Hit, pageview } from '../merge.ts'
import { badQuery } from '../names.ts'
import { type Answered, type Asked, commonJson, metaOf, rangeOf } from './asked.ts'
import { createJourneys, createNumbers } from './journeys.ts'
import { countPaths, type PathHits, type PathNode, type PathNumbers, whatOf } from './paths.ts'
import { hasHit, readVisits } from './reading.ts'
import type { PathsRequest } from './requests.ts'

/** From a request for paths to its answer. Its filters choose visits; of those all hits in the range are their path. */

/** Where paths end, or backwards begin. */
type Ends = { exits: number } | { entries: number }
export type PathTree = { value: string | null; other?: true; visits: number; share: number | null; children?: PathTree[] } & Ends
export type PathsAnswer = Answered & { tree: PathTree; levels: ({ level: number; visits: number } & Ends)[] }

/** The answer to a request for paths. */
export const answerPaths = async (request: PathsRequest, asked: Asked): Promise<PathsAnswer> => {
  const { calendar, range } = rangeOf(asked, request)
  const { anchor, direction, steps, limit, by } = request
  const backwards = direction === 'previous'
  const rules = { steps, most: limit, anchored: anchor !== undefined, backwards }
  const numbers = await countPaths(await readHits(request, asked), rules, anchor?.value ?? null, asked)
  const end = (ends: number): Ends => (backwards ? { entries: ends } : { exits: ends })
  return {
    tree: treeOf(numbers.root, end),
    levels: numbers.levels.map(({ ends, ...level }: PathNumbers['levels'][number]) => ({ ...level, ...end(ends) })),
    meta: metaOf(asked, calendar, range, undefined),
    query: {
      ...commonJson(asked, request, calendar, range),
      ...(anchor ? { [backwards ? 'to' : 'from']: { [anchor.kind]: anchor.value } } : {}),
      direction,
      steps,
      limit,
      by,
    },
  }
}

const treeOf = ({ ends, children, ...node }: PathNode, end: (ends: number) => Ends): PathTree => ({
  ...node,
  ...end(ends),
  ...(children.length > 0 ? { children: children.map((child) => treeOf(child, end)) } : {}),
})

const tooManySteps = () => badQuery('by', `more than ${queryLimits.allGroups} pages or events; narrow the range, or filter`)

const readHits = async (request: PathsRequest, asked: Asked): Promise<PathHits> => {
  const { anchor, by } = request
  const { range } = rangeOf(asked, request)
  const journeys = createJourneys(asked.room)
  const texts = createNumbers(asked.room, queryLimits.allGroups, tooManySteps)
  let visits = 0
  const plan = { ...asked, range, bots: request.bots, lists: [request.filters], dimensions: ['event:page', 'event:name'] }
  await readVisits(plan, ({ tests: [chosen], column, work }) => {
    const [page, event] = [column('event:page'), column('event:name')]
    const isAnchor = (hit: Hit): boolean => {
      if (!anchor) return false
      return anchor.kind === 'event' ? hit.v[event] === anchor.value : hit.kind === pageview && hit.v[page] === anchor.value
    }
    return function* (visit) {
      if (!(yield* hasHit(visit, chosen!, work))) return
      const who = visits
      let seen = false
      for (const hit of visit.hits) {
        if (isDue(work)) yield
        if (hit.kind === engagement) continue
        const isStep = by === 'event' || hit.kind === pageview
        const at = isAnchor(hit)
        if (!isStep && !at) continue
        const step = isStep ? texts.of(hit.v[by === 'page' ? page : event]!) : -1
        journeys.add(who, hit.t, whatOf(step, at))
        seen = true
      }
      if (seen) visits++
    }
  })
  return { journeys: journeys.done(), texts: texts.texts }
}
