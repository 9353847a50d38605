import { existsSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { type ErrorCode, FootfallError } from '../../errors.ts'

/**
 * One SQLite file: opened with its settings, stamped with its format, migrated. Everything the SQLite engines share.
 * A file has one writer (data.md §16); readers in other threads open it read-only and see whole transactions (WAL).
 */

export type FileFormat = {
  name: 'log' | 'state' | 'site'
  /** Marks the file, so that another program's file, or one of ours under a wrong name, is refused. */
  applicationId: number
  /** FULL: a commit is on the disk before it answers. NORMAL: the last commits may be lost at a power cut, never torn. */
  synchronous: 'FULL' | 'NORMAL'
  /** SQL of each format version, in order; the file's `user_version` says how many it has had. */
  migrations: readonly string[]
  /** Page cache, KiB. */
  cacheKib: number
  /** Pages of write-ahead log after which a commit copies them into the file. */
  checkpointPages: number
  /** Overwrite what is deleted (salts and secrets must not stay readable in free pages). */
  secureDelete?: true
}

export type OpenOptions = { path: string; readOnly?: boolean }

/** SQLite's primary result codes that have a name of their own in our catalogue. */
export const sqliteBusy = 5
const sqliteFull = 13
const sqliteCorrupt = 11
const sqliteNotADatabase = 26

/** The driver's primary result code of an exception; 0 when it is none of the driver's. */
export const primaryCode = (error: unknown): number =>
  typeof (error as { errcode?: unknown })?.errcode === 'number' ? (error as { errcode: number }).errcode & 0xff : 0

/** True for a file that can be read by nobody: broken, or no database. */
export const isDamaged = (cause: unknown): boolean => [sqliteCorrupt, sqliteNotADatabase].includes(primaryCode(cause))

/** A driver's exception as one of ours: full disk, damaged file, else `fallback`. */
export const storeError = (cause: unknown, fallback: ErrorCode): FootfallError => {
  if (cause instanceof FootfallError) return cause
  const code = primaryCode(cause)
  if (code === sqliteFull) return new FootfallError('disk-full', { cause })
  if (isDamaged(cause)) return new FootfallError('damaged-file', { cause })
  return new FootfallError(fallback, { cause })
}

const readNumber = (db: DatabaseSync, pragma: string): number =>
  Object.values(db.prepare(`PRAGMA ${pragma}`).get() as Record<string, number>)[0]!

/** True for a file in which nothing was ever made. */
const isEmpty = (db: DatabaseSync): boolean => db.prepare('SELECT 1 FROM sqlite_schema LIMIT 1').get() === undefined

const checkStamp = (db: DatabaseSync, format: FileFormat, path: string): number => {
  const id = readNumber(db, 'application_id')
  const version = readNumber(db, 'user_version')
  const isNew = id === 0 && version === 0 && isEmpty(db)
  if (id !== format.applicationId && !isNew)
    throw new FootfallError('damaged-file', { detail: `${path} is not Footfall's ${format.name}.db.` })
  if (version > format.migrations.length)
    throw new FootfallError('newer-format', { detail: `${path} has format ${version}, this version knows ${format.migrations.length}.` })
  return version
}

/** Brings the file to the newest format, each step in a transaction of its own, so that a crash between two goes on where it was. */
const migrate = (db: DatabaseSync, format: FileFormat, version: number) => {
  for (let i = version; i < format.migrations.length; i++)
    inTransaction(db, () => {
      db.exec(format.migrations[i]!)
      db.exec(`PRAGMA user_version = ${i + 1}; PRAGMA application_id = ${format.applicationId}`)
    })
}

/**
 * Opens a file for its one writer (made and migrated where needed), or read-only. `:memory:` is a file of its own each time.
 * Throws `newer-format`, `damaged-file`, `store-unavailable`.
 */
export const openDatabase = (format: FileFormat, { path, readOnly = false }: OpenOptions): DatabaseSync => {
  if (readOnly && !existsSync(path)) throw new FootfallError('not-a-folder', { detail: `${path} is missing.` })
  let db: DatabaseSync | undefined
  try {
    db = new DatabaseSync(path, { readOnly, timeout: 5_000 })
    const version = checkStamp(db, format, path)
    db.exec(`PRAGMA cache_size = -${format.cacheKib}; PRAGMA temp_store = MEMORY`)
    if (readOnly) return db
    if (path !== ':memory:') db.exec('PRAGMA journal_mode = WAL')
    db.exec(`PRAGMA wal_autocheckpoint = ${format.checkpointPages}`)
    db.exec(`PRAGMA synchronous = ${format.synchronous}; PRAGMA secure_delete = ${format.secureDelete ? 'ON' : 'OFF'}`)
    migrate(db, format, version)
    return db
  } catch (cause) {
    db?.close()
    throw storeError(cause, 'store-unavailable')
  }
}

/** Runs `work` in one `BEGIN IMMEDIATE` transaction: all or nothing. */
export const inTransaction = <T>(db: DatabaseSync, work: () => T): T => {
  db.exec('BEGIN IMMEDIATE')
  try {
    const result = work()
    db.exec('COMMIT')
    return result
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK')
    throw error
  }
}

/** Runs `work` on one snapshot of the file: what it reads belongs together. */
export const inSnapshot = <T>(db: DatabaseSync, work: () => T): T => {
  if (db.isTransaction) return work()
  db.exec('BEGIN')
  try {
    return work()
  } finally {
    db.exec('COMMIT')
  }
}

/** A synchronous piece of driver work as a promise, its exceptions as ours (`store-unavailable`, `disk-full`, `damaged-file`). */
export const guarded = <T>(work: () => T): Promise<T> => {
  try {
    return Promise.resolve(work())
  } catch (cause) {
    return Promise.reject(storeError(cause, 'store-unavailable'))
  }
}
