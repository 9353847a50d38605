import { crc32 } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { FootfallError } from '#shared/errors.ts'
import { type EncodedSegment, encodeSegment } from '#shared/segment/encode.ts'
import { decodeHead, encodeHead, newestVersion } from '#shared/segment/head.ts'
import { mergeRows } from '#shared/segment/merge.ts'
import { openChunk, pack, sealChunk, unpack } from '#shared/segment/pack.ts'
import { decodeChunk, openSegment } from '#shared/segment/read.ts'
import { aHit, aRow, exact, interval, readBack, start } from './rows.ts'

/** Whatever happens to the bytes of a segment: an error that says where, never a number. */

const rows = mergeRows(
  Array.from({ length: 12 }, (_, n) =>
    aRow({
      off: n,
      vis: `${n}`.padStart(12, '9'),
      s: { id: `0-${n}-0`, start: start + n * 1_000, br: `Browser ${n % 4}`, country: n % 2 ? 'DE' : undefined },
      h: [
        aHit({ t: start + n, path: `/${n}`, p: { plan: n }, rev: n % 3 ? { a: `${n}0000`, c: 'EUR' } : undefined }),
        aHit({ t: start + 99 }),
      ],
    }),
  ),
)
const segment = encodeSegment(rows, interval)

const failure = (read: () => unknown): FootfallError => {
  try {
    read()
  } catch (error) {
    expect(error).toBeInstanceOf(FootfallError)
    return error as FootfallError
  }
  throw new Error('the damage was not seen')
}
const withChunk = (at: number, data: Buffer): EncodedSegment => ({
  head: segment.head,
  chunks: segment.chunks.map((chunk, i) => (i === at ? { ...chunk, data } : chunk)),
})
const flipped = (data: Buffer, at: number, bits: number): Buffer => {
  const copy = Buffer.from(data)
  copy[at] = copy[at]! ^ bits
  return copy
}
const bits = [1, 2, 4, 8, 16, 32, 64, 128, 255]

describe('damage', () => {
  test('every flipped byte of the head', () => {
    for (let at = 0; at < segment.head.length; at++)
      for (const one of bits) expect(failure(() => openSegment(flipped(segment.head, at, one))).code).toBe('damaged-segment')
  })

  test('every cut of the head, and a longer one', () => {
    for (let length = 0; length < segment.head.length; length++)
      expect(failure(() => openSegment(segment.head.subarray(0, length))).message).toContain('The head')
    expect(failure(() => openSegment(Buffer.concat([segment.head, Buffer.alloc(1)]))).code).toBe('damaged-segment')
  })

  test('every flipped byte of every chunk, told with its column and group', () => {
    expect(segment.chunks.length).toBeGreaterThan(20)
    for (const [i, { column, group, data }] of segment.chunks.entries())
      for (let at = 0; at < data.length; at++) {
        const error = failure(() => readBack(withChunk(i, flipped(data, at, bits[(i + at) % bits.length]!))))
        expect([error.code, error.message.includes(`Column ${column}, group ${group}: `)]).toEqual(['damaged-segment', true])
      }
  })

  test('every cut of every chunk, a longer one and a missing one', () => {
    for (const [i, { column, group, data }] of segment.chunks.entries()) {
      const pieces = [...Array.from(data.keys(), (length) => data.subarray(0, length)), Buffer.concat([data, Buffer.alloc(1)]), undefined]
      for (const piece of pieces)
        expect(failure(() => readBack(withChunk(i, piece as Buffer))).message).toContain(`Column ${column}, group ${group}: `)
    }
  })

  test('every chunk in the place of every other', () => {
    for (const [i, { column }] of segment.chunks.entries())
      for (const [other, { data }] of segment.chunks.entries())
        if (i !== other) expect(failure(() => readBack(withChunk(i, data))).message).toContain(`Column ${column}, `)
  })

  test('a chunk of another segment that looks the same', () => {
    const twin = encodeSegment(
      rows.map((row) => ({
        ...row,
        s: { ...row.s, br: row.s.br === 'Browser 1' ? 'Browser 2' : row.s.br === 'Browser 2' ? 'Browser 1' : row.s.br },
      })),
      interval,
    )
    const at = segment.chunks.findIndex(({ column }) => column === 's.br')
    expect(twin.chunks[at]!.data.length).toBe(segment.chunks[at]!.data.length)
    expect(failure(() => readBack(withChunk(at, twin.chunks[at]!.data))).code).toBe('damaged-segment')
  })
})

describe('what a head says is not believed', () => {
  const { body } = decodeHead(segment.head)
  const opened = (change: object) => openSegment(encodeHead({ ...body, ...change }).head)

  test('a length that no payload can have takes no memory', () => {
    const raw = Buffer.alloc(1_000)
    const packed = pack(raw)
    expect(unpack(packed, raw.length, 'x').length).toBe(1_000)
    for (const length of [0, 999, 1_001]) expect(failure(() => unpack(packed, length, 'x')).code).toBe('damaged-segment')
    for (const length of [2 ** 27, 2 ** 31, 2 ** 50]) expect(failure(() => unpack(packed, length, 'x')).message).toContain('cannot hold')
    expect(failure(() => unpack({ codec: 7, payload: raw }, 1_000, 'x')).message).toContain('codec 7')
    expect(failure(() => unpack({ codec: 1, payload: raw }, 1_000, 'x')).message).toContain('decompressed')
  })

  test('counts beyond all limits, unknown fields, other types', () => {
    const group = body.groups[0]!
    const column = body.columns[0]!
    for (const change of [
      { groups: [{ ...group, rows: 2 ** 40 }] },
      { groups: [] },
      { groups: Array.from({ length: 17 }, () => group) },
      { columns: [{ ...column, width: 9 }] },
      { columns: [{ ...column, kind: 'other' }] },
      { columns: 'all' },
      { to: -1 },
      { more: 1 },
    ])
      expect(failure(() => opened(change)).message).toContain('The head: its fields')
  })

  test('a head that says it is huge', () => {
    for (const length of [2 ** 20 + 1, 2 ** 31]) {
      const huge = Buffer.from(segment.head)
      huge.writeUInt32LE(length, 6)
      huge.writeUInt32LE(crc32(huge.subarray(14), crc32(huge.subarray(0, 10))), 10)
      expect(failure(() => openSegment(huge)).message).toContain('cannot hold')
    }
  })

  test('counts that do not add up, a code without a text, a row without what all have', () => {
    const read = (change: object, fix: (chunk: EncodedSegment['chunks'][number], sum: number) => Buffer) => {
      const { head, sum } = encodeHead({ ...body, ...change })
      return () => readBack({ head, chunks: segment.chunks.map((chunk) => ({ ...chunk, data: fix(chunk, sum) })) })
    }
    const { sum } = decodeHead(segment.head)
    const reader = openSegment(segment.head)
    const rawOf = ({ column, group, data }: EncodedSegment['chunks'][number]) => {
      const width = reader.columns.get(column)?.width ?? 0
      const table = reader.groups[0]!
      const bytes = column.startsWith('t.')
        ? reader.dictionaries.get(column.slice(2))!.parts[group]![1]
        : width * (column[0] === 's' ? table.rows : column[0] === 'd' ? table.days : table.hits)
      return openChunk(data, column, group, sum, bytes, column)
    }
    const again = (chunk: EncodedSegment['chunks'][number], sum: number, change = (raw: Buffer) => raw) =>
      sealChunk(pack(change(Buffer.from(rawOf(chunk)))), chunk.column, chunk.group, sum)
    expect(read({}, (chunk, sum) => again(chunk, sum))().map(exact)).toEqual(rows.map(exact))

    const highest = read({}, (chunk, sum) => again(chunk, sum, (raw) => (chunk.column === 's.br' ? raw.fill(255) : raw)))
    expect(failure(highest).message).toContain('Column s.br: code 255 has no text')
    const beyond = read({}, (chunk, sum) => again(chunk, sum, (raw) => (chunk.column === 's.vis' ? raw.fill(255) : raw)))
    expect(failure(beyond).message).toContain('Column s.vis, group 0: a hash lies beyond its group')
    const longer = read({}, (chunk, sum) => again(chunk, sum, (raw) => (chunk.column === 't.br' ? raw.fill(1, 0, 1) : raw)))
    expect(failure(longer).message).toContain('lengths do not add up')
    const without = (name: string) =>
      read({ columns: body.columns.filter((column) => column.name !== name) }, (chunk, sum) => again(chunk, sum))
    for (const name of ['s.start', 's.hits', 's.days', 's.vis', 'h.dt', 's.off', 's.cont'])
      expect(failure(without(name)).message).toContain(name)
    const twice = body.columns.map((column) => (column.name === 's.hits' ? { ...column, base: 3 } : column))
    expect(failure(read({ columns: twice }, (chunk, sum) => again(chunk, sum))).message).toContain('it counts 36 instead of 24')
  })
})

describe('versions', () => {
  test('a newer version says so', () => {
    const { head } = encodeHead(decodeHead(segment.head).body, newestVersion + 1)
    const error = failure(() => openSegment(head))
    expect([error.code, error.message]).toEqual([
      'newer-format',
      expect.stringContaining('A segment has version 3, this program reads up to 2.'),
    ])
  })

  test('version 0 was never written', () => {
    expect(failure(() => openSegment(encodeHead(decodeHead(segment.head).body, 0).head)).code).toBe('damaged-segment')
  })
})

test('a group that is not there is the mistake of who asks', () => {
  expect(() => decodeChunk(openSegment(segment.head), 's.br', 1, Buffer.alloc(9))).toThrow(RangeError)
})
