import type { Block } from '../segment/row.ts'

/**
 * seals — how rows leave the hot state: a memtable is sealed, its sealed copy is flushed into a segment and then dropped. The state is
 * that of `memtables`, under the same fence; it may be set back or lost with it, and never apart from it.
 */
export type SiteDay = { site: string; day: number }

/** What a memtable holds that has rows: all rows of its site and day from event offset `base` on. */
export type Memtable = SiteDay & { base: number; rows: number; bytes: number; born: number }

/** Blocks of one memtable with all rows at event offsets `[from, to)`; `at` is the clock's time of the seal. */
export type SealedCopy = SiteDay & { from: number; to: number; rows: number; at: number }

/** A memtable is due when it has so many rows or bytes (UTF-8, of its blocks), or was begun at or before `born` (log time). */
export type Due = { rows: number; bytes: number; born: number }

/** Where a restore may begin: rows of events below `next` are in segments all of them; `src` is the greatest hits offset below. */
export type Low = { next: number; src: number }

/** `oldest`: log time at which the oldest memtable was begun, due or not; none without memtables. */
export type Waiting = { sealed: SealedCopy[]; due: Memtable[]; oldest: number | undefined }

export type Seals = {
  /** The bases that are known, in the order asked. A base is known from a memtable's first row until it is forgotten. */
  bases(partition: number, days: readonly SiteDay[]): Promise<(number | undefined)[]>
  /** In one atomic read: all sealed copies, lowest first; at most `limit` memtables that are due. */
  look(partition: number, due: Due, limit: number): Promise<Waiting>
  /** The low mark; none without a fence. Atomic. */
  low(partition: number): Promise<Low | undefined>
  /**
   * Makes a sealed copy of a memtable: all of it, `[base, next)`, or its first blocks, where they come to `bytes` before its end. The
   * rest, if any, goes on as a memtable whose base is the copy's end. `undefined` when there are no rows. Atomic.
   */
  seal(partition: number, where: SiteDay, at: number, bytes: number): Promise<SealedCopy | undefined>
  /** All blocks of a sealed copy in one atomic read; `undefined` when it stands no more. */
  readSealed(partition: number, copy: SealedCopy): Promise<Block[] | undefined>
  /** Forgets a sealed copy and its blocks. Only for what is in the manifest. Atomic, harmless when it stands no more. */
  dropSealed(partition: number, copy: SealedCopy): Promise<void>
  /** Forgets the base of a site's day if it is at most `upTo` and there is neither memtable nor sealed copy. Atomic. */
  forgetBase(partition: number, where: SiteDay, upTo: number): Promise<void>
}
