import { isOwnHost, type SiteConfig } from '../site/config.ts'
import { channelOf } from '../visit/channel.ts'
import type { EventHit, Session } from '../visit/event.ts'
import { engage, extend } from '../visit/session.ts'
import { sourceOf } from '../visit/source.ts'

/** A visit while rules make it anew: summed up by what enrich sums up with. */

/** A visit with its hits of all days, in time order. `moved`: it changed between people and flagged ones. */
export type Visit = { off: number; s: Session; h: EventHit[]; moved?: true }

export const byTime = (hits: EventHit[]): EventHit[] => hits.sort((a, b) => a.t - b.t)

export const isUpdate = ({ n }: EventHit): boolean => n === 'engagement'

/** All hits of a visit are at hand: those of a day that is kept no longer are not. */
export const isWhole = ({ s, h }: Visit): boolean => h.filter((hit) => !isUpdate(hit)).length === s.ev

export const startDayOf = ({ days }: Session): number => days[0]![0]
/** Over midnight the other day would not see what has joined, or was cut. */
export const isOfOneDay = ({ s }: Visit): boolean => s.days.length === 1

const hashOn = ({ days }: Session, day: number): string => days.find(([one]) => one === day)![1]

/** The visit that begins with this hit, which it has not taken yet; with what else is known of `s`. */
export const begun = (s: Session, { t, day }: EventHit): Session => {
  const { entry: _1, entryHost: _2, entryT: _3, exit: _4, exitHost: _5, exitT: _6, ...rest } = s
  return { ...rest, start: t, last: t, pv: 0, ev: 0, fg: 0, days: [[day, hashOn(s, day)]] }
}

/** The visit after a hit that was in the visit `of`. */
export const withHit = (visit: Session, hit: EventHit, of: Session, { sessionTimeoutMs }: SiteConfig): Session => {
  const vis = hashOn(of, hit.day)
  return isUpdate(hit) ? engage(visit, hit, hit.day, vis, sessionTimeoutMs) : extend(visit, hit, hit.day, vis, of.user)
}

/** A visit of these hits, with what else is known of `s`. */
export const refolded = (s: Session, hits: readonly EventHit[], config: SiteConfig): Session =>
  hits.reduce((visit, hit) => withHit(visit, hit, s, config), begun(s, hits.find((hit) => !isUpdate(hit))!))

/** Source, medium and channel as they are named now, from what is kept of campaign, click network and outside referrer. */
export const withSource = (s: Session, config: SiteConfig): Session => {
  const { us, um, uc, un, ut, clk } = s
  const q = { us, um, uc, un, ut, clk }
  const { med: _med, ref: _ref, ...rest } = s
  const found = sourceOf({ q, r: s.ref, isOwnHost: (host) => isOwnHost(config, host) })
  return { ...rest, ...found, chan: channelOf({ ...found, q }) }
}
