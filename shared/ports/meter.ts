import type { RefusalReason } from '../hit/record.ts'
import type { LedgerSums } from '../visit/event.ts'

/**
 * meter — what a function tells of its work, for metrics alone: nothing is ever decided or reported by it. Sums of one process since it
 * began, of all sites together; the ledger is what is exact.
 */
export type Meter = {
  /** Hits that came in, and what became of them. */
  hits(outcome: 'accepted' | RefusalReason, hits: number): void
  /** What an event says of its hits, and how many visits they opened. */
  enriched(sums: LedgerSums, visits: number): void
  /** Records that no handler can use. */
  dead(records: number): void
  /** Rows that lie in a segment now. */
  flushed(rows: number): void
  /** How old the oldest rows of a partition are that lie in no segment yet; 0 where there are none. */
  unflushed(partition: number, ageMs: number): void
}
