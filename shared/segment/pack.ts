import { constants, crc32, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { damaged } from './damaged.ts'

/** Bytes in and out of zstd, the codec byte that says so, and the checksums. Nothing is taken out before its checksum is right. */

export const codecs = { stored: 0, zstd: 1 } as const
export type Packed = { codec: number; payload: Buffer }

/**
 * Measured on the benchmark's rows: 1 takes two thirds of the time of 3 and leaves 2 % less (columns are planes of small numbers, where
 * long matches are no help); 6 and 9 save another half per cent or none, for the eight- to fifteenfold time.
 */
const level = 1
/** Below this zstd saves a few bytes at most, and costs its 0.4 ms all the same. */
const storedBytes = 64
/** Zstd makes at most 128 kB of a 4-byte block: a length beyond that is a lie, and no memory is taken for it. */
const mostRatio = 32_768

export const pack = (raw: Buffer): Packed => {
  if (raw.length < storedBytes) return { codec: codecs.stored, payload: raw }
  const payload = zstdCompressSync(raw, { params: { [constants.ZSTD_c_compressionLevel]: level } })
  return payload.length < raw.length ? { codec: codecs.zstd, payload } : { codec: codecs.stored, payload: raw }
}

/** What `pack` was given; exactly `length` bytes, or an error that names `where`. */
export const unpack = ({ codec, payload }: Packed, length: number, where: string): Buffer => {
  const raw = codec === codecs.stored ? payload : codec === codecs.zstd ? inflate(payload, length, where) : undefined
  if (raw === undefined) throw damaged(where, `codec ${codec} is not known`)
  if (raw.length !== length) throw damaged(where, `it holds ${raw.length} bytes instead of ${length}`)
  return raw
}

const inflate = (payload: Buffer, length: number, where: string): Buffer => {
  if (length > payload.length * mostRatio) throw damaged(where, `it cannot hold ${length} bytes`)
  try {
    // One byte more than expected: then Node.js fills one buffer, at a seventh of the time.
    return zstdDecompressSync(payload, { chunkSize: Math.max(64, length + 1), maxOutputLength: length + 1 })
  } catch (cause) {
    throw damaged(where, 'it cannot be decompressed', cause)
  }
}

const chunkHead = 5

/** A chunk's checksum is bound to its segment, column and group: one that lies in the wrong place is as damaged as one with a wrong byte. */
const sealOf = ({ codec, payload }: Packed, column: string, group: number, segment: number): number =>
  crc32(payload, crc32(Uint8Array.of(codec), crc32(`${column} ${group}`, segment)))

/** Codec byte, checksum, payload. `segment` is the checksum of the head. */
export const sealChunk = (packed: Packed, column: string, group: number, segment: number): Buffer => {
  const head = Buffer.alloc(chunkHead)
  head.writeUInt8(packed.codec, 0)
  head.writeUInt32LE(sealOf(packed, column, group, segment), 1)
  return Buffer.concat([head, packed.payload])
}

/** The raw bytes of a chunk. */
export const openChunk = (data: Buffer, column: string, group: number, segment: number, length: number, where: string): Buffer => {
  if (data.length < chunkHead) throw damaged(where, `it is cut off after ${data.length} bytes`)
  const packed = { codec: data.readUInt8(0), payload: data.subarray(chunkHead) }
  if (data.readUInt32LE(1) !== sealOf(packed, column, group, segment)) throw damaged(where, 'its checksum is wrong')
  return unpack(packed, length, where)
}
