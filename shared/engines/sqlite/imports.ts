import type { DatabaseSync } from 'node:sqlite'
import type { DayKey, Import, ImportKeys, Imports } from '../../ports/imports.ts'
import { guarded, inTransaction } from './database.ts'
import { emptyWal } from './secrecy.ts'

/** imports on SQLite (site.db): positions in access logs, keys of their visitors. */
export const importTables = `
  CREATE TABLE import (site TEXT, source TEXT, next INTEGER NOT NULL, at INTEGER NOT NULL, doc TEXT NOT NULL, PRIMARY KEY (site, source)) WITHOUT ROWID;
  CREATE TABLE import_key (site TEXT, day INTEGER, value BLOB NOT NULL, used INTEGER NOT NULL, PRIMARY KEY (site, day)) WITHOUT ROWID;
`

/** A use is noted when the last one noted is so old: not at every request, each of which would be a write more. */
const usedStepMs = 10 * 60_000

const prepare = (db: DatabaseSync) => ({
  find: db.prepare('SELECT doc FROM import WHERE site = ? AND source = ?'),
  list: db.prepare('SELECT doc FROM import WHERE site = ? ORDER BY at DESC, source LIMIT ?'),
  next: db.prepare('SELECT next FROM import WHERE site = ? AND source = ?'),
  put: db.prepare('INSERT OR REPLACE INTO import (site, source, next, at, doc) VALUES (?, ?, ?, ?, ?)'),
  keys: db.prepare('SELECT day, value, used FROM import_key WHERE site = ? AND day IN (SELECT value FROM json_each(?))'),
  putKey: db.prepare('INSERT INTO import_key (site, day, value, used) VALUES (?, ?, ?, ?)'),
  noteUse: db.prepare('UPDATE import_key SET used = ? WHERE site = ? AND day = ?'),
  dropKeys: db.prepare('DELETE FROM import_key WHERE used < ?'),
})

type KeyRow = { day: number; value: Uint8Array; used: number }

const parse = (row: unknown): Import | undefined => row && JSON.parse((row as { doc: string }).doc)

export const createImports = (db: DatabaseSync): { imports: Imports; importKeys: ImportKeys } => {
  const sql = prepare(db)

  const imports: Imports = {
    find: (site, source) => guarded(() => parse(sql.find.get(site, source))),
    list: (site, limit) => guarded(() => sql.list.all(site, limit).map((row) => parse(row)!)),
    advance: (now, was) =>
      guarded(() =>
        inTransaction(db, () => {
          const { next } = (sql.next.get(now.site, now.source) as { next: number } | undefined) ?? { next: 1 }
          if (next !== was) return 'stale'
          sql.put.run(now.site, now.source, now.next, now.at, JSON.stringify(now))
          return 'done'
        }),
      ),
  }

  const rowsOf = (site: string, days: readonly number[]): Map<number, KeyRow> =>
    new Map((sql.keys.all(site, JSON.stringify(days)) as KeyRow[]).map((row) => [row.day, row]))

  const isFresh = (row: KeyRow | undefined, now: number): boolean => row !== undefined && now - row.used < usedStepMs

  /** Nothing is written where all keys are there and were in use just now. */
  const useKeys = (site: string, keys: readonly DayKey[], now: number): DayKey[] => {
    const days = keys.map(({ day }) => day)
    const rows = rowsOf(site, days)
    if (days.every((day) => isFresh(rows.get(day), now))) return days.map((day) => ({ day, key: Buffer.from(rows.get(day)!.value) }))
    return inTransaction(db, () => {
      const standing = rowsOf(site, days)
      return keys.map(({ day, key }) => {
        const row = standing.get(day)
        if (!row) sql.putKey.run(site, day, key, now)
        else if (!isFresh(row, now)) sql.noteUse.run(Math.max(row.used, now), site, day)
        return { day, key: row ? Buffer.from(row.value) : key }
      })
    })
  }

  const importKeys: ImportKeys = {
    find: (site, days) => guarded(() => Array.from(rowsOf(site, days).values(), ({ day, value }) => ({ day, key: Buffer.from(value) }))),
    use: (site, keys, now) => guarded(() => useKeys(site, keys, now)),
    dropUnused: (before) =>
      guarded(() => {
        const gone = Number(sql.dropKeys.run(before).changes)
        emptyWal(db)
        return gone
      }),
  }
  return { imports, importKeys }
}
