import { expect, test } from 'vitest'
import { passingOf, sliceOf } from '#shared/query/columns/slice.ts'
import type { Rows } from '#shared/query/columns/table.ts'

/** Five rows with 2, 0, 3, 1 and 2 hits; a hit's page and time tell its place. */
const rows: Rows = {
  rows: 5,
  hits: 8,
  visitors: Float64Array.of(10, 20, 30, 40, 50),
  firstHit: Uint32Array.of(0, 2, 2, 5, 6, 8),
  text(column) {
    if (column === 's.src') return { codes: Uint8Array.of(1, 2, 3, 4, 5), texts: ['', 'a', 'b', 'c', 'd', 'e'] }
    return column === 'h.path' ? { codes: Uint16Array.of(0, 1, 2, 3, 4, 5, 6, 7), texts: [...'01234567'] } : undefined
  },
  number(column) {
    if (column === 's.pv') return { values: Uint8Array.of(1, 0, 3, 4, 5), base: 7, nullable: true }
    return column === 'h.t' ? { values: Float64Array.of(0, 1, 2, 3, 4, 5, 6, 7), base: 100, nullable: false } : undefined
  },
}

const read = (some: Rows) => ({
  visitors: [...some.visitors],
  sources: [...some.text('s.src')!.codes],
  views: [...some.number('s.pv')!.values],
  hits: Array.from({ length: some.rows }, (_, row) => [...some.text('h.path')!.codes.subarray(some.firstHit[row], some.firstHit[row + 1])]),
  times: [...some.number('h.t')!.values],
})

test('rows that pass are copied with their hits', () => {
  const some = passingOf(rows, Uint8Array.of(0, 1, 1, 0, 1), 3)
  expect(read(some)).toEqual({
    visitors: [20, 30, 50],
    sources: [2, 3, 5],
    views: [0, 3, 5],
    hits: [[], [2, 3, 4], [6, 7]],
    times: [2, 3, 4, 6, 7],
  })
  expect([some.rows, some.hits, some.number('s.pv')!.base, some.text('h.no'), some.number('s.no')]).toEqual([3, 5, 7, undefined, undefined])
})

test('rows without columns of hits have none when they are copied', () => {
  const some = passingOf({ ...rows, firstHit: new Uint32Array(0) }, Uint8Array.of(1, 0, 0, 0, 0), 1)
  expect([[...some.visitors], [...some.text('s.src')!.codes], some.firstHit.length, some.hits]).toEqual([[10], [1], 0, 0])
})

test('a slice of rows has its own hits from 0 on', () => {
  const some = sliceOf(rows, 20, 45)
  expect(read(some)).toEqual({
    visitors: [20, 30, 40],
    sources: [2, 3, 4],
    views: [0, 3, 4],
    hits: [[], [2, 3, 4], [5]],
    times: [2, 3, 4, 5],
  })
})
