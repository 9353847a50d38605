import type { SiteDay } from './seals.ts'

/** retention — closed days of cold rows go as a whole when a site keeps them no longer. Ledgers stay: they are small, and about nobody. */
export type Retention = {
  /** Sites that have segments of visits. */
  sites(partition: number): Promise<string[]>
  /** Days of a site before `before` that have segments, oldest first. */
  days(partition: number, site: string, before: number): Promise<number[]>
  /**
   * Drops all segments of a day and remembers that it did, the manifest's rows first, so that what is listed is whole. Atomic. Not a day
   * that is open. True when there was something to drop.
   */
  drop(partition: number, where: SiteDay): Promise<boolean>
  /** The newest day of a site that was dropped. */
  dropped(partition: number, site: string): Promise<number | undefined>
}
