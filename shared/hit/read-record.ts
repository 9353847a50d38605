import { type HitsRecord, type RecordHit, type RefusalsRecord, recordLimits, refusalReasons } from './record.ts'

/**
 * A `hits` record as it lies in the log. Only collect-hit writes there, yet a byte of a topic is trusted no more than one from
 * a browser: what has not the shape of a record is dead, with the reason, and costs only itself.
 */
export type DeadReason = 'not-json' | 'unknown-version' | 'bad-shape' | 'unknown-config' | 'unusable' | 'fatal'

const isText = (value: unknown): value is string => typeof value === 'string'
const isTextOrAbsent = (value: unknown): boolean => value === undefined || typeof value === 'string'
/** The end of the year 9999: later times have no date of four digits. */
const lastTime = Date.UTC(9999, 11, 31, 23, 59, 59, 999)
const isTime = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= lastTime
const isNumberOrAbsent = (value: unknown): boolean => value === undefined || Number.isFinite(value)
const isObjectOrAbsent = (value: unknown): boolean =>
  value === undefined || (typeof value === 'object' && value !== null && !Array.isArray(value))

const valuesOf = (value: unknown): unknown[] => (value === undefined ? [] : Object.values(value as object))
const isTexts = (value: unknown): boolean => isObjectOrAbsent(value) && valuesOf(value).every(isTextOrAbsent)
const isPropValue = (value: unknown): boolean => typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value)
const isProps = (value: unknown): boolean => isObjectOrAbsent(value) && valuesOf(value).every(isPropValue)

const amountForm = /^-?\d{1,19}$/
const isRevenue = (value: unknown): boolean => {
  if (value === undefined) return true
  if (!isObjectOrAbsent(value)) return false
  const { a, c } = value as Record<string, unknown>
  return isText(a) && amountForm.test(a) && isText(c)
}

const isHit = (value: unknown): value is RecordHit => {
  if (typeof value !== 'object' || value === null) return false
  const h = value as Record<string, unknown>
  return (
    isText(h['id']) &&
    isTime(h['t']) &&
    isText(h['n']) &&
    isTextOrAbsent(h['host']) &&
    isTextOrAbsent(h['path']) &&
    isTextOrAbsent(h['r']) &&
    isTextOrAbsent(h['ti']) &&
    isTexts(h['q']) &&
    isProps(h['p']) &&
    isRevenue(h['rev']) &&
    isNumberOrAbsent(h['fg']) &&
    isNumberOrAbsent(h['sd']) &&
    isNumberOrAbsent(h['l'])
  )
}

const isImport = (value: unknown): boolean => value === undefined || (isTexts(value) && isText((value as { src?: unknown }).src))
const isDevice = (value: unknown): boolean =>
  value !== undefined &&
  isTexts(value) &&
  ['br', 'brv', 'os', 'osv', 'type'].every((name) => isText((value as Record<string, unknown>)[name]))

const isHits = (r: Record<string, unknown>): boolean =>
  isText(r['site']) &&
  Number.isSafeInteger(r['cfg']) &&
  isText(r['vis']) &&
  isTextOrAbsent(r['vprev']) &&
  isTextOrAbsent(r['user']) &&
  isTextOrAbsent(r['bot']) &&
  isTextOrAbsent(r['lang']) &&
  isTextOrAbsent(r['scr']) &&
  isNumberOrAbsent(r['fs']) &&
  isTexts(r['geo']) &&
  isTexts(r['net']) &&
  isImport(r['imp']) &&
  isDevice(r['dev']) &&
  Array.isArray(r['ev']) &&
  r['ev'].length > 0 &&
  r['ev'].length <= recordLimits.hits &&
  r['ev'].every(isHit)

const isRefusals = (r: Record<string, unknown>): boolean =>
  isText(r['site']) &&
  isTime(r['hour']) &&
  isObjectOrAbsent(r['led']) &&
  Object.entries(r['led'] as object).every(
    ([reason, n]) => (refusalReasons as readonly string[]).includes(reason) && Number.isSafeInteger(n) && n >= 0,
  )

/** Reads a record, or says why it is dead. */
export const readRecord = (body: string): HitsRecord | RefusalsRecord | { dead: DeadReason } => {
  let value: unknown
  try {
    value = JSON.parse(body)
  } catch {
    return { dead: 'not-json' }
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return { dead: 'bad-shape' }
  const record = value as Record<string, unknown>
  if (record['v'] !== 1) return { dead: 'unknown-version' }
  if (record['led'] !== undefined) return isRefusals(record) ? (value as RefusalsRecord) : { dead: 'bad-shape' }
  return isHits(record) ? (value as HitsRecord) : { dead: 'bad-shape' }
}
