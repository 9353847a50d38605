import { hash } from 'node:crypto'
import { isBlank, lineLimit } from '#shared/hit/access-log.ts'

/** The lines of a log, numbered from 1, in pieces of whole lines. A line that has no end yet is never given out. */
export type Piece = { line: number; lines: number; bytes: Buffer }

const newline = 10

/** Bytes of a line that are kept: more than any line that is read may have (four bytes a character). */
const keptBytes = 4 * lineLimit + 1

const countLines = (bytes: Buffer): number => {
  let lines = 0
  for (let at = bytes.indexOf(newline); at !== -1; at = bytes.indexOf(newline, at + 1)) lines++
  return lines
}

export type LineReader = {
  pieces: AsyncIterable<Piece>
  /** Number and bytes of the line without an end behind the last piece; undefined while there is none. */
  unfinished(): Piece | undefined
}

/** Bytes that are looked at in one go: a piece with what was kept before it stays well below the largest body. */
const partBytes = 256 * 1024

/**
 * Cuts bytes into pieces of whole lines. However long a line is, no more than `keptBytes` of it are held. `isFinished`: the bytes' end
 * ends the last line, too.
 */
export const readLines = (bytes: AsyncIterable<Buffer>, isFinished = false): LineReader => {
  let line = 1
  let tail: Buffer[] = []
  let tailBytes = 0

  const keep = (part: Buffer): void => {
    const room = keptBytes - tailBytes
    if (room <= 0 || part.length === 0) return
    const kept = part.length > room ? part.subarray(0, room) : part
    tail.push(kept)
    tailBytes += kept.length
  }

  const pieceOf = (whole: Buffer): Piece => {
    const first = whole.indexOf(newline)
    const begin = Buffer.concat(tail)
    // The rest of a line whose beginning fills what is kept is left out.
    const room = Math.max(0, keptBytes - begin.length)
    const all = begin.length === 0 ? whole : Buffer.concat([begin, whole.subarray(0, Math.min(first, room)), whole.subarray(first)])
    const piece = { line, lines: countLines(whole), bytes: all }
    line += piece.lines
    tail = []
    tailBytes = 0
    return piece
  }

  async function* pieces(): AsyncGenerator<Piece> {
    for await (const all of bytes)
      for (let from = 0; from < all.length; from += partBytes) {
        const part = all.subarray(from, from + partBytes)
        const end = part.lastIndexOf(newline) + 1
        if (end > 0) yield pieceOf(part.subarray(0, end))
        keep(part.subarray(end))
      }
    if (isFinished && tailBytes > 0) yield pieceOf(Buffer.from('\n'))
  }
  return { pieces: pieces(), unfinished: () => (tailBytes === 0 ? undefined : { line, lines: 1, bytes: Buffer.concat(tail) }) }
}

/** A piece without the lines before `line`; undefined when nothing is left of it. */
export const piecesFrom = (piece: Piece, line: number): Piece | undefined => {
  if (line <= piece.line) return piece
  if (line >= piece.line + piece.lines) return undefined
  let at = 0
  for (let skipped = piece.line; skipped < line; skipped++) at = piece.bytes.indexOf(newline, at) + 1
  return { line, lines: piece.line + piece.lines - line, bytes: piece.bytes.subarray(at) }
}

const joined = (pieces: readonly Piece[]): Piece => ({
  line: pieces[0]!.line,
  lines: pieces.reduce((sum, { lines }) => sum + lines, 0),
  bytes: Buffer.concat(pieces.map(({ bytes }) => bytes)),
})

/** Pieces one after the other, joined until they have about that many bytes; asked anew for each of them what it must begin with. */
export async function* gathered(pieces: AsyncIterable<Piece>, from: () => number, bytes: number): AsyncGenerator<Piece> {
  let held: Piece[] = []
  let size = 0
  for await (const whole of pieces) {
    const piece = piecesFrom(whole, from())
    if (!piece) continue
    held.push(piece)
    size += piece.bytes.length
    if (size < bytes) continue
    yield joined(held)
    held = []
    size = 0
  }
  if (held.length > 0) yield joined(held)
}

/** The first line of a piece that is neither blank nor a comment: what names a log. */
const namingLine = ({ bytes }: Piece): string | undefined => {
  for (let from = 0; from < bytes.length; ) {
    const end = bytes.indexOf(newline, from)
    const text = bytes.toString('latin1', from, Math.min(end, from + keptBytes)).replace(/\r$/, '')
    if (!isBlank(text)) return text
    from = end + 1
  }
  return undefined
}

/** Pieces in which a line is looked for that names the log. */
const namingPieces = 16

/**
 * The first line with something in it, read ahead, and all pieces from the first on. Rotation, growth and packing leave that line as it
 * is, so its hash names the log (data.md §14). `undefined` = there is none (yet).
 */
export const withFirstLine = async ({ pieces }: LineReader): Promise<{ first: string | undefined; pieces: AsyncIterable<Piece> }> => {
  const iterator = pieces[Symbol.asyncIterator]()
  const held: Piece[] = []
  let first: string | undefined
  while (first === undefined && held.length < namingPieces) {
    const { value, done } = await iterator.next()
    if (done) break
    held.push(value)
    first = namingLine(value)
  }
  async function* all(): AsyncGenerator<Piece> {
    try {
      yield* held
      yield* { [Symbol.asyncIterator]: () => iterator }
    } finally {
      await iterator.return?.() // whoever leaves early closes the log
    }
  }
  return { first, pieces: all() }
}

/** What a log is called: a hash of its first line, and of a name where the user gives one (logs of several servers may begin alike). */
export const sourceOf = (first: string, name: string): string => {
  const line = Buffer.from(first, 'latin1')
  return hash('sha256', name === '' ? line : Buffer.concat([Buffer.from(`${name}\n`), line]), 'base64url').slice(0, 32)
}
