import type { Block } from '../segment/row.ts'

/** memtables — rollup's fenced state: rows of open days as blocks, ledger rows, realtime aggregates. */

/** Where a partition stands: `next` events offset to take, `src` greatest hits offset taken (−1 = none). */
export type RollupFence = {
  gen: number
  /** Identity of the events topic that `next` counts in. */
  topic: string
  next: number
  src: number
  logTime: number
}

/** Sums to add to one minute of one site (people only). `minute` is ms UTC of its beginning. */
export type MinuteSums = { site: string; minute: number; pageviews: number; events: number; visits: number }
/** A visitor was active at `t` (the greatest stands). */
export type Seen = { site: string; vis: string; t: number }

/**
 * `bases`: where memtables begin that this change is the first to put rows into, as far as the caller knows. `skipped`: bases below which rows were
 * left out, because they are in segments.
 */
export type RollupChange = { blocks: Block[]; bases: Base[]; skipped?: Base[]; minutes: MinuteSums[]; seen: Seen[] }
/** All rows of a site and day at event offsets below `base` are in segments. */
export type Base = { site: string; day: number; base: number }

/** A memtable `[base, next)` or a sealed copy: it has all rows of its day at event offsets `[from, to)`, and blocks that lie within. */
export type HotInterval = { day: number; from: number; to: number; rows: number }

/** A place in a reading: blocks after it, by `from` and then by day, are still to come. */
export type BlockCursor = { from: number; day: number }
/** One page of a reading. `next` is where the following page begins; absent = there is none. */
export type BlockPage = { fence: RollupFence | undefined; intervals: HotInterval[]; blocks: Block[]; next?: BlockCursor }

export type Memtables = {
  fence(partition: number): Promise<RollupFence | undefined>
  /**
   * Writes the fence when there is none, or when it equals `instead` (gen, next, src): of that one all state is forgotten, sealed copies and
   * bases too. Answers the fence that stands afterwards. Atomic.
   */
  init(partition: number, fence: RollupFence, instead?: RollupFence): Promise<RollupFence>
  /**
   * If the stored fence equals `was` (gen, next, src): writes the change and `now`, all or nothing; else changes nothing: `stale`. `stale` too
   * when a block lies below its memtable's base, or there is no base, neither stored nor among the change's. A stored base stands. `stale` too
   * when a stored base is lower than one below which rows were left out: bases were read, then the state was set back to where the fence is the
   * same and those rows are needed.
   */
  commit(partition: number, was: RollupFence, now: RollupFence, change: RollupChange): Promise<'done' | 'stale'>
  /**
   * A page of the blocks of one site on the days `fromDay ≤ day ≤ toDay`, by `from` and then by day, with the fence and all intervals
   * of these days, in one atomic read. A day may be larger than memory, so a page ends with the block that brings its bodies to `characters` (by default the
   * engine's own, a few million); every page that has a `next` has at least one block.
   */
  read(
    partition: number,
    site: string,
    fromDay: number,
    toDay: number,
    page?: { after?: BlockCursor | undefined; characters?: number },
  ): Promise<BlockPage>
  /** First and last day (positive ones) that a site has blocks of. */
  days(partition: number, site: string): Promise<{ first: number; last: number } | undefined>
  /** Visitors last seen after `since`, and the sums of the minutes from `since` on. */
  live(partition: number, site: string, since: number): Promise<{ visitors: number; minutes: Omit<MinuteSums, 'site'>[] }>
  /** Forgets visitors and minutes before `before`. */
  trimLive(partition: number, before: number): Promise<void>
}
