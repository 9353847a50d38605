import type { DatabaseSync } from 'node:sqlite'
import type { Salts, Secret, Secrets, Sites } from '../../ports/sites.ts'
import type { SiteConfig } from '../../site/config.ts'
import { guarded, inTransaction } from './database.ts'
import { emptyWal } from './secrecy.ts'

/** sites on SQLite (site.db): site versions, salts, secrets. */

export const siteTables = `
  CREATE TABLE site_cfg (site TEXT, ver INTEGER, doc TEXT NOT NULL, PRIMARY KEY (site, ver)) WITHOUT ROWID;
  CREATE TABLE salt (day INTEGER PRIMARY KEY, value BLOB NOT NULL);
  CREATE TABLE secret (hash TEXT PRIMARY KEY, kind TEXT NOT NULL, role TEXT NOT NULL, site TEXT NOT NULL, label TEXT NOT NULL,
    created INTEGER NOT NULL, until INTEGER NOT NULL) WITHOUT ROWID;
`

const prepare = (db: DatabaseSync) => ({
  newest: db.prepare('SELECT doc FROM site_cfg WHERE site = ? ORDER BY ver DESC LIMIT 1'),
  version: db.prepare('SELECT doc FROM site_cfg WHERE site = ? AND ver = ?'),
  all: db.prepare('SELECT doc FROM site_cfg AS a WHERE ver = (SELECT max(ver) FROM site_cfg AS b WHERE b.site = a.site) ORDER BY site'),
  put: db.prepare('INSERT INTO site_cfg (site, ver, doc) VALUES (?, ?, ?) ON CONFLICT DO NOTHING'),
  salt: db.prepare('SELECT value FROM salt WHERE day = ?'),
  putSalt: db.prepare('INSERT INTO salt (day, value) VALUES (?, ?) ON CONFLICT DO NOTHING'),
  dropSalts: db.prepare('DELETE FROM salt WHERE day < ?'),
  secret: db.prepare('SELECT * FROM secret WHERE hash = ?'),
  putSecret: db.prepare('INSERT OR REPLACE INTO secret (hash, kind, role, site, label, created, until) VALUES (?, ?, ?, ?, ?, ?, ?)'),
  dropSecret: db.prepare('DELETE FROM secret WHERE hash = ? RETURNING *'),
  secrets: db.prepare('SELECT * FROM secret WHERE kind = ? ORDER BY created, hash'),
  dropExpired: db.prepare('DELETE FROM secret WHERE until <> 0 AND until < ?'),
})

const parse = (row: unknown): SiteConfig | undefined => row && JSON.parse((row as { doc: string }).doc)

export const createSites = (db: DatabaseSync): { sites: Sites; salts: Salts; secrets: Secrets } => {
  const sql = prepare(db)

  const sites: Sites = {
    find: (site) => guarded(() => parse(sql.newest.get(site))),
    at: (site, version) => guarded(() => parse(sql.version.get(site, version))),
    list: () =>
      guarded(() =>
        sql.all
          .all()
          .map((row) => parse(row)!)
          .filter(({ removed }) => !removed),
      ),
    put: (config) => guarded(() => (sql.put.run(config.site, config.version, JSON.stringify(config)).changes === 0 ? 'stale' : 'done')),
  }

  const saltOf = (day: number): Buffer | undefined => {
    const row = sql.salt.get(day) as { value: Uint8Array } | undefined
    return row && Buffer.from(row.value)
  }
  const salts: Salts = {
    get: (day) => guarded(() => saltOf(day)),
    make: (day, value) =>
      guarded(() =>
        inTransaction(db, () => {
          sql.putSalt.run(day, value)
          return saltOf(day)!
        }),
      ),
    dropBefore: (day) =>
      guarded(() => {
        const gone = Number(sql.dropSalts.run(day).changes)
        // At each call: an earlier one may have destroyed salts and then met a reader.
        emptyWal(db)
        return gone
      }),
  }

  const secrets: Secrets = {
    find: (hash) => guarded(() => sql.secret.get(hash) as Secret | undefined),
    put: (s) => guarded(() => void sql.putSecret.run(s.hash, s.kind, s.role, s.site, s.label, s.created, s.until)),
    take: (hash) => guarded(() => sql.dropSecret.get(hash) as Secret | undefined),
    list: (kind) => guarded(() => sql.secrets.all(kind) as Secret[]),
    dropExpired: (now) => guarded(() => Number(sql.dropExpired.run(now).changes)),
  }
  return { sites, salts, secrets }
}
