import { crc32 } from 'node:zlib'
import { damaged } from '../segment/damaged.ts'
import type { EncodedSegment, Interval } from '../segment/encode.ts'
import { openChunk, pack, sealChunk } from '../segment/pack.ts'
import type { LedgerSums } from '../visit/event.ts'
import type { LedgerRow } from './block.ts'
import { addLedger } from './fold.ts'

/**
 * The ledger of a day as a segment: one chunk, a JSON text of at most 24 rows, one per hour. It takes the way of a day's visits, so that
 * one chain, one mark of progress and one trimming of the log hold for both.
 */

const column = 'n'
const version = 1
type Head = { v: number; from: number; to: number; rows: number; length: number; sum: number }

/** One row per hour, in order; its offset is the newest of those it adds up. */
export const mergeLedger = (rows: Iterable<LedgerRow>): LedgerRow[] => {
  const hours = new Map<number, { off: number; n: LedgerSums }>()
  for (const { off, n } of rows) {
    const held = hours.get(n.hour)
    hours.set(n.hour, { off: Math.max(off, held?.off ?? 0), n: addLedger(held?.n, n) })
  }
  return [...hours.values()].sort((a, b) => a.n.hour - b.n.hour)
}

export const encodeLedger = (rows: readonly LedgerRow[], { from, to }: Interval): EncodedSegment => {
  const raw = Buffer.from(JSON.stringify(rows))
  const head: Head = { v: version, from, to, rows: rows.length, length: raw.length, sum: crc32(raw) }
  return { head: Buffer.from(JSON.stringify(head)), chunks: [{ column, group: 0, data: sealChunk(pack(raw), column, 0, head.sum) }] }
}

export const ledgerChunks = [{ column, group: 0 }] as const

/** Its rows, from its head and the chunk that `ledgerChunks` names. */
export const ledgerRows = (head: Buffer, data: Buffer | undefined): LedgerRow[] => {
  const where = 'A ledger'
  const { length, sum } = headOf(head, where)
  if (!data) throw damaged(where, 'its chunk is missing')
  const raw = openChunk(data, column, 0, sum, length, where)
  if (crc32(raw) !== sum) throw damaged(where, 'its checksum is wrong')
  return JSON.parse(raw.toString()) as LedgerRow[]
}

const headOf = (head: Buffer, where: string): Head => {
  try {
    const found = JSON.parse(head.toString()) as Head
    if (found.v === version) return found
  } catch (cause) {
    throw damaged(where, 'its head is no JSON', cause)
  }
  throw damaged(where, 'its version is not known')
}
