import type { DatabaseSync } from 'node:sqlite'
import type { Retention } from '../../ports/retention.ts'
import { guarded, inTransaction } from './database.ts'

/** retention on SQLite (state.db): over the tables of segments, and one that remembers up to which day a site's rows are gone. */
export const retentionTables = `
  CREATE TABLE dropped (part INTEGER, site TEXT, day INTEGER NOT NULL, PRIMARY KEY (part, site)) WITHOUT ROWID;
`

const prepare = (db: DatabaseSync) => ({
  sites: db.prepare('SELECT DISTINCT site FROM segment WHERE part = ? AND day > 0 ORDER BY site'),
  days: db.prepare('SELECT DISTINCT day FROM segment WHERE part = ? AND site = ? AND day > 0 AND day < ? ORDER BY day'),
  isOpen: db.prepare('SELECT 1 FROM open_day WHERE part = ? AND site = ? AND day = ?'),
  segments: db.prepare('SELECT id FROM segment WHERE part = ? AND site = ? AND day = ?'),
  drop: db.prepare('DELETE FROM segment WHERE id = ?'),
  dropChunks: db.prepare('DELETE FROM chunk WHERE segment = ?'),
  dropVersions: db.prepare('DELETE FROM version_day WHERE part = ? AND site = ? AND day = ?'),
  dropActive: db.prepare('DELETE FROM active_day WHERE part = ? AND site = ? AND day = ?'),
  remember: db.prepare('INSERT INTO dropped (part, site, day) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET day = max(day, excluded.day)'),
  dropped: db.prepare('SELECT day FROM dropped WHERE part = ? AND site = ?'),
})

export const createRetention = (db: DatabaseSync): Retention => {
  const sql = prepare(db)
  return {
    sites: (partition) => guarded(() => (sql.sites.all(partition) as { site: string }[]).map(({ site }) => site)),
    days: (partition, site, before) => guarded(() => (sql.days.all(partition, site, before) as { day: number }[]).map(({ day }) => day)),
    drop: (partition, { site, day }) =>
      guarded(() =>
        inTransaction(db, () => {
          if (sql.isOpen.get(partition, site, day)) return false
          const ids = sql.segments.all(partition, site, day) as { id: number }[]
          if (ids.length === 0) return false
          for (const { id } of ids) sql.drop.run(id)
          for (const { id } of ids) sql.dropChunks.run(id)
          sql.dropVersions.run(partition, site, day)
          sql.dropActive.run(partition, site, day)
          sql.remember.run(partition, site, day)
          return true
        }),
      ),
    dropped: (partition, site) => guarded(() => (sql.dropped.get(partition, site) as { day: number } | undefined)?.day),
  }
}
