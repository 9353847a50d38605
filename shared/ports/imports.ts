import type { ImportTally } from '../hit/import-tally.ts'

/**
 * imports — how far each access log has been read, and the keys that tell its visitors apart. No line and no address is kept.
 * The position only saves work and lets a client find its place: that nothing is counted twice is enrich's fence (data.md §14).
 */
export type Import = {
  site: string
  /** Hash of the log's first line, made by the client. */
  source: string
  /** Line to come, from 1 on. */
  next: number
  /** When its first and its latest lines came, ms UTC. */
  begun: number
  at: number
  /** Sums over all lines before `next`. */
  tally: ImportTally
}

export type Imports = {
  find(site: string, source: string): Promise<Import | undefined>
  /** The imports of a site, the latest first, at most `limit`. */
  list(site: string, limit: number): Promise<Import[]>
  /** Writes it if the stored `next` (1 where there is none) equals `was`; else changes nothing: `stale`. Atomic. */
  advance(now: Import, was: number): Promise<'done' | 'stale'>
}

export type DayKey = { day: number; key: Buffer }

export type ImportKeys = {
  /** The keys of these days (YYYYMMDD) of a site, as far as there are any. */
  find(site: string, days: readonly number[]): Promise<DayKey[]>
  /** Inserts each key whose day has none, notes that all of them are in use at `now`, and answers those that stand, in order. Atomic. */
  use(site: string, keys: readonly DayKey[], now: number): Promise<DayKey[]>
  /** Destroys keys not used since `before`, unreadably; answers how many went. Throws `store-unavailable` when a copy is still left. */
  dropUnused(before: number): Promise<number>
}
