import type { SiteConfig } from '#shared/site/config.ts'
import { meets } from './goals.ts'
import { becomesEndless, type Fact, lastOf, sourceOf, startOf, type Visit } from './recount.ts'

/** What visits are under another session timeout, by the words of docs/replay.md. */

const daysOf = ({ facts }: Visit): number[] => [...new Set(facts.map(({ day }) => day))]
const marksOf = ({ opened: { q } }: Visit): string => JSON.stringify([q?.us, q?.um, q?.uc, q?.clk].map((mark) => mark ?? null))

/** In the order of time; of the same instant as they are given. */
const inTime = <T>(list: readonly T[], timeOf: (one: T) => number): T[] =>
  list
    .map((one, i) => ({ one, i }))
    .sort((a, b) => timeOf(a.one) - timeOf(b.one) || a.i - b.i)
    .map(({ one }) => one)

/** That a visit met a goal is known; by which hit, only as far as it meets one of today's. */
const withKnownGoals = (visit: Visit, { goals = [] }: SiteConfig): Visit => {
  if (!visit.facts.some(({ met }) => met)) return visit
  const isMet = ({ hit }: Fact) => goals.some((goal) => meets(goal, hit))
  const found = visit.facts.some(isMet)
  return { ...visit, facts: visit.facts.map((fact) => ({ ...fact, met: found ? isMet(fact) : true })) }
}

/** The visits of one visitor and day: a line of hits, cut wherever one comes too long after what there was. */
const recut = (visits: readonly Visit[], config: SiteConfig): Visit[] => {
  const timeout = config.sessionTimeoutMs
  const line = inTime(
    inTime(visits, startOf).flatMap((visit) => {
      const known = withKnownGoals(visit, config)
      const facts = inTime(known.facts, ({ t }) => t)
      return facts.map((fact) => ({ fact, visit, isFirst: fact === facts.find(({ update }) => !update) }))
    }),
    ({ fact }) => fact.t,
  )
  const opener = line.findIndex(({ fact }) => !fact.update)
  // Updates before all hits are the first visit's.
  const ordered = [line[opener]!, ...line.slice(0, opener), ...line.slice(opener + 1)]
  const made: Visit[] = []
  let current: Visit | undefined
  for (const { fact, visit, isFirst } of ordered) {
    const { t, hit, update } = fact
    const isNear = current !== undefined && t <= lastOf(current) + timeout
    const isOther =
      current !== undefined &&
      config.cutAtCampaign &&
      isFirst &&
      hit.n === 'pageview' &&
      visit.opened.q !== undefined &&
      marksOf(visit) !== marksOf(current)
    if (current && (update || (isNear && !isOther))) {
      current.facts.push({ ...fact, extends: update && isNear && t >= startOf(current) - timeout })
      continue
    }
    const opened = isFirst ? visit.opened : { ...hit, q: undefined }
    const source = isFirst ? visit.source : sourceOf(opened, config)
    const begun = { ...visit, opened, source, facts: [fact] }
    made.push(begun)
    // Of the same instant as what it is cut from, it lies beside it.
    if (!current || t > lastOf(current)) current = begun
  }
  return made.map((visit) => (becomesEndless(visit) ? { ...visit, bot: 'endless' } : visit))
}

/** Visits of one site. */
export const underTimeout = (visits: readonly Visit[], config: SiteConfig): Visit[] => {
  const isCut = (visit: Visit) => visit.bot === undefined && daysOf(visit).length === 1
  const groups = Map.groupBy(visits.filter(isCut), ({ facts, partition }) => `${partition} ${facts[0]!.vis} ${facts[0]!.day}`)
  return [...visits.filter((visit) => !isCut(visit)), ...[...groups.values()].flatMap((group) => recut(group, config))]
}
