import type { DeadReason } from '../hit/read-record.ts'
import type { HitsRecord, RecordHit, RefusalsRecord } from '../hit/record.ts'
import { type SiteConfig, sessionTimeoutLimits } from '../site/config.ts'
import type { Day } from '../site/zone.ts'
import type { EventHit, EventRecord, LedgerSums, Session, Touch } from './event.ts'
import { flagOf } from './flag.ts'
import { meetsGoal } from './goal.ts'
import { dayOf, engage, extend, graceMs, open, standingOf } from './session.ts'
import { nameOf, type VisitState } from './state.ts'

/**
 * enrich's pure step: one `hits` record and the state before it give its one event. It reads the state and changes nothing;
 * `applyEvent` does, with the event. Expiry is decided here, where a session or an id is read, from the record's log time.
 */

/**
 * Ids are known this long at the most, in log time, and this long where nobody says less: a retry within it counts once. So far back the
 * log of events is kept, and the state folded anew, whatever is said.
 */
export const retryHorizonMs = 24 * 3_600_000

const hourMs = 3_600_000

/** Where a record stands and where its event is meant to. `lt` is the running maximum of append times. */
export type Position = { partition: number; src: number; at: number; time: number; lt: number }

/** Why each hit of a record is flagged, in the record's order. */
export type Flags = readonly (string | undefined)[]
export const flagsOf = (record: HitsRecord, config: SiteConfig): Flags => record.ev.map((hit) => flagOf(record, hit, config))

/** State keys that a record's hits can need: the visitor's visits, his flagged ones, and both under yesterday's hash. */
export const keysOf = ({ vis, vprev }: HitsRecord, flags: Flags): string[] => {
  const keys: string[] = []
  for (const hash of vprev === undefined ? [vis] : [vis, vprev]) {
    if (flags.includes(undefined)) keys.push(hash)
    if (flags.some((flag) => flag !== undefined)) keys.push(flaggedKey(hash))
  }
  return keys
}
const flaggedKey = (vis: string): string => `${vis}!`

const emptySums = (time: number): LedgerSums => ({
  hour: Math.floor(time / hourMs) * hourMs,
  received: 0,
  counted: 0,
  repeated: 0,
  dead: 0,
  lost: 0,
})

/** The event of refusals: only the ledger. */
export const refusalsEvent = ({ site, led, hour }: RefusalsRecord, { src, at, lt }: Position): EventRecord => {
  const received = Object.values(led).reduce((sum, n) => sum + n, 0)
  return { v: 1, src, at, lt, site, n: { ...emptySums(hour), received, refused: led }, x: [] }
}

/** The event of a record that cannot be used; what cannot be read cannot say whose it is and of how many hits: it counts as one. */
export const deadEvent = (reason: DeadReason, { src, at, lt, time }: Position, { site, hits } = { site: '', hits: 1 }): EventRecord => ({
  v: 1,
  src,
  at,
  lt,
  site,
  n: { ...emptySums(time), received: hits, dead: hits },
  x: [],
  dead: reason,
})

/** The event that closes a hole in the log: `lost` records up to and with `src` were gone before they could be read. */
export const lostEvent = (lost: number, { src, at, lt, time }: Position): EventRecord => ({
  v: 1,
  src,
  at,
  lt,
  site: '',
  n: { ...emptySums(time), lost },
  x: [],
  dead: 'lost',
})

/** `moving`: the session was found under yesterday's key, which it leaves with the first hit that continues it. */
type Lane = { key: string; from: string | undefined; moving: boolean; current: Session | undefined }

/** What one record has made so far. */
type Progress = {
  record: HitsRecord
  position: Position
  config: SiteConfig
  state: VisitState
  sums: LedgerSums
  ids: string[]
  touches: Touch[]
  lanes: Map<string, Lane>
  taken: Set<string>
  line: number
  horizonMs: number
}

/**
 * How long a visit is held, in log time. An import's log time is when its lines were read, hours apart where a log is imported as it
 * grows: its visits are held as long as any site's may be (and no sweep takes them before), and the times of the lines decide.
 */
const holdMsOf = ({ record, config }: Progress): number => (record.imp ? sessionTimeoutLimits.maxMs : config.sessionTimeoutMs) + graceMs

const heldSession = (progress: Progress, key: string): Session | undefined => {
  const { state, record, position } = progress
  const held = state.sessions.get(nameOf(record.site, key))
  return held && position.lt - held.lt <= holdMsOf(progress) ? held.s : undefined
}

/** The visitor's latest session among the flagged or the others; one found under yesterday's hash moves to today's. */
const laneOf = (progress: Progress, isFlagged: boolean): Lane => {
  const { vis, vprev } = progress.record
  const keyFor = (hash: string) => (isFlagged ? flaggedKey(hash) : hash)
  const key = keyFor(vis)
  const known = progress.lanes.get(key)
  if (known) return known
  const own = heldSession(progress, key)
  const before = own || vprev === undefined ? undefined : heldSession(progress, keyFor(vprev))
  const lane: Lane = { key, from: before && keyFor(vprev!), moving: before !== undefined, current: own ?? before }
  progress.lanes.set(key, lane)
  return lane
}

/** An imported hit is known by its line alone: its id is kept nowhere, and another hit's must not hide it. */
const isRepeat = ({ state, record, position, taken, line, horizonMs }: Progress, { id, l }: RecordHit): boolean => {
  if (taken.has(id)) return true
  if (record.imp && l !== undefined) return l <= line
  const first = state.ids.get(nameOf(record.site, id))
  return first !== undefined && position.lt - first <= horizonMs
}

const storedHit = ({ id, t, n, path, host, ti, r, p, rev, fg, sd }: RecordHit, day: Day): EventHit => ({
  id,
  t,
  day,
  n,
  path,
  host,
  ti,
  ref: r,
  p,
  rev,
  fg,
  sd,
})

const countHit = ({ sums }: Progress, flag: string | undefined): void => {
  if (flag === undefined) {
    sums.counted++
    return
  }
  sums.flagged ??= Object.create(null) as Record<string, number>
  sums.flagged[flag] = (sums.flagged[flag] ?? 0) + 1
}

/** Puts a session and its new hit into the event: one entry per session. The session is a copy that the hit has just made. */
const touch = (progress: Progress, lane: Lane, s: Session, hit: EventHit, mark: { side?: 1; opened?: 1 } = {}): void => {
  if (s.goal === undefined && meetsGoal(progress.config, hit)) s.goal = 1
  const existing = progress.touches.find((t) => t.s.id === s.id)
  if (existing) {
    existing.s = s
    existing.h.push(hit)
  } else {
    const moves = lane.moving && !mark.opened
    progress.touches.push({ key: lane.key, from: moves ? lane.from : undefined, ...mark, s, h: [hit] })
  }
  if (mark.side) return
  lane.current = s
  lane.moving = false
}

const newSessionId = ({ position: { partition, src }, touches }: Progress): string =>
  `${partition.toString(36)}-${src.toString(36)}-${touches.length.toString(36)}`

const takeEngagement = (progress: Progress, hit: RecordHit, flag: string | undefined): void => {
  const { record, config } = progress
  const lane = laneOf(progress, flag !== undefined)
  if (!lane.current) {
    progress.ids.push(hit.id)
    return countHit(progress, flag)
  }
  const day = dayOf(config, hit.t)
  const s = engage(lane.current, hit, day, record.vis, config.sessionTimeoutMs)
  touch(progress, lane, s, storedHit(hit, day))
  countHit(progress, flag ?? s.bot)
}

const takeHit = (progress: Progress, hit: RecordHit, flag: string | undefined): void => {
  const { record, config } = progress
  const lane = laneOf(progress, flag !== undefined)
  const day = dayOf(config, hit.t)
  const standing = lane.current ? standingOf(lane.current, hit, day, config) : 'after'
  const stored = storedHit(hit, day)
  if (standing === 'inside') {
    const s = extend(lane.current!, hit, day, record.vis, record.user)
    touch(progress, lane, s, stored)
    return countHit(progress, flag ?? s.bot)
  }
  const opening = { fs: record.fs, user: record.user, geo: record.geo, dev: record.dev, lang: record.lang, scr: record.scr, flag }
  const s = open(newSessionId(progress), hit, day, record.vis, opening, config)
  touch(progress, lane, s, stored, standing === 'before' ? { side: 1, opened: 1 } : { opened: 1 })
  countHit(progress, flag)
}

/** The event of a record of hits: repeats dropped by id, each hit given to its session, all of it summed for the ledger. */
export const hitsEvent = (
  record: HitsRecord,
  flags: Flags,
  position: Position,
  config: SiteConfig,
  state: VisitState,
  horizonMs: number = retryHorizonMs,
): EventRecord => {
  const source = record.imp?.src
  const progress: Progress = {
    record,
    position,
    config,
    state,
    sums: emptySums(position.time),
    ids: [],
    touches: [],
    lanes: new Map(),
    taken: new Set(),
    line: source === undefined ? 0 : (state.lines.get(nameOf(record.site, source)) ?? 0),
    horizonMs,
  }
  const hits = record.ev.map((hit, i) => ({ hit, flag: flags[i] }))
  if (hits.length > 1) hits.sort((a, b) => a.hit.t - b.hit.t)
  for (const { hit, flag } of hits) {
    progress.sums.received++
    if (isRepeat(progress, hit)) {
      progress.sums.repeated++
      continue
    }
    progress.taken.add(hit.id)
    if (hit.n === 'engagement') takeEngagement(progress, hit, flag)
    else takeHit(progress, hit, flag)
  }
  const { src, at, lt } = position
  const event: EventRecord = { v: 1, src, at, lt, site: record.site, cfg: record.cfg, sh: record.sh, n: progress.sums, x: progress.touches }
  if (progress.ids.length > 0) event.ids = progress.ids
  if (source !== undefined) event.imp = { src: source, line: Math.max(progress.line, ...record.ev.map(({ l }) => l ?? 0)) }
  return event
}
