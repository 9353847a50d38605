import type { DatabaseSync } from 'node:sqlite'
import type { OpenDay, Progress, SegmentEntry, Segments } from '../../ports/segments.ts'
import { guarded, inSnapshot, inTransaction } from './database.ts'

/**
 * segments and progress on SQLite (state.db). A segment and its row of the manifest are one transaction. `open_day` and `superseded` say
 * for every segment once, when it is put, what else would be looked for among all days of all sites at every tick.
 */
export const segmentTables = `
  CREATE TABLE segment (id INTEGER PRIMARY KEY, part INTEGER NOT NULL, site TEXT NOT NULL, day INTEGER NOT NULL, "from" INTEGER NOT NULL,
    "to" INTEGER NOT NULL, level INTEGER NOT NULL, name TEXT NOT NULL, rows INTEGER NOT NULL, hits INTEGER NOT NULL, bytes INTEGER NOT NULL,
    at INTEGER NOT NULL, superseded INTEGER, head BLOB NOT NULL);
  CREATE UNIQUE INDEX segment_key ON segment (part, site, day, "from", "to", level, name);
  CREATE INDEX segment_superseded ON segment (part, superseded) WHERE superseded IS NOT NULL;
  CREATE TABLE chunk (segment INTEGER NOT NULL, col TEXT NOT NULL, rg INTEGER NOT NULL, data BLOB NOT NULL);
  CREATE UNIQUE INDEX chunk_key ON chunk (segment, col, rg);
  CREATE TABLE open_day (part INTEGER, site TEXT, day INTEGER, closed INTEGER NOT NULL, oldest INTEGER NOT NULL,
    newest INTEGER NOT NULL, PRIMARY KEY (part, site, day))
    WITHOUT ROWID;
  CREATE TABLE progress (stage TEXT, part INTEGER, next INTEGER NOT NULL, src INTEGER NOT NULL, PRIMARY KEY (stage, part)) WITHOUT ROWID;
`

const key = 'part = ? AND site = ? AND day = ? AND "from" = ? AND "to" = ? AND level = ? AND ver = ? AND name = ?'

const prepare = (db: DatabaseSync) => ({
  put: db.prepare(`INSERT INTO segment (part, site, day, "from", "to", level, ver, name, rows, hits, bytes, at, head)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`),
  putChunk: db.prepare('INSERT INTO chunk (segment, col, rg, data) VALUES (?, ?, ?, ?)'),
  list: db.prepare(`SELECT site, day, "from", "to", level, ver, name, rows, hits, bytes, at FROM segment
    WHERE part = ? AND site = ? AND day BETWEEN ? AND ? AND (level = 0 OR ver = ?) ORDER BY day, "from", "to" DESC, level DESC`),
  head: db.prepare(`SELECT head FROM segment WHERE ${key}`),
  id: db.prepare(`SELECT id FROM segment WHERE ${key}`),
  chunk: db.prepare('SELECT data FROM chunk WHERE segment = ? AND col = ? AND rg = ?'),
  firstDay: db.prepare('SELECT day FROM segment WHERE part = ? AND site = ? AND day > 0 ORDER BY day LIMIT 1'),
  lastDay: db.prepare('SELECT day FROM segment WHERE part = ? AND site = ? AND day > 0 ORDER BY day DESC LIMIT 1'),
  closedTo: db.prepare('SELECT max("to") AS "to" FROM segment WHERE part = ? AND site = ? AND day = ? AND level = 1 AND ver = 0'),
  beyond: db.prepare(`SELECT min(at) AS oldest, max(at) AS newest FROM segment
    WHERE part = ? AND site = ? AND day = ? AND level = 0 AND "to" > ?`),
  putOpen: db.prepare(`INSERT INTO open_day (part, site, day, closed, oldest, newest) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET closed = excluded.closed, oldest = excluded.oldest, newest = excluded.newest`),
  dropOpen: db.prepare('DELETE FROM open_day WHERE part = ? AND site = ? AND day = ?'),
  open: db.prepare('SELECT site, day, closed, oldest, newest FROM open_day WHERE part = ?'),
  /** Not the furthest closed segment itself, nor another one of its interval: one of them must stay. */
  supersede: db.prepare(`UPDATE segment SET superseded = ?1 FROM
    (SELECT max("to") AS reach FROM segment WHERE part = ?2 AND site = ?3 AND day = ?4 AND level = 1 AND ver = ?5)
    WHERE part = ?2 AND site = ?3 AND day = ?4 AND ver = ?5 AND superseded IS NULL AND ("to" < reach OR ("to" = reach AND level = 0))`),
  setDue: db.prepare('UPDATE version_day SET due = max(due, ?) WHERE part = ? AND site = ? AND day = ?'),
  setMade: db.prepare('UPDATE version_day SET made = max(made, ?) WHERE part = ? AND site = ? AND day = ? AND ver = ?'),
  /** While a day is open, or a version of it is behind, a chain may still need what its closed segment has too. */
  old: db.prepare(`SELECT id FROM segment WHERE part = ? AND superseded < ? AND NOT EXISTS
    (SELECT 1 FROM open_day WHERE open_day.part = segment.part AND open_day.site = segment.site AND open_day.day = segment.day)
    AND NOT EXISTS (SELECT 1 FROM version_day WHERE version_day.part = segment.part AND version_day.site = segment.site
      AND version_day.day = segment.day AND due > made)
    ORDER BY superseded LIMIT ?`),
  dropChunks: db.prepare('DELETE FROM chunk WHERE segment = ?'),
  drop: db.prepare('DELETE FROM segment WHERE id = ?'),
})

const dayOf = (partition: number, { site, day }: SegmentEntry) => [partition, site, day] as const
const keyOf = (partition: number, { site, day, from, to, level, ver, name }: SegmentEntry) =>
  [partition, site, day, from, to, level, ver, name] as const

export const createSegments = (db: DatabaseSync): Segments => {
  const sql = prepare(db)

  /** Says anew whether a day is open: it follows from the manifest alone. */
  const markOpen = (partition: number, entry: SegmentEntry): void => {
    const { to } = sql.closedTo.get(...dayOf(partition, entry)) as { to: number | null }
    const { oldest, newest } = sql.beyond.get(...dayOf(partition, entry), to ?? -1) as { oldest: number | null; newest: number | null }
    if (newest === null) sql.dropOpen.run(...dayOf(partition, entry))
    else sql.putOpen.run(...dayOf(partition, entry), to === null ? 0 : 1, oldest, newest)
  }

  return {
    put: (partition, entry, head, chunks) =>
      guarded(() =>
        inTransaction(db, () => {
          const { rows, hits, bytes, at, ver } = entry
          if (ver > 0 && sql.setMade.run(entry.to, ...dayOf(partition, entry), ver).changes === 0) return
          const put = sql.put.run(...keyOf(partition, entry), rows, hits, bytes, at, head)
          if (put.changes === 0) return
          for (const { column, group, data } of chunks) sql.putChunk.run(put.lastInsertRowid, column, group, data)
          sql.supersede.run(at, ...dayOf(partition, entry), ver)
          if (entry.level === 1 && ver === 0) sql.setDue.run(entry.to, ...dayOf(partition, entry))
          markOpen(partition, entry)
        }),
      ),
    list: (partition, site, fromDay, toDay, ver = 0) => guarded(() => sql.list.all(partition, site, fromDay, toDay, ver) as SegmentEntry[]),
    head: (partition, entry) =>
      guarded(() => {
        const row = sql.head.get(...keyOf(partition, entry)) as { head: Uint8Array } | undefined
        return row && Buffer.from(row.head)
      }),
    read: (partition, entry, chunks) =>
      guarded(() =>
        inSnapshot(db, () => {
          const segment = sql.id.get(...keyOf(partition, entry)) as { id: number } | undefined
          return chunks.map(({ column, group }) => {
            const row = segment && (sql.chunk.get(segment.id, column, group) as { data: Uint8Array } | undefined)
            return row && Buffer.from(row.data)
          })
        }),
      ),
    days: (partition, site) =>
      guarded(() => {
        const first = sql.firstDay.get(partition, site) as { day: number } | undefined
        const last = sql.lastDay.get(partition, site) as { day: number } | undefined
        return first && last && { first: first.day, last: last.day }
      }),
    open: (partition) =>
      guarded(() =>
        (sql.open.all(partition) as (Omit<OpenDay, 'closed'> & { closed: number })[]).map((one) => ({ ...one, closed: one.closed === 1 })),
      ),
    dropSuperseded: (partition, before, limit) =>
      guarded(() =>
        inTransaction(db, () => {
          const old = sql.old.all(partition, before, limit) as { id: number }[]
          for (const { id } of old) {
            sql.dropChunks.run(id)
            sql.drop.run(id)
          }
          return old.length
        }),
      ),
  }
}

export const createProgress = (db: DatabaseSync): Progress => {
  const sql = {
    progress: db.prepare('SELECT next, src FROM progress WHERE stage = ? AND part = ?'),
    advance: db.prepare(`INSERT INTO progress (stage, part, next, src) VALUES (?, ?, ?, ?)
      ON CONFLICT DO UPDATE SET next = excluded.next, src = excluded.src WHERE excluded.next > next`),
  }
  return {
    get: (stage, partition) => guarded(() => sql.progress.get(stage, partition) as { next: number; src: number } | undefined),
    advance: (stage, partition, { next, src }) =>
      guarded(() => {
        sql.advance.run(stage, partition, next, src)
      }),
  }
}
