import { hitFields, type Place, sessionFields } from './fields.ts'
import type { SegmentRow } from './row.ts'

/**
 * What a row must be to go into a segment, looked at before anything of it is taken: a field that is not known, or that would come back
 * as something else, is an error. (A row that fails here can never be flushed: who makes rows should ask first.)
 */

const hashForm = /^[0-9a-f]{12}$/
const amountForm = /^(0|-?[1-9]\d{0,18})$/
/** Times (before the year 10889) and offsets end here, so that their differences are exact. */
const end = 2 ** 48

const fault = (where: string, what: string): TypeError => new TypeError(`a row that no segment can hold: ${where} ${what}`)
const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0
const isBelowEnd = (value: unknown): boolean => isCount(value) && (value as number) < end

const need = (fine: boolean, where: string, what: string): void => {
  if (!fine) throw fault(where, what)
}

const fieldsOf = (value: unknown, where: string): Record<string, unknown> => {
  need(typeof value === 'object' && value !== null && !Array.isArray(value), where, 'is not an object')
  return value as Record<string, unknown>
}

const rowFields: ReadonlySet<string> = new Set(['off', 'vis', 'cont', 's', 'h'] satisfies (keyof SegmentRow)[])

/** What is wrong with a value, if anything. (Names of fields are only put together for what fails: this runs 50 times a row.) */
const wrongIn = (place: Place | undefined, value: unknown): string | undefined => {
  if (place === undefined) return 'is not known'
  if (place.kind === 'text') return typeof value === 'string' ? undefined : 'is not a text'
  if (place.kind === 'count') return isCount(value) ? undefined : 'is not a whole number'
  return undefined
}

const required = (fields: Readonly<Record<string, Place>>): string[] =>
  Object.entries(fields).flatMap(([key, place]) => ('required' in place && place.required ? [key] : []))

type Fields = { places: ReadonlyMap<string, Place>; required: readonly string[] }
const known = (fields: Readonly<Record<string, Place>>): Fields => ({ places: new Map(Object.entries(fields)), required: required(fields) })
const ofSession = known(sessionFields)
const ofHit = known(hitFields)

const checkFields = ({ places, required }: Fields, value: Record<string, unknown>, where: string): void => {
  for (const key in value) {
    if (value[key] === undefined) continue
    const wrong = wrongIn(places.get(key), value[key])
    if (wrong !== undefined) throw fault(`${where}.${key}`, wrong)
  }
  for (const key of required) if (value[key] === undefined) throw fault(`${where}.${key}`, 'is missing')
}

const isDay = (pair: unknown): boolean => Array.isArray(pair) && pair.length === 2 && isCount(pair[0]) && isHash(pair[1])
const isHash = (value: unknown): boolean => typeof value === 'string' && hashForm.test(value)

const checkSession = (s: Record<string, unknown>): void => {
  checkFields(ofSession, s, 's')
  need(typeof s['id'] === 'string', 's.id', 'is not a text')
  need(isBelowEnd(s['start']), 's.start', 'is not a time')
  need(isBelowEnd(s['last']), 's.last', 'is not a time')
  need(s['entryT'] === undefined || isBelowEnd(s['entryT']), 's.entryT', 'is not a time')
  need(s['exitT'] === undefined || isBelowEnd(s['exitT']), 's.exitT', 'is not a time')
  need(s['user'] === undefined || isHash(s['user']), 's.user', 'is not a hash of 12 hex digits')
  need(Array.isArray(s['days']) && s['days'].every(isDay), 's.days', 'is no list of days and hashes')
}

const isPropValue = (value: unknown): boolean =>
  typeof value === 'string' || typeof value === 'boolean' || (typeof value === 'number' && Number.isFinite(value))

const checkRevenue = (value: unknown): void => {
  const { a, c, ...rest } = fieldsOf(value, 'h.rev')
  need(typeof a === 'string' && amountForm.test(a), 'h.rev.a', 'is no amount of at most 19 digits')
  need(typeof c === 'string', 'h.rev.c', 'is not a text')
  for (const key of Object.keys(rest)) if (rest[key as never] !== undefined) throw fault(`h.rev.${key}`, 'is not known')
}

const checkHit = (h: Record<string, unknown>): void => {
  checkFields(ofHit, h, 'h')
  need(isBelowEnd(h['t']), 'h.t', 'is not a time')
  need(h['ref'] === undefined || typeof h['ref'] === 'string', 'h.ref', 'is not a text')
  if (h['rev'] !== undefined) checkRevenue(h['rev'])
  if (h['p'] === undefined) return
  const props = fieldsOf(h['p'], 'h.p')
  for (const key of Object.keys(props))
    if (props[key] !== undefined && !isPropValue(props[key])) throw fault(`h.p.${key}`, 'is no text, number or truth')
}

/** Throws a TypeError that names the field. */
export const checkRow = (row: SegmentRow): void => {
  const fields = fieldsOf(row, 'the row')
  for (const key of Object.keys(fields)) need(rowFields.has(key) || fields[key] === undefined, key, 'is not known')
  need(isBelowEnd(row.off), 'off', 'is not an offset')
  need(isHash(row.vis), 'vis', 'is not a hash of 12 hex digits')
  need(row.cont === 0 || row.cont === 1, 'cont', 'is neither 0 nor 1')
  checkSession(fieldsOf(row.s, 's'))
  need(Array.isArray(row.h), 'h', 'is no list')
  for (const hit of row.h) checkHit(fieldsOf(hit, 'h'))
}
