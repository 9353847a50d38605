import type { HitsRecord, RecordHit } from '../hit/record.ts'
import { isOwnHost, type SiteConfig } from '../site/config.ts'
import { calendarOf, type Day } from '../site/zone.ts'
import { channelOf } from './channel.ts'
import type { Session } from './event.ts'
import { sourceOf } from './source.ts'

/**
 * The session as one pure step (data.md §10): a visitor's latest session and a hit give the session after it.
 * Nothing here changes what it is given.
 */

/** Longer visits are no person's (as Snowplow has it): they are flagged whole. */
export const visitLimits = { ms: 24 * 3_600_000, hits: 10_000 } as const

/** A visit is held in state this much longer than its timeout, in log time, so that disorder finds it. */
export const graceMs = 15 * 60_000

/** What a record says once about all its hits. */
type Opening = Pick<HitsRecord, 'fs' | 'user' | 'geo' | 'dev' | 'lang' | 'scr'> & { flag: string | undefined }

/** Where a hit stands to the visitor's latest session. */
export type Standing = 'inside' | 'after' | 'before'

const isCampaignCut = (s: Session, { q, n }: RecordHit): boolean =>
  n === 'pageview' && q !== undefined && (q.us !== s.us || q.um !== s.um || q.uc !== s.uc || q.clk !== s.clk)

/**
 * Same session iff `start − timeout ≤ t ≤ last + timeout`, unless the site cuts at midnight or at a campaign. What is cut off
 * behind the session's last hit opens a new one (`after`); what lies before it is a closed visit beside it (`before`).
 */
export const standingOf = (s: Session, hit: RecordHit, day: Day, config: SiteConfig): Standing => {
  if (hit.t > s.last + config.sessionTimeoutMs) return 'after'
  if (hit.t < s.start - config.sessionTimeoutMs) return 'before'
  const cut = (config.cutAtMidnight && day !== s.days[0]![0]) || (config.cutAtCampaign && isCampaignCut(s, hit))
  if (!cut) return 'inside'
  return hit.t > s.last ? 'after' : 'before'
}

/** The days of a session after a hit on `day`: the start day first, the others in the order they came. */
const daysWith = (days: Session['days'], day: Day, vis: string, isStart: boolean): Session['days'] => {
  if (days.some(([d]) => d === day)) return isStart && days[0]![0] !== day ? [[day, vis], ...days.filter(([d]) => d !== day)] : days
  return isStart ? [[day, vis], ...days] : [...days, [day, vis]]
}

// What follows changes only a copy that its caller has just made: a session has 30 fields, and each spread of it costs as much as
// all the arithmetic.

/** Entry and exit follow the earliest and the latest pageview. */
const putPage = (copy: Session, { t, n, path, host }: RecordHit): void => {
  if (n !== 'pageview') return
  if (copy.entryT === undefined || t < copy.entryT) {
    copy.entry = path
    copy.entryHost = host
    copy.entryT = t
  }
  if (copy.exitT === undefined || t >= copy.exitT) {
    copy.exit = path
    copy.exitHost = host
    copy.exitT = t
  }
}

const putVerdict = (copy: Session): void => {
  if (!copy.bot && isEndless(copy)) copy.bot = 'endless'
}

/** No person's visit is so long. */
export const isEndless = ({ start, last, ev }: Session): boolean => last - start > visitLimits.ms || ev > visitLimits.hits

/** A session after a further hit of it (no engagement update). */
export const extend = (s: Session, hit: RecordHit, day: Day, vis: string, user: string | undefined): Session => {
  const copy = { ...s }
  copy.days = daysWith(s.days, day, vis, hit.t < s.start)
  copy.start = Math.min(s.start, hit.t)
  copy.last = Math.max(s.last, hit.t)
  if (hit.n === 'pageview') copy.pv++
  copy.ev++
  if (user !== undefined) copy.user = user
  putPage(copy, hit)
  putVerdict(copy)
  return copy
}

/** A new session, opened by a hit. `id` is unique by construction. */
export const open = (id: string, hit: RecordHit, day: Day, vis: string, opening: Opening, config: SiteConfig): Session => {
  const { q, r, t } = hit
  const { src, med, ref } = sourceOf({ q, r, isOwnHost: (host) => isOwnHost(config, host) })
  const { fs, user, geo, dev, lang, scr, flag } = opening
  const text = (value: string | undefined) => value || undefined
  const session: Session = {
    id,
    start: t,
    last: t,
    pv: hit.n === 'pageview' ? 1 : 0,
    ev: 1,
    fg: 0,
    days: [[day, vis]],
    src,
    med,
    chan: channelOf({ src, med, q, ref }),
    ref,
    us: q?.us,
    um: q?.um,
    uc: q?.uc,
    un: q?.un,
    ut: q?.ut,
    clk: q?.clk,
    country: geo?.c,
    region: geo?.r,
    city: geo?.ci,
    br: text(dev.br),
    brv: text(dev.brv),
    os: text(dev.os),
    osv: text(dev.osv),
    dev: dev.type,
    lang,
    scr,
    // The cookie's first day is the client's calendar, which may be ahead of the site's.
    new: fs === undefined ? undefined : fs >= day ? 1 : 0,
    bot: flag,
    user,
  }
  putPage(session, hit)
  return session
}

/** A session after an engagement update: foreground time adds up; inside the timeout the last activity moves on. */
export const engage = (s: Session, hit: RecordHit, day: Day, vis: string, timeoutMs: number): Session => {
  const copy = { ...s }
  copy.fg += hit.fg ?? 0
  if (hit.t >= s.start - timeoutMs && hit.t <= s.last + timeoutMs) copy.last = Math.max(s.last, hit.t)
  copy.days = daysWith(s.days, day, vis, false)
  putVerdict(copy)
  return copy
}

/** The site-local day of an instant. */
export const dayOf = (config: SiteConfig, t: number): Day => calendarOf(config.zones).dayAt(t).day
