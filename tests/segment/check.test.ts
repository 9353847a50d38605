import { describe, expect, test } from 'vitest'
import { encodeSegment } from '#shared/segment/encode.ts'
import type { Row } from '#shared/segment/row.ts'
import type { Session } from '#shared/visit/event.ts'
import { aHit, aRow, interval } from './rows.ts'

/** Rows that would not come back as they are: refused whole, with the field. Nothing is dropped in silence. */

const encode = (row: unknown) => encodeSegment([row as Row], interval)
const session = (fields: object) => aRow({ s: fields as Partial<Session> })
const hit = (fields: object) => aRow({ h: [{ ...aHit(), ...fields }] })
const without = (key: string) => {
  const row = aRow()
  return { ...row, s: Object.fromEntries(Object.entries(row.s).filter(([name]) => name !== key)) }
}

describe('a row is refused', () => {
  test.each<[string, unknown]>([
    ['later is not known', { ...aRow(), later: 1 }],
    ['s.later is not known', session({ later: 0 })],
    ['s.__proto__ is not known', session(JSON.parse('{"__proto__":1}'))],
    ['h.later is not known', hit({ later: '' })],
    ['h.rev.later is not known', hit({ rev: { a: '1', c: 'EUR', later: 1 } })],
    ['s.src is missing', without('src')],
    ['s.pv is missing', without('pv')],
    ['h.n is missing', hit({ n: undefined })],
    ['h.t is not a time', hit({ t: -1 })],
    ['s.start is not a time', session({ start: 2 ** 48 })],
    ['s.last is not a time', session({ last: 1.5 })],
    ['s.exitT is not a time', session({ exitT: null })],
    ['s.entryT is not a time', session({ entryT: '1' })],
    ['s.pv is not a whole number', session({ pv: 1.5 })],
    ['s.fg is not a whole number', session({ fg: -1 })],
    ['s.ev is not a whole number', session({ ev: 2 ** 53 })],
    ['s.id is not a text', session({ id: 7 })],
    ['s.br is not a text', session({ br: null })],
    ['h.ref is not a text', hit({ ref: 3 })],
    ['s.user is not a hash', session({ user: 'me' })],
    ['s.days is no list', session({ days: [[20_260_315, 'x']] })],
    ['s.days is no list', session({ days: [[20_260_315, '000000000001', 3]] })],
    ['vis is not a hash', aRow({ vis: '0123456789AB' })],
    ['cont is neither', { ...aRow(), cont: 2 }],
    ['off is not an offset', { ...aRow(), off: 0.5 }],
    ['h.p.a is no text, number or truth', hit({ p: { a: null } })],
    ['h.p.a is no text, number or truth', hit({ p: { a: Number.NaN } })],
    ['h.p is not an object', hit({ p: [] })],
    ['h.rev.a is no amount', hit({ rev: { a: '01', c: 'EUR' } })],
    ['h.rev.a is no amount', hit({ rev: { a: '-0', c: 'EUR' } })],
    ['h.rev.a is no amount', hit({ rev: { a: '10000000000000000000', c: 'EUR' } })],
    ['h.rev.c is not a text', hit({ rev: { a: '1' } })],
    ['h is no list', { ...aRow(), h: {} }],
    ['s is not an object', { ...aRow(), s: null }],
  ])('%s', (message, row) => {
    expect(() => encode(row)).toThrow(new RegExp(`^a row that no segment can hold: ${message.replaceAll('.', '\\.')}`))
    expect(() => encode(row)).toThrow(TypeError)
  })

  test('a field that is undefined is absent, whatever it is called', () => {
    expect(() => encode({ ...session({ later: undefined, br: undefined }), more: undefined })).not.toThrow()
    expect(() => encode(hit({ later: undefined, p: { a: undefined }, rev: { a: '1', c: 'EUR', later: undefined } }))).not.toThrow()
  })

  test('rows out of order, or twice', () => {
    const [one, other] = [aRow({ vis: '000000000001' }), aRow({ vis: '000000000002', s: { id: '0-2-0' } })]
    expect(() => encodeSegment([one, other], interval)).not.toThrow()
    expect(() => encodeSegment([other, one], interval)).toThrow('not merged and in order')
    expect(() => encodeSegment([one, one], interval)).toThrow('not merged and in order')
  })

  test('rows outside the interval', () => {
    expect(() => encodeSegment([aRow({ off: 4 })], { from: 4, to: 5 })).not.toThrow()
    for (const off of [3, 5]) expect(() => encodeSegment([aRow({ off })], { from: 4, to: 5 })).toThrow('outside [4, 5)')
  })
})
