import type { EventRecord, LedgerSums, Touch } from '../visit/event.ts'

/**
 * What rollup and its store rely on in an accepted event. Only enrich writes events, yet content that is damaged, or that a bug made,
 * costs no more than itself. It stays in `events`, so that it can be looked at and folded again by a version that understands it.
 */

const hourMs = 3_600_000
/** The last time that JavaScript has a date for. */
const lastTime = 8_640_000_000_000_000

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0
const isTime = (value: unknown): value is number => isCount(value) && value <= lastTime
const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null
const isCounts = (value: unknown): boolean => value === undefined || (isObject(value) && Object.values(value).every(isCount))

const isSums = (n: Partial<LedgerSums> | undefined): n is LedgerSums =>
  isObject(n) &&
  isTime(n.hour) &&
  [n.received, n.counted, n.repeated, n.dead, n.lost].every(isCount) &&
  isCounts(n.flagged) &&
  isCounts(n.refused)

const isDay = (pair: unknown): boolean => Array.isArray(pair) && isCount(pair[0]) && pair[0] > 0 && typeof pair[1] === 'string'

const isTouch = ({ s, h }: Touch): boolean =>
  isObject(s) &&
  typeof s.id === 'string' &&
  isTime(s.start) &&
  isTime(s.last) &&
  Array.isArray(s.days) &&
  s.days.length > 0 &&
  s.days.every(isDay) &&
  Array.isArray(h) &&
  h.every(({ t, n }) => isTime(t) && typeof n === 'string')

/** Throws (whatever it is) where the content of an event is none. What a row must be beyond that, segment/check.ts says of each. */
export const checkEvent = ({ site, lt, n, x }: EventRecord): void => {
  if (typeof site !== 'string' || !isTime(lt) || !isSums(n) || !x.every(isTouch)) throw new TypeError('not the content of an event')
}

const sum = (counts: Partial<Record<string, number>> = {}): number => Object.values(counts).reduce<number>((all, n) => all + (n ?? 0), 0)

/** Sums of an event whose visits are not used: what was neither repeated nor refused is dead. `undefined` where that is no number of hits. */
const deadSums = (n: LedgerSums): LedgerSums | undefined => {
  const dead = n.received - n.repeated - sum(n.refused)
  return dead < 0 ? undefined : { ...n, counted: 0, flagged: undefined, dead }
}

/** An event that cannot be used, as one that says so: with its own sums where they can be read, else as one dead hit. */
export const deadOf = ({ src, at, site, lt, n }: EventRecord): EventRecord => {
  const time = isTime(lt) ? lt : 0
  const unknown: LedgerSums = { hour: Math.floor(time / hourMs) * hourMs, received: 1, counted: 0, repeated: 0, dead: 1, lost: 0 }
  const sums = (isSums(n) && deadSums(n)) || unknown
  return { v: 1, src, at, lt: time, site: typeof site === 'string' ? site : '', n: sums, x: [], dead: 'unusable' }
}
