import type { Goal, SiteConfig } from '#shared/site/config.ts'
import { passesFor } from './goals.ts'
import type { Random } from './random.ts'
import {
  entryOf,
  events,
  exitOf,
  type Fact,
  foregroundOf,
  lastOf,
  pageviews,
  type Recount,
  siteTime,
  startDayOf,
  startOf,
  type Visit,
} from './recount.ts'

/** Questions to `POST /api/v2/query`, and what their answers must be, counted by plain loops over a recount. */

type Leaf = ['is' | 'is_not' | 'contains' | 'matches', string, string[]]
export type Filter = ['and', Filter[]] | ['or', Filter[]] | ['not', Filter] | ['has_done', Filter] | Leaf

export type Question = {
  site_id: string
  metrics: string[]
  date_range: [string, string]
  dimensions: string[]
  filters: Filter[]
  include?: { bots: boolean }
}

/** A part of a question's answer: values of dimensions, and the metrics in the order they were asked for. */
export type ExpectedRow = { dimensions: string[]; metrics: unknown[] }

const metricNames = [
  'visitors',
  'visits',
  'pageviews',
  'events',
  'bounce_rate',
  'views_per_visit',
  'visit_duration',
  'engaged_visits',
  'engagement_rate',
  'new_visitors',
  'time_on_page',
  'scroll_depth',
  'total_revenue',
  'exit_rate',
]
const rates = ['conversion_rate', 'group_conversion_rate']
const startMetrics = ['bounce_rate', 'visit_duration', 'engaged_visits', 'engagement_rate']
const dimensionNames = [
  'event:page',
  'event:name',
  'event:hostname',
  'event:props:plan',
  'visit:source',
  'visit:country',
  'visit:entry_page',
  'visit:exit_page',
  'visit:bot',
  'visit:new',
]
/** A question takes one of them. */
const timeNames = ['time:day', 'time:hour']
const notSet = '(not set)'

// Questions

const values: Record<string, readonly string[]> = {
  'event:page': ['/', '/docs', '/docs/start', '/pricing', '/private/x', '/__proto__', '/café', notSet],
  'event:name': ['pageview', 'signup', 'download', 'toString', 'engagement'],
  'visit:source': ['(direct)', 'Google', 'google', 'mail', 'ads', 'news.example.org', 'plain.example'],
  'visit:bot': [notSet, 'host', 'path', 'agent', 'endless'],
  'visit:entry_page': ['/', '/docs', '/pricing', notSet],
}
const parts: Record<string, readonly string[]> = {
  'event:page': ['/', 'doc', 'pr', 'é', 'not'],
  'event:name': ['p', 'sign', 'String'],
  'visit:source': ['oo', 'a', 'example', '('],
  'visit:bot': ['not', 'o', 't'],
  'visit:entry_page': ['/', 'doc', 'ing'],
}
const patterns: Record<string, readonly string[]> = {
  'event:page': ['^/d', 'g$', '^/$', '[x-z]'],
  'event:name': ['^.o', 'up$', '^page'],
  'visit:source': ['^[Gm]', 'example', '^\\('],
  'visit:bot': ['^h', '^\\(', 't$'],
  'visit:entry_page': ['^/.', 's$', 'p'],
}

const several = <T>(random: Random, list: readonly T[], least: number, most: number): T[] => {
  const rest = [...list]
  const chosen: T[] = []
  for (let n = least + random.below(most - least + 1); n > 0 && rest.length > 0; n--)
    chosen.push(rest.splice(random.below(rest.length), 1)[0]!)
  return chosen
}

/** Conditions on goals and segments, where the site has some. */
const namedLeaf = (random: Random, { goals = [], segments = [] }: SiteConfig): Filter | undefined => {
  if (segments.length > 0 && random.chance(0.3))
    return [
      random.pick(['is', 'is', 'is_not'] as const),
      'segment',
      several(
        random,
        segments.map(({ name }) => name),
        1,
        2,
      ),
    ]
  if (goals.length === 0) return undefined
  const op = random.pick(['is', 'is', 'is', 'is_not', 'contains', 'matches'] as const)
  if (op === 'contains' || op === 'matches') return [op, 'event:goal', several(random, ['o', 'Docs', 'ead', 'S', 'x'], 1, 2)]
  return [
    op,
    'event:goal',
    several(
      random,
      goals.map(({ name }) => name),
      1,
      2,
    ),
  ]
}

const leaf = (random: Random, names: readonly string[], config: SiteConfig): Filter => {
  const isOfEvents = names.every((name) => name.startsWith('event:'))
  const named = random.chance(0.25) ? namedLeaf(random, isOfEvents ? { ...config, segments: [] } : config) : undefined
  if (named) return named
  const name = random.pick(names)
  const op = random.pick(['is', 'is', 'is_not', 'contains', 'matches'] as const)
  const lists = op === 'contains' ? parts : op === 'matches' ? patterns : values
  return [op, name, several(random, lists[name]!, 1, 2)]
}

const filter = (random: Random, config: SiteConfig): Filter => {
  const leaves = Object.keys(values)
  const x = random.next()
  if (x < 0.45) return leaf(random, leaves, config)
  if (x < 0.6) return ['not', leaf(random, leaves, config)]
  if (x < 0.7) return ['has_done', leaf(random, ['event:page', 'event:name'], config)]
  const two = [
    leaf(random, leaves, config),
    random.chance(0.2) ? (['has_done', leaf(random, ['event:page', 'event:name'], config)] as Filter) : leaf(random, leaves, config),
  ]
  return [x < 0.85 ? 'and' : 'or', two]
}

const dayText = (day: number) => String(day).replace(/(....)(..)(..)/, '$1-$2-$3')

const withOffset = (t: number, minutes: number, precise: boolean) => {
  const local = new Date(t + minutes * 60_000).toISOString()
  const offset = `${minutes < 0 ? '-' : '+'}${String(Math.trunc(Math.abs(minutes) / 60)).padStart(2, '0')}:${String(Math.abs(minutes) % 60).padStart(2, '0')}`
  return `${precise ? local.slice(0, 23) : local.slice(0, 19)}${offset}`
}

/** A range around the data: dates, or instants that like to fall on hits. */
const range = (random: Random, times: readonly number[], config: SiteConfig): [string, string] => {
  if (random.chance(0.5)) {
    const days = [random.pick(times), random.pick(times)].map(
      (t) => siteTime(config.zones, t + (random.below(3) - 1) * 86_400_000 * (random.chance(0.3) ? 1 : 0)).day,
    )
    return [dayText(Math.min(...days)), dayText(Math.max(...days))]
  }
  const [from, to] = [random.pick(times), random.pick(times)].sort((a, b) => a - b) as [number, number]
  const minutes = random.pick([0, 60, -300, 630])
  const precise = random.chance(0.5)
  return [withOffset(from, minutes, precise), withOffset(random.chance(0.7) ? to : Math.max(from, to - 1), minutes, precise)]
}

export const randomQuestion = (random: Random, facts: Recount, config: SiteConfig, now: number): Question => {
  const times = facts.visits.filter(({ site }) => site === config.site).flatMap((visit) => visit.facts.map(({ t }) => t))
  const filters = random.chance(0.5) ? [] : several(random, [filter(random, config), filter(random, config)], 1, 2)
  const names = [...dimensionNames, random.pick(timeNames)]
  const dimensions = random.chance(0.25) ? [] : several(random, names, 1, random.chance(0.3) ? 3 : 2)
  if (config.goals && random.chance(0.3)) dimensions.splice(random.below(dimensions.length + 1), 0, 'event:goal')
  if (dimensions.length > 3) dimensions.pop()
  const hasGoal = dimensions.includes('event:goal') || goalTests(filters, config).length > 0
  return {
    site_id: config.site,
    metrics: several(random, hasGoal ? [...metricNames, ...rates, ...rates] : metricNames, 1, 6).filter(
      (name, i, all) => all.indexOf(name) === i,
    ),
    date_range: range(random, times.length > 0 ? times : [now], config),
    dimensions,
    filters,
    ...(random.chance(0.35) ? { include: { bots: true } } : {}),
  }
}

// Answers

/** `row`: the goal in whose row it lies, where goals are a dimension. */
type Place = { visit: Visit; fact: Fact; row?: Goal }

const filtersOf = (name: string, { segments = [] }: SiteConfig): Filter[] =>
  segments.find((segment) => segment.name === name)!.filters as Filter[]

/** The conditions on goals outside `has_done`. */
const goalTests = (filters: readonly Filter[], config: SiteConfig): Leaf[] =>
  filters.flatMap((test): Leaf[] => {
    if (test[0] === 'and' || test[0] === 'or') return goalTests(test[1], config)
    if (test[0] === 'not') return goalTests([test[1]], config)
    if (test[0] === 'has_done') return []
    if (test[1] === 'segment') return test[2].flatMap((name) => goalTests(filtersOf(name, config), config))
    return test[1] === 'event:goal' ? [test] : []
  })

/** Those that stand where all of them must hold. */
const plainGoalTests = (filters: readonly Filter[], config: SiteConfig): Leaf[] =>
  filters.flatMap((test): Leaf[] => {
    if (test[0] === 'and') return plainGoalTests(test[1], config)
    if (test[0] === 'or') return test[1].length === 1 ? plainGoalTests(test[1], config) : []
    if (test[0] === 'not' || test[0] === 'has_done') return []
    if (test[1] === 'segment') return test[0] === 'is' && test[2].length === 1 ? plainGoalTests(filtersOf(test[2][0]!, config), config) : []
    return test[1] === 'event:goal' ? [test] : []
  })

const holds = ([op, , wanted]: Leaf, found: readonly string[]): boolean => {
  if (op === 'is_not') return !found.some((value) => wanted.includes(value))
  if (op === 'is') return found.some((value) => wanted.includes(value))
  if (op === 'contains') return found.some((value) => wanted.some((part) => value.includes(part)))
  return found.some((value) => wanted.some((pattern) => new RegExp(pattern, 'u').test(value)))
}

/** The scroll goals that conditions name, be it to leave them out. */
const scrollsNamed = (tests: readonly Leaf[], goals: readonly Goal[]): Goal[] =>
  goals.filter(
    ({ name, scroll }) =>
      scroll !== undefined && tests.some(([op, of, wanted]) => holds([op === 'is_not' ? 'is' : op, of, wanted], [name])),
  )

const dimensionOf = (name: string, { visit, fact }: Place): string => {
  if (name.startsWith('event:props:')) {
    const props = fact.hit.p
    const key = name.slice('event:props:'.length)
    return props && Object.hasOwn(props, key) ? String(props[key]) : notSet
  }
  switch (name) {
    case 'event:page':
      return fact.hit.path ?? notSet
    case 'event:name':
      return fact.update ? 'pageview' : fact.hit.n
    case 'event:hostname':
      return fact.hit.host ?? notSet
    case 'visit:source':
      return visit.source
    case 'visit:country':
      return visit.country ?? notSet
    case 'visit:entry_page':
      return entryOf(visit)?.hit.path ?? notSet
    case 'visit:exit_page':
      return exitOf(visit)?.hit.path ?? notSet
    case 'visit:bot':
      return visit.bot ?? notSet
    case 'visit:new':
      return visit.isNew === undefined ? notSet : visit.isNew ? 'new' : 'returning'
    default:
      throw new Error(`no dimension ${name}`)
  }
}

const bucketOf = (name: string, t: number, config: SiteConfig): string => {
  const { day, hour } = siteTime(config.zones, t)
  return name === 'time:day' ? dayText(day) : `${dayText(day)} ${String(hour).padStart(2, '0')}:00:00`
}

/** Whether an instant lies in a range: dates by the site's days, instants with the whole of their last second or millisecond. */
const liesIn = ([from, to]: [string, string], config: SiteConfig): ((t: number) => boolean) => {
  if (from.length === 10) {
    return (t) => {
      const day = dayText(siteTime(config.zones, t).day)
      return from <= day && day <= to
    }
  }
  const last = Date.parse(to) + (to.includes('.') ? 0 : 999)
  return (t) => Date.parse(from) <= t && t <= last
}

/** num/den to so many decimals, halves up; null when there is nothing to divide by. */
const ratio = (num: number, den: number, decimals: number): number | null => {
  if (den === 0) return null
  const scale = 10 ** decimals
  return Math.floor((2 * num * scale + den) / (2 * den)) / scale
}

const money = (facts: Fact[]): unknown => {
  const sums = new Map<string, bigint>()
  for (const { hit } of facts) if (hit.rev) sums.set(hit.rev.c, (sums.get(hit.rev.c) ?? 0n) + BigInt(hit.rev.a))
  const amounts = [...sums]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([currency, sum]) => ({ value: (Number(sum) / 10_000).toFixed(2), currency }))
  return amounts.length === 0 ? null : amounts.length === 1 ? amounts[0] : amounts
}

/** Rows as they can be compared: by their dimensions, and several currencies by name. */
export const byDimensions = (rows: readonly { dimensions: unknown[]; metrics: unknown[] }[]): Map<string, unknown[]> => {
  const known = new Map<string, unknown[]>()
  for (const { dimensions, metrics } of rows) {
    const name = JSON.stringify(dimensions)
    if (known.has(name)) throw new Error(`two rows ${name}`)
    known.set(
      name,
      metrics.map((value) => (Array.isArray(value) ? value.toSorted((a, b) => (a.currency < b.currency ? -1 : 1)) : value)),
    )
  }
  return known
}

export const answer = (facts: Recount, question: Question, config: SiteConfig): ExpectedRow[] => {
  const inRange = liesIn(question.date_range, config)
  const visits = facts.visits.filter((visit) => visit.site === question.site_id && (visit.bot === undefined || question.include?.bots))
  const everything: Place[] = visits.flatMap((visit) => visit.facts.map((fact) => ({ visit, fact })))
  const inside = everything.filter(({ fact }) => inRange(fact.t))

  const goals = config.goals ?? []
  const countsAs = (scrolls: readonly Goal[], { fact }: Place) => !fact.update || scrolls.some((goal) => passesFor(goal, fact.hit))

  /** `free`: what it makes of conditions on goals; undefined = asks them. */
  const passes = (test: Filter, place: Place, free?: boolean): boolean => {
    switch (test[0]) {
      case 'and':
        return test[1].every((each) => passes(each, place, free))
      case 'or':
        return test[1].some((each) => passes(each, place, free))
      case 'not':
        return !passes(test[1], place, free === undefined ? undefined : !free)
      case 'has_done': {
        const scrolls = scrollsNamed(goalTests([test[1]], config), goals)
        return inside.some((other) => countsAs(scrolls, other) && other.fact.vis === place.fact.vis && passes(test[1], other))
      }
    }
    if (test[1] === 'segment') {
      const inverse = test[0] === 'is_not'
      const within = free === undefined ? undefined : free !== inverse
      return test[2].some((name) => filtersOf(name, config).every((each) => passes(each, place, within))) !== inverse
    }
    if (test[1] !== 'event:goal') return holds(test, [dimensionOf(test[1], place)])
    return (
      free ??
      holds(
        test,
        goals.filter((goal) => passesFor(goal, place.fact.hit)).map(({ name }) => name),
      )
    )
  }
  const byGoal = question.dimensions.includes('event:goal')
  const rowGoals = byGoal ? goals.filter(({ name }) => plainGoalTests(question.filters, config).every((test) => holds(test, [name]))) : []
  const named = scrollsNamed(goalTests(question.filters, config), goals)
  const passing = inside.filter((place) => question.filters.every((test) => passes(test, place)))
  const matching: Place[] = byGoal
    ? passing.flatMap((place) => rowGoals.filter((goal) => passesFor(goal, place.fact.hit)).map((row) => ({ ...place, row })))
    : passing
  /** What makes a visitor and a visit count. */
  const active = matching.filter((place) => (place.row ? !place.fact.update || place.row.scroll !== undefined : countsAs(named, place)))
  const counted = active.filter(({ fact }) => !fact.update)
  const scrolls = [...named, ...rowGoals.filter(({ scroll }) => scroll !== undefined)]
  const asked = inside.filter((place) => question.filters.every((test) => passes(test, place, true)) && countsAs(scrolls, place))

  const valuesAt = (place: Place, t: number) =>
    question.dimensions.map((name) =>
      name.startsWith('time:') ? bucketOf(name, t, config) : name === 'event:goal' ? (place.row?.name ?? '') : dimensionOf(name, place),
    )
  const rowOf = (place: Place) => JSON.stringify(valuesAt(place, place.fact.t))
  const startRowOf = (place: Place) => JSON.stringify(valuesAt(place, startOf(place.visit)))
  const starting = active.filter(({ visit }) => inRange(startOf(visit)))
  const times = question.dimensions.filter((name) => name.startsWith('time:'))

  const metric = (name: string, row: string): unknown => {
    const hits = counted.filter((place) => rowOf(place) === row)
    const present = active.filter((place) => rowOf(place) === row)
    const updates = matching.filter((place) => place.fact.update && rowOf(place) === row)
    const started = [...new Set(starting.filter((place) => startRowOf(place) === row).map(({ visit }) => visit))]
    const views = hits.filter(({ fact }) => fact.hit.n === 'pageview')
    const visitors = new Set(present.map(({ fact }) => fact.vis))
    const activeVisits = new Set(present.map(({ visit }) => visit)).size
    const engaged = (visit: Visit) => foregroundOf(visit) >= 10_000 || pageviews(visit).length >= 2 || visit.facts.some(({ met }) => met)
    /** Of those who are asked, the ones with the row's values of some dimensions. */
    const askedWith = (isOf: (name: string) => boolean) => {
      const shared = question.dimensions.map((name, i) => (isOf(name) ? i : -1)).filter((i) => i >= 0)
      const wanted = JSON.parse(row) as string[]
      return new Set(
        asked
          .filter((place) => {
            const found = valuesAt(place, place.fact.t)
            return shared.every((i) => found[i] === wanted[i])
          })
          .map(({ fact }) => fact.vis),
      ).size
    }
    const bounced = (visit: Visit) =>
      config.bounce === 'engaged' ? !engaged(visit) : pageviews(visit).length === 1 && events(visit).length === 1
    switch (name) {
      case 'visitors':
        return visitors.size
      case 'visits':
        return activeVisits
      case 'conversion_rate':
        return ratio(
          100 * visitors.size,
          askedWith((name) => times.includes(name)),
          2,
        )
      case 'group_conversion_rate':
        return ratio(
          100 * visitors.size,
          askedWith((name) => name !== 'event:goal'),
          2,
        )
      case 'pageviews':
        return views.length
      case 'events':
        return hits.length
      case 'views_per_visit':
        return ratio(views.length, activeVisits, 2)
      case 'bounce_rate':
        return ratio(100 * started.filter(bounced).length, started.length, 0)
      case 'engaged_visits':
        return started.filter(engaged).length
      case 'engagement_rate':
        return ratio(100 * started.filter(engaged).length, started.length, 2)
      case 'visit_duration': {
        const ms = started.filter((visit) => !bounced(visit)).reduce((sum, visit) => sum + lastOf(visit) - startOf(visit), 0)
        return ratio(ms, started.length * 1_000, 0)
      }
      case 'new_visitors': {
        if (config.identity === 'cookieless') return null
        const touched = (day: number) => {
          const text = dayText(day)
          const [from, to] = question.date_range.map((end) =>
            end.length === 10 ? end : dayText(siteTime(config.zones, Date.parse(end)).day),
          ) as [string, string]
          const buckets = question.dimensions.flatMap((dimension, i) =>
            times.includes(dimension) ? [(JSON.parse(row) as string[])[i]!.slice(0, 10)] : [],
          )
          return from <= text && text <= to && buckets.every((bucket) => bucket === text)
        }
        const isNew = (vis: string) =>
          visits.some((visit) => visit.isNew && visit.facts.some((fact) => !fact.update && fact.vis === vis) && touched(startDayOf(visit)))
        return [...visitors].filter(isNew).length
      }
      case 'time_on_page': {
        const pairs = new Set(hits.filter(({ fact }) => fact.hit.path !== undefined).map(({ fact }) => `${fact.vis} ${fact.hit.path}`))
        return ratio(
          updates.reduce((sum, { fact }) => sum + (fact.hit.fg ?? 0), 0),
          pairs.size * 1_000,
          0,
        )
      }
      case 'scroll_depth': {
        const depths = new Map<Visit, Map<string | undefined, number>>()
        for (const { visit, fact } of updates) {
          if (fact.hit.sd === undefined) continue
          const pages = depths.get(visit) ?? new Map<string | undefined, number>()
          depths.set(visit, pages.set(fact.hit.path, Math.max(fact.hit.sd, pages.get(fact.hit.path) ?? 0)))
        }
        const all = [...depths.values()].flatMap((pages) => [...pages.values()])
        return ratio(
          all.reduce((a, b) => a + b, 0),
          all.length,
          0,
        )
      }
      case 'exit_rate':
        return ratio(100 * views.filter(({ visit, fact }) => exitOf(visit) === fact).length, views.length, 2)
      case 'total_revenue':
        return money(hits.map(({ fact }) => fact))
      default:
        throw new Error(`no metric ${name}`)
    }
  }
  // A bucket in which visits start whose hits are in later ones is a row only for metrics that count starts.
  const startRows = question.metrics.some((name) => startMetrics.includes(name)) ? starting.map(startRowOf) : []
  const rows = question.dimensions.length === 0 ? ['[]'] : [...new Set([...active.map(rowOf), ...startRows])]
  return rows.map((row) => ({ dimensions: JSON.parse(row), metrics: question.metrics.map((name) => metric(name, row)) }))
}
