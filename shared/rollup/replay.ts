import type { ReplayOrder, ReplayRule } from '../ports/replays.ts'
import { inOrder } from '../segment/merge.ts'
import type { SegmentRow } from '../segment/row.ts'
import type { SiteConfig } from '../site/config.ts'
import type { EventHit, Session } from '../visit/event.ts'
import { siteFlag, siteFlags } from '../visit/flag.ts'
import { meetsGoal } from '../visit/goal.ts'
import { isEndless } from '../visit/session.ts'
import { underTimeout } from './recut.ts'
import { byTime, isOfOneDay, isUpdate, isWhole, refolded, startDayOf, type Visit, withSource } from './remade-visit.ts'

/**
 * Rows of a closed day under changed rules (data.md §14): a pure function of the rows as they came. A version is made by the rules of all
 * orders that it stands on, one after the other. They look at whole visits, so what a visit has on other days is given beside the rows.
 */

/** All rules, in the order in which they are named. */
export const replayRuleNames = ['channels', 'exclusions', 'goals', 'session_timeout'] as const satisfies readonly ReplayRule[]

/** The rules of an order that names none: cutting visits anew changes how many there are, which is not done unasked. */
export const defaultRules: readonly ReplayRule[] = replayRuleNames.filter((name) => name !== 'session_timeout')

/** What one order does to rows. `ver` names the visits that it makes. */
export type RuleStep = { ver: number; rules: readonly ReplayRule[]; config: SiteConfig }

/** Hits of a visit on other days than that of its row. */
export type OtherHits = (id: string) => readonly EventHit[]

/** The orders that a version of a day stands on, itself the last: those of the site that readers were switched to before it. */
export const ordersBelow = (orders: readonly ReplayOrder[], { ver, day }: { ver: number; day: number }): ReplayOrder[] =>
  orders
    .filter((order) => order.from <= day && day <= order.to && order.ver <= ver && (order.ver === ver || order.wanted === 'switched'))
    .sort((a, b) => a.ver - b.ver)

/** Whether rules look at hits of a visit's other days too. */
export const looksAtOtherDays = (steps: readonly RuleStep[]): boolean =>
  steps.some(({ rules }) => rules.includes('exclusions') || rules.includes('goals'))

const hitsOn = (day: number, { h }: SegmentRow): EventHit[] => h.map((hit) => ({ ...hit, id: '', day }))
export const eventHits = hitsOn

/** The rows of some visitors, all of each, in the order of a segment; under the rules, in the same order. */
export const replayRows = (rows: readonly SegmentRow[], day: number, others: OtherHits, steps: readonly RuleStep[]): SegmentRow[] => {
  const made: SegmentRow[] = []
  for (const of of visitorsOf(rows)) {
    let visits = of.map((row): Visit => ({ off: row.off, s: row.s, h: byTime([...hitsOn(day, row), ...others(row.s.id)]) }))
    for (const step of steps) visits = underRules(visits, step)
    made.push(...visits.flatMap((visit) => rowOn(day, of[0]!.vis, visit)).sort(inOrder))
  }
  return made
}

function* visitorsOf(rows: readonly SegmentRow[]): Generator<SegmentRow[], void, void> {
  let visitor: SegmentRow[] = []
  for (const row of rows) {
    if (visitor.length > 0 && visitor[0]!.vis !== row.vis) {
      yield visitor
      visitor = []
    }
    visitor.push(row)
  }
  if (visitor.length > 0) yield visitor
}

/** The row of a visit on a day; none where it has no hit there any more. */
const rowOn = (day: number, vis: string, { off, s, h }: Visit): SegmentRow[] => {
  const hits = h.filter((hit) => hit.day === day)
  if (hits.length === 0) return []
  return [{ off, vis, cont: startDayOf(s) === day ? 0 : 1, s, h: hits.map(({ id: _id, day: _day, ...hit }) => hit) }]
}

/**
 * Exclusions come first, since they say which hits are people's, and those are cut by the timeout. Then channels, which name the source of
 * what began, and goals last: they look at the hits that a visit has in the end.
 */
const underRules = (visits: readonly Visit[], { ver, rules, config }: RuleStep): Visit[] => {
  let list = [...visits]
  if (rules.includes('exclusions')) list = underExclusions(list, ver, config)
  if (rules.includes('session_timeout')) list = underTimeout(list, ver, config)
  if (rules.includes('channels')) list = list.map((visit) => ({ ...visit, s: withSource(visit.s, config) }))
  if (rules.includes('goals')) list = list.map((visit) => ({ ...visit, s: withGoal(visit, config) }))
  return list
}

/** Where hits of the visit are gone, one of them may have met a goal: then what was known stays. */
const withGoal = (visit: Visit, config: SiteConfig): Session => {
  const { goal: _goal, ...rest } = visit.s
  if (visit.h.some((hit) => meetsGoal(config, hit))) return { ...rest, goal: 1 }
  return isWhole(visit) ? rest : visit.s
}

/**
 * Flags by the site's rules on what is stored. Flagged hits have visits of their own, as in enrich: a visit of which some hits change
 * sides is cut, and what has changed sides joins a visit that it lies within the timeout of, if there is one of the same day.
 */
const underExclusions = (visits: readonly Visit[], ver: number, config: SiteConfig): Visit[] => {
  const cut = visits.flatMap((visit) =>
    visit.s.bot === undefined || siteFlags.has(visit.s.bot) ? cutByFlags({ off: visit.off, s: visit.s, h: visit.h }, ver, config) : [visit],
  )
  return joined(cut, config)
}

const withBot = (s: Session, bot: string | undefined): Session => {
  const { bot: _bot, ...rest } = s
  return bot === undefined ? rest : { ...rest, bot }
}

const cutByFlags = (visit: Visit, ver: number, config: SiteConfig): Visit[] => {
  const { off, s, h } = visit
  const flagged: EventHit[] = []
  const people: EventHit[] = []
  let flag: string | undefined
  for (const hit of h) {
    const found = siteFlag(hit, s.country, config)
    if (found === undefined) people.push(hit)
    else flagged.push(hit)
    if (!isUpdate(hit)) flag ??= found
  }
  const hasPeople = people.some((hit) => !isUpdate(hit))
  // Updates alone are no visit: they stay where the pages are.
  if (flag === undefined && !hasPeople) return [visit]
  if (flag === undefined && s.bot === undefined) return [visit]
  if (flag === undefined) return isEndless(s) ? [{ off, s: withBot(s, 'endless'), h }] : [{ off, s: withBot(s, undefined), h, moved: true }]
  if (!hasPeople) return [s.bot === undefined ? { off, s: withBot(s, flag), h, moved: true } : { off, s: withBot(s, flag), h }]
  if (!isWhole(visit)) return [visit]
  const id = `${s.id}!${ver}`
  const staying = s.bot === undefined ? people : flagged
  const moving = s.bot === undefined ? flagged : people
  const [stayingBot, movingBot] = s.bot === undefined ? [undefined, flag] : [flag, undefined]
  return [
    { off, s: refolded(withBot(s, stayingBot), staying, config), h: staying },
    { off, s: refolded(withBot({ ...s, id }, movingBot), moving, config), h: moving, moved: true },
  ]
}

const isNear = (a: Session, b: Session, timeoutMs: number): boolean => a.start <= b.last + timeoutMs && b.start <= a.last + timeoutMs

const joined = (visits: readonly Visit[], config: SiteConfig): Visit[] => {
  const standing = visits.filter(({ moved }) => !moved)
  const moved = visits.filter((visit) => visit.moved).sort((a, b) => a.s.start - b.s.start || (a.s.id < b.s.id ? -1 : 1))
  for (const visit of moved) {
    const at = isOfOneDay(visit) && isWhole(visit) ? standing.findIndex((other) => takes(other, visit, config)) : -1
    if (at < 0) {
      standing.push({ off: visit.off, s: visit.s, h: visit.h })
      continue
    }
    const { off, s, h } = standing[at]!
    const hits = byTime([...h, ...visit.h])
    const goal = s.goal ?? visit.s.goal
    standing[at] = { off: Math.max(off, visit.off), s: refolded({ ...s, goal }, hits, config), h: hits }
  }
  return standing
}

const takes = (other: Visit, visit: Visit, { sessionTimeoutMs }: SiteConfig): boolean =>
  isOfOneDay(other) &&
  startDayOf(other.s) === startDayOf(visit.s) &&
  isWhole(other) &&
  (other.s.bot === undefined) === (visit.s.bot === undefined) &&
  isNear(other.s, visit.s, sessionTimeoutMs)
