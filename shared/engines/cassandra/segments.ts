import type { Clock } from '../../clock.ts'
import { FootfallError } from '../../errors.ts'
import type { Progress, SegmentEntry, Segments } from '../../ports/segments.ts'
import type { Content, Where } from './content.ts'
import { type Database, type Statement, statement } from './database.ts'
import { distinct, entryOf, findListed, inOrder, insertRow, isListed, type ManifestRow, nameOf, reachOf, readRows } from './manifest.ts'
import { createOpenDays, insertMark, insertReach, putMs } from './open-days.ts'
import { isMember } from './reading.ts'
import { createSuperseding, look } from './superseding.ts'

/** segments and progress on Cassandra: what is written in which order, and what a crash in between leaves, is in docs/engines-cassandra.md. */

/** Ids of the bytes of listed segments that are remembered, so that reading one need not ask the manifest again. They never change. */
const knownIds = 20_000

/**
 * What is written with the listing of a segment. `before` it: rows of the partition by which it is found, in one batch, and how far its
 * day is closed. `after` it: what it has made sure. `rows` are those of its day.
 */
const listing = (partition: number, row: ManifestRow, rows: readonly ManifestRow[]): { before: Statement[][]; after: Statement[] } => {
  const ofPartition: Statement[] = []
  if (row.day > 0) ofPartition.push(statement('INSERT INTO cold_site (part, site) VALUES (?, ?)', partition, row.site))
  const isMarked = row.level === 0 && row.to > (reachOf(rows, 0) ?? Number.NEGATIVE_INFINITY)
  if (isMarked) return { before: [[...ofPartition, insertMark(partition, row, false)]], after: [insertMark(partition, row, true)] }
  ofPartition.push(look(partition, row, row.at))
  if (row.level === 0 || row.ver > 0) return { before: [ofPartition], after: [] }
  return { before: [ofPartition, [insertReach(partition, row, false)]], after: [insertReach(partition, row, true)] }
}

export const createSegments = (db: Database, content: Content, clock: Clock): Segments => {
  const ids = new Map<string, string>()

  const keyOf = (partition: number, entry: SegmentEntry): string => `${partition} ${entry.site} ${nameOf(entry)}`
  const know = (partition: number, row: ManifestRow): void => {
    ids.set(keyOf(partition, row), row.id)
    if (ids.size > knownIds) ids.delete(ids.keys().next().value!)
  }

  /** Reads of the bytes that are known by the entry; where they are gone, of those that the manifest names now. */
  const fromBytes = async <T>(
    partition: number,
    entry: SegmentEntry,
    read: (where: Where) => Promise<T | undefined>,
  ): Promise<T | undefined> => {
    const id = ids.get(keyOf(partition, entry))
    const known = id === undefined ? undefined : await read({ level: entry.level, id })
    if (known !== undefined) return known
    for (const row of await findListed(db, partition, entry)) {
      const found = row.id === id ? undefined : await read(row)
      if (found === undefined) continue
      know(partition, row)
      return found
    }
    return undefined
  }

  const put: Segments['put'] = async (partition, entry, head, chunks) => {
    if (entry.ver > 0 && !(await isMember(db, partition, entry, entry.ver))) return
    const rows = await readRows(db, partition, entry.site, entry.day, entry.day)
    if (rows.some((row) => isListed(row) && nameOf(row) === nameOf(entry))) return
    const row: ManifestRow = { ...entry, id: clock.random(16).toString('hex'), state: 'begun', begun: clock.now() }
    await db.run(insertRow(partition, row))
    await content.write(row, head, chunks)
    if (Math.abs(clock.now() - row.begun) > putMs)
      throw new FootfallError('store-unavailable', { detail: `A segment of ${entry.site}, day ${entry.day}, took too long to write.` })
    const { before, after } = listing(partition, row, rows)
    for (const list of before) await db.batch(list)
    await db.run(insertRow(partition, { ...row, state: 'listed' }))
    await db.batch(after)
  }

  /** The first of a site's days, in one direction, on which a segment is listed. */
  const endOf = async (partition: number, site: string, order: 'ASC' | 'DESC'): Promise<number | undefined> => {
    const query = `SELECT day, state FROM manifest WHERE part = ? AND site = ? AND day > 0 ORDER BY day ${order}`
    for await (const row of db.eachRow(statement(query, partition, site), 20)) if (row['state'] === 'listed') return row['day']
    return undefined
  }

  return {
    put,
    list: async (partition, site, fromDay, toDay, ver = 0) => {
      const rows = (await readRows(db, partition, site, fromDay, toDay)).filter(isListed)
      const wanted = distinct(rows.filter((row) => row.level === 0 || row.ver === ver))
      for (const row of wanted) know(partition, row)
      return wanted.map(entryOf).sort(inOrder)
    },
    head: (partition, entry) => fromBytes(partition, entry, (where) => content.head(where)),
    read: async (partition, entry, chunks) => {
      const whole = async (where: Where) => {
        const found = await content.read(where, chunks)
        return found.includes(undefined) && !(await content.head(where)) ? undefined : found
      }
      return (await fromBytes(partition, entry, whole)) ?? chunks.map(() => undefined)
    },
    days: async (partition, site) => {
      const [first, last] = await Promise.all([endOf(partition, site, 'ASC'), endOf(partition, site, 'DESC')])
      return first === undefined || last === undefined ? undefined : { first, last }
    },
    open: createOpenDays(db, clock),
    dropSuperseded: createSuperseding(db, content),
  }
}

/** Marks are only inserted, and the greatest stands: so it moves forward whoever writes when. Those that are behind it are deleted with it. */
export const createProgress = (db: Database): Progress => {
  const get: Progress['get'] = async (stage, partition) => {
    const row = await db.row(statement('SELECT next, src FROM progress WHERE stage = ? AND part = ? LIMIT 1', stage, partition))
    return row && { next: Number(row['next']), src: Number(row['src']) }
  }
  return {
    get,
    advance: async (stage, partition, { next, src }) => {
      if (((await get(stage, partition))?.next ?? Number.NEGATIVE_INFINITY) >= next) return
      await db.batch([
        statement('INSERT INTO progress (stage, part, next, src) VALUES (?, ?, ?, ?)', stage, partition, next, src),
        statement('DELETE FROM progress WHERE stage = ? AND part = ? AND next < ?', stage, partition, next),
      ])
    },
  }
}
