import type { SiteConfig } from '#shared/site/config.ts'
import { becomesEndless, covers, events, type Fact, isOwn, lastOf, startOf, type Visit } from './recount.ts'

/** What visits are under a site's exclusions of a later time, by the words of docs/replay.md. */

const byRule = ['host', 'path', 'country']

const flagOf = ({ hit }: Fact, { country }: Visit, config: SiteConfig): string | undefined => {
  if (hit.host !== undefined && !isOwn(config, hit.host)) return 'host'
  if (hit.path !== undefined && config.exclude.paths.some((rule) => covers(rule, hit.path!))) return 'path'
  return country !== undefined && config.exclude.countries.includes(country) ? 'country' : undefined
}

const inTime = (facts: readonly Fact[]): Fact[] =>
  facts
    .map((fact, i) => ({ fact, i }))
    .sort((a, b) => a.fact.t - b.fact.t || a.i - b.i)
    .map(({ fact }) => fact)

/** The visit with these hits: which updates prolong it is seen in the order of time. */
const summed = (visit: Visit, facts: readonly Fact[], timeout: number): Visit => {
  const list = inTime(facts)
  const first = list.find(({ update }) => !update)!.t
  let [start, last] = [first, first]
  const seen = list.map((fact) => {
    const prolongs = fact.update && fact.t >= start - timeout && fact.t <= last + timeout
    if (!fact.update || prolongs) last = Math.max(last, fact.t)
    if (!fact.update) start = Math.min(start, fact.t)
    return fact.update ? { ...fact, extends: prolongs } : fact
  })
  const made = { ...visit, facts: seen }
  return made.bot === undefined && becomesEndless(made) ? { ...made, bot: 'endless' } : made
}

type Part = { visit: Visit; moved: boolean }

const cut = (visit: Visit, config: SiteConfig): Part[] => {
  if (visit.bot !== undefined && !byRule.includes(visit.bot)) return [{ visit, moved: false }]
  const facts = inTime(visit.facts)
  const flagged = facts.filter((fact) => flagOf(fact, visit, config) !== undefined)
  const people = facts.filter((fact) => flagOf(fact, visit, config) === undefined)
  const hasEvent = (list: Fact[]) => list.some(({ update }) => !update)
  const flag = flagged.filter(({ update }) => !update).map((fact) => flagOf(fact, visit, config))[0]
  const wasPeople = visit.bot === undefined
  if (!hasEvent(flagged)) {
    if (wasPeople) return [{ visit, moved: false }]
    return becomesEndless(visit)
      ? [{ visit: { ...visit, bot: 'endless' }, moved: false }]
      : [{ visit: { ...visit, bot: undefined }, moved: true }]
  }
  if (!hasEvent(people)) return [{ visit: { ...visit, bot: flag }, moved: wasPeople }]
  const timeout = config.sessionTimeoutMs
  // Which of its hits met a goal then is not known any more: both parts are of a visit that did.
  const engaged = (list: Fact[]) => (facts.some(({ met }) => met) ? list.map((fact) => ({ ...fact, met: true })) : list)
  return [
    { visit: summed({ ...visit, bot: undefined }, engaged(people), timeout), moved: !wasPeople },
    { visit: summed({ ...visit, bot: flag }, engaged(flagged), timeout), moved: wasPeople },
  ]
}

const daysOf = ({ facts }: Visit): number[] => [...new Set(facts.map(({ day }) => day))]

const takes = (one: Visit, other: Visit, timeout: number): boolean =>
  daysOf(one).length === 1 &&
  daysOf(other).length === 1 &&
  one.partition === other.partition &&
  one.facts[0]!.vis === other.facts[0]!.vis &&
  daysOf(one)[0] === daysOf(other)[0] &&
  (one.bot === undefined) === (other.bot === undefined) &&
  startOf(one) <= lastOf(other) + timeout &&
  startOf(other) <= lastOf(one) + timeout

/** Visits of one site. */
export const underExclusions = (visits: readonly Visit[], config: SiteConfig): Visit[] => {
  const timeout = config.sessionTimeoutMs
  const ordered = [...visits].sort((a, b) => startOf(a) - startOf(b))
  const parts = ordered.flatMap((visit) => cut(visit, config))
  const standing = parts.filter(({ moved }) => !moved).map(({ visit }) => visit)
  for (const { visit } of parts.filter(({ moved }) => moved).sort((a, b) => startOf(a.visit) - startOf(b.visit))) {
    const at = standing.findIndex((other) => takes(other, visit, timeout))
    if (at < 0) standing.push(visit)
    else standing[at] = summed(standing[at]!, [...standing[at]!.facts, ...visit.facts], timeout)
  }
  return standing.filter((visit) => events(visit).length > 0)
}
