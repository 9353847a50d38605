import type { ChunkName } from '../segment/stream.ts'
import type { SiteDay } from './seals.ts'

/**
 * segments — the cold rows: immutable segments and the manifest that lists them. Both are only inserted; the same put twice leaves what
 * was there. What another segment has superseded stays readable until it is dropped.
 */

/** A row of the manifest: a segment with all rows of a site and day at event offsets `[from, to)`. A negative day is a ledger's. */
export type SegmentEntry = SiteDay & {
  from: number
  to: number
  /** 0 = flushed from a memtable; 1 = a closed day, from 0 on. */
  level: 0 | 1
  /** Version of the rows (ports/replays.ts): 0 as they came, else that of an order. Level 0 belongs to every version. */
  ver: number
  /** Hash of the content. */
  name: string
  rows: number
  hits: number
  bytes: number
  /** Log time at which it was made. */
  at: number
}

export type SegmentChunk = { column: string; group: number; data: Buffer }

/** A site's day of which flushed rows lie beyond its closed segment (if it has one); `oldest`, `newest`: log times of the first and last of them. */
export type OpenDay = SiteDay & { closed: boolean; oldest: number; newest: number }

export type Segments = {
  /** Stores a segment, then lists it: what is listed is whole. One of a version that the day is not in (any more) is not stored. */
  put(partition: number, entry: SegmentEntry, head: Buffer, chunks: readonly SegmentChunk[]): Promise<void>
  /**
   * The segments of one site on the days `fromDay ≤ day ≤ toDay`: those of level 0, and closed ones of a version (by default 0). Of one
   * interval the closed day stands first: it stays.
   */
  list(partition: number, site: string, fromDay: number, toDay: number, ver?: number): Promise<SegmentEntry[]>
  /** The head of a listed segment; `undefined` when it was dropped. */
  head(partition: number, entry: SegmentEntry): Promise<Buffer | undefined>
  /** The chunks asked for, in that order; `undefined` for one that is not there. */
  read(partition: number, entry: SegmentEntry, chunks: readonly ChunkName[]): Promise<(Buffer | undefined)[]>
  /** First and last day (positive ones) of a site's segments. */
  days(partition: number, site: string): Promise<{ first: number; last: number } | undefined>
  /** All days that are open. */
  open(partition: number): Promise<OpenDay[]>
  /**
   * Drops at most `limit` segments whose interval one of level 1 and of their version holds too that was made before `before`; answers how
   * many went. None of a day that is open, or that a version of it is behind of: what lies beyond its closed segment may stand on them.
   */
  dropSuperseded(partition: number, before: number, limit: number): Promise<number>
}

/** progress — marks that only move forward: from where a stage that has lost its state begins again, and how far its state has been. */
export type Progress = {
  get(stage: string, partition: number): Promise<{ next: number; src: number } | undefined>
  /** Moves it forward; a mark that is behind the one that stands changes nothing. */
  advance(stage: string, partition: number, mark: { next: number; src: number }): Promise<void>
}
