import {
  type CellCount,
  type CellPiece,
  type CellRevenue,
  cellsOf,
  countPieces,
  edgeColumn,
  edgePiece,
  hasCells,
  openCells,
  type Piece,
  type ReadCounts,
  readCounts,
  readRevenue,
  revenuePiece,
} from '../../segment/cells.ts'
import type { SegmentReader } from '../../segment/read.ts'
import type { FetchChunks } from '../../segment/stream.ts'
import type { Cache } from './cache.ts'
import type { LoadedCells, Table, TableCells } from './table.ts'

/** The cells of a stored segment, kept decoded as its columns are. */

type Named = { name: string; day: number }
/** How the edge rows, which are a segment in the segment, are made a table. */
type OpenTable = (named: Named, head: Buffer, fetch: FetchChunks) => Table

/** `undefined` where a segment has none. */
export const storedCells = (
  { name, day }: Named,
  reader: SegmentReader,
  fetch: FetchChunks,
  cache: Cache,
  openTable: OpenTable,
): TableCells | undefined => {
  if (!reader.cells) return undefined
  const { bounce, zone, from, to } = reader.cells
  const keyOf = ({ column, group }: Piece) => `${name} ${group} ${column}`
  const edgeTable = (head: Buffer): Table =>
    openTable({ name: `${name} edge`, day }, head, (names) =>
      fetch(names.map(({ column, group }) => ({ column: edgeColumn(column), group }))),
    )

  /** The bytes of the chunks that pieces lie in, by column and group. */
  const rawsOf = async (pieces: readonly Piece[]): Promise<(piece: Piece) => Buffer> => {
    const raws = new Map<string, Buffer>()
    const missing = new Map<string, Piece>()
    for (const piece of pieces) {
      const known = cache.get<Buffer>(keyOf(piece))
      if (known) raws.set(keyOf(piece), known)
      else missing.set(keyOf(piece), piece)
    }
    const data = missing.size > 0 ? await fetch([...missing.values()]) : []
    for (const [n, [key, piece]] of [...missing].entries()) raws.set(key, cache.put(key, openCells(reader, piece, data[n]), piece.bytes))
    return (piece) => raws.get(keyOf(piece))!
  }

  /** What is read of pieces, from the cache where it is there. */
  const read = async <T>(pieces: readonly CellPiece[], from: (piece: CellPiece, raw: Buffer) => T): Promise<T[]> => {
    const cellKey = ({ dimension, part }: CellPiece) => `${name} cells ${dimension} ${part}`
    const known = pieces.map((piece) => cache.get<T>(cellKey(piece)))
    const rawOf = await rawsOf(pieces.filter((_, n) => known[n] === undefined))
    return pieces.map((piece, n) => known[n] ?? cache.put(cellKey(piece), from(piece, rawOf(piece)), 8 * (piece.to - piece.from)))
  }

  const load: TableCells['load'] = async (dimension, counts, withRevenue): Promise<LoadedCells> => {
    const at = cellsOf(reader, dimension)
    // Codes lie with the first counts.
    const parts = await read<ReadCounts>(countPieces(reader, at, ['visits', ...counts]), (piece, raw) => readCounts(reader, piece, raw))
    const all = Object.assign({}, ...parts.map((part) => part.counts)) as Record<CellCount, Float64Array>
    return {
      codes: parts[0]!.codes!,
      counts: counts.map((count) => [count, all[count]] as const),
      revenue: withRevenue ? (await read<CellRevenue[]>([revenuePiece(reader, at)], readRevenue))[0]! : [],
    }
  }

  return {
    ...{ bounce, zone, from, to },
    has: (dimension, counts, withRevenue) => hasCells(reader, dimension, counts, withRevenue),
    load,
    async edge() {
      const piece = edgePiece(reader)
      return piece && edgeTable((await rawsOf([piece]))(piece))
    },
  }
}
