import { createRandom } from '../model/random.ts'
import { type Asked, sqlDimensions, sqlTimes } from './duckdb.ts'
import { nights, type Random, randomFilter, randomRange, randomVisit, some, zones } from './random.ts'
import { type AVisit, aSite } from './world.ts'

/** Worlds and questions that a database is asked too: more of what texts, amounts, clocks and ranges may be; no goals, and nothing compared. */

/** Clocks that change at midnight, or by half an hour. */
const odd: readonly [string, string][] = [
  ['America/Santiago', '2026-04-05T03:00:00Z'],
  ['America/Santiago', '2026-09-06T04:00:00Z'],
  ['America/Havana', '2026-11-01T05:00:00Z'],
  ['Africa/Cairo', '2026-10-29T21:00:00Z'],
  ['Australia/Lord_Howe', '2026-04-04T15:00:00Z'],
]
const metrics = [
  ...['visitors', 'visits', 'pageviews', 'events', 'views_per_visit', 'percentage', 'new_visitors', 'exit_rate'],
  ...['bounce_rate', 'engaged_visits', 'engagement_rate', 'visit_duration', 'total_revenue', 'average_revenue'],
]
/** They ask whether there is a page, which an export shows of pages that are not empty. */
const metricsOfPages = ['time_on_page', 'scroll_depth']

/** At times a visit ends with two pageviews of one instant, of which the later one is the exit. */
const withTwin = (random: Random, visit: AVisit): AVisit => {
  const last = visit.hits!.at(-1)!
  const isPage = last.n === undefined && random.chance(0.3)
  return isPage ? { ...visit, hits: [...visit.hits!, { ...last, ti: last.ti === 'A' ? 'B' : 'A' }] } : visit
}

/** More of what texts and amounts may be; without empty pages, where so many metrics are asked. */
export const enriched = (random: Random, visit: AVisit, hasEmpty: boolean): AVisit => ({
  ...visit,
  at: new Date(Date.parse(visit.at) + random.below(1_000)).toISOString(),
  hits: visit.hits!.map((hit) => ({
    ...hit,
    ...(hit.path === '' && !hasEmpty ? { path: '/É' } : {}),
    ...(hit.path === '/b' && random.chance(0.3) ? { path: `/it's "é"` } : {}),
    ...(hit.ti && random.chance(0.3) ? { ti: 'a' } : {}),
    ...(hit.p && random.chance(0.2) ? { p: { ...hit.p, plan: random.pick([2.5, false, 'Pro', "'"]) } } : {}),
    ...(hit.rev && random.chance(0.3) ? { rev: { a: random.pick(['129901', '-50000', '3']), c: random.pick(['JPY', 'KWD', 'EUR']) } } : {}),
  })),
})

/** No table of countries is at hand in SQL. */
const knownInSql = <T>(filter: T): T => JSON.parse(JSON.stringify(filter).replaceAll('visit:country_name', 'visit:country'))

const ownLeaf = (random: Random): unknown[] => {
  const name = random.pick(sqlDimensions)
  const op = random.pick(['is', 'is_not', 'contains', 'contains_not', 'matches', 'matches_not'])
  if (op.startsWith('matches')) return [op, name, some(random, ['(?i)É', '^/(a|b)?$', '\\d', '["\']', '^.{2,4}$', '(?i)pro|free'], 2)]
  const values = some(random, ['/a', '/É', '2.5', 'É', "'", 'Pro', 'false', 'example.com', 'signup', 'Firefox', '02', '7', '["plan"]'], 3)
  return random.chance(0.3) ? [op, name, values, { case_sensitive: false }] : [op, name, values]
}

/** What many hits pass, and not all. */
const likely: readonly unknown[][] = [
  ['is', 'event:name', ['signup']],
  ['is', 'event:page', ['/', '/a']],
  ['contains', 'event:page', ['É'], { case_sensitive: false }],
  ['contains', 'event:title', ['A']],
  ['is', 'event:props:plan', ['pro', 'free']],
  ['matches', 'event:hostname', ['^www']],
  ['is_not', 'visit:source', ['Google']],
  ['is', 'visit:new', ['new']],
]

const ownFilter = (random: Random): unknown[] => {
  const x = random.next()
  if (x < 0.3) return random.pick(likely)
  if (x < 0.6) return [random.pick(['has_done', 'has_not_done']), random.pick(likely.slice(0, 6))]
  return x < 0.8 ? ownLeaf(random) : ['or', [random.pick(likely), ownLeaf(random)]]
}

/** About when hits come, and exactly when. */
type Moments = { night: number; moments: readonly number[] }
export const momentsOf = (night: number, visits: readonly AVisit[]): Moments => ({
  night,
  moments: visits.flatMap(({ at, hits = [] }) => hits.map(({ after = 0 }) => Date.parse(at) + after * 1_000)),
})

const ownRange = (random: Random, { night, moments }: Moments): Asked['date_range'] => {
  if (random.chance(0.5)) return randomRange(random, night) as Asked['date_range']
  if (random.chance(0.6)) return random.pick(['day', 'month', 'year', '1d', '3d', '1mo', '24h'])
  // The edges are where hits are: of a second, or of a millisecond.
  const [from, to] = [random.pick(moments), random.pick(moments)].sort((a, b) => a - b) as [number, number]
  const length = random.pick([19, 23])
  return [from, to].map((at) => `${new Date(at).toISOString().slice(0, length)}Z`) as [string, string]
}

export const randomQuestion = (random: Random, at: Moments, hasEmpty: boolean): Asked => {
  const own = some(random, sqlDimensions, 3)
  const range = ownRange(random, at)
  const isLong = typeof range === 'string' && /^month|year|mo$/.test(range)
  const time = random.chance(0.45) ? [random.pick(isLong ? sqlTimes.slice(1) : sqlTimes)] : []
  const dimensions = random.chance(0.15) ? time : [...own.slice(0, 3 - time.length), ...time]
  const asked = some(random, hasEmpty ? metrics : [...metrics, ...metricsOfPages], 6)
  const filter = () => (random.chance(0.6) ? ownFilter(random) : knownInSql(randomFilter(random, 2)))
  // Which of several currencies rows are ordered by is told elsewhere.
  const sortable = [...asked.filter((metric) => !metric.endsWith('_revenue')), ...dimensions]
  const order = sortable.length > 0 && (asked[0]!.endsWith('_revenue') || random.chance(0.4)) ? some(random, sortable, 2) : []
  return {
    metrics: asked[0]!.endsWith('_revenue') && order.length === 0 ? ['visitors', ...asked.filter((one) => one !== 'visitors')] : asked,
    dimensions,
    filters: random.chance(0.45) ? [] : Array.from({ length: random.chance(0.3) ? 2 : 1 }, filter),
    date_range: range,
    include: { bots: random.chance(0.3) },
    ...(order.length > 0 ? { order_by: order.map((by): [string, 'asc' | 'desc'] => [by, random.pick(['asc', 'desc'] as const)]) } : {}),
    ...(random.chance(0.2) ? { pagination: { limit: 1 + random.below(6), offset: random.below(3) } } : {}),
  }
}

/** Visits around a change of clocks, and questions to them; `now` may be before the last of them. */
export const sqlWorld = (seed: number) => {
  const random = createRandom(50_000 + seed)
  const [tz, change] = random.chance(0.3) ? random.pick(odd) : [random.pick(zones), random.pick(nights)]
  const night = Date.parse(change)
  const site = aSite({
    zones: [{ tz, from: 0 }],
    identity: random.pick(['cookie', 'cookieless'] as const),
    bounce: random.pick(['engaged', 'single-page'] as const),
  })
  const hasEmpty = random.chance(0.4)
  const visits = Array.from({ length: 1 + random.below(40) }, () =>
    enriched(random, withTwin(random, randomVisit(random, night)), hasEmpty),
  )
  const at = momentsOf(night, visits)
  const now = random.chance(0.3) ? random.pick(at.moments) - random.below(1_000) : night + (random.below(48) + 12) * 3_600_000
  return { random, at, site, visits, hasEmpty, now }
}
