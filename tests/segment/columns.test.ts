import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type EncodedSegment, encodeSegment } from '#shared/segment/encode.ts'
import { groupCountFor, groupStart, hashText } from '#shared/segment/groups.ts'
import { mergeRows } from '#shared/segment/merge.ts'
import { amountOf, amountText } from '#shared/segment/money.ts'
import { fromPlanes, toPlanes, widthOf } from '#shared/segment/planes.ts'
import {
  type Column,
  decodeChunk,
  decodeDictionary,
  dictionaryChunks,
  groupRange,
  hasChunks,
  numberAt,
  openSegment,
} from '#shared/segment/read.ts'
import type { Row } from '#shared/segment/row.ts'
import { byCodePoint, codeIn } from '#shared/segment/texts.ts'
import { aHit, aRow, chunkReader, exact, interval, readBack, start } from './rows.ts'

/** What a question sees: typed columns, dictionaries, row groups. */

const opened = (segment: EncodedSegment) => {
  const reader = openSegment(segment.head)
  const read = chunkReader(segment.chunks)
  const column = (name: string, group = 0): Column | undefined => decodeChunk(reader, name, group, read(name, group))
  const texts = (name: string) =>
    decodeDictionary(
      reader,
      name,
      dictionaryChunks(reader, name).map((chunk) => read(chunk.column, chunk.group)),
    )
  return { reader, column, texts }
}
const open = (rows: readonly Row[]) => opened(encodeSegment(mergeRows(rows), interval))

const rows = [
  aRow({
    vis: '000000000001',
    s: { id: '0-1-0', start, last: start + 10, country: 'DE', entry: '/b', new: 1 },
    h: [aHit({ path: '/b' }), aHit({ t: start + 10, path: '/a', n: 'engagement', fg: 5 })],
  }),
  aRow({
    vis: 'ffffffffffff',
    s: { id: '0-2-0', start: start + 7, entry: '/a', new: 0 },
    h: [aHit({ t: start + 9, path: '/a', p: { plan: 'free' } })],
  }),
]

describe('columns', () => {
  const { reader, column, texts } = open(rows)

  test('a text is a code of a sorted dictionary, 0 where it is absent', () => {
    expect(texts('country')).toEqual(['', 'DE'])
    expect(column('s.country')).toEqual({ kind: 'text', codes: Uint8Array.of(1, 0) })
  })

  test('fields that mean the same share a dictionary, so codes can be compared', () => {
    expect(texts('path')).toEqual(['', '/a', '/b'])
    expect(column('s.entry')).toEqual({ kind: 'text', codes: Uint8Array.of(2, 1) })
    expect(column('h.path')).toEqual({ kind: 'text', codes: Uint8Array.of(2, 1, 1) })
  })

  test('a number is what is stored and a base; absent where 0 is stored and the column nullable', () => {
    expect(column('s.start')).toEqual({ kind: 'number', values: Uint8Array.of(0, 7), base: start, nullable: false })
    const foreground = column('h.fg')
    expect(foreground).toEqual({ kind: 'number', values: Uint8Array.of(0, 1, 0), base: 4, nullable: true })
    if (foreground?.kind === 'number') expect([0, 1, 2].map((i) => numberAt(foreground, i))).toEqual([undefined, 5, undefined])
    expect(numberAt(undefined, 0)).toBe(undefined)
  })

  test('visitors are whole numbers, ascending', () => {
    expect(column('s.vis')).toEqual({ kind: 'hash', values: Float64Array.of(1, 2 ** 48 - 1) })
  })

  test('a column with one value has no chunk, one without any is not there', () => {
    expect([hasChunks(reader, 's.src'), hasChunks(reader, 's.city'), hasChunks(reader, 's.new')]).toEqual([false, false, true])
    expect(column('s.src')).toEqual({ kind: 'text', codes: Uint8Array.of(1, 1) })
    expect(column('s.pv')).toEqual({ kind: 'number', values: Uint8Array.of(0, 0), base: 1, nullable: false })
    expect(column('s.city')).toBe(undefined)
    expect(texts('city')).toEqual([''])
    expect(dictionaryChunks(reader, 'city')).toEqual([])
  })

  test('a property has a column by its key, its values their type before them', () => {
    expect([...reader.props]).toEqual([['plan', 'h.p0']])
    expect(texts('p0')).toEqual(['', 'sfree'])
    expect(texts('pk')).toEqual(['', '["plan"]'])
    expect(column('h.p0')).toEqual({ kind: 'text', codes: Uint8Array.of(0, 0, 1) })
  })

  test('the head says how much there is', () => {
    expect([reader.rows, reader.hits, reader.from, reader.to, reader.version]).toEqual([2, 3, 0, 100, 1])
    expect(reader.groups).toEqual([{ rows: 2, days: 2, hits: 3 }])
  })
})

test.each<[string, (i: number) => boolean]>([
  ['absent', (i) => i % 50 < 5],
  ['the first text', (i) => i % 50 === 49],
])('a text that repeats the row before is said once, and read as if it were said each time; the first one is %s', (_what, isAbsent) => {
  const h = Array.from({ length: 900 }, (_, i) => aHit({ t: start + i, path: isAbsent(i) ? undefined : `/${Math.floor(i / 3)}` }))
  const { reader, column, texts } = open([aRow({ h })])
  expect(reader.columns.get('h.path')).toMatchObject({ repeats: true, width: 2 })
  const pages = texts('path')
  const found = column('h.path')
  if (found?.kind !== 'text') throw new Error('no text')
  expect(Array.from(found.codes, (code) => pages[code])).toEqual(h.map(({ path }) => path ?? ''))
})

describe('row groups', () => {
  const count = 70_000
  const many = Array.from({ length: count }, (_, n) =>
    aRow({
      vis: hashText(Math.floor((n / count) ** 2 * 2 ** 48)),
      s: { id: `0-${n.toString(36)}-0`, country: n % 3 ? 'DE' : undefined },
      h: n % 2 ? [aHit()] : [aHit(), aHit({ t: start + n })],
    }),
  )
  const segment = encodeSegment(mergeRows(many), interval)
  const { reader, column } = opened(segment)

  test('their ranges are disjoint, cover all hashes, and hold what lies in them', () => {
    expect(reader.groups.length).toBe(2)
    let before = 0
    for (const [group, { rows, hits }] of reader.groups.entries()) {
      const { from, to } = groupRange(reader, group)
      expect(from).toBe(before)
      before = to
      const own = many.filter(({ vis }) => Number.parseInt(vis, 16) >= from && Number.parseInt(vis, 16) < to)
      expect([rows, hits]).toEqual([own.length, own.reduce((sum, { h }) => sum + h.length, 0)])
      const visitors = column('s.vis', group)
      if (visitors?.kind !== 'hash') throw new Error('no hashes')
      expect(visitors.values.length).toBe(rows)
      expect([visitors.values[0]! >= from, visitors.values.at(-1)! < to]).toEqual([true, true])
    }
    expect(before).toBe(2 ** 48)
    expect(reader.rows).toBe(count)
  })

  test('all rows come back, group after group', () => {
    const back = readBack(segment)
    const merged = mergeRows(many)
    expect(back.length).toBe(count)
    for (let i = 0; i < count; i += 997) expect(exact(back[i]!)).toBe(exact(merged[i]!))
  })

  test('are powers of two, up to 16, of 65,536 rows where that is enough', () => {
    expect([0, 1, 65_536, 65_537, 131_073, 300_000, 2_000_000, 50_000_000].map(groupCountFor)).toEqual([1, 1, 1, 2, 4, 8, 16, 16])
    for (const groups of [1, 2, 4, 8, 16]) expect([groupStart(0, groups), groupStart(groups, groups)]).toEqual([0, 2 ** 48])
  })
})

describe('numbers as planes', () => {
  test('any numbers of any width', () => {
    const numbers = fc.array(
      fc.oneof(fc.nat(300), fc.maxSafeNat(), fc.constantFrom(255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, 2 ** 48)),
    )
    fc.assert(
      fc.property(numbers, (values) => {
        const width = widthOf(Math.max(0, ...values))
        const planes = toPlanes(values, width)
        expect(planes.length).toBe(values.length * width)
        expect(Array.from(fromPlanes(planes, values.length, width))).toEqual(values)
      }),
    )
  })

  test('take as many bytes as their greatest', () => {
    expect([0, 255, 256, 65_535, 65_536, 2 ** 24, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1].map(widthOf)).toEqual([1, 1, 2, 2, 3, 4, 4, 5, 7])
  })
})

test('amounts of 19 digits and a sign stay exact', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -9_999_999_999_999_999_999n, max: 9_999_999_999_999_999_999n }), (amount) => {
      const { high, low } = amountOf(String(amount))
      expect(low >= 0 && low < 1e9 && Number.isSafeInteger(high)).toBe(true)
      expect(amountText({ high, low })).toBe(String(amount))
    }),
  )
})

describe('dictionaries', () => {
  test('are cut before a part becomes large', () => {
    const h = Array.from({ length: 600 }, (_, i) => aHit({ ti: `${i} ${'x'.repeat(1_000)}` }))
    const { reader, texts } = open([aRow({ h })])
    const parts = reader.dictionaries.get('ti')!.parts
    expect(parts.length).toBe(3)
    for (const [, bytes] of parts) expect(bytes).toBeLessThan(270_000)
    expect(texts('ti').slice(1)).toEqual(h.map(({ ti }) => ti).sort())
  })

  test('are in the order of code points, and searched in it', () => {
    const text = fc.oneof(fc.string({ unit: 'binary', maxLength: 3 }), fc.constantFrom('\uffff', '\u{1f600}', '\ue000', '\ud7ff', ''))
    fc.assert(
      fc.property(fc.uniqueArray(text), text, (titles, other) => {
        const { texts } = open([aRow({ h: titles.map((ti) => aHit({ ti })) })])
        const found = texts('ti')
        const points = (one: string) => Array.from(one, (point) => point.codePointAt(0)!)
        const before = (a: string, b: string) => {
          const [x, y] = [points(a), points(b)]
          const at = x.findIndex((point, i) => point !== y[i])
          return at === -1 ? x.length - y.length : at >= y.length ? 1 : x[at]! - y[at]!
        }
        const wellFormed = titles.filter((title) => title.isWellFormed())
        expect(found.slice(1).filter((one) => one.isWellFormed())).toEqual(wellFormed.sort(before))
        expect([...found.slice(1)].sort(byCodePoint)).toEqual(found.slice(1))
        for (const [code, one] of found.entries()) if (code > 0) expect(codeIn(found, one)).toBe(code)
        expect(codeIn(found, other)).toBe(titles.includes(other) ? found.indexOf(other, 1) : 0)
      }),
    )
  })
})
