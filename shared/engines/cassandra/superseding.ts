import type { SiteDay } from '../../ports/seals.ts'
import type { Segments } from '../../ports/segments.ts'
import type { Content } from './content.ts'
import { type Database, type Statement, statement } from './database.ts'
import { deleteRow, distinct, isListed, isOpen, type ManifestRow, nameOf, reachOf, readRows, strikeRow, supersededAt } from './manifest.ts'
import { readMembers, readReading } from './reading.ts'
import { eachAtOnce } from './slots.ts'

/**
 * Drops what closed segments have superseded. `superseding` names the days to look at, by the log time from which on there is something to
 * drop; what that is follows from the manifest alone, so that a look too many is harmless. Bytes that were never listed go with it.
 */

/** Days that are looked at with one question. */
const daysAtOnce = 100
/** Segments whose bytes are deleted at once. */
const dropsAtOnce = 8

/** Has a day looked at once `at` is far enough back. */
export const look = (partition: number, { site, day }: SiteDay, at: number): Statement =>
  statement('INSERT INTO superseding (part, at, site, day) VALUES (?, ?, ?, ?)', partition, at, site, day)

const looked = (partition: number, { site, day }: SiteDay, at: number): Statement =>
  statement('DELETE FROM superseding WHERE part = ? AND at = ? AND site = ? AND day = ?', partition, at, site, day)

/** Deletes rows of the manifest and their bytes: first they are listed no more, then the bytes go, at last what leads to them. */
export const dropRows = async (
  db: Database,
  content: Content,
  partition: number,
  rows: readonly ManifestRow[],
  withListing: readonly Statement[] = [],
): Promise<void> => {
  await db.batch([...withListing, ...rows.filter(isListed).map((row) => strikeRow(partition, row))])
  await eachAtOnce(rows, dropsAtOnce, (row) => content.drop(row))
  await db.batch(rows.map((row) => deleteRow(partition, row)))
}

/** Of a day: what may go now, and from when on there is more. `undefined`: nothing may go yet, it is to be looked at again and again. */
type Seen = { gone: ManifestRow[]; left: ManifestRow[]; next: number | undefined }

export const createSuperseding = (db: Database, content: Content): Segments['dropSuperseded'] => {
  const see = async (partition: number, { site, day }: SiteDay, before: number): Promise<Seen | undefined> => {
    const rows = await readRows(db, partition, site, day, day)
    const reading = await readReading(db, partition, site)
    const members = (await readMembers(db, partition, site, reading)).filter((member) => member.day === day)
    const isBehind = members.some(({ ver }) => (reachOf(rows, 0) ?? 0) > (reachOf(rows, ver) ?? 0))
    if (isOpen(rows) || isBehind) return undefined
    const seen: Seen = { gone: [], left: [], next: undefined }
    for (const row of rows) {
      // What was begun so long ago and is not listed never will be.
      const at = isListed(row) ? supersededAt(row, rows, reading.dropped) : row.state === 'struck' ? Number.NEGATIVE_INFINITY : row.begun
      if (at === undefined) continue
      if (at >= before) seen.next = Math.min(at, seen.next ?? at)
      else (isListed(row) ? seen.gone : seen.left).push(row)
    }
    return seen
  }

  /** Looks at a day; answers how many segments went. */
  const visit = async (partition: number, where: SiteDay & { at: number }, before: number, limit: number): Promise<number> => {
    const seen = await see(partition, where, before)
    if (!seen) return 0
    const names = new Set(distinct(seen.gone).slice(0, limit).map(nameOf))
    const going = seen.gone.filter((row) => names.has(nameOf(row)))
    await dropRows(db, content, partition, [...going, ...seen.left])
    if (going.length < seen.gone.length) return names.size
    // The later look first: one too many is harmless, one too few is not.
    if (seen.next !== undefined) await db.run(look(partition, where, seen.next))
    await db.run(looked(partition, where, where.at))
    return names.size
  }

  return async (partition, before, limit) => {
    let count = 0
    const query = 'SELECT at, site, day FROM superseding WHERE part = ? AND at < ?'
    for await (const row of db.eachRow(statement(query, partition, before), daysAtOnce)) {
      if (count >= limit) break
      count += await visit(partition, { site: row['site'], day: row['day'], at: Number(row['at']) }, before, limit - count)
    }
    return count
  }
}
