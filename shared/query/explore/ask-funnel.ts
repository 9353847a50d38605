import { bucketsOf, isTimeDimension } from '../buckets.ts'
import { filterJson } from '../filters.ts'
import { isDue } from '../fold.ts'
import { queryLimits } from '../limits.ts'
import { engagement, type Hit, type Visit } from '../merge.ts'
import { badQuery } from '../names.ts'
import { type Answered, type Asked, commonJson, metaOf, rangeOf } from './asked.ts'
import { type FunnelHits, funnelNumbers, maskBits, type StepNumbers, type ValueNumbers } from './funnel.ts'
import { createJourneys, createNumbers } from './journeys.ts'
import { hasHit, readVisits } from './reading.ts'
import type { FunnelRequest } from './requests.ts'

/** From a funnel request to its answer. Its filters choose visits, its steps choose hits of them. */

type NamedStep = { step: number; name?: string } & StepNumbers
export type FunnelAnswer = Answered & { steps: NamedStep[]; breakdown?: (Omit<ValueNumbers, 'steps'> & { steps: NamedStep[] })[] }

/** The answer to a funnel request. */
export const answerFunnel = async (request: FunnelRequest, asked: Asked): Promise<FunnelAnswer> => {
  const { calendar, range } = rangeOf(asked, request)
  const { steps, order, window, dimension } = request
  const hits = await readHits(request, asked)
  const rules = { steps: steps.length, strict: order === 'strict', windowMs: window?.ms ?? Number.POSITIVE_INFINITY }
  const numbers = await funnelNumbers(hits, rules, { dimension, most: queryLimits.funnelValues }, asked)
  const named = (list: readonly StepNumbers[]): NamedStep[] =>
    list.map((own, i) => ({ step: i + 1, ...(steps[i]!.name === undefined ? {} : { name: steps[i]!.name }), ...own }))
  return {
    steps: named(numbers.steps),
    ...(dimension === undefined ? {} : { breakdown: numbers.breakdown.map((part) => ({ ...part, steps: named(part.steps) })) }),
    meta: metaOf(asked, calendar, range, 'steps on different days are those of different visitors'),
    query: {
      ...commonJson(asked, request, calendar, range),
      steps: steps.map(({ name, filters }) => ({ ...(name === undefined ? {} : { name }), filters: filters.map(filterJson) })),
      order,
      ...(window ? { window: window.text } : {}),
      dimensions: dimension === undefined ? [] : [dimension],
    },
  }
}

const tooManyValues = () => badQuery('dimensions', `more than ${queryLimits.allGroups} values; narrow the range, or take another dimension`)

const readHits = async (request: FunnelRequest, asked: Asked): Promise<FunnelHits> => {
  const { dimension, order } = request
  const { calendar, range } = rangeOf(asked, request)
  const journeys = createJourneys(asked.room)
  const visitors = createNumbers(asked.room)
  const values = createNumbers(asked.room, queryLimits.allGroups, tooManyValues)
  const buckets = dimension !== undefined && isTimeDimension(dimension) ? bucketsOf(dimension, range, calendar) : undefined
  const lists = [request.filters, ...request.steps.map(({ filters }) => filters)]
  const plan = { ...asked, range, bots: request.bots, lists, dimensions: dimension === undefined ? [] : [dimension] }
  await readVisits(plan, ({ tests: [chosen, ...steps], column, work }) => {
    const index = dimension === undefined || buckets ? -1 : column(dimension)
    const valueIn = (visit: Visit, hit: Hit): string => {
      if (buckets) return buckets.labels[buckets.at(hit.t)]!
      return dimension!.startsWith('event:') ? hit.v[index]! : visit.v[index]!
    }
    return function* (visit) {
      if (!(yield* hasHit(visit, chosen!, work))) return
      for (const hit of visit.hits) {
        if (isDue(work)) yield
        let mask = 0
        for (let step = 0; step < steps.length; step++) if (steps[step]!(visit, hit)) mask |= 1 << step
        if (mask === 0 && (order === 'ordered' || hit.kind === engagement)) continue
        const value = mask & 1 && dimension !== undefined ? values.of(valueIn(visit, hit)) : 0
        journeys.add(visitors.of(hit.vis), hit.t, (value << maskBits) | mask)
      }
    }
  })
  return { journeys: journeys.done(), values: values.texts }
}
