import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { encodeSegment, segmentName } from '#shared/segment/encode.ts'
import { mergeRows } from '#shared/segment/merge.ts'
import { propLimits } from '#shared/segment/props.ts'
import { decodeDictionary, dictionaryChunks, openSegment } from '#shared/segment/read.ts'
import type { Row } from '#shared/segment/row.ts'
import { aHit, anyRow, aRow, chunkReader, day, exact, interval, readBack, start } from './rows.ts'

/** What goes into a segment comes out again, exactly. */

const same = (rows: readonly Row[]): void => {
  const merged = mergeRows(rows)
  expect(readBack(encodeSegment(merged, interval)).map(exact)).toEqual(merged.map(exact))
}

const many = (count: number, make: (n: number) => Row): Row[] => mergeRows(Array.from({ length: count }, (_, n) => make(n)))
const hashFor = (n: number): string => (Math.imul(n + 1, 0x9e3779b1) >>> 0).toString(16).padStart(12, '0')

describe('rows come back as they were', () => {
  test('any rows', () => {
    fc.assert(
      fc.property(fc.array(anyRow, { maxLength: 8 }), (rows) => same(rows)),
      { numRuns: 600 },
    )
  })

  test('no row, one row, one without hits', () => {
    same([])
    same([aRow()])
    same([aRow({ h: [] })])
    expect(encodeSegment([], interval).chunks).toEqual([])
  })

  test('what is absent, empty and 0 stays apart', () => {
    const rows = [
      aRow({ vis: '000000000001', h: [aHit({ ti: '', p: {}, fg: 0, sd: 0 })], s: { id: 'a', med: '', new: 0, entryT: 0 } }),
      aRow({ vis: '000000000002', h: [aHit({})], s: { id: 'b' } }),
      aRow({ vis: '000000000003', h: [aHit({ p: { a: '', b: 0, c: false } })], s: { id: 'c', new: 1 } }),
    ]
    const [first, second, third] = readBack(encodeSegment(rows, interval))
    expect(first!.h[0]).toEqual({ t: start, n: 'pageview', path: '/', host: 'example.com', ti: '', p: {}, fg: 0, sd: 0 })
    expect([first!.s.med, first!.s.new, first!.s.entryT]).toEqual(['', 0, 0])
    expect(second!.h[0]).toStrictEqual({ t: start, n: 'pageview', path: '/', host: 'example.com' })
    expect(Object.keys(second!.s).sort()).toEqual(['chan', 'days', 'dev', 'ev', 'fg', 'id', 'last', 'pv', 'src', 'start'])
    expect({ ...third!.h[0]!.p }).toStrictEqual({ a: '', b: 0, c: false })
  })

  test('a visit of many days with another hash on each', () => {
    const days = Array.from({ length: 40 }, (_, i): [number, string] => [day + i, hashFor(i)])
    same([aRow({ vis: hashFor(3), cont: 1, s: { days } }), aRow({ vis: hashFor(4), s: { id: '0-2-0' } })])
  })

  test('70,000 different pages and titles, in parts', () => {
    const rows = many(1_000, (n) =>
      aRow({
        vis: hashFor(n),
        h: Array.from({ length: 70 }, (_, i) => aHit({ t: start + i, path: `/page/${n}/${i}`, ti: `${n} ${i} ${'x'.repeat(n % 9)}` })),
        s: { id: `0-${n.toString(36)}-0`, entry: `/page/${n}/0` },
      }),
    )
    const encoded = encodeSegment(rows, interval)
    expect(readBack(encoded).map(exact)).toEqual(rows.map(exact))
    const reader = openSegment(encoded.head)
    expect(dictionaryChunks(reader, 'path').length).toBeGreaterThan(1)
    expect(reader.columns.get('h.path')!.width).toBe(3)
  })

  test('more property keys than have columns, and than are counted', () => {
    const rows = many(propLimits.counted / 2 + 10, (n) =>
      aRow({
        vis: hashFor(n),
        h: [aHit({ p: { [`rare${n}`]: n, [`other${n}`]: `${n}`, [`k${n % 60}`]: n % 2 === 0, ['__proto__']: 'x' } })],
        s: { id: `0-${n.toString(36)}-0` },
      }),
    )
    const encoded = encodeSegment(rows, interval)
    expect(readBack(encoded).map(exact)).toEqual(rows.map(exact))
    const { props } = openSegment(encoded.head)
    expect(props.size).toBe(propLimits.columns)
    expect([...props.keys()].every((key) => /^(k\d+|__proto__)$/.test(key))).toBe(true)
  })

  test('the commonest keys have the columns', () => {
    const rows = many(60, (n) =>
      aRow({
        vis: hashFor(n),
        s: { id: `0-${n.toString(36)}-0` },
        h: [aHit({ p: Object.fromEntries(Array.from({ length: n + 1 }, (_, i) => [`k${i}`, i])) })],
      }),
    )
    const keys = [...openSegment(encodeSegment(rows, interval).head).props.keys()]
    expect(keys.sort()).toEqual(Array.from({ length: 50 }, (_, i) => `k${i}`).sort())
  })

  test('a key that comes after all that are counted has no column, however common', () => {
    const rare = Object.fromEntries(Array.from({ length: propLimits.counted }, (_, i) => [`rare${i}`, i]))
    const h = [aHit({ p: rare }), ...Array.from({ length: 9 }, (_, i) => aHit({ t: start + i + 1, p: { late: i, rare0: i } }))]
    const encoded = encodeSegment([aRow({ h })], interval)
    const keys = [...openSegment(encoded.head).props.keys()]
    expect([keys.includes('rare0'), keys.includes('late')]).toEqual([true, false])
    expect(readBack(encoded).map(exact)).toEqual([aRow({ h })].map(exact))
  })

  test('a text of half a surrogate pair, beside others', () => {
    same([aRow({ h: [aHit({ ti: '\ud83d' }), aHit({ ti: '\u{1f600}' }), aHit({ ti: '\uffff' })] })])
  })

  test('a referrer that is the page before, as it is and encoded', () => {
    const h = [
      aHit({ t: start, path: '/ü', ref: 'search.example/' }),
      aHit({ t: start + 1, path: '/b', ref: 'example.com/%C3%BC' }),
      aHit({ t: start + 2, n: 'signup', path: '/x', ref: 'example.com/b' }),
      aHit({ t: start + 3, path: '/c', ref: 'example.com/b' }),
      aHit({ t: start + 4, path: '/d', ref: 'example.com/other' }),
    ]
    const encoded = encodeSegment([aRow({ h })], interval)
    expect(readBack(encoded)[0]!.h.map(({ ref }) => ref)).toEqual(h.map(({ ref }) => ref))
    const reader = openSegment(encoded.head)
    expect(decodeDictionary(reader, 'ref', [chunkReader(encoded.chunks)('t.ref', 0)])).toEqual(['', 'example.com/other', 'search.example/'])
  })
})

describe('bytes follow from the rows alone', () => {
  test('twice the same', () => {
    fc.assert(
      fc.property(fc.array(anyRow, { maxLength: 6 }), (rows) => {
        const copy: Row[] = structuredClone(rows)
        const [one, other] = [encodeSegment(mergeRows(rows), interval), encodeSegment(mergeRows(copy), interval)]
        expect(one.head.equals(other.head)).toBe(true)
        expect(segmentName(one)).toBe(segmentName(other))
      }),
      { numRuns: 100 },
    )
  })

  test('the order of keys does not matter', () => {
    const turned = (value: unknown): unknown =>
      Array.isArray(value)
        ? value.map(turned)
        : typeof value === 'object' && value !== null
          ? Object.fromEntries(
              Object.entries(value)
                .reverse()
                .map(([key, one]) => [key, turned(one)]),
            )
          : value
    const row = aRow({ h: [aHit({ p: { b: 1, a: 'x' } })], s: { med: 'email', br: 'Firefox' } })
    expect(segmentName(encodeSegment([turned(row) as Row], interval))).toBe(segmentName(encodeSegment([row], interval)))
  })

  test('another value or another interval is another name', () => {
    const name = segmentName(encodeSegment([aRow()], interval))
    expect(name).toMatch(/^[0-9a-f]{32}$/)
    expect(segmentName(encodeSegment([aRow({ s: { pv: 2 } })], interval))).not.toBe(name)
    expect(segmentName(encodeSegment([aRow()], { from: 0, to: 101 }))).not.toBe(name)
  })
})
