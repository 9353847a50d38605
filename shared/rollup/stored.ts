import type { SiteDay } from '../ports/seals.ts'
import type { SegmentEntry } from '../ports/segments.ts'
import { type EncodedSegment, encodeSegment, type Interval, segmentName } from '../segment/encode.ts'
import { mergeRows } from '../segment/merge.ts'
import type { SegmentRow } from '../segment/row.ts'
import type { LedgerRow } from './block.ts'
import { encodeLedger, mergeLedger } from './ledger-segment.ts'

/** Rows of one interval of a site's day as they go into the store: a segment and what the manifest says of it. */
export type Stored = EncodedSegment & { entry: Omit<SegmentEntry, 'level' | 'at'> }

type Where = SiteDay & Interval

const stored = ({ site, day, from, to }: Where, segment: EncodedSegment, counts: { rows: number; hits: number }): Stored => ({
  ...segment,
  entry: {
    site,
    day,
    from,
    to,
    name: segmentName(segment),
    ...counts,
    bytes: segment.chunks.reduce((sum, { data }) => sum + data.length, segment.head.length),
  },
})

/** Rows in any order. */
export const storedVisits = (rows: readonly SegmentRow[], where: Where): Stored => storedSorted(mergeRows(rows), where)

/** Rows merged and in order; they may be made one after the other. */
export const storedSorted = (rows: Iterable<SegmentRow>, where: Where): Stored => {
  const counts = { rows: 0, hits: 0 }
  return stored(where, encodeSegment(counted(rows, counts), where), counts)
}

function* counted(rows: Iterable<SegmentRow>, counts: { rows: number; hits: number }): Generator<SegmentRow, void, void> {
  for (const row of rows) {
    counts.rows++
    counts.hits += row.h.length
    yield row
  }
}

export const storedLedger = (rows: Iterable<LedgerRow>, where: Where): Stored => {
  const merged = mergeLedger(rows)
  return stored(where, encodeLedger(merged, where), { rows: merged.length, hits: 0 })
}
