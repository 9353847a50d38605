import type { EventHit, Session } from '../visit/event.ts'

/**
 * Every field of a row, and how a segment keeps it. The tables are complete by type: a new field of `Session` or `EventHit` does not
 * compile until it has a place here, and a row with any other field is refused (check.ts), so that nothing is lost in silence.
 */

/**
 * text: codes of a dictionary; fields that share one can be compared by code, as the page of a hit with the page a visit ended with.
 * count: a whole number as it is. own: see shred.ts. dropped: not kept, and nobody reads it after enrich.
 */
export type Place =
  | { kind: 'text'; dictionary: string; required?: true }
  | { kind: 'count'; required?: true }
  | { kind: 'own' }
  | { kind: 'dropped' }

const text = (dictionary: string): Place => ({ kind: 'text', dictionary })
const own: Place = { kind: 'own' }
const dropped: Place = { kind: 'dropped' }
const count: Place = { kind: 'count' }
const always = { required: true } as const

export const sessionFields: Readonly<Record<keyof Session, Place>> = {
  id: own,
  start: own,
  last: own,
  pv: { ...count, ...always },
  ev: { ...count, ...always },
  fg: { ...count, ...always },
  entry: text('path'),
  entryHost: text('host'),
  entryT: own,
  exit: text('path'),
  exitHost: text('host'),
  exitT: own,
  days: own,
  src: { ...text('src'), ...always },
  med: text('med'),
  chan: { ...text('chan'), ...always },
  ref: text('ref'),
  us: text('us'),
  um: text('um'),
  uc: text('uc'),
  un: text('un'),
  ut: text('ut'),
  clk: text('clk'),
  country: text('country'),
  region: text('region'),
  city: text('city'),
  br: text('br'),
  brv: text('brv'),
  os: text('os'),
  osv: text('osv'),
  dev: { ...text('dev'), ...always },
  lang: text('lang'),
  scr: text('scr'),
  new: count,
  goal: count,
  bot: text('bot'),
  user: own,
}

/** The day of a hit is that of its row, which lies in the segment of that day. */
export const hitFields: Readonly<Record<keyof EventHit, Place>> = {
  id: dropped,
  t: own,
  day: dropped,
  n: { ...text('n'), ...always },
  path: text('path'),
  host: text('host'),
  ti: text('ti'),
  ref: own,
  p: own,
  rev: own,
  fg: count,
  sd: count,
}

/** Number columns of what goes by `own`; docs/segments.md says what each holds. */
export const ownNumbers = {
  off: 's.off',
  cont: 's.cont',
  partition: 's.idp',
  source: 's.ids',
  nth: 's.idn',
  start: 's.start',
  duration: 's.dur',
  entryAfter: 's.entryDt',
  exitBefore: 's.exitBack',
  user: 's.user',
  days: 's.days',
  hits: 's.hits',
  day: 'd.day',
  dayHash: 'd.hash',
  after: 'h.dt',
  fromPage: 'h.refPage',
  revenueLow: 'h.revLow',
  revenueHigh: 'h.revHigh',
} as const

export const visitorColumn = 's.vis'
/** A referrer that is none of the pages of the visit. */
export const referrer = { column: 'h.ref', dictionary: 'ref' } as const
/** A session id of another form than enrich's is kept as text. */
export const idText = { column: 's.id', dictionary: 'id' } as const
export const currency = { column: 'h.cur', dictionary: 'cur' } as const
/** Which keys a hit's properties have, as `event:prop_keys` puts it; and those without a column of their own, as JSON. */
export const propKeys = { column: 'h.pk', dictionary: 'pk' } as const
export const propRest = { column: 'h.po', dictionary: 'po' } as const
/** Column and dictionary of the n-th key that has its own. */
export const propColumn = (n: number) => ({ column: `h.p${n}`, dictionary: `p${n}` })

/** Under this name (and part as group) the chunks of a dictionary are stored. */
export const dictionaryColumn = (dictionary: string): string => `t.${dictionary}`

export const textFields = (fields: Readonly<Record<string, Place>>): { key: string; dictionary: string }[] =>
  Object.entries(fields).flatMap(([key, place]) => (place.kind === 'text' ? [{ key, dictionary: place.dictionary }] : []))
export const countFields = (fields: Readonly<Record<string, Place>>): string[] =>
  Object.entries(fields).flatMap(([key, place]) => (place.kind === 'count' ? [key] : []))
