import type { Asked } from '#shared/query/explore/asked.ts'
import { createMerge } from '#shared/query/merge.ts'
import { countVisits, type Scan } from '#shared/query/reference.ts'
import { endless, type Room } from '#shared/query/room.ts'
import type { SiteConfig } from '#shared/site/config.ts'
import { calendarOf } from '#shared/site/zone.ts'
import type { createRandom } from '../model/random.ts'
import { type AVisit, aSite, blocksOf, visitorHash } from './world.ts'

/** Explorations of a small world: who asks, and the same hits as a plain list for a recount that shares no code with what it checks. */

export type World = { site?: SiteConfig; now?: string; room?: Room; pause?: () => Promise<void> | undefined }

/** What an exploration of these visits is asked with. */
export const askedOf = (
  visits: readonly AVisit[],
  { site = aSite(), now = '2026-03-15T12:00:00Z', room = endless, pause }: World = {},
): Asked => {
  const blocks = blocksOf(site, visits)
  const calendar = calendarOf(site.zones)
  const days = [...blocks.keys()].sort((a, b) => a - b)
  const scan: Scan = async function* (range, columns) {
    const merge = createMerge(columns, range, calendar)
    for (const day of days) {
      const { start, end } = calendar.span(day)
      if (end <= range.from || start >= range.to) continue
      for (const block of blocks.get(day)!) merge.take(block, Number.MAX_SAFE_INTEGER)
      yield merge.day()
    }
    yield merge.rest()
  }
  return {
    site,
    now: Date.parse(now),
    data: days.length > 0 ? { first: days[0]!, last: days.at(-1)! } : undefined,
    scan,
    count: countVisits(scan),
    room,
    pause: pause ?? (() => undefined),
  }
}

/** A counted hit in plain words; `n` is its place among all. */
export type PlainHit = { n: number; t: number; vis: string; name: string; page: string; plan: string; visit: AVisit }

/** The date of an instant in a zone, as the platform says it. */
export const dateIn = (tz: string, t: number): string => {
  const format = formats.get(tz) ?? new Intl.DateTimeFormat('en-CA', { timeZone: tz })
  formats.set(tz, format)
  return format.format(t)
}
const formats = new Map<string, Intl.DateTimeFormat>()

/** All hits of visits but engagement updates, in `[from, to)`. */
export const plainHits = (visits: readonly AVisit[], tz: string, bots = false, from = 0, to = Number.POSITIVE_INFINITY): PlainHit[] => {
  const hits: PlainHit[] = []
  for (const visit of visits) {
    if (visit.bot && !bots) continue
    const start = Date.parse(visit.at)
    const given = (visit.hits ?? [{}]).map((hit) => ({ ...hit, t: start + (hit.after ?? 0) * 1_000 })).sort((a, b) => a.t - b.t)
    for (const { t, n: name = 'pageview', path, p } of given) {
      const isFirstDay = dateIn(tz, t) === dateIn(tz, given[0]!.t)
      const vis = visitorHash(isFirstDay ? visit.who! : (visit.whoNext ?? visit.who!))
      const page = path ?? (name === 'pageview' ? '/' : '(not set)')
      const plan = String(p?.['plan'] ?? '(not set)')
      if (name !== 'engagement' && t >= from && t < to) hits.push({ n: hits.length, t, vis, name, page, plan, visit })
    }
  }
  return hits
}

export type PlainFilter = { json: unknown[]; passes(hit: PlainHit, all: readonly PlainHit[]): boolean }

/** Filters, each with what it means in plain words. */
export const plainFilters: PlainFilter[] = [
  { json: ['is', 'event:page', ['/a']], passes: (hit) => hit.page === '/a' },
  { json: ['is', 'event:page', ['/b', '/c']], passes: (hit) => hit.page === '/b' || hit.page === '/c' },
  { json: ['is', 'event:name', ['signup']], passes: (hit) => hit.name === 'signup' },
  { json: ['is', 'event:name', ['pageview']], passes: (hit) => hit.name === 'pageview' },
  { json: ['is_not', 'event:page', ['/a']], passes: (hit) => hit.page !== '/a' },
  { json: ['contains', 'event:page', ['/']], passes: (hit) => hit.page.includes('/') },
  {
    json: [
      'and',
      [
        ['is', 'event:name', ['signup']],
        ['is', 'event:props:plan', ['pro']],
      ],
    ],
    passes: (hit) => hit.name === 'signup' && hit.plan === 'pro',
  },
  {
    json: [
      'or',
      [
        ['is', 'event:page', ['/c']],
        ['is', 'visit:source', ['Google']],
      ],
    ],
    passes: (hit) => hit.page === '/c' || hit.visit.src === 'Google',
  },
  { json: ['not', ['is', 'visit:source', ['mail']]], passes: (hit) => hit.visit.src !== 'mail' },
  {
    json: ['has_done', ['is', 'event:name', ['signup']]],
    passes: (hit, all) => all.some((other) => other.vis === hit.vis && other.name === 'signup'),
  },
  {
    json: ['has_not_done', ['is', 'event:page', ['/c']]],
    passes: (hit, all) => !all.some((other) => other.vis === hit.vis && other.page === '/c'),
  },
]

type Random = ReturnType<typeof createRandom>

/** Zones, and nights near which visits happen: two on which clocks change, and an ordinary one. */
export const zones = ['Europe/Berlin', 'America/New_York', 'Asia/Kathmandu', 'UTC']
export const nights = ['2026-03-29T01:00:00Z', '2026-10-25T01:00:00Z', '2026-06-14T23:00:00Z']

/** Visits of few people to few pages, so that much happens at the same time and twice. */
export const randomVisits = (random: Random, night: number): AVisit[] =>
  Array.from({ length: 1 + random.below(40) }, () => {
    let after = 0
    const hits = Array.from({ length: 1 + random.below(6) }, () => {
      const x = random.next()
      const path = random.pick(['/', '/a', '/b', '/c'])
      const hit =
        x < 0.65
          ? { after, path }
          : x < 0.8
            ? { after, n: 'engagement', path, fg: 1_000 }
            : {
                after,
                n: random.pick(['signup', 'buy']),
                ...(random.chance(0.5) ? { path } : {}),
                p: { plan: random.pick(['pro', 'free']) },
              }
      after += random.pick([0, 0, 1, 30, 60, 600, 20_000])
      return hit
    })
    return {
      at: new Date(night + (random.below(9) - 4) * 6 * 3_600_000 + random.below(3) * 60_000).toISOString(),
      who: `p${random.below(9)}`,
      ...(random.chance(0.3) ? { whoNext: `q${random.below(5)}` } : {}),
      hits,
      src: random.pick(['(direct)', 'Google', 'mail']),
      ...(random.chance(0.15) ? { bot: 'agent' } : {}),
    }
  })

/** Groups by a text. */
export const groupsOf = <T>(list: readonly T[], by: (one: T) => string): Map<string, T[]> => {
  const groups = new Map<string, T[]>()
  for (const one of list) groups.set(by(one), [...(groups.get(by(one)) ?? []), one])
  return groups
}

/** Per cent with two decimals. */
export const perCent = (a: number, b: number): number | null => (b === 0 ? null : Math.round((a * 10_000) / b) / 100)

/** What a refused body says. */
export const refusalOf = (parse: (body: unknown) => unknown, body: unknown): string => {
  try {
    parse(body)
  } catch (error) {
    return (error as Error).message
  }
  throw new Error('the request was not refused')
}
