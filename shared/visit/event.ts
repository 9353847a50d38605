import type { Props, RefusalReason, Revenue } from '../hit/record.ts'

/**
 * The `events` record: what enrich-session appends and everybody else folds. Exactly one per `hits` record, in `src` order.
 * Sessions are carried whole, so that state is the fold of events and never a second computation (data.md §9, R2).
 */

/** A visit as it stands after an event. Strings that are not known are absent. */
export type Session = {
  /** Unique by construction: partition, offset and index of the record that opened it. */
  id: string
  /** Times of the first and the last hit (engagement updates extend the last), ms UTC. */
  start: number
  last: number
  /** Pageviews; all hits but engagement updates; foreground ms. */
  pv: number
  ev: number
  fg: number
  /** Page and host of the earliest and the latest pageview, and when they were; absent until a pageview came. */
  entry?: string
  entryHost?: string
  entryT?: number
  exit?: string
  exitHost?: string
  exitT?: number
  /** The days it has rows on, the start day first: [YYYYMMDD of the site, visitor hash of that day]. */
  days: [number, string][]
  /** Source, medium, channel and referrer, fixed by the event that opened it. */
  src: string
  med?: string
  chan: string
  ref?: string
  us?: string
  um?: string
  uc?: string
  un?: string
  ut?: string
  clk?: string
  country?: string
  region?: string
  city?: string
  br?: string
  brv?: string
  os?: string
  osv?: string
  dev: string
  lang?: string
  scr?: string
  /** 1 = new visitor, 0 = returning, absent = unknown. */
  new?: 0 | 1
  /** 1 = one of its hits met a goal, as the site was set when the hit came. */
  goal?: 1
  /** Why its hits are flagged; absent = a person. Flagged hits have visits of their own. */
  bot?: string
  user?: string
}

/** A counted hit as it is stored: belongs to one session and one day. */
export type EventHit = {
  id: string
  t: number
  /** Day of the site's calendar, YYYYMMDD; the session's `days` has the visitor hash of that day. */
  day: number
  n: string
  path?: string
  host?: string
  ti?: string
  ref?: string
  p?: Props
  rev?: Revenue
  fg?: number
  sd?: number
}

/** What happened to the hits of one record. `hour` is the hour of receipt (ms UTC of its beginning). */
export type LedgerSums = {
  hour: number
  received: number
  counted: number
  flagged?: Record<string, number>
  refused?: Partial<Record<RefusalReason, number>>
  repeated: number
  dead: number
  lost: number
}

/** One session touched by the record. */
export type Touch = {
  /** Key of the state: visitor hash, with `!` behind it for the visitor's flagged visits. */
  key: string
  /** Key the state moved away from (salt change). */
  from?: string
  /** A closed session beside the visitor's latest one: it never becomes state. */
  side?: 1
  /** This record opened the session. */
  opened?: 1
  /** The whole session after this record. */
  s: Session
  h: EventHit[]
}

/** The newest version of an event that is read and written. */
export const eventVersion = 1

export type EventRecord = {
  v: typeof eventVersion
  /** Offset of its `hits` record. */
  src: number
  /** Offset in `events` at which its writer meant it to stand; elsewhere nobody accepts it (R4). */
  at: number
  /** Append time of its `hits` record (running maximum), ms UTC. */
  lt: number
  site: string
  cfg?: number
  sh?: number
  n: LedgerSums
  /** Ids of counted hits that stand in no `h`. */
  ids?: string[]
  /** Highest import line of this record. */
  imp?: { src: string; line: number }
  x: Touch[]
  /** The handler could not use the record: why. */
  dead?: string
}

const texts = new WeakMap<Session, string>()

/** A session as JSON. It goes into the event and into the state: it is written once. (Sessions are never changed, only replaced.) */
export const sessionText = (s: Session): string => {
  let text = texts.get(s)
  if (text === undefined) {
    text = JSON.stringify(s)
    texts.set(s, text)
  }
  return text
}

const touchText = ({ s, ...rest }: Touch): string => `${JSON.stringify(rest).slice(0, -1)},"s":${sessionText(s)}}`

/** An event as JSON. */
export const eventText = ({ x, ...rest }: EventRecord): string => `${JSON.stringify(rest).slice(0, -1)},"x":[${x.map(touchText).join()}]}`
