import type { EventHit, Session } from '../visit/event.ts'

/**
 * A row as memtables and segments hold it: one session on one of its days, with its hits of that day.
 * Rows are upserts: of one session and day the one with the newest event offset stands, hits add up.
 */
export type Row = {
  /** Event offset that wrote it. */
  off: number
  /** Visitor hash on this day. */
  vis: string
  /** 1 = the session began on an earlier day. */
  cont: 0 | 1
  s: Session
  h: RowHit[]
}
/** A row lies under its day. */
export type RowHit = Omit<EventHit, 'day'>

/** A row as a segment gives it back: hit ids serve enrich alone, which is done with them when rows are made. Every `Row` is one. */
export type SegmentRow = Omit<Row, 'h'> & { h: SegmentHit[] }
export type SegmentHit = Omit<RowHit, 'id'>

/** Rows of one batch for one site and day, at event offsets `[from, to)`. A negative day is the ledger of that UTC day of receipt. */
export type Block = { site: string; day: number; from: number; to: number; rows: number; body: string }
