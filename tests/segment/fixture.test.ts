import { hash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { encodeSegment } from '#shared/segment/encode.ts'
import { openSegment } from '#shared/segment/read.ts'
import type { SegmentRow } from '#shared/segment/row.ts'
import { exact, readBack } from './rows.ts'

/**
 * A segment as version 1 wrote it, kept for ever: what it holds must stay readable, with the same values. The first line of the file is
 * the head, every other one a chunk (column, group, data), in base64. Of its 300 rows every 25th lies beside it in words; all of them
 * are told by a hash of their texts. When the format changes, this file stays, and the new version gets one of its own.
 */
const read = (name: string): string[] =>
  readFileSync(join(import.meta.dirname, 'fixtures', name), 'utf8')
    .trim()
    .split('\n')

const [head, ...chunks] = read('version-1.segment.txt')
const segment = {
  head: Buffer.from(head!, 'base64'),
  chunks: chunks.map((line) => {
    const [column, group, data] = line.split(' ')
    return { column: column!, group: Number(group), data: Buffer.from(data!, 'base64') }
  }),
}

test('a segment of version 1 is what it was', () => {
  const rows = readBack(segment).map(exact)
  const known = read('version-1.rows.ndjson').map((line) => exact(JSON.parse(line) as SegmentRow))
  expect(known.length).toBe(12)
  expect(rows.filter((_, i) => i % 25 === 0)).toEqual(known)
  expect(hash('sha256', rows.join('\n'), 'hex')).toBe('d96ff0e5d39be15c385ebcd2963a6c68b5d2776cbcf51da4b5bbec0d2badfc36')
})

test('rows without what came later are written in the same columns', () => {
  const { from, to, columns } = openSegment(segment.head)
  const rows = readBack(segment)
  const again = encodeSegment(rows, { from, to })
  expect([...openSegment(again.head).columns]).toEqual([...columns])
  expect(again.chunks.map(({ column, group }) => `${column} ${group}`)).toEqual(
    segment.chunks.map(({ column, group }) => `${column} ${group}`),
  )
  const met = encodeSegment([{ ...rows[0]!, s: { ...rows[0]!.s, goal: 1 } }, ...rows.slice(1)], { from, to })
  expect([...openSegment(met.head).columns.keys()].filter((name) => !columns.has(name))).toEqual(['s.goal'])
})

test('it has all there is in a segment', () => {
  const { version, from, to, columns, dictionaries, props } = openSegment(segment.head)
  expect([version, from, to, props.size]).toEqual([1, 1_000, 2_000, 50])
  const heads = [...columns.values()]
  expect(heads.some((head) => head.kind === 'text' && head.repeats)).toBe(true)
  expect(heads.some((head) => head.width === 0)).toBe(true)
  expect(columns.get('h.po')?.width).toBeGreaterThan(0)
  expect(columns.get('s.id')?.width).toBeGreaterThan(0)
  expect([...dictionaries.values()].map(({ encoding }) => encoding).sort()).toContain('utf16le')
})
