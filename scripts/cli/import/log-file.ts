import { createReadStream, statSync } from 'node:fs'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { Failure, type World } from '../command.ts'
import { reasonOf } from '../http.ts'

/** An access log as bytes: a file or standard input, unpacked where it is gzip. What is in memory is one piece of it. */
export type Log = {
  /** As the user has named it. */
  name: string
  /** Bytes on the disk; undefined where nobody knows. */
  size: number | undefined
  /** Reads it from its beginning; standard input can be read once. */
  open(): OpenLog
}

export type OpenLog = {
  bytes: AsyncIterable<Buffer>
  /** Bytes on the disk that have been read. */
  position(): number
}

const readBytes = 256 * 1024

/** How the files of other packers begin, and what unpacks them. */
const packers: readonly (readonly [begin: string, tool: string])[] = [
  ['425a68', 'bzcat'],
  ['fd377a58', 'xzcat'],
  ['28b52ffd', 'zstdcat'],
  ['504b0304', 'unzip -p'],
]
const longestMark = 4

/** The bytes, the first ones all in one piece, so that they can be looked at. */
async function* withWholeMark(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  let begin: Buffer | undefined = Buffer.alloc(0)
  for await (const piece of bytes) {
    if (!begin) {
      yield Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength)
      continue
    }
    begin = Buffer.concat([begin, piece])
    if (begin.length < longestMark) continue
    yield begin
    begin = undefined
  }
  if (begin && begin.length > 0) yield begin
}

const checkPacker = (name: string, begin: Buffer): void => {
  const found = packers.find(([mark]) => begin.toString('hex', 0, longestMark).startsWith(mark))
  if (found) throw new Failure(`${name} is packed in a way that is not read here.`, `Unpack it on the way: ${found[1]} FILE | … import - …`)
}

const isGzip = (begin: Buffer): boolean => begin[0] === 0x1f && begin[1] === 0x8b

async function* unpacked(name: string, bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  const pieces = withWholeMark(bytes)
  const { value: begin, done } = await pieces.next()
  if (done) return
  checkPacker(name, begin)
  async function* all() {
    yield begin as Buffer
    yield* pieces
  }
  if (!isGzip(begin)) {
    yield* all()
    return
  }
  const gunzip = createGunzip({ chunkSize: readBytes })
  // What it fails with reaches the reader of `gunzip`; nobody waits for this promise.
  pipeline(Readable.from(all()), gunzip).catch(() => undefined)
  for await (const piece of gunzip) yield piece as Buffer
}

const notReadable = (name: string, cause: unknown): Failure => {
  const { code } = cause as { code?: string }
  if (code === 'ENOENT') return new Failure(`There is no file ${name}.`, 'Name an access log, or - for standard input.')
  if (code === 'Z_BUF_ERROR')
    return new Failure(`${name} is not whole: it ends in the middle of what is packed.`, 'Run the same command again when it is.', {
      cause,
    })
  if (code?.startsWith('Z_'))
    return new Failure(`${name} is damaged (${reasonOf(cause)}).`, 'What lies before the damage was read.', { cause })
  return new Failure(`${name} cannot be read (${reasonOf(cause)}).`, 'Name a file that this user may read.', { cause })
}

async function* told(name: string, bytes: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  try {
    yield* bytes
  } catch (cause) {
    throw cause instanceof Failure ? cause : notReadable(name, cause)
  }
}

export const fileLog = (path: string): Log => ({
  name: path,
  size: statSync(path, { throwIfNoEntry: false })?.size,
  open: () => {
    const stream = createReadStream(path, { highWaterMark: readBytes })
    return { bytes: told(path, unpacked(path, stream)), position: () => stream.bytesRead }
  },
})

export const inputLog = (world: World): Log => {
  const name = 'standard input'
  let isOpen = false
  return {
    name,
    size: undefined,
    open: () => {
      if (isOpen)
        throw new Failure(`${name} cannot be read a second time.`, 'Run the same command again: it goes on where the import stands.')
      isOpen = true
      return { bytes: told(name, unpacked(name, world.inputBytes())), position: () => 0 }
    },
  }
}
