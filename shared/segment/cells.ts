import { chunkName, damaged } from './damaged.ts'
import type { Chunk, EncodedSegment } from './encode.ts'
import type { CellsHead } from './head.ts'
import { openChunk, type Packed, pack } from './pack.ts'
import { fromPlanes, mostWidth, toPlanes, widthOf } from './planes.ts'
import type { SegmentReader } from './read.ts'
import type { Steps } from './steps.ts'

/**
 * Cells: what the rows of a closed day sum up to, for each value of each dimension. They lie beside the columns of the segment. What is
 * counted, and of whom, is told in ../query/columns/sums.ts; here they are only bytes.
 */

/** Counts that are asked for together lie together; each list is a part, and so a chunk, of a dimension. */
export const cellParts = [
  ['visits', 'pageviews', 'events'],
  ['visitors', 'newVisitors'],
  ['started', 'bounces', 'engaged', 'durationMs'],
  ['exits'],
  ['pagePairs', 'foregroundMs', 'scrollSum', 'scrollPairs'],
] as const
export type CellCount = (typeof cellParts)[number][number]
/** Behind the parts of counts lies that of revenue, where there is some. */
const revenuePart = cellParts.length

/** Revenue of the value at a place: exact amount in 1/10,000 units, and how many hits brought it. */
export type CellRevenue = { place: number; currency: string; amount: bigint; hits: number }
/**
 * The cells of one dimension: `codes` are those of its values, ascending; each count has a number for each of them. Parts of which a count
 * is missing are not kept, nor is revenue where it is `undefined`.
 */
export type DimensionCells = {
  name: string
  codes: ArrayLike<number>
  counts: Readonly<Partial<Record<CellCount, ArrayLike<number>>>>
  revenue: readonly CellRevenue[] | undefined
}
/** All cells of a day, and the rows they leave out, as a segment of their own. */
export type Cells = Pick<CellsHead, 'bounce' | 'zone' | 'from' | 'to' | 'cut'> & {
  dimensions: readonly DimensionCells[]
  edge: EncodedSegment | undefined
}

const cellColumn = (dimension: number): string => `c.${dimension}`
const edgePrefix = 'e.'
const edgeHead = { column: `${edgePrefix}head`, group: 0 }
/** Under this name a chunk of the edge rows is stored. */
export const edgeColumn = (column: string): string => edgePrefix + column

/** Bytes before the values of each list: its width, and what is to be added to each value. */
const listHead = 9

/** Lists of numbers of equal length: width and least value of each, then the values of each as planes. */
const listsOf = (lists: readonly ArrayLike<number>[]): Buffer => {
  const heads = Buffer.alloc(lists.length * listHead)
  const planes = lists.map((list, i) => {
    let [least, most] = [list[0] ?? 0, list[0] ?? 0]
    for (let at = 1; at < list.length; at++) {
      if (list[at]! < least) least = list[at]!
      if (list[at]! > most) most = list[at]!
    }
    const width = most === least ? 0 : widthOf(most - least)
    heads.writeUInt8(width, i * listHead)
    heads.writeDoubleLE(least, i * listHead + 1)
    return width === 0
      ? Buffer.alloc(0)
      : toPlanes(
          Float64Array.from(list, (value) => value - least),
          width,
        )
  })
  return Buffer.concat([heads, ...planes])
}

const readLists = (raw: Buffer, lists: number, length: number, where: string): Float64Array[] => {
  let at = lists * listHead
  const widths = Array.from({ length: lists }, (_, i) => (raw.length < at ? 0 : raw.readUInt8(i * listHead)))
  if (widths.some((width) => width > mostWidth)) throw damaged(where, 'its numbers are too wide')
  if (raw.length !== widths.reduce((sum, width) => sum + width * length, at)) throw damaged(where, 'its lists do not add up')
  return widths.map((width, i) => {
    const least = raw.readDoubleLE(i * listHead + 1)
    if (width === 0) return new Float64Array(length).fill(least)
    const values = Float64Array.from(fromPlanes(raw.subarray(at, at + width * length), length, width))
    at += width * length
    for (let value = 0; value < length; value++) values[value]! += least
    return values
  })
}

const distances = (codes: ArrayLike<number>): Float64Array => Float64Array.from(codes, (code, i) => code - (codes[i - 1] ?? 0))

const revenueRaw = (revenue: readonly CellRevenue[]): Buffer =>
  Buffer.from(JSON.stringify(revenue.map(({ place, currency, amount, hits }) => [place, currency, `${amount}`, hits])))

type PackedChunk = { column: string; group: number; packed: Packed }

/** The parts of a dimension as bytes; none where a part is not kept. */
const rawsOf = ({ codes, counts, revenue }: DimensionCells): Buffer[] => {
  const rawOf = (names: readonly CellCount[], part: number): Buffer => {
    const lists = names.map((name) => counts[name]).filter((list) => list !== undefined)
    return lists.length < names.length ? Buffer.alloc(0) : listsOf(part === 0 ? [distances(codes), ...lists] : lists)
  }
  return [...cellParts.map(rawOf), revenue ? revenueRaw(revenue) : Buffer.alloc(0)]
}

const bytesOf = (raws: readonly { length: number }[]): number => raws.reduce((sum, { length }) => sum + length, 0)

/** Dimensions of few values lie together in one chunk: a chunk for each of their parts would be more of chunk than of cells. */
const smallBytes = 4_096
const smallChunk = { column: 'c.small', group: 0 }

/** Cells as chunks that are to be sealed, those of the edge rows (which are), and what the head says of both. In steps. */
export function* packCells({ dimensions, edge, ...rest }: Cells): Steps<{ head: CellsHead; packed: PackedChunk[]; sealed: Chunk[] }> {
  const all: { dimension: DimensionCells; raws: Buffer[] }[] = []
  for (const dimension of dimensions) {
    all.push({ dimension, raws: rawsOf(dimension) })
    yield
  }
  const small = all.filter(({ raws }) => bytesOf(raws) <= smallBytes)
  const large = all.filter(({ raws }) => bytesOf(raws) > smallBytes)
  const packed: PackedChunk[] = [{ ...smallChunk, packed: pack(Buffer.concat(small.flatMap(({ raws }) => raws))) }]
  yield
  for (const [n, { raws }] of large.entries())
    for (const [group, raw] of raws.entries()) {
      if (raw.length > 0) packed.push({ column: cellColumn(small.length + n), group, packed: pack(raw) })
      yield
    }
  if (edge) packed.push({ ...edgeHead, packed: pack(edge.head) })
  const headOf = ({ dimension: { name, codes }, raws }: (typeof all)[number]): CellsHead['dimensions'][number] => [
    ...([name, codes.length] as const),
    raws.map(({ length }) => length),
  ]
  return {
    head: { ...rest, dimensions: [...small, ...large].map(headOf), small: small.length, edge: edge?.head.length ?? 0 },
    packed,
    sealed: edge ? edge.chunks.map((chunk) => ({ ...chunk, column: edgeColumn(chunk.column) })) : [],
  }
}

/** Place of a dimension among those that have cells; -1 where it has none. */
export const cellsOf = ({ cells }: SegmentReader, name: string): number => cells?.dimensions.findIndex(([own]) => own === name) ?? -1

/** Whether all these counts of a dimension are kept, and its revenue where that is asked for. */
export const hasCells = (reader: SegmentReader, name: string, counts: readonly CellCount[], withRevenue: boolean): boolean => {
  const lengths = reader.cells?.dimensions[cellsOf(reader, name)]?.[2]
  if (!lengths) return false
  const isKept = (names: readonly CellCount[], part: number) => lengths[part]! > 0 || !names.some((count) => counts.includes(count))
  return cellParts.every(isKept) && (!withRevenue || lengths[revenuePart]! > 0)
}

/** Where bytes of cells lie: a chunk, how many bytes it holds, and which of them. */
export type Piece = { column: string; group: number; bytes: number; from: number; to: number }
/** A part of the cells of a dimension. */
export type CellPiece = Piece & { dimension: number; part: number }

const pieceOf = ({ cells }: SegmentReader, dimension: number, part: number): CellPiece => {
  const { dimensions, small } = cells!
  const lengths = dimensions[dimension]![2]
  const bytes = lengths[part]!
  if (dimension >= small) return { column: cellColumn(dimension), group: part, bytes, from: 0, to: bytes, dimension, part }
  const before = dimensions.slice(0, dimension).flatMap(([, , all]) => all)
  const sum = (list: readonly number[]): number => list.reduce((all, length) => all + length, 0)
  const from = sum(before) + sum(lengths.slice(0, part))
  const all = sum(dimensions.slice(0, small).flatMap(([, , own]) => own))
  return { ...smallChunk, bytes: all, from, to: from + bytes, dimension, part }
}

/** The parts that have one of these counts. */
export const countPieces = (reader: SegmentReader, dimension: number, counts: readonly CellCount[]): CellPiece[] =>
  cellParts.flatMap((names, part) => (names.some((name) => counts.includes(name)) ? [pieceOf(reader, dimension, part)] : []))

/** The part of revenue. */
export const revenuePiece = (reader: SegmentReader, dimension: number): CellPiece => pieceOf(reader, dimension, revenuePart)

/** Where the head of the edge rows lies; `undefined` where there are none. */
export const edgePiece = ({ cells }: SegmentReader): Piece | undefined =>
  cells && cells.edge > 0 ? { ...edgeHead, bytes: cells.edge, from: 0, to: cells.edge } : undefined

/** The bytes of a chunk of cells. */
export const openCells = ({ sum }: SegmentReader, { column, group, bytes }: Piece, data: Buffer | undefined): Buffer => {
  const where = chunkName(column, group)
  if (!data) throw damaged(where, 'it is missing')
  return openChunk(data, column, group, sum, bytes, where)
}

export type ReadCounts = { codes: Uint32Array | undefined; counts: Partial<Record<CellCount, Float64Array>> }

/** The counts of a part, and in the first one the codes of the values. `raw`: the bytes of its chunk. */
export const readCounts = ({ cells }: SegmentReader, { dimension, part, column, group, from, to }: CellPiece, raw: Buffer): ReadCounts => {
  const names = cellParts[part]!
  const values = cells!.dimensions[dimension]![1]
  const lists = readLists(raw.subarray(from, to), names.length + (part === 0 ? 1 : 0), values, chunkName(column, group))
  const codes = part === 0 ? Uint32Array.from(lists.shift()!) : undefined
  if (codes) for (let i = 1; i < codes.length; i++) codes[i]! += codes[i - 1]!
  return { codes, counts: Object.fromEntries(names.map((name, i) => [name, lists[i]!])) }
}

/** The revenue of a dimension. `raw`: the bytes of its chunk. */
export const readRevenue = ({ column, group, from, to }: CellPiece, raw: Buffer): CellRevenue[] => {
  try {
    const list = JSON.parse(raw.toString('utf8', from, to)) as [number, string, string, number][]
    return list.map(([place, currency, amount, hits]) => ({ place, currency, amount: BigInt(amount), hits }))
  } catch (cause) {
    throw damaged(chunkName(column, group), 'it is no list of revenue', cause)
  }
}
