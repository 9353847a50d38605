import type { SiteDay } from './seals.ts'

/** replays — orders to make closed days anew under changed rules, and how far each partition has come with them. */

export type ReplayRule = 'channels' | 'exclusions' | 'goals' | 'session_timeout'

/** What the owner wants of an order: its days made, readers switched to them, switched back, or all of it gone. */
export type Wanted = 'made' | 'switched' | 'undone' | 'dropped'

/** An order. Days are YYYYMMDD of the site, both inclusive. */
export type ReplayOrder = {
  id: string
  site: string
  /** Counts the orders of a site from 1: the number of the version of a day that this order makes. Version 0 is as the rows came. */
  ver: number
  from: number
  to: number
  rules: ReplayRule[]
  /** Version of the site's configuration whose rules it applies. */
  config: number
  wanted: Wanted
  /** When it was ordered, ms UTC. */
  at: number
}

/** The orders (beside the sites, written by who manages them). */
export type Replays = {
  /** Inserts an order; `stale` when the site has one with this `ver` already. Atomic. */
  put(order: ReplayOrder): Promise<'done' | 'stale'>
  find(site: string, id: string): Promise<ReplayOrder | undefined>
  /** All orders of a site, the newest first. */
  list(site: string): Promise<ReplayOrder[]>
  /** All orders of all sites, by site, the oldest first. */
  all(): Promise<ReplayOrder[]>
  /** Says what is wanted of an order from now on; `stale` when it was no more what `was` says. Atomic. */
  want(site: string, id: string, was: Wanted, now: Wanted): Promise<'done' | 'stale'>
}

/** How far a partition has come with an order: its days in all, those that are made; where readers are being led, or were. */
export type ReplayJob = {
  state: 'waiting' | 'working' | 'ready' | 'switching' | 'switched' | 'undoing' | 'undone' | 'dropped'
  done: number
  of: number
  /** A sentence: what it waits for; why it failed when it was last tried. */
  waitsFor?: string
  error?: string
}

/** A day of a version: `made` and `due` are ends of closed segments, of this version and of version 0. */
export type VersionDay = { day: number; ver: number; made: number; due: number }

/** Which version readers take of each day of a site, and days that are being led to another one just now. */
export type Active = { days: ReadonlyMap<number, number>; transit: { from: number; to: number } | undefined }

/** The versions of days (state.db, written with the segments). */
export type Versions = {
  /** In one atomic read. A day that is not named is of version 0. */
  active(partition: number, site: string): Promise<Active>
  /** Readers take this version of a day from now on. Atomic; nothing for a version that the day is not in. */
  flip(partition: number, where: SiteDay, ver: number): Promise<void>
  /** Puts days into a version; from then on they are due whenever version 0 is closed further. Those that are in it stay as they are. */
  begin(partition: number, site: string, ver: number, days: readonly number[]): Promise<void>
  /** The days of a version, in order. */
  days(partition: number, site: string, ver: number): Promise<VersionDay[]>
  /** At most `limit` days whose closed segment has more than that of one of their versions. */
  due(partition: number, limit: number): Promise<(SiteDay & { ver: number; due: number })[]>
  /** Forgets a version: its segments are superseded `at` this log time. Readers are of other versions by then. Atomic. */
  drop(partition: number, site: string, ver: number, at: number): Promise<void>
  job(partition: number, id: string): Promise<ReplayJob | undefined>
  putJob(partition: number, order: Pick<ReplayOrder, 'id' | 'site' | 'from' | 'to'>, job: ReplayJob): Promise<void>
}
