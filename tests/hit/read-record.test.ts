import { describe, expect, test } from 'vitest'
import { readRecord } from '#shared/hit/read-record.ts'
import { refusalReasons } from '#shared/hit/record.ts'
import { aRecord, noon } from '../fixtures/hit.ts'

const read = (value: unknown) => readRecord(JSON.stringify(value))
const withField = (fields: Record<string, unknown>) => ({ ...aRecord(), ...fields })
const withHit = (fields: Record<string, unknown>) => ({ ...aRecord(), ev: [{ ...aRecord().ev[0], ...fields }] })

test('a record is read as it was written', () => {
  const record = aRecord({
    vprev: 'b',
    fs: 20260610,
    user: 'u',
    geo: { c: 'DE' },
    net: { rule: 'address' },
    bot: 'agent',
    lang: 'de',
    scr: '1x1',
    imp: { src: 'file' },
    ev: [{ q: { us: 'mail' }, r: 'other.example/', ti: 'T', p: { a: 1 }, rev: { a: '1', c: 'EUR' }, fg: 5, sd: 6, l: 7 }],
  })
  expect(read(record)).toEqual(record)
})

test('refusals are read as they were written, for every reason', () => {
  const record = { v: 1, site: '', led: Object.fromEntries(refusalReasons.map((reason) => [reason, 2])), hour: noon }
  expect(read(record)).toEqual(record)
})

test.each(['', 'no record', '{"v":1', '{"v":1}}', '\u0000'])('%j is not JSON', (body) => {
  expect(readRecord(body)).toEqual({ dead: 'not-json' })
})

test.each([[null], [7], ['text'], [[]], [[aRecord()]]])('%j has no shape', (value) => {
  expect(read(value)).toEqual({ dead: 'bad-shape' })
})

test.each([[{}], [{ v: 2 }], [{ v: '1' }], [withField({ v: undefined })]])('%j has a version nobody knows', (value) => {
  expect(read(value)).toEqual({ dead: 'unknown-version' })
})

describe('bad shapes of a hits record', () => {
  test.each<[string, Record<string, unknown>]>([
    ['site', { site: 5 }],
    ['no site', { site: undefined }],
    ['cfg', { cfg: '1' }],
    ['a broken cfg', { cfg: 1.5 }],
    ['vis', { vis: null }],
    ['vprev', { vprev: 5 }],
    ['user', { user: {} }],
    ['bot', { bot: true }],
    ['lang', { lang: 5 }],
    ['scr', { scr: 5 }],
    ['fs', { fs: '20260610' }],
    ['geo', { geo: [] }],
    ['geo null', { geo: null }],
    ['net', { net: 'rule' }],
    ['imp', { imp: 'file' }],
    ['no dev', { dev: undefined }],
    ['dev', { dev: 'Desktop' }],
    ['no ev', { ev: undefined }],
    ['an empty ev', { ev: [] }],
    ['101 hits', { ev: Array.from({ length: 101 }, () => aRecord().ev[0]) }],
    ['a hit that is null', { ev: [null] }],
    ['a hit that is a text', { ev: ['hit'] }],
  ])('%s', (_what, fields) => {
    expect(read(withField(fields))).toEqual({ dead: 'bad-shape' })
  })

  test.each<[string, Record<string, unknown>]>([
    ['id', { id: 5 }],
    ['no id', { id: undefined }],
    ['t', { t: '5' }],
    ['a broken t', { t: 1.5 }],
    ['no n', { n: undefined }],
    ['host', { host: 5 }],
    ['path', { path: {} }],
    ['r', { r: [] }],
    ['ti', { ti: 5 }],
    ['q', { q: 'utm' }],
    ['p', { p: ['a'] }],
    ['rev', { rev: '12 EUR' }],
    ['fg', { fg: '5' }],
    ['sd', { sd: null }],
    ['l', { l: 'x' }],
  ])('%s of a hit', (_what, fields) => {
    expect(read(withHit(fields))).toEqual({ dead: 'bad-shape' })
  })
})

describe('what lies deeper is no less hostile: later stages trust it', () => {
  test.each<[string, Record<string, unknown>]>([
    ['money that is none (a query adds it up with BigInt)', { rev: {} }],
    ['money as a float', { rev: { a: 1.5, c: 'EUR' } }],
    ['a prop that is an object', { p: { a: { b: 1 } } }],
    ['a campaign that is no text', { q: { us: 5 } }],
    ['a time before the common era', { t: Date.UTC(-2026, 5, 10) }],
    ['a time that no calendar has', { t: Number.MAX_SAFE_INTEGER }],
  ])('%s', (_what, fields) => {
    expect(read(withHit(fields))).toEqual({ dead: 'bad-shape' })
  })

  test.each<[string, Record<string, unknown>]>([
    ['a rule that is no text', { net: { rule: {} } }],
    ['a country that is no text', { geo: { c: 5 } }],
    ['a device without its fields', { dev: {} }],
    ['an import without its source', { imp: {} }],
  ])('%s', (_what, fields) => {
    expect(read(withField(fields))).toEqual({ dead: 'bad-shape' })
  })

  test('an hour that no calendar has', () => {
    expect(read({ v: 1, site: '', led: { rate: 1 }, hour: Number.MAX_SAFE_INTEGER })).toEqual({ dead: 'bad-shape' })
  })
})

describe('bad shapes of refusals', () => {
  const refusals = (fields: Record<string, unknown>) => ({ v: 1, site: '', led: { rate: 1 }, hour: noon, ...fields })
  test.each<[string, Record<string, unknown>]>([
    ['site', { site: 5 }],
    ['hour', { hour: '12' }],
    ['no hour', { hour: undefined }],
    ['led null', { led: null }],
    ['led as a list', { led: [] }],
    ['a reason nobody knows', { led: { because: 1 } }],
    ['a reason of the prototype', { led: { toString: 1 } }],
    ['less than none', { led: { rate: -1 } }],
    ['a broken number', { led: { rate: 0.5 } }],
    ['no number', { led: { rate: '1' } }],
  ])('%s', (_what, fields) => {
    expect(read(refusals(fields))).toEqual({ dead: 'bad-shape' })
  })
})

test('a field named __proto__ changes nothing', () => {
  const body = `${JSON.stringify(aRecord()).slice(0, -1)},"__proto__":{"led":{"rate":1},"bot":"x"}}`
  const record = readRecord(body)
  expect(record).toHaveProperty('ev')
  expect((record as { bot?: string }).bot).toBeUndefined()
})
