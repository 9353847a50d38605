import { isoDay } from '#shared/site/zone.ts'
import { createRandom } from '../model/random.ts'
import { dimensions, goals, metrics, nights, type Random, randomFilter, randomRange, randomVisit, some, times, zones } from './random.ts'
import { type AVisit, aSite, blocksOf } from './world.ts'

/** Small worlds by their seed, and questions to them: the same ones wherever two answers are compared. */

export const randomQuery = (random: Random, night: number): Record<string, unknown> => {
  const chosen = random.chance(0.2) ? [] : some(random, dimensions, 2)
  const asksGoals = random.chance(0.3)
  const goalFilter = ['is', 'event:goal', some(random, goals, 2).map(({ name }) => name)]
  const filters = random.chance(0.4) ? [] : Array.from({ length: 1 + random.below(2) }, () => randomFilter(random, 2))
  return {
    metrics: asksGoals ? [...some(random, metrics, 5), 'conversion_rate', 'group_conversion_rate'] : some(random, metrics, 6),
    date_range: randomRange(random, night),
    dimensions: [...(random.chance(0.4) ? [random.pick(times)] : asksGoals ? ['event:goal'] : []), ...chosen],
    filters: asksGoals ? [...filters, goalFilter, ...(random.chance(0.3) ? [['has_done', goalFilter]] : [])] : filters,
    include: {
      bots: random.chance(0.3),
      ...(random.chance(0.2) ? { compare: 'previous_period', compare_missing: random.chance(0.5) } : {}),
    },
  }
}

/** Visits around a night on which clocks change, or do not. `now` is when all of them are over. */
export const anyWorld = (seed: number) => {
  const random = createRandom(seed)
  const night = Date.parse(random.pick(nights))
  const site = aSite({
    zones: [{ tz: random.pick(zones), from: 0 }],
    identity: random.pick(['cookie', 'cookieless'] as const),
    bounce: random.pick(['engaged', 'single-page'] as const),
    goals,
  })
  const visits = Array.from({ length: 1 + random.below(40) }, () => randomVisit(random, night))
  return { random, night, site, visits, now: new Date(night + 60 * 3_600_000).toISOString() }
}

const more = ['visit:city_name', 'visit:region', 'visit:utm_source', 'visit:os', 'visit:entry_page_hostname']

/** A question that cells may know, over whole days. */
export const plainQuestion = (random: Random, days: readonly number[]): Record<string, unknown> => {
  const [first, last] = [random.pick(days), random.pick(days)].sort((a, b) => a - b) as [number, number]
  const value = random.chance(0.6) ? [random.pick([...dimensions, ...more])] : []
  const time = random.chance(0.4) ? [random.pick(times.filter((name) => name !== 'time:minute'))] : []
  return {
    metrics: some(random, metrics, 5),
    dimensions: [...value, ...time],
    date_range: random.chance(0.3) ? [isoDay(first), isoDay(first)] : [isoDay(first), isoDay(last)],
    ...(random.chance(0.2) ? { include: { compare: 'previous_period' } } : {}),
  }
}

/** On a site without cookies everybody is another one each day. */
export const daily = (visits: readonly AVisit[]): AVisit[] =>
  visits.map((visit) => ({ ...visit, who: `${visit.who} ${visit.at.slice(0, 10)}`, whoNext: `${visit.who} next ${visit.at.slice(0, 10)}` }))

/** Visits, and the days they lie on. */
export const wholeDays = (seed: number) => {
  const random = createRandom(90_000 + seed)
  const night = Date.parse(random.pick(nights))
  const identity = random.pick(['cookie', 'cookieless'] as const)
  const site = aSite({ zones: [{ tz: random.pick(zones), from: 0 }], identity, bounce: random.pick(['engaged', 'single-page'] as const) })
  const plain = Array.from({ length: 1 + random.below(60) }, () => randomVisit(random, night))
  const visits = identity === 'cookieless' ? daily(plain) : plain
  const days = [...blocksOf(site, visits).keys()]
  return { random, days, site, visits, now: new Date(night + 90 * 3_600_000).toISOString() }
}
