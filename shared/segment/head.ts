import { crc32 } from 'node:zlib'
import { z } from 'zod'
import { FootfallError } from '../errors.ts'
import { damaged } from './damaged.ts'
import { pack, unpack } from './pack.ts'
import { mostWidth } from './planes.ts'

/**
 * The head of a segment: what it holds and how each column is kept. Its first 14 bytes are the same in every version: mark, version,
 * codec, length, checksum of all the rest. So damage is told from a newer version, whatever that will hold.
 */

const most = { rows: 2 ** 24, hits: 2 ** 26, groups: 16, texts: 2 ** 30, bytes: 2 ** 28 } as const
const count = (limit: number) => z.int().min(0).max(limit)
/** Bytes of a stored number. 0: all rows have one value, which is `base`, and there are no chunks. */
const width = count(mostWidth)

/**
 * The code is the stored number plus `base`; with `repeats` it is that of the row before where 0 is stored, else the stored number
 * less 1. A column that is absent in all rows is not listed.
 */
const textHead = z.strictObject({
  name: z.string(),
  kind: z.literal('text'),
  dictionary: z.string(),
  base: count(most.texts),
  repeats: z.boolean(),
  width,
})
/** The value is the stored number plus `base`; where it is `nullable`, 0 is stored for an absent one. */
const numberHead = z.strictObject({ name: z.string(), kind: z.literal('number'), base: z.int(), nullable: z.boolean(), width })
/** Sorted within a group: stored is the distance from the one before, the first one's from where the group's hashes begin. */
const hashHead = z.strictObject({ name: z.string(), kind: z.literal('hash'), width: width.min(1) })
const columnHead = z.discriminatedUnion('kind', [textHead, numberHead, hashHead])
const groupHead = z.strictObject({ rows: count(most.rows), days: count(most.hits), hits: count(most.hits) })
const dictionaryHead = z.strictObject({
  name: z.string(),
  encoding: z.enum(['utf8', 'utf16le']),
  /** Texts and raw bytes of each part. */
  parts: z.array(z.tuple([count(most.texts), count(most.bytes)])),
})
/** Sums of a closed day (cells.ts). They hold for a day from `from` to `to` in this zone, and for one rule of bounces. */
const cellsHead = z.strictObject({
  bounce: z.enum(['engaged', 'single-page']),
  zone: z.string(),
  from: z.int(),
  to: z.int(),
  /** Each with how many values it has, and the raw bytes of its parts; 0 = not kept. */
  dimensions: z.array(z.tuple([z.string(), count(most.texts), z.array(count(most.bytes)).length(6)])),
  /** So many of the first of them lie together in one chunk. */
  small: count(most.rows),
  /** Dimensions that had too many values. */
  cut: z.array(z.string()),
  /** Bytes of the head of the rows that are in no cell; 0 = there are none. */
  edge: count(most.bytes),
})
const headBody = z.strictObject({
  from: z.int().min(0),
  to: z.int().min(0),
  groups: z.array(groupHead).min(1).max(most.groups),
  columns: z.array(columnHead),
  dictionaries: z.array(dictionaryHead),
  /** Keys of properties with a column of their own: the n-th is that of `h.p<n>`. */
  props: z.array(z.string()),
  /** Checksum over all payloads: it makes the heads, and so the seals of all chunks, of different segments differ. */
  sum: count(2 ** 32 - 1),
  cells: cellsHead.optional(),
})

export type ColumnHead = z.infer<typeof columnHead>
export type TextHead = z.infer<typeof textHead>
export type NumberHead = z.infer<typeof numberHead>
export type DictionaryHead = z.infer<typeof dictionaryHead>
export type GroupHead = z.infer<typeof groupHead>
export type CellsHead = z.infer<typeof cellsHead>
export type HeadBody = z.infer<typeof headBody>

export const newestVersion = 2
/** A segment without cells is as the first version wrote it. */
const versionOf = ({ cells }: HeadBody): number => (cells ? newestVersion : 1)
const mark = Buffer.from('FFSG')
const at = { version: 4, codec: 5, length: 6, sum: 10, body: 14 } as const
/** A head with 50 keys of 300 characters, all of them escaped, has 100 kB. */
const mostHeadBytes = 1 << 20

const sumOf = (head: Buffer): number => crc32(head.subarray(at.body), crc32(head.subarray(0, at.sum)))

/** The head's bytes, and its checksum, which goes into those of the chunks. */
export const encodeHead = (body: HeadBody, version = versionOf(body)): { head: Buffer; sum: number } => {
  const raw = Buffer.from(JSON.stringify(body))
  const { codec, payload } = pack(raw)
  const head = Buffer.concat([mark, Buffer.alloc(at.body - mark.length), payload])
  head.writeUInt8(version, at.version)
  head.writeUInt8(codec, at.codec)
  head.writeUInt32LE(raw.length, at.length)
  const sum = sumOf(head)
  head.writeUInt32LE(sum, at.sum)
  return { head, sum }
}

const where = 'The head'

/** Reads a head of this version or an older one. */
export const decodeHead = (head: Buffer): { version: number; body: HeadBody; sum: number } => {
  if (head.length < at.body || !head.subarray(0, mark.length).equals(mark)) throw damaged(where, 'it is not that of a segment')
  const sum = sumOf(head)
  if (head.readUInt32LE(at.sum) !== sum) throw damaged(where, 'its checksum is wrong')
  const version = head.readUInt8(at.version)
  if (version > newestVersion)
    throw new FootfallError('newer-format', { detail: `A segment has version ${version}, this program reads up to ${newestVersion}.` })
  if (version < 1) throw damaged(where, `version ${version} was never written`)
  const length = head.readUInt32LE(at.length)
  if (length > mostHeadBytes) throw damaged(where, `it cannot hold ${length} bytes`)
  return { version, body: readBody(unpack({ codec: head.readUInt8(at.codec), payload: head.subarray(at.body) }, length, where)), sum }
}

const readBody = (raw: Buffer): HeadBody => {
  try {
    return headBody.parse(JSON.parse(raw.toString()))
  } catch (cause) {
    throw damaged(where, 'its fields are not those of a head', cause)
  }
}
