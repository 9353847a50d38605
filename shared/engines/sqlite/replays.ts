import type { DatabaseSync } from 'node:sqlite'
import type { ReplayJob, ReplayOrder, Replays, VersionDay, Versions } from '../../ports/replays.ts'
import type { SiteDay } from '../../ports/seals.ts'
import { guarded, inSnapshot, inTransaction } from './database.ts'

/** replays on SQLite: orders in site.db, versions of days in state.db, beside the segments that they are of. */

export const replayTables = `
  CREATE TABLE replay (site TEXT, ver INTEGER, id TEXT NOT NULL, wanted TEXT NOT NULL, doc TEXT NOT NULL, PRIMARY KEY (site, ver)) WITHOUT ROWID;
  CREATE UNIQUE INDEX replay_id ON replay (site, id);
`

/** `due` is moved on by the segment of version 0 that is put, `made` by that of the version itself. */
export const versionTables = `
  ALTER TABLE segment ADD COLUMN ver INTEGER NOT NULL DEFAULT 0;
  DROP INDEX segment_key;
  CREATE UNIQUE INDEX segment_key ON segment (part, site, day, "from", "to", level, ver, name);
  CREATE TABLE version_day (part INTEGER, site TEXT, day INTEGER, ver INTEGER, made INTEGER NOT NULL, due INTEGER NOT NULL,
    PRIMARY KEY (part, site, day, ver)) WITHOUT ROWID;
  CREATE INDEX version_due ON version_day (part, site, day, ver) WHERE due > made;
  CREATE TABLE active_day (part INTEGER, site TEXT, day INTEGER, ver INTEGER NOT NULL, PRIMARY KEY (part, site, day)) WITHOUT ROWID;
  CREATE TABLE replay_job (part INTEGER, id TEXT, site TEXT NOT NULL, "from" INTEGER NOT NULL, "to" INTEGER NOT NULL, state TEXT NOT NULL,
    doc TEXT NOT NULL, PRIMARY KEY (part, id)) WITHOUT ROWID;
  CREATE INDEX replay_transit ON replay_job (part, site) WHERE state IN ('switching', 'undoing');
`

const parse = (row: unknown): ReplayOrder => {
  const { doc, wanted } = row as { doc: string; wanted: ReplayOrder['wanted'] }
  return { ...(JSON.parse(doc) as Omit<ReplayOrder, 'wanted'>), wanted }
}

export const createReplays = (db: DatabaseSync): Replays => {
  const sql = {
    put: db.prepare('INSERT INTO replay (site, ver, id, wanted, doc) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING'),
    find: db.prepare('SELECT wanted, doc FROM replay WHERE site = ? AND id = ?'),
    list: db.prepare('SELECT wanted, doc FROM replay WHERE site = ? ORDER BY ver DESC'),
    all: db.prepare('SELECT wanted, doc FROM replay ORDER BY site, ver'),
    want: db.prepare('UPDATE replay SET wanted = ? WHERE site = ? AND id = ? AND wanted = ?'),
  }
  return {
    put: ({ wanted, ...rest }) =>
      guarded(() => (sql.put.run(rest.site, rest.ver, rest.id, wanted, JSON.stringify(rest)).changes === 0 ? 'stale' : 'done')),
    find: (site, id) =>
      guarded(() => {
        const row = sql.find.get(site, id)
        return row && parse(row)
      }),
    list: (site) => guarded(() => sql.list.all(site).map(parse)),
    all: () => guarded(() => sql.all.all().map(parse)),
    want: (site, id, was, now) => guarded(() => (sql.want.run(now, site, id, was).changes === 0 ? 'stale' : 'done')),
  }
}

const prepareVersions = (db: DatabaseSync) => ({
  active: db.prepare('SELECT day, ver FROM active_day WHERE part = ? AND site = ?'),
  transit: db.prepare(`SELECT min("from") AS "from", max("to") AS "to" FROM replay_job
    WHERE part = ? AND site = ? AND state IN ('switching', 'undoing')`),
  flip: db.prepare(`INSERT INTO active_day (part, site, day, ver) SELECT ?1, ?2, ?3, ?4
    WHERE ?4 = 0 OR EXISTS (SELECT 1 FROM version_day WHERE part = ?1 AND site = ?2 AND day = ?3 AND ver = ?4)
    ON CONFLICT DO UPDATE SET ver = excluded.ver`),
  closedTo: db.prepare('SELECT max("to") AS "to" FROM segment WHERE part = ? AND site = ? AND day = ? AND level = 1 AND ver = 0'),
  begin: db.prepare('INSERT INTO version_day (part, site, day, ver, made, due) VALUES (?, ?, ?, ?, 0, ?) ON CONFLICT DO NOTHING'),
  days: db.prepare('SELECT day, ver, made, due FROM version_day WHERE part = ? AND site = ? AND ver = ? ORDER BY day'),
  due: db.prepare('SELECT site, day, ver, due FROM version_day WHERE part = ? AND due > made ORDER BY site, day, ver LIMIT ?'),
  dropDays: db.prepare('DELETE FROM version_day WHERE part = ? AND site = ? AND ver = ?'),
  dropActive: db.prepare('DELETE FROM active_day WHERE part = ? AND site = ? AND ver = ?'),
  supersede: db.prepare('UPDATE segment SET superseded = ? WHERE part = ? AND site = ? AND ver = ? AND superseded IS NULL'),
  job: db.prepare('SELECT state, doc FROM replay_job WHERE part = ? AND id = ?'),
  putJob: db.prepare(`INSERT INTO replay_job (part, id, site, "from", "to", state, doc) VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET state = excluded.state, doc = excluded.doc`),
})

export const createVersions = (db: DatabaseSync): Versions => {
  const sql = prepareVersions(db)
  return {
    active: (partition, site) =>
      guarded(() =>
        inSnapshot(db, () => {
          const days = sql.active.all(partition, site) as { day: number; ver: number }[]
          const { from, to } = sql.transit.get(partition, site) as { from: number | null; to: number | null }
          return {
            days: new Map(days.map(({ day, ver }) => [day, ver])),
            transit: from === null || to === null ? undefined : { from, to },
          }
        }),
      ),
    flip: (partition, { site, day }, ver) => guarded(() => void sql.flip.run(partition, site, day, ver)),
    begin: (partition, site, ver, days) =>
      guarded(() =>
        inTransaction(db, () => {
          for (const day of days) {
            const { to } = sql.closedTo.get(partition, site, day) as { to: number | null }
            sql.begin.run(partition, site, day, ver, to ?? 0)
          }
        }),
      ),
    days: (partition, site, ver) => guarded(() => sql.days.all(partition, site, ver) as VersionDay[]),
    due: (partition, limit) => guarded(() => sql.due.all(partition, limit) as (SiteDay & { ver: number; due: number })[]),
    drop: (partition, site, ver, at) =>
      guarded(() =>
        inTransaction(db, () => {
          sql.dropDays.run(partition, site, ver)
          sql.dropActive.run(partition, site, ver)
          sql.supersede.run(at, partition, site, ver)
        }),
      ),
    job: (partition, id) =>
      guarded(() => {
        const row = sql.job.get(partition, id) as { state: ReplayJob['state']; doc: string } | undefined
        return row && { ...(JSON.parse(row.doc) as Omit<ReplayJob, 'state'>), state: row.state }
      }),
    putJob: (partition, { id, site, from, to }, { state, ...rest }) =>
      guarded(() => void sql.putJob.run(partition, id, site, from, to, state, JSON.stringify(rest))),
  }
}
