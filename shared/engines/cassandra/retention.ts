import type { Clock } from '../../clock.ts'
import type { Retention } from '../../ports/retention.ts'
import type { Content } from './content.ts'
import { type Database, statement } from './database.ts'
import { isListed, isOpen, reachOf, readRows } from './manifest.ts'
import { deleteMarks, deleteReach } from './open-days.ts'
import { forgetDay, leaveVersion, readMembers, readReading } from './reading.ts'
import { eachAtOnce } from './slots.ts'
import { dropRows } from './superseding.ts'

/** retention on Cassandra. Days with rows of whatever state count: what a crash has left of a drop is found at the next hour, and goes. */

/** What was begun and is not listed may be being written for so long. */
const writingMs = 24 * 3_600_000
/** Sites that are looked at at once. */
const sitesAtOnce = 8

export const createRetention = (db: Database, content: Content, clock: Pick<Clock, 'now'>): Retention => {
  const hasDays = async (partition: number, site: string): Promise<boolean> =>
    (await db.row(statement('SELECT day FROM manifest WHERE part = ? AND site = ? AND day > 0 LIMIT 1', partition, site))) !== undefined

  return {
    sites: async (partition) => {
      const rows = await db.rows(statement('SELECT site FROM cold_site WHERE part = ?', partition))
      const sites = await eachAtOnce(rows, sitesAtOnce, async (row) =>
        (await hasDays(partition, row['site'])) ? [String(row['site'])] : [],
      )
      return sites.flat()
    },
    days: async (partition, site, before) => {
      const query = 'SELECT day FROM manifest WHERE part = ? AND site = ? AND day > 0 AND day < ? GROUP BY day'
      return (await db.rows(statement(query, partition, site, before))).map((row): number => row['day'])
    },
    drop: async (partition, where) => {
      const { site, day } = where
      const isWritten = ({ begun }: { begun: number }) => Math.abs(clock.now() - begun) < writingMs
      const all = await readRows(db, partition, site, day, day)
      if (isOpen(all)) return false
      const rows = all.filter((row) => row.state !== 'begun' || !isWritten(row))
      if (rows.length === 0) return false
      const members = (await readMembers(db, partition, site, await readReading(db, partition, site))).filter((one) => one.day === day)
      await db.run(deleteMarks(partition, where, reachOf(all, 0) ?? 0))
      const isListedYet = rows.some(isListed)
      const remember = statement('INSERT INTO dropped_day (part, site, day) VALUES (?, ?, ?)', partition, site, day)
      await dropRows(db, content, partition, rows, [
        ...(isListedYet ? [remember] : []),
        forgetDay(partition, where),
        ...members.map(({ ver }) => leaveVersion(partition, where, ver)),
      ])
      await db.run(deleteReach(partition, where))
      return isListedYet
    },
    dropped: async (partition, site) =>
      (await db.row(statement('SELECT day FROM dropped_day WHERE part = ? AND site = ? LIMIT 1', partition, site)))?.['day'],
  }
}
