import { existsSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { FootfallError } from '../../errors.ts'
import { inTransaction, isDamaged } from './database.ts'

/**
 * What of site.db is destroyed on time, and therefore must not be in a copy of it: salts, and the keys of imported visitors. With them
 * a copy loses the positions in imported logs: it may be older than they are, and from the beginning of a log enrich's fence lets
 * in exactly what is missing (data.md §14).
 */

/** Tables whose rows live only in the folder that is in use, with their columns. A file of an older format may lack some. */
const living: Readonly<Record<string, readonly string[]>> = { salt: ['day', 'value'], import_key: ['site', 'day', 'value', 'used'] }
const positions = 'import'

type Row = Record<string, number | string | Uint8Array>
type Rows = Readonly<Record<string, readonly Row[]>>

const hasTable = (db: DatabaseSync, name: string): boolean =>
  db.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?").get(name) !== undefined

/**
 * Takes what was written out of the write-ahead log, which keeps older copies of a page until it is reused. Throws
 * `store-unavailable` while a reader is in the way: only then something that was destroyed could still be read.
 */
export const emptyWal = (db: DatabaseSync): void => {
  const { busy } = db.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get() as { busy: number }
  if (busy !== 0) throw new FootfallError('store-unavailable', { detail: 'A reader holds old pages of site.db.' })
}

/** Puts exactly these rows in place of those that a file has; what is replaced can be read nowhere in it. */
const replaceLiving = (db: DatabaseSync, rows: Rows): void => {
  db.exec('PRAGMA secure_delete = ON')
  inTransaction(db, () => {
    if (hasTable(db, positions)) db.exec(`DELETE FROM ${positions}`)
    for (const [table, columns] of Object.entries(living)) {
      if (!hasTable(db, table)) continue
      db.exec(`DELETE FROM ${table}`)
      const put = db.prepare(`INSERT INTO ${table} (${columns.join()}) VALUES (${columns.map(() => '?').join()})`)
      for (const row of rows[table] ?? []) put.run(...columns.map((name) => row[name]!))
    }
  })
  emptyWal(db)
}

/** Takes salts and keys out of a copy of site.db: a copy outlives the promise of when they are destroyed. */
export const forgetKeys = (db: DatabaseSync): void => replaceLiving(db, {})

const readLiving = (db: DatabaseSync): Rows =>
  Object.fromEntries(
    Object.entries(living)
      .filter(([table]) => hasTable(db, table))
      .map(([table, columns]) => [table, db.prepare(`SELECT ${columns.join()} FROM ${table}`).all() as Row[]]),
  )

/** Those of a site.db; none where it is missing or damaged (a restore must work then too: new ones are made). */
const livingAt = (path: string): Rows => {
  if (!existsSync(path)) return {}
  let db: DatabaseSync | undefined
  try {
    db = new DatabaseSync(path, { readOnly: true, timeout: 5_000 })
    return readLiving(db)
  } catch (cause) {
    if (!isDamaged(cause)) throw cause
    return {}
  } finally {
    db?.close()
  }
}

/** Gives the site.db at `toPath` the salts and keys of the one at `fromPath`, and no others: a restore goes on with the living ones. */
export const copyKeys = (fromPath: string, toPath: string): void => {
  const rows = livingAt(fromPath)
  const db = new DatabaseSync(toPath, { timeout: 5_000 })
  try {
    replaceLiving(db, rows)
  } finally {
    db.close()
  }
}
