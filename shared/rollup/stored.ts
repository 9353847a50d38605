import type { SiteDay } from '../ports/seals.ts'
import type { SegmentEntry } from '../ports/segments.ts'
import { createEncoder, type EncodedSegment, type Interval, nameSteps } from '../segment/encode.ts'
import type { SegmentRow } from '../segment/row.ts'
import { finish, type Steps } from '../segment/steps.ts'
import type { LedgerRow } from './block.ts'
import { encodeLedger, mergeLedger } from './ledger-segment.ts'

/** Rows of one interval of a site's day as they go into the store: a segment and what the manifest says of it. */
export type Stored = EncodedSegment & { entry: Omit<SegmentEntry, 'level' | 'at'> }

type Where = SiteDay & Interval

/** A segment under its name, in steps. */
function* stored({ site, day, from, to }: Where, segment: EncodedSegment, counts: { rows: number; hits: number }): Steps<Stored> {
  const name = yield* nameSteps(segment)
  const bytes = segment.chunks.reduce((sum, { data }) => sum + data.length, segment.head.length)
  return { ...segment, entry: { site, day, from, to, name, ...counts, bytes } }
}

/** A segment of visits: rows are added merged and in order, some at a time; then it is made, in steps. */
export const createVisits = (where: Where) => {
  const encoder = createEncoder(where)
  const counts = { rows: 0, hits: 0 }
  return {
    add(rows: Iterable<SegmentRow>): void {
      for (const row of rows) {
        encoder.add(row)
        counts.rows++
        counts.hits += row.h.length
      }
    },
    *done(): Steps<Stored> {
      return yield* stored(where, yield* encoder.done(), counts)
    },
  }
}

export const storedLedger = (rows: Iterable<LedgerRow>, where: Where): Stored => {
  const merged = mergeLedger(rows)
  return finish(stored(where, encodeLedger(merged, where), { rows: merged.length, hits: 0 }))
}
