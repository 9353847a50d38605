import type { ReplayJob, VersionDay, Versions } from '../../ports/replays.ts'
import type { SiteDay } from '../../ports/seals.ts'
import { type Database, statement } from './database.ts'
import { reachOf, readRows } from './manifest.ts'
import {
  activeOf,
  beginTransit,
  endTransit,
  flipDay,
  isMember,
  type Member,
  markDropped,
  type Reading,
  readMembers,
  readReading,
} from './reading.ts'
import { look } from './superseding.ts'

/**
 * Versions of days on Cassandra. Stored is only which days were put into a version, and which versions were dropped; how far a day is made
 * and due follows from the manifest each time it is asked, so that there is nothing that could fall behind.
 */

/** Rows of one batch. */
const batchRows = 100

const inBatches = <T>(list: readonly T[]): T[][] =>
  Array.from({ length: Math.ceil(list.length / batchRows) }, (_, i) => list.slice(i * batchRows, (i + 1) * batchRows))

/** States in which readers of the days of an order are being led to another version. */
const inTransit = new Set<ReplayJob['state']>(['switching', 'undoing'])

export const createVersions = (db: Database): Versions => {
  /** How far the days of a version are made and due, by the closed segments that are listed. */
  const daysOf = async (partition: number, site: string, members: readonly Member[]): Promise<VersionDay[]> => {
    const days = members.map(({ day }) => day)
    if (days.length === 0) return []
    const rows = Map.groupBy(await readRows(db, partition, site, Math.min(...days), Math.max(...days)), ({ day }) => day)
    return members
      .map(({ day, ver }) => ({
        day,
        ver,
        made: reachOf(rows.get(day) ?? [], ver) ?? 0,
        due: reachOf(rows.get(day) ?? [], 0) ?? 0,
      }))
      .sort((a, b) => a.day - b.day || a.ver - b.ver)
  }

  const readSite = async (partition: number, site: string): Promise<{ reading: Reading; members: Member[] }> => {
    const reading = await readReading(db, partition, site)
    return { reading, members: await readMembers(db, partition, site, reading) }
  }

  /** Days of a site that are behind in one of their versions. */
  const dueOf = async (partition: number, site: string): Promise<(SiteDay & { ver: number; due: number })[]> => {
    const { members } = await readSite(partition, site)
    const days = await daysOf(partition, site, members)
    return days.filter(({ made, due }) => due > made).map(({ day, ver, due }) => ({ site, day, ver, due }))
  }

  return {
    active: async (partition, site) => activeOf(await readReading(db, partition, site)),
    flip: async (partition, where, ver) => {
      if (ver === 0 || (await isMember(db, partition, where, ver))) await db.run(flipDay(partition, where, ver))
    },
    begin: async (partition, site, ver, days) => {
      if (days.length === 0) return
      // What names the site for `due` first: days that it does not lead to would never be made.
      await db.run(statement('INSERT INTO version (part, site, ver) VALUES (?, ?, ?)', partition, site, ver))
      const insert = 'INSERT INTO version_day (part, site, ver, day) VALUES (?, ?, ?, ?)'
      for (const some of inBatches(days)) await db.batch(some.map((day) => statement(insert, partition, site, ver, day)))
    },
    days: async (partition, site, ver) => {
      const { members } = await readSite(partition, site)
      return daysOf(
        partition,
        site,
        members.filter((member) => member.ver === ver),
      )
    },
    due: async (partition, limit) => {
      const rows = await db.rows(statement('SELECT site FROM version WHERE part = ? GROUP BY site', partition))
      const found: (SiteDay & { ver: number; due: number })[] = []
      for (const row of rows) {
        if (found.length >= limit) break
        found.push(...(await dueOf(partition, row['site'])))
      }
      return found.slice(0, limit)
    },
    drop: async (partition, site, ver, at) => {
      const { dropped } = await readReading(db, partition, site)
      if (!dropped.has(ver)) await db.run(markDropped(partition, site, ver, at))
      const since = dropped.get(ver) ?? at
      const days = await db.rows(statement('SELECT day FROM version_day WHERE part = ? AND site = ? AND ver = ?', partition, site, ver))
      const looks = days.map((row) => look(partition, { site, day: row['day'] }, since))
      for (const some of inBatches(looks)) await db.batch(some)
      // At last what leads here, so that who repeats it after a crash finds the same days.
      await db.run(statement('DELETE FROM version_day WHERE part = ? AND site = ? AND ver = ?', partition, site, ver))
      await db.run(statement('DELETE FROM version WHERE part = ? AND site = ? AND ver = ?', partition, site, ver))
    },
    job: async (partition, id) => {
      const row = await db.row(statement('SELECT state, doc FROM replay_job WHERE part = ? AND id = ?', partition, id))
      return row && { ...(JSON.parse(row['doc']) as Omit<ReplayJob, 'state'>), state: row['state'] }
    },
    putJob: async (partition, { id, site, from, to }, { state, ...rest }) => {
      // The job last: whoever finds it as it was does both again.
      await db.run(inTransit.has(state) ? beginTransit(partition, site, id, { from, to }) : endTransit(partition, site, id))
      const query = 'INSERT INTO replay_job (part, id, state, doc) VALUES (?, ?, ?, ?)'
      await db.run(statement(query, partition, id, state, JSON.stringify(rest)))
    },
  }
}
