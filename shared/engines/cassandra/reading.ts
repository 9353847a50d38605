import type { Active } from '../../ports/replays.ts'
import type { SiteDay } from '../../ports/seals.ts'
import { type Database, type Statement, statement } from './database.ts'

/**
 * What readers of a site must know of its versions, in one row of each partition and site, so that one read has all of it: which version is
 * taken of each day, what is in transit, which versions were dropped. A dropped version never comes back: what is found of it is ignored.
 */
export type Reading = {
  active: ReadonlyMap<number, number>
  /** Of each order whose days are being led to another version: first and last of them. */
  transit: ReadonlyMap<string, string>
  /** Log times. */
  dropped: ReadonlyMap<number, number>
}

export const readReading = async (db: Database, partition: number, site: string): Promise<Reading> => {
  const row = await db.row(statement('SELECT active, transit, dropped FROM reading WHERE part = ? AND site = ?', partition, site))
  const dropped = new Map<number, number>()
  for (const [ver, at] of row?.['dropped'] ?? []) dropped.set(ver, Number(at))
  return { active: row?.['active'] ?? new Map(), transit: row?.['transit'] ?? new Map(), dropped }
}

export const activeOf = ({ active, transit, dropped }: Reading): Active => {
  const ranges = [...transit.values()].map((text) => text.split(' ').map(Number))
  return {
    days: new Map([...active].filter(([, ver]) => !dropped.has(ver))),
    transit:
      ranges.length === 0 ? undefined : { from: Math.min(...ranges.map(([from]) => from!)), to: Math.max(...ranges.map(([, to]) => to!)) },
  }
}

const where = 'WHERE part = ? AND site = ?'

export const flipDay = (partition: number, { site, day }: SiteDay, ver: number): Statement =>
  statement(`UPDATE reading SET active[?] = ? ${where}`, day, ver, partition, site)
export const forgetDay = (partition: number, { site, day }: SiteDay): Statement =>
  statement(`DELETE active[?] FROM reading ${where}`, day, partition, site)
export const markDropped = (partition: number, site: string, ver: number, at: number): Statement =>
  statement(`UPDATE reading SET dropped[?] = ? ${where}`, ver, at, partition, site)
export const beginTransit = (partition: number, site: string, id: string, range: { from: number; to: number }): Statement =>
  statement(`UPDATE reading SET transit[?] = ? ${where}`, id, `${range.from} ${range.to}`, partition, site)
export const endTransit = (partition: number, site: string, id: string): Statement =>
  statement(`DELETE transit[?] FROM reading ${where}`, id, partition, site)

/** The versions that days of a site were put into, and are in still. */
export type Member = { ver: number; day: number }

export const readMembers = async (db: Database, partition: number, site: string, { dropped }: Reading): Promise<Member[]> => {
  const rows = await db.rows(statement('SELECT ver, day FROM version_day WHERE part = ? AND site = ?', partition, site))
  return rows.map((row): Member => ({ ver: row['ver'], day: row['day'] })).filter(({ ver }) => !dropped.has(ver))
}

/** Whether a day is in a version (and that was not dropped). */
export const isMember = async (db: Database, partition: number, { site, day }: SiteDay, ver: number): Promise<boolean> => {
  const query = 'SELECT day FROM version_day WHERE part = ? AND site = ? AND ver = ? AND day = ?'
  if (!(await db.row(statement(query, partition, site, ver, day)))) return false
  return !(await readReading(db, partition, site)).dropped.has(ver)
}

export const leaveVersion = (partition: number, { site, day }: SiteDay, ver: number): Statement =>
  statement('DELETE FROM version_day WHERE part = ? AND site = ? AND ver = ? AND day = ?', partition, site, ver, day)
