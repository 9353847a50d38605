import { types } from 'cassandra-driver'
import type { SegmentChunk } from '../../ports/segments.ts'
import type { ChunkName } from '../../segment/stream.ts'
import { type Database, type Statement, statement } from './database.ts'
import { eachAtOnce } from './slots.ts'

/**
 * The bytes of segments: a Cassandra partition for each time a segment is put, under an id that nobody else writes to. So what two put at
 * once never mixes, and what is deleted under one id is nobody else's. A chunk lies in pieces, each of which says how many there are.
 */
export type Content = {
  /** Writes head and chunks; all of them are there when it resolves. */
  write(where: Where, head: Buffer, chunks: readonly SegmentChunk[]): Promise<void>
  head(where: Where): Promise<Buffer | undefined>
  /** The chunks asked for, in that order; `undefined` for one that is not there, or not whole: it is being deleted. */
  read(where: Where, names: readonly ChunkName[]): Promise<(Buffer | undefined)[]>
  drop(where: Where): Promise<void>
}

/** Where the bytes of one put lie: levels have tables of their own, as their rows live for days or for years. */
export type Where = { level: 0 | 1; id: string }

/** Bytes of a value: much larger ones are hard on a node's memory. */
const pieceBytes = 512 * 1024
/** Rows and bytes of one batch (all of one partition). */
const batchRows = 100
const batchBytes = 512 * 1024
/** Batches and questions of one call at once. More are no faster, and would use up their deadline with waiting for each other. */
const atOnce = 4
/** Chunks of one question, and rows of one page of its answer: at most 12 MB at once. */
const namesAtOnce = 64
const rowsAtOnce = 24

/** The head is kept under a name that no chunk has: groups count from 0. */
const headName: ChunkName = { column: 'head', group: -1 }

type Piece = { column: string; group: number; piece: number; pieces: number; data: Buffer }

const piecesOf = ({ column, group, data }: SegmentChunk): Piece[] => {
  const pieces = Math.max(1, Math.ceil(data.length / pieceBytes))
  return Array.from({ length: pieces }, (_, piece) => ({
    column,
    group,
    piece,
    pieces,
    data: data.subarray(piece * pieceBytes, (piece + 1) * pieceBytes),
  }))
}

/** Pieces in batches, in their order. */
const batchesOf = (pieces: Iterable<Piece>): Piece[][] => {
  const batches: Piece[][] = []
  let room = { rows: 0, bytes: 0 }
  for (const one of pieces) {
    if (room.rows < 1 || room.bytes < one.data.length) {
      batches.push([])
      room = { rows: batchRows, bytes: batchBytes }
    }
    batches.at(-1)!.push(one)
    room.rows--
    room.bytes -= one.data.length
  }
  return batches
}

const tableOf = ({ level }: Where): string => `chunk_${level}`

const insert = (where: Where, { column, group, piece, pieces, data }: Piece): Statement =>
  statement(
    `INSERT INTO ${tableOf(where)} (id, col, rg, piece, pieces, data) VALUES (?, ?, ?, ?, ?, ?)`,
    where.id,
    column,
    group,
    piece,
    pieces,
    data,
  )

const keyOf = ({ column, group }: ChunkName): string => `${group} ${column}`

type Found = { pieces: number; parts: Buffer[] }

/** A chunk of all its pieces, which come in their order. */
const wholeOf = (found: Found | undefined): Buffer | undefined => {
  if (!found || found.parts.length !== found.pieces) return undefined
  return found.parts.length === 1 ? found.parts[0] : Buffer.concat(found.parts)
}

export const createContent = (db: Database): Content => {
  const find = async (where: Where, names: readonly ChunkName[], found: Map<string, Found>): Promise<void> => {
    const keys = names.map(({ column, group }) => new types.Tuple(column, group))
    const query = `SELECT col, rg, pieces, data FROM ${tableOf(where)} WHERE id = ? AND (col, rg) IN ?`
    for await (const row of db.eachRow(statement(query, where.id, keys), rowsAtOnce)) {
      const key = keyOf({ column: row['col'], group: row['rg'] })
      const one: Found = found.get(key) ?? { pieces: row['pieces'], parts: [] }
      one.parts.push(row['data'])
      found.set(key, one)
    }
  }

  const read = async (where: Where, names: readonly ChunkName[]): Promise<(Buffer | undefined)[]> => {
    const found = new Map<string, Found>()
    const different = [...new Map(names.map((name) => [keyOf(name), name])).values()]
    const questions: ChunkName[][] = []
    for (let i = 0; i < different.length; i += namesAtOnce) questions.push(different.slice(i, i + namesAtOnce))
    await eachAtOnce(questions, atOnce, (some) => find(where, some, found))
    return names.map((name) => wholeOf(found.get(keyOf(name))))
  }

  return {
    write: async (where, head, chunks) => {
      const pieces = [{ ...headName, data: head }, ...chunks].flatMap(piecesOf)
      await eachAtOnce(batchesOf(pieces), atOnce, (batch) => db.batch(batch.map((piece) => insert(where, piece))))
    },
    head: async (where) => (await read(where, [headName]))[0],
    read,
    drop: (where) => db.run(statement(`DELETE FROM ${tableOf(where)} WHERE id = ?`, where.id)),
  }
}
