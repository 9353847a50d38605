import type { types } from 'cassandra-driver'
import type { SegmentEntry } from '../../ports/segments.ts'
import { type Database, type Statement, statement } from './database.ts'

/**
 * The rows of the manifest, and all that follows from them. A row is `begun` before its bytes are written, `listed` when all of them are
 * there, `struck` before they are deleted: so whoever looks at a day finds whatever bytes there are, and only what is listed is shown.
 */
export type State = 'begun' | 'listed' | 'struck'

/** `id` is that of the bytes (content.ts): the same segment put by two at once has two rows. `begun` is the clock's time. */
export type ManifestRow = SegmentEntry & { id: string; state: State; begun: number }

const columns = 'site, day, "from", "to", level, ver, name, rows, hits, bytes, at, id, state, begun'

const numberOf = (value: unknown): number => Number(value)

const rowOf = (row: types.Row): ManifestRow => ({
  site: row['site'],
  day: row['day'],
  from: numberOf(row['from']),
  to: numberOf(row['to']),
  level: row['level'],
  ver: row['ver'],
  name: row['name'],
  rows: numberOf(row['rows']),
  hits: numberOf(row['hits']),
  bytes: numberOf(row['bytes']),
  at: numberOf(row['at']),
  id: row['id'],
  state: row['state'],
  begun: numberOf(row['begun']),
})

const keyOf = (partition: number, { site, day, level, ver, from, to, name, id }: ManifestRow) =>
  [partition, site, day, level, ver, from, to, name, id] as const

const where = 'part = ? AND site = ? AND day = ? AND level = ? AND ver = ? AND "from" = ? AND "to" = ? AND name = ?'

/** Writes a whole row, whatever stood there of it. */
export const insertRow = (partition: number, row: ManifestRow): Statement =>
  statement(
    `INSERT INTO manifest (part, site, day, level, ver, "from", "to", name, id, state, rows, hits, bytes, at, begun)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ...keyOf(partition, row),
    row.state,
    row.rows,
    row.hits,
    row.bytes,
    row.at,
    row.begun,
  )

export const strikeRow = (partition: number, row: ManifestRow): Statement => insertRow(partition, { ...row, state: 'struck' })

export const deleteRow = (partition: number, row: ManifestRow): Statement =>
  statement(`DELETE FROM manifest WHERE ${where} AND id = ?`, ...keyOf(partition, row))

/** All rows of a site's days `fromDay ≤ day ≤ toDay`, in whatever state. */
export const readRows = async (db: Database, partition: number, site: string, fromDay: number, toDay: number): Promise<ManifestRow[]> => {
  const query = `SELECT ${columns} FROM manifest WHERE part = ? AND site = ? AND day >= ? AND day <= ?`
  return (await db.rows(statement(query, partition, site, fromDay, toDay))).map(rowOf)
}

/** The rows under which one segment is listed. */
export const findListed = async (db: Database, partition: number, entry: SegmentEntry): Promise<ManifestRow[]> => {
  const { site, day, level, ver, from, to, name } = entry
  const found = await db.rows(statement(`SELECT ${columns} FROM manifest WHERE ${where}`, partition, site, day, level, ver, from, to, name))
  return found.map(rowOf).filter(isListed)
}

export const isListed = ({ state }: ManifestRow): boolean => state === 'listed'

/** One name for what the port takes for one segment. */
export const nameOf = ({ day, level, ver, from, to, name }: SegmentEntry): string => `${day} ${level} ${ver} ${from} ${to} ${name}`

/** Without the second row of a segment that two have put. */
export const distinct = (rows: readonly ManifestRow[]): ManifestRow[] => {
  const first = new Map<string, ManifestRow>()
  for (const row of rows) if (!first.has(nameOf(row))) first.set(nameOf(row), row)
  return [...first.values()]
}

/** The entry as the port has it. */
export const entryOf = ({ site, day, from, to, level, ver, name, rows, hits, bytes, at }: ManifestRow): SegmentEntry => ({
  site,
  day,
  from,
  to,
  level,
  ver,
  name,
  rows,
  hits,
  bytes,
  at,
})

/** Days in order; of a day by interval, of one interval the closed segment first. */
export const inOrder = (a: SegmentEntry, b: SegmentEntry): number => a.day - b.day || a.from - b.from || b.to - a.to || b.level - a.level

/** How far the closed segments of a version reach among the rows of one day; `undefined` when there are none. */
export const reachOf = (rows: readonly ManifestRow[], ver: number): number | undefined => {
  const ends = rows.filter((row) => isListed(row) && row.level === 1 && row.ver === ver).map(({ to }) => to)
  return ends.length === 0 ? undefined : Math.max(...ends)
}

/** Whether one of the rows of a day is beyond its closed segment. */
export const isOpen = (rows: readonly ManifestRow[]): boolean => {
  const reach = reachOf(rows, 0) ?? Number.NEGATIVE_INFINITY
  return rows.some((row) => isListed(row) && row.level === 0 && row.to > reach)
}

/**
 * Log time from which on a row of a day is superseded: when a closed segment of its version was made that has its interval too (or when the
 * row itself was, if that is later: who put it may stand on it), or when its version was dropped. `undefined`: it is not.
 */
export const supersededAt = (row: ManifestRow, rows: readonly ManifestRow[], dropped: ReadonlyMap<number, number>): number | undefined => {
  const covers = (other: ManifestRow) => other.to > row.to || (other.to === row.to && row.level === 0)
  const since = rows.filter((other) => isListed(other) && other.level === 1 && other.ver === row.ver && covers(other)).map(({ at }) => at)
  const gone = row.level === 1 ? dropped.get(row.ver) : undefined
  if (gone !== undefined) since.push(gone)
  return since.length === 0 ? undefined : Math.max(row.at, Math.min(...since))
}
