import { addDays, type Calendar } from '../../site/zone.ts'
import { type Buckets, bucketsOf } from '../buckets.ts'
import { addMonths, parseDate, type Range } from '../dates.ts'
import { filterJson } from '../filters.ts'
import { isDue } from '../fold.ts'
import { queryLimits } from '../limits.ts'
import { badQuery } from '../names.ts'
import { type Answered, type Asked, commonJson, metaOf, rangeOf } from './asked.ts'
import { createJourneys, createNumbers, type Journeys } from './journeys.ts'
import { readVisits } from './reading.ts'
import type { RetentionRequest } from './requests.ts'
import { type Cell, countRetention, retentionHit } from './retention.ts'

/** From a request for retention to its answer: cohorts of visitors by their first active day, week or month of the range. */

/** `complete`: all of the period lies in the range, and is over. */
type Period = { label: string; complete: boolean }
type CohortRow = { cohort: string; visitors: number; periods: Cell[] }
export type RetentionAnswer = Answered & { periods: Period[]; cohorts: CohortRow[] }

/** The answer to a request for retention. */
export const answerRetention = async (request: RetentionRequest, asked: Asked): Promise<RetentionAnswer> => {
  const { calendar, range } = rangeOf(asked, request)
  const { period, returnFilters } = request
  const buckets = bucketsOf(`time:${period}`, range, calendar)
  const periods = buckets.labels.length
  if (periods > queryLimits.retentionPeriods)
    throw badQuery(
      'period',
      `the range has ${periods} of them, more than ${queryLimits.retentionPeriods}; take a longer one or a shorter range`,
    )
  const cohorts = await countRetention(await readHits(request, asked, buckets), periods, asked)
  return {
    periods: buckets.labels.map((label) => ({ label, complete: isComplete(label, period, range, calendar, asked.now) })),
    cohorts: cohorts.map(({ period, visitors, cells }) => ({ cohort: buckets.labels[period]!, visitors, periods: cells })),
    meta: metaOf(asked, calendar, range, 'nobody is seen to come back on another day'),
    query: {
      ...commonJson(asked, request, calendar, range),
      ...(returnFilters ? { return_filters: returnFilters.map(filterJson) } : {}),
      period,
    },
  }
}

const isComplete = (label: string, period: RetentionRequest['period'], range: Range, calendar: Calendar, now: number): boolean => {
  const first = parseDate(label)!
  const next = period === 'day' ? addDays(first, 1) : period === 'week' ? addDays(first, 7) : addMonths(first, 1)
  return calendar.span(first).start >= range.from && calendar.span(addDays(next, -1)).end <= Math.min(range.to, now)
}

const readHits = async (request: RetentionRequest, asked: Asked, buckets: Buckets): Promise<Journeys> => {
  const { range } = rangeOf(asked, request)
  const journeys = createJourneys(asked.room)
  const visitors = createNumbers(asked.room)
  const lists = [request.filters, ...(request.returnFilters ? [request.returnFilters] : [])]
  await readVisits({ ...asked, range, bots: request.bots, lists, dimensions: [] }, ({ tests: [begins, returns = begins], work }) => {
    return function* (visit) {
      for (const hit of visit.hits) {
        if (isDue(work)) yield
        const isFirst = begins!(visit, hit)
        const isReturn = returns === begins ? isFirst : returns!(visit, hit)
        if (isFirst || isReturn) journeys.add(visitors.of(hit.vis), hit.t, retentionHit(buckets.at(hit.t), isFirst, isReturn))
      }
    }
  })
  return journeys.done()
}
