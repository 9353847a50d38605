import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { type Cells, packCells } from './cells.ts'
import { dictionaryColumn } from './fields.ts'
import { type DictionaryHead, encodeHead, type HeadBody } from './head.ts'
import { type Packed, pack, sealChunk } from './pack.ts'
import type { SegmentRow } from './row.ts'
import { createShredder, type Shredded } from './shred.ts'
import { finish, type Steps } from './steps.ts'
import { toParts } from './texts.ts'

/** Rows into a segment: the same rows and interval give the same bytes, so that who writes it twice writes nothing new. */

export type Chunk = { column: string; group: number; data: Buffer }
export type EncodedSegment = { head: Buffer; chunks: Chunk[] }
/** Event offsets `[from, to)` of which a segment holds all rows of its site and day. */
export type Interval = { from: number; to: number }

type PackedChunk = { column: string; group: number; packed: Packed }

/** Packs all chunks, in their order, a chunk a step. */
function* packAll({ columns, edges, dictionaries }: Shredded): Steps<{ chunks: PackedChunk[]; heads: DictionaryHead[] }> {
  const chunks: PackedChunk[] = []
  for (const { head, raw } of columns) {
    if (head.width === 0) continue
    const edge = edges[head.name[0] as 's' | 'd' | 'h']
    for (let group = 0; group < edge.length - 1; group++) {
      chunks.push({ column: head.name, group, packed: pack(raw(edge[group]!, edge[group + 1]!)) })
      yield
    }
  }
  const heads: DictionaryHead[] = []
  for (const [name, { texts }] of [...dictionaries].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const { encoding, parts } = toParts(texts)
    heads.push({ name, encoding, parts: parts.map(({ count, raw }) => [count, raw.length]) })
    for (const [group, { raw }] of parts.entries()) {
      chunks.push({ column: dictionaryColumn(name), group, packed: pack(raw) })
      yield
    }
  }
  return { chunks, heads }
}

/** Seals chunks with the head that they make. */
function* sealAll(packed: readonly PackedChunk[], body: Omit<HeadBody, 'sum'>): Steps<EncodedSegment> {
  let payloads = 0
  for (const { packed: one } of packed) {
    payloads = crc32(one.payload, payloads)
    yield
  }
  const { head, sum } = encodeHead({ ...body, sum: payloads })
  const chunks: Chunk[] = []
  for (const { column, group, packed: one } of packed) {
    chunks.push({ column, group, data: sealChunk(one, column, group, sum) })
    yield
  }
  return { head, chunks }
}

/**
 * Rows into a segment, in steps. Rows are merged and in order, as `mergeRows` gives them; they may come one after the other, only their
 * columns are held. `add` throws a TypeError for a row that is out of order, outside the interval, or that a segment cannot hold as it is.
 * What `done` gives can have cells: they are counted of it, and then `withCells` makes another segment of the same rows.
 */
export const createEncoder = ({ from, to }: Interval) => {
  const shredder = createShredder()
  return {
    add(row: SegmentRow): void {
      if (row.off < from || row.off >= to) throw new TypeError(`a row of offset ${row.off} lies outside [${from}, ${to})`)
      shredder.add(row)
    },
    *done(): Steps<EncodedSegment & { withCells(cells: Cells): Steps<EncodedSegment> }> {
      const shredded = yield* shredder.done()
      const { chunks: packed, heads } = yield* packAll(shredded)
      const { groups, columns, props } = shredded
      const body = { from, to, groups, columns: columns.map((column) => column.head), dictionaries: heads, props }
      function* withCells(cells: Cells): Steps<EncodedSegment> {
        const more = yield* packCells(cells)
        const { head, chunks } = yield* sealAll([...packed, ...more.packed], { ...body, cells: more.head })
        return { head, chunks: [...chunks, ...more.sealed] }
      }
      return { ...(yield* sealAll(packed, body)), withCells }
    },
  }
}

/** The same at once. */
export const encodeSegment = (rows: Iterable<SegmentRow>, interval: Interval): EncodedSegment => {
  const encoder = createEncoder(interval)
  for (const row of rows) encoder.add(row)
  const { head, chunks } = finish(encoder.done())
  return { head, chunks }
}

/** What a segment is called: a hash over all of it (data.md §7), so that writers with different encodings never mix their columns. */
export function* nameSteps({ head, chunks }: EncodedSegment): Steps<string> {
  const hash = createHash('sha256').update(head)
  for (const { data } of chunks) {
    hash.update(data)
    yield
  }
  return hash.digest('hex').slice(0, 32)
}

export const segmentName = (segment: EncodedSegment): string => finish(nameSteps(segment))
