import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createMerge } from '#shared/query/merge.ts'
import { encodeRows } from '#shared/rollup/block.ts'
import { encodeSegment } from '#shared/segment/encode.ts'
import { inOrder, mergeRows } from '#shared/segment/merge.ts'
import type { Row, SegmentRow } from '#shared/segment/row.ts'
import { calendarOf } from '#shared/site/zone.ts'
import { aHit, aRow, day, exact, interval, readBack, rowsOfFew, start } from './rows.ts'

/** Rows are upserts: of a session the newest stands, hits add up. */

const texts = (rows: readonly SegmentRow[]): string[] => rows.map(exact)

describe('rows of one session', () => {
  test('the newest stands, whichever comes first, and all hits are there in time order', () => {
    const older = aRow({ off: 3, s: { pv: 1 }, h: [aHit({ t: start + 5, ti: 'b' })] })
    const newer = aRow({ off: 7, s: { pv: 2 }, h: [aHit({ t: start, ti: 'a' }), aHit({ t: start + 5, ti: 'c' })] })
    for (const [rows, titles] of [
      [[older, newer], 'abc'],
      [[newer, older], 'acb'],
    ] as const) {
      const [row, ...others] = mergeRows(rows)
      expect(others).toEqual([])
      expect([row!.off, row!.s.pv]).toEqual([7, 2])
      expect(row!.h.map(({ ti }) => ti).join('')).toBe(titles)
    }
  })

  test('of equal offsets the later one stands, as in query/merge.ts', () => {
    expect(mergeRows([aRow({ s: { pv: 1 } }), aRow({ s: { pv: 2 } })])[0]!.s.pv).toBe(2)
  })

  test('what is given stays as it is', () => {
    const rows = [aRow({ h: [aHit({ t: start + 1 }), aHit({ t: start })] }), aRow({ off: 2 })]
    const before = texts(rows)
    mergeRows(rows)
    expect(texts(rows)).toEqual(before)
  })
})

describe('query/merge.ts', () => {
  const calendar = calendarOf([{ tz: 'UTC', from: 0 }])
  const columns = { visit: ['visit:source', 'visit:entry_page', 'visit:new'], hit: ['event:page', 'event:props:plan'], paths: true }
  const visitsOf = (blocks: readonly (readonly SegmentRow[])[]) => {
    const merge = createMerge(columns, { from: 0, to: Number.MAX_SAFE_INTEGER }, calendar)
    for (const rows of blocks)
      merge.take({ site: 'x', day, from: 0, to: 100, rows: rows.length, body: encodeRows(rows as Row[]) }, Number.MAX_SAFE_INTEGER)
    const visits = [...merge.day(), ...merge.rest()]
    return visits.map((visit) => ({ ...visit, hits: visit.hits.toSorted((a, b) => a.t - b.t) })).map((visit) => JSON.stringify(visit))
  }

  test('makes the same visits of rows as of the merged rows, and of those that a segment gives back', () => {
    fc.assert(
      fc.property(rowsOfFew, (rows) => {
        const visits = visitsOf(rows.map((row) => [row])).sort()
        const merged = mergeRows(rows)
        expect(visitsOf([merged]).sort()).toEqual(visits)
        expect(visitsOf([readBack(encodeSegment(merged, interval))]).sort()).toEqual(visits)
      }),
    )
  })
})

describe('any rows', () => {
  test('come in the order of visitor, start, id', () => {
    fc.assert(
      fc.property(rowsOfFew, (rows) => {
        const merged = mergeRows(rows)
        for (let i = 1; i < merged.length; i++) expect(inOrder(merged[i - 1]!, merged[i]!)).toBeLessThan(0)
      }),
    )
    const ids = mergeRows([aRow({ s: { id: 'b' } }), aRow({ s: { id: 'a' } }), aRow({ s: { id: 'c', start: start - 1 } })]).map(
      ({ s }) => s.id,
    )
    expect(ids).toEqual(['c', 'a', 'b'])
  })

  test('may be merged in any parts', () => {
    fc.assert(
      fc.property(rowsOfFew, fc.nat(12), fc.nat(12), (rows, a, b) => {
        const [first, second] = [Math.min(a, b), Math.max(a, b)]
        const parts = [rows.slice(0, first), rows.slice(first, second), rows.slice(second)]
        const whole = texts(mergeRows(rows))
        expect(texts(mergeRows(parts.flatMap((part) => mergeRows(part))))).toEqual(whole)
        expect(texts(mergeRows([...mergeRows([...parts[0]!, ...parts[1]!]), ...parts[2]!]))).toEqual(whole)
        expect(texts(mergeRows([...parts[0]!, ...mergeRows([...parts[1]!, ...parts[2]!])]))).toEqual(whole)
      }),
    )
  })

  test('of different sessions may come in any order', () => {
    const shuffled = rowsOfFew.chain((rows) => fc.tuple(fc.constant(rows), fc.shuffledSubarray([0, 1, 2, 3, 4], { minLength: 5 })))
    fc.assert(
      fc.property(shuffled, ([rows, order]) => {
        const turned = order.flatMap((n) => rows.filter(({ s }) => s.id === `0-${n}-0`))
        expect(texts(mergeRows(turned))).toEqual(texts(mergeRows(rows)))
      }),
    )
  })

  test('may go through segments on their way', () => {
    fc.assert(
      fc.property(rowsOfFew, fc.nat(12), (rows, cut) => {
        const parts = [rows.slice(0, cut), rows.slice(cut)].map((part) => readBack(encodeSegment(mergeRows(part), interval)))
        expect(texts(mergeRows(parts.flat()))).toEqual(texts(mergeRows(rows)))
      }),
    )
  })
})
