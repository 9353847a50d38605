import type { SiteDay } from '../ports/seals.ts'
import type { SegmentEntry } from '../ports/segments.ts'
import { type DayRules, type Edge, sumDay } from '../query/columns/sums.ts'
import { createEncoder, type EncodedSegment, type Interval, nameSteps } from '../segment/encode.ts'
import { hashOf } from '../segment/groups.ts'
import type { SegmentRow } from '../segment/row.ts'
import { finish, type Steps } from '../segment/steps.ts'
import type { LedgerRow } from './block.ts'
import { encodeLedger, mergeLedger } from './ledger-segment.ts'
import { lifeLimits } from './life.ts'

/** Rows of one interval of a site's day as they go into the store: a segment and what the manifest says of it. */
export type Stored = EncodedSegment & { entry: Omit<SegmentEntry, 'level' | 'ver' | 'at'> }

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
      const { head, chunks } = yield* encoder.done()
      return yield* stored(where, { head, chunks }, counts)
    },
  }
}

/**
 * The segment of a day that is over, as `createVisits`; with cells, where its site is known (`rules`) and it has `least` rows. `done` is in steps as well, and
 * waits for nothing but itself.
 */
export const createClosedDay = (where: Where, rules: DayRules | undefined, least: number = lifeLimits.cellRows) => {
  const encoder = createEncoder(where)
  const edge = rules && createEdge(where, rules)
  const counts = { rows: 0, hits: 0 }
  return {
    add(rows: Iterable<SegmentRow>): void {
      for (const row of rows) {
        encoder.add(row)
        edge?.add(row)
        counts.rows++
        counts.hits += row.h.length
      }
    },
    async *done(): AsyncGenerator<void, Stored, void> {
      const { head, chunks, withCells } = yield* encoder.done()
      if (!rules || !edge || counts.rows < least) return yield* stored(where, { head, chunks }, counts)
      const cells = yield* sumDay({ head, chunks }, rules, yield* edge.done())
      return yield* stored(where, yield* withCells(cells), counts)
    },
  }
}

/** The rows of visitors who have a visit that does not lie on this day as a whole; rows come in the order of visitors. */
const createEdge = (interval: Interval, { day, calendar }: DayRules) => {
  const { start, end } = calendar.span(day)
  const encoder = createEncoder(interval)
  const visitors = new Set<number>()
  let rows: SegmentRow[] = []

  const isInside = ({ s }: SegmentRow): boolean =>
    s.days.length <= 1 && s.start >= start && s.start < end && s.last >= start && s.last < end
  const endVisitor = (): void => {
    if (rows.length > 0 && !rows.every(isInside)) {
      visitors.add(hashOf(rows[0]!.vis))
      for (const row of rows) encoder.add(row)
    }
    rows = []
  }

  return {
    add(row: SegmentRow): void {
      if (rows.length > 0 && rows[0]!.vis !== row.vis) endVisitor()
      rows.push(row)
    },
    *done(): Steps<Edge> {
      endVisitor()
      if (visitors.size === 0) return { visitors, segment: undefined }
      const { head, chunks } = yield* encoder.done()
      return { visitors, segment: { head, chunks } }
    },
  }
}

export const storedLedger = (rows: Iterable<LedgerRow>, where: Where): Stored => {
  const merged = mergeLedger(rows)
  return finish(stored(where, encodeLedger(merged, where), { rows: merged.length, hits: 0 }))
}
