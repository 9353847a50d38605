import { chunkName, damaged } from './damaged.ts'
import { dictionaryColumn, propColumn } from './fields.ts'
import { groupStart } from './groups.ts'
import { type CellsHead, type ColumnHead, type DictionaryHead, decodeHead, type GroupHead, type NumberHead, type TextHead } from './head.ts'
import { openChunk } from './pack.ts'
import { fromPlanes, type Numbers } from './planes.ts'
import { readPart } from './texts.ts'

/**
 * Reading a segment column by column: from the head follows which chunks there are, a question decodes those it needs. Every chunk is
 * checked against its checksum, its place and its length before a number is made of it.
 */

export type SegmentReader = {
  version: number
  from: number
  to: number
  rows: number
  hits: number
  groups: readonly GroupHead[]
  /** The columns that are there; any other one is absent in all rows. */
  columns: ReadonlyMap<string, ColumnHead>
  dictionaries: ReadonlyMap<string, DictionaryHead>
  /** Column of each property key that has one of its own. */
  props: ReadonlyMap<string, string>
  /** Sums of a closed day, where it has them (cells.ts). */
  cells: CellsHead | undefined
  /** The head's checksum, to which those of the chunks are bound. */
  sum: number
}

/** Codes of a dictionary; 0 = absent. */
export type TextValues = { kind: 'text'; codes: Uint8Array | Uint16Array | Uint32Array }
/** The i-th value is `values[i] + base`; it is absent where the column is `nullable` and `values[i]` is 0. */
export type NumberValues = { kind: 'number'; values: Numbers; base: number; nullable: boolean }
/** Hashes of visitors as numbers below 2^48, ascending. */
export type HashValues = { kind: 'hash'; values: Float64Array }
export type Column = TextValues | NumberValues | HashValues

export const openSegment = (head: Buffer): SegmentReader => {
  const { version, body, sum } = decodeHead(head)
  const { from, to, groups, columns, dictionaries, props, cells } = body
  return {
    version,
    from,
    to,
    rows: groups.reduce((all, { rows }) => all + rows, 0),
    hits: groups.reduce((all, { hits }) => all + hits, 0),
    groups,
    columns: new Map(columns.map((column) => [column.name, column])),
    dictionaries: new Map(dictionaries.map((dictionary) => [dictionary.name, dictionary])),
    props: new Map(props.map((key, n) => [key, propColumn(n).column])),
    cells,
    sum,
  }
}

/** Hashes of a group: `from` ≤ hash < `to`. */
export const groupRange = ({ groups }: SegmentReader, group: number): { from: number; to: number } => ({
  from: groupStart(group, groups.length),
  to: groupStart(group + 1, groups.length),
})

/** Whether a column has chunks: one that is absent, or has one value in all rows, has none. */
export const hasChunks = ({ columns }: SegmentReader, column: string): boolean => (columns.get(column)?.width ?? 0) > 0

/** Under which names the parts of a dictionary are stored. */
export const dictionaryChunks = ({ dictionaries }: SegmentReader, dictionary: string): { column: string; group: number }[] =>
  (dictionaries.get(dictionary)?.parts ?? []).map((_, group) => ({ column: dictionaryColumn(dictionary), group }))

const countIn = ({ groups }: SegmentReader, column: string, group: number): number => {
  const counts = groups[group]
  if (!counts) throw new RangeError(`a segment of ${groups.length} groups has no group ${group}`)
  return column[0] === 's' ? counts.rows : column[0] === 'd' ? counts.days : counts.hits
}

/**
 * One column of one row group, `undefined` where it is absent in all rows. `data` is its chunk, where it has one (`hasChunks`).
 */
export const decodeChunk = (reader: SegmentReader, column: string, group: number, data?: Buffer): Column | undefined => {
  const count = countIn(reader, column, group)
  const head = reader.columns.get(column)
  if (!head) return undefined
  const where = chunkName(column, group)
  if (head.width === 0) return columnOf(head, new Uint8Array(count), reader, group, where)
  if (!data) throw damaged(where, 'it is missing')
  const raw = openChunk(data, column, group, reader.sum, count * head.width, where)
  return columnOf(head, fromPlanes(raw, count, head.width), reader, group, where)
}

const columnOf = (head: ColumnHead, stored: Numbers, reader: SegmentReader, group: number, where: string): Column => {
  if (head.kind === 'text') return { kind: 'text', codes: codesOf(head, stored, where) }
  if (head.kind === 'number') return { kind: 'number', values: stored, base: head.base, nullable: head.nullable }
  return { kind: 'hash', values: hashesOf(stored, groupRange(reader, group), where) }
}

const codesOf = ({ base, width, repeats }: TextHead, stored: Numbers, where: string): TextValues['codes'] => {
  if (stored instanceof Float64Array) throw damaged(where, `codes have no ${width} bytes`)
  if (repeats) return repeated(stored)
  if (base === 0) return stored
  return (base < 256 ? new Uint8Array(stored.length) : new Uint32Array(stored.length)).fill(base)
}

const repeated = (stored: TextValues['codes']): TextValues['codes'] => {
  const codes = stored.slice()
  let code = 0
  for (let i = 0; i < codes.length; i++) {
    // Without a branch: whether a code repeats is as good as chance, and guessing it wrong costs more than all the rest.
    const own = codes[i]! - 1
    const isRepeat = own >> 31
    code = (code & isRepeat) | (own & ~isRepeat)
    codes[i] = code
  }
  return codes
}

const hashesOf = (distances: Numbers, { from, to }: { from: number; to: number }, where: string): Float64Array => {
  const hashes = new Float64Array(distances.length)
  let hash = from
  for (let i = 0; i < hashes.length; i++) {
    hash += distances[i]!
    hashes[i] = hash
  }
  if (hash >= to) throw damaged(where, 'a hash lies beyond its group')
  return hashes
}

/** A value of a number column; `undefined` where it is absent. */
export const numberAt = (column: NumberValues | undefined, i: number): number | undefined =>
  column === undefined || (column.nullable && column.values[i] === 0) ? undefined : column.values[i]! + column.base

/** The texts of a dictionary by code; '' stands at 0. `parts` are its chunks in order. */
export const decodeDictionary = (reader: SegmentReader, dictionary: string, parts: readonly (Buffer | undefined)[]): string[] => {
  const texts = ['']
  const head = reader.dictionaries.get(dictionary)
  head?.parts.forEach(([count, bytes], group) => {
    const column = dictionaryColumn(dictionary)
    const where = chunkName(column, group)
    const data = parts[group]
    if (!data) throw damaged(where, 'it is missing')
    readPart(openChunk(data, column, group, reader.sum, bytes, where), count, head.encoding, texts, where)
  })
  return texts
}

export type { ColumnHead, DictionaryHead, GroupHead, NumberHead, TextHead }
