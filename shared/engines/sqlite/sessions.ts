import type { DatabaseSync } from 'node:sqlite'
import type { EnrichFence, EnrichState, HeldSession, Sessions } from '../../ports/sessions.ts'
import { guarded, inSnapshot, inTransaction } from './database.ts'

/** sessions on SQLite (state.db): one row per visitor's latest session, one per known hit id. */

export const sessionTables = `
  CREATE TABLE enrich_fence (part INTEGER PRIMARY KEY, gen INTEGER NOT NULL, topic TEXT NOT NULL, next INTEGER NOT NULL, ev INTEGER NOT NULL,
    logTime INTEGER NOT NULL, mode TEXT NOT NULL);
  CREATE TABLE sess (part INTEGER, site TEXT, key TEXT, lt INTEGER NOT NULL, state TEXT NOT NULL, PRIMARY KEY (part, site, key)) WITHOUT ROWID;
  CREATE TABLE ids (part INTEGER, site TEXT, id TEXT, lt INTEGER NOT NULL, PRIMARY KEY (part, site, id)) WITHOUT ROWID;
  CREATE INDEX ids_age ON ids (part, lt);
  CREATE TABLE imp (part INTEGER, site TEXT, source TEXT, line INTEGER NOT NULL, PRIMARY KEY (part, site, source)) WITHOUT ROWID;
`

const prepare = (db: DatabaseSync) => ({
  fence: db.prepare('SELECT gen, topic, next, ev, logTime, mode FROM enrich_fence WHERE part = ?'),
  newFence: db.prepare('INSERT INTO enrich_fence (part, gen, topic, next, ev, logTime, mode) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING'),
  moveFence: db.prepare('UPDATE enrich_fence SET gen = ?, topic = ?, next = ?, ev = ?, logTime = ?, mode = ? WHERE part = ? AND gen = ? AND next = ? AND ev = ?'),
  session: db.prepare('SELECT state, lt FROM sess WHERE part = ? AND site = ? AND key = ?'),
  putSession: db.prepare('INSERT INTO sess (part, site, key, lt, state) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET lt = excluded.lt, state = excluded.state'),
  dropSession: db.prepare('DELETE FROM sess WHERE part = ? AND site = ? AND key = ?'),
  id: db.prepare('SELECT lt FROM ids WHERE part = ? AND site = ? AND id = ?'),
  putId: db.prepare('INSERT INTO ids (part, site, id, lt) VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET lt = excluded.lt'),
  line: db.prepare('SELECT line FROM imp WHERE part = ? AND site = ? AND source = ?'),
  putLine: db.prepare('INSERT INTO imp (part, site, source, line) VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET line = excluded.line'),
  oldIds: db.prepare('DELETE FROM ids WHERE (part, site, id) IN (SELECT part, site, id FROM ids WHERE part = ? AND lt < ? ORDER BY lt LIMIT ?)'),
  someSessions: db.prepare('SELECT site, key, lt FROM sess WHERE part = ? AND (site, key) > (?, ?) ORDER BY site, key LIMIT ?'),
})

/** Where the sweep of sessions goes on: the table is walked in slices, since an index by age would cost at every touch. */
type Cursor = { site: string; key: string }
const start: Cursor = { site: '', key: '' }

export const createSessions = (db: DatabaseSync): Sessions => {
  const sql = prepare(db)
  const cursors = new Map<number, Cursor>()
  const fenceOf = (partition: number) => sql.fence.get(partition) as EnrichFence | undefined

  const sweepSessions = (partition: number, before: number, limit: number): number => {
    const from = cursors.get(partition) ?? start
    const slice = sql.someSessions.all(partition, from.site, from.key, limit) as (Cursor & { lt: number })[]
    const old = slice.filter(({ lt }) => lt < before)
    for (const { site, key } of old) sql.dropSession.run(partition, site, key)
    cursors.set(partition, slice.length < limit ? start : slice.at(-1)!)
    return old.length
  }

  return {
    load: (partition, sessions, ids, sources) =>
      guarded(() =>
        inSnapshot(db, (): EnrichState => ({
          fence: fenceOf(partition),
          sessions: sessions.map(({ site, key }) => sql.session.get(partition, site, key) as HeldSession | undefined),
          ids: ids.map(({ site, id }) => (sql.id.get(partition, site, id) as { lt: number } | undefined)?.lt),
          lines: sources.map(({ site, source }) => (sql.line.get(partition, site, source) as { line: number } | undefined)?.line),
        })),
      ),
    init: (partition, f) =>
      guarded(() =>
        inTransaction(db, () => {
          sql.newFence.run(partition, f.gen, f.topic, f.next, f.ev, f.logTime, f.mode)
          return fenceOf(partition)!
        }),
      ),
    commit: (partition, was, now, change) =>
      guarded(() =>
        inTransaction(db, () => {
          const moved = sql.moveFence.run(now.gen, now.topic, now.next, now.ev, now.logTime, now.mode, partition, was.gen, was.next, was.ev)
          if (moved.changes === 0) return 'stale'
          for (const { site, key } of change.dropped) sql.dropSession.run(partition, site, key)
          for (const { site, key, lt, state } of change.sessions) sql.putSession.run(partition, site, key, lt, state)
          for (const { site, id, lt } of change.ids) sql.putId.run(partition, site, id, lt)
          for (const { site, source, line } of change.lines) sql.putLine.run(partition, site, source, line)
          return 'done'
        }),
      ),
    sweep: (partition, { sessionsBefore, idsBefore }, limit) =>
      guarded(() =>
        inTransaction(db, () => Number(sql.oldIds.run(partition, idsBefore, limit).changes) + sweepSessions(partition, sessionsBefore, limit)),
      ),
  }
}
