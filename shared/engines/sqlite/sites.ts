import { existsSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { FootfallError } from '../../errors.ts'
import type { Salts, Secret, Secrets, Sites } from '../../ports/sites.ts'
import type { SiteConfig } from '../../site/config.ts'
import { guarded, inTransaction, isDamaged } from './database.ts'

/** sites on SQLite (site.db): site versions, salts, secrets. */

export const siteTables = `
  CREATE TABLE site_cfg (site TEXT, ver INTEGER, doc TEXT NOT NULL, PRIMARY KEY (site, ver)) WITHOUT ROWID;
  CREATE TABLE salt (day INTEGER PRIMARY KEY, value BLOB NOT NULL);
  CREATE TABLE secret (hash TEXT PRIMARY KEY, kind TEXT NOT NULL, role TEXT NOT NULL, site TEXT NOT NULL, label TEXT NOT NULL,
    created INTEGER NOT NULL, until INTEGER NOT NULL) WITHOUT ROWID;
`

type SaltRow = { day: number; value: Uint8Array }

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

/**
 * Takes what was written out of the write-ahead log, which keeps older copies of a page until it is reused. Throws
 * `store-unavailable` while a reader is in the way: only then something that was destroyed could still be read.
 */
const emptyWal = (db: DatabaseSync): void => {
  const { busy } = db.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get() as { busy: number }
  if (busy !== 0) throw new FootfallError('store-unavailable', { detail: 'A reader holds old pages of site.db.' })
}

/** Puts exactly `salts` in place of those that a file has; what is replaced can be read nowhere in it. */
const replaceSalts = (db: DatabaseSync, salts: readonly SaltRow[]): void => {
  db.exec('PRAGMA secure_delete = ON')
  inTransaction(db, () => {
    db.exec('DELETE FROM salt')
    const put = db.prepare('INSERT INTO salt (day, value) VALUES (?, ?)')
    for (const { day, value } of salts) put.run(day, value)
  })
  emptyWal(db)
}

/** Takes the salts out of a copy of site.db: a copy outlives the promise of when they are destroyed. */
export const forgetSalts = (db: DatabaseSync): void => replaceSalts(db, [])

/** The salts of a site.db; none where it is missing or damaged (a restore must work then too: new ones are made). */
const saltsAt = (path: string): SaltRow[] => {
  if (!existsSync(path)) return []
  let db: DatabaseSync | undefined
  try {
    db = new DatabaseSync(path, { readOnly: true, timeout: 5_000 })
    return db.prepare('SELECT day, value FROM salt').all() as SaltRow[]
  } catch (cause) {
    if (!isDamaged(cause)) throw cause
    return []
  } finally {
    db?.close()
  }
}

/** Gives the site.db at `toPath` the salts of the one at `fromPath`, and no others: a restore goes on with the living ones. */
export const copySalts = (fromPath: string, toPath: string): void => {
  const salts = saltsAt(fromPath)
  const db = new DatabaseSync(toPath, { timeout: 5_000 })
  try {
    replaceSalts(db, salts)
  } finally {
    db.close()
  }
}

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
