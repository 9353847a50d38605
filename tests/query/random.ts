import type { Goal } from '#shared/site/config.ts'
import type { createRandom } from '../model/random.ts'
import type { AHit, AVisit } from './world.ts'

/** Visits, filters and ranges by chance, for engines that must answer the same. */

export const zones = ['Europe/Berlin', 'America/New_York', 'Asia/Kathmandu', 'Pacific/Apia', 'UTC']
/** Around both nights on which clocks change, and an ordinary one. */
export const nights = ['2026-03-29T01:00:00Z', '2026-10-25T01:00:00Z', '2026-06-14T23:00:00Z', '2026-03-08T07:00:00Z']
export const metrics = [
  ...['visitors', 'visits', 'pageviews', 'events', 'views_per_visit', 'bounce_rate', 'engaged_visits', 'engagement_rate', 'visit_duration'],
  ...['time_on_page', 'scroll_depth', 'total_revenue', 'average_revenue', 'new_visitors', 'exit_rate', 'percentage'],
]
export const dimensions = [
  ...['event:page', 'event:hostname', 'event:title', 'event:name', 'event:props:plan', 'event:props:rare', 'event:prop_keys'],
  ...['visit:source', 'visit:country', 'visit:country_name', 'visit:entry_page', 'visit:exit_page', 'visit:bot', 'visit:new'],
  ...['visit:hour_of_day', 'visit:day_of_week', 'visit:browser', 'visit:screen'],
]
export const times = ['time', 'time:minute', 'time:hour', 'time:day', 'time:week', 'time:month']
export const goals: Goal[] = [
  { name: 'Any page', page: '/**' },
  { name: 'A', page: '/a' },
  { name: 'Read', page: '/*', scroll: 50 },
  { name: 'Signup', event: 'signup', props: { plan: ['pro', 'free'] } },
]
const pages = ['/', '/a', '/b', '/__proto__', '(not set)', '']

export type Random = ReturnType<typeof createRandom>
export const some = <T>(random: Random, list: readonly T[], most: number): T[] => [
  ...new Set(Array.from({ length: 1 + random.below(most) }, () => random.pick(list))),
]

const randomHit = (random: Random, after: number): AHit => {
  const x = random.next()
  const page = { path: random.pick(pages), host: random.pick(['example.com', 'www.example.com']) }
  if (x < 0.55) return { after, ...page, ...(random.chance(0.5) ? { ti: random.pick(['A', 'B']) } : {}) }
  if (x < 0.75)
    return { after, n: 'engagement', ...page, fg: random.below(12_000), ...(random.chance(0.6) ? { sd: random.below(101) } : {}) }
  const p = random.chance(0.7)
    ? { plan: random.pick(['pro', 'free', 1, true, '']), ...(random.chance(0.2) ? { rare: 'x' } : {}) }
    : undefined
  const rev = random.chance(0.4)
    ? { a: random.pick(['129900', '-1', '9999999999999999999', '0']), c: random.pick(['EUR', 'USD']) }
    : undefined
  return { after, n: random.pick(['signup', 'toString']), ...(random.chance(0.5) ? page : {}), ...(p && { p }), ...(rev && { rev }) }
}

export const randomVisit = (random: Random, night: number): AVisit => {
  const at = new Date(night + (random.below(96) - 48) * 3_600_000 + random.below(3_600) * 1_000).toISOString()
  let after = 0
  const hits = Array.from({ length: 1 + random.below(5) }, () => {
    const hit = randomHit(random, after)
    after += random.pick([0, 1, 15, 600, 1_700, 40_000])
    return hit
  })
  return {
    at,
    who: `p${random.below(12)}`,
    ...(random.chance(0.3) ? { whoNext: `q${random.below(5)}` } : {}),
    hits,
    src: random.pick(['(direct)', 'Google', 'mail']),
    ...(random.chance(0.6) ? { country: random.pick(['DE', 'FR', 'XX']) } : {}),
    ...(random.chance(0.2) ? { bot: 'agent' } : {}),
    ...(random.chance(0.6) ? { new: random.pick([0, 1] as const) } : {}),
    ...(random.chance(0.5) ? { br: 'Firefox', scr: '800x600' } : {}),
  }
}

const randomLeaf = (random: Random, names: readonly string[]): unknown[] => {
  const name = random.pick(names)
  const values = some(random, ['/', 'pageview', '(not set)', 'Google', 'DE', 'pro', 'agent', 'new', '3', '01', 'a', ''], 3)
  const op = random.pick(['is', 'is_not', 'contains', 'contains_not', 'matches', 'matches_not'])
  if (op.startsWith('matches')) return [op, name, [random.pick(['^/', 'o', '^.$', '[A-Z]'])]]
  return random.chance(0.2) ? [op, name, values, { case_sensitive: false }] : [op, name, values]
}

export const randomFilter = (random: Random, depth: number): unknown[] => {
  const x = random.next()
  if (depth === 0 || x < 0.4) return randomLeaf(random, dimensions)
  if (x < 0.5) return ['not', randomFilter(random, depth - 1)]
  if (x < 0.65) {
    const hitDimensions = dimensions.filter((name) => name.startsWith('event:'))
    return [random.pick(['has_done', 'has_not_done']), ['and', [randomLeaf(random, hitDimensions), randomLeaf(random, hitDimensions)]]]
  }
  return [random.pick(['and', 'or']), [randomFilter(random, depth - 1), randomFilter(random, depth - 1)]]
}

export const randomRange = (random: Random, night: number): unknown => {
  const instant = () =>
    new Date(night + (random.below(120) - 60) * 3_600_000 + random.below(3_600_000)).toISOString().replace('Z', '+00:00')
  if (random.chance(0.4)) return 'all'
  const ends = [instant(), instant()].sort()
  return random.chance(0.5) ? ends : ends.map((end) => end.slice(0, 10))
}
