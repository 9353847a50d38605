import { hash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { dictionaryColumn } from './fields.ts'
import { type DictionaryHead, encodeHead } from './head.ts'
import { type Packed, pack, sealChunk } from './pack.ts'
import type { SegmentRow } from './row.ts'
import { createShredder, type Shredded } from './shred.ts'
import { toParts } from './texts.ts'

/** Rows into a segment: the same rows and interval give the same bytes, so that who writes it twice writes nothing new. */

export type Chunk = { column: string; group: number; data: Buffer }
export type EncodedSegment = { head: Buffer; chunks: Chunk[] }
/** Event offsets `[from, to)` of which a segment holds all rows of its site and day. */
export type Interval = { from: number; to: number }

type PackedChunk = { column: string; group: number; packed: Packed }

const packColumns = ({ columns, edges }: Shredded): PackedChunk[] =>
  columns
    .filter(({ head }) => head.width > 0)
    .flatMap(({ head, raw }) => {
      const edge = edges[head.name[0] as 's' | 'd' | 'h']
      return edge.slice(0, -1).map((from, group) => ({ column: head.name, group, packed: pack(raw(from, edge[group + 1]!)) }))
    })

const packDictionaries = ({ dictionaries }: Shredded): { heads: DictionaryHead[]; chunks: PackedChunk[] } => {
  const heads: DictionaryHead[] = []
  const chunks: PackedChunk[] = []
  for (const [name, { texts }] of [...dictionaries].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const { encoding, parts } = toParts(texts)
    heads.push({ name, encoding, parts: parts.map(({ count, raw }) => [count, raw.length]) })
    chunks.push(...parts.map(({ raw }, group) => ({ column: dictionaryColumn(name), group, packed: pack(raw) })))
  }
  return { heads, chunks }
}

/**
 * `rows` are merged and in order, as `mergeRows` gives them; they may come one after the other, only their columns are held. Throws a
 * TypeError for a row that is out of order, outside the interval, or that a segment cannot hold as it is.
 */
export const encodeSegment = (rows: Iterable<SegmentRow>, { from, to }: Interval): EncodedSegment => {
  const shredder = createShredder()
  for (const row of rows) {
    if (row.off < from || row.off >= to) throw new TypeError(`a row of offset ${row.off} lies outside [${from}, ${to})`)
    shredder.add(row)
  }
  const shredded = shredder.done()
  const dictionaries = packDictionaries(shredded)
  const packed = [...packColumns(shredded), ...dictionaries.chunks]
  const { head, sum } = encodeHead({
    from,
    to,
    groups: shredded.groups,
    columns: shredded.columns.map(({ head }) => head),
    dictionaries: dictionaries.heads,
    props: shredded.props,
    sum: packed.reduce((sum, { packed }) => crc32(packed.payload, sum), 0),
  })
  return { head, chunks: packed.map(({ column, group, packed }) => ({ column, group, data: sealChunk(packed, column, group, sum) })) }
}

/** What a segment is called: a hash over all of it (data.md §7), so that writers with different encodings never mix their columns. */
export const segmentName = ({ head, chunks }: EncodedSegment): string =>
  hash('sha256', Buffer.concat([head, ...chunks.map(({ data }) => data)]), 'hex').slice(0, 32)
