import { createHash } from 'node:crypto'
import { closeSync, createReadStream, existsSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { backup, DatabaseSync } from 'node:sqlite'
import { FootfallError } from '../../errors.ts'
import { isDamaged, openDatabase } from './database.ts'
import { backupOrder, type FileName, formats, pathOf } from './formats.ts'
import { copyKeys, forgetKeys } from './secrecy.ts'

/**
 * Copies of the data folder. `state` is copied before `log`: the log then holds all that the state has taken, and the state catches up
 * with the rest. A restore is prepared beside the folder's files and moved into place by the next start, so that a crash in
 * between ends in the old files or the new ones, never in a mixture.
 */
export type BackupFile = { name: FileName; size: number; sha256: string }

const readBytes = 1 << 20

/** Piece by piece: it runs in the thread that reads requests, and a file may have gigabytes. */
const hashFile = async (path: string): Promise<string> => {
  const hash = createHash('sha256')
  for await (const piece of createReadStream(path, { highWaterMark: readBytes })) hash.update(piece)
  return hash.digest('hex')
}

/** Puts a file's bytes, or a folder's names, on the disk. */
const sync = (path: string): void => {
  const file = openSync(path, 'r')
  try {
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

/** Salts and the keys of imports are destroyed on time; a copy must not keep them, or it would lead from an address to its visits for ever. */
const withoutKeys = (path: string): void => {
  const db = new DatabaseSync(path, { timeout: 5_000 })
  try {
    forgetKeys(db)
  } finally {
    db.close()
  }
}

/** Copies every file of the folder as it stands at one moment (each for itself) into `target`. The copying runs beside everything else. */
export const snapshotFolder = async (folder: string, target: string): Promise<BackupFile[]> => {
  mkdirSync(target, { recursive: true, mode: 0o700 })
  const files: BackupFile[] = []
  for (const name of backupOrder) {
    const path = pathOf(target, name)
    const source = new DatabaseSync(pathOf(folder, name), { readOnly: true, timeout: 5_000 })
    try {
      // All pages in one step: a step at a time would begin again at every commit of the file's writer.
      await backup(source, path, { rate: 2 ** 31 - 1 })
    } finally {
      source.close()
    }
    if (name === 'site') withoutKeys(path)
    files.push({ name, size: statSync(path).size, sha256: await hashFile(path) })
  }
  return files
}

/** Looks whether `source` holds a whole backup of a format this version knows. Throws `bad-request`, `damaged-file`, `newer-format`. */
export const checkBackup = async (source: string, files: readonly BackupFile[]): Promise<void> => {
  for (const name of backupOrder) {
    const file = files.find((one) => one.name === name)
    const path = pathOf(source, name)
    if (!file || !existsSync(path)) throw new FootfallError('bad-request', { detail: `The backup has no ${name}.db.` })
    if (statSync(path).size !== file.size || (await hashFile(path)) !== file.sha256)
      throw new FootfallError('damaged-file', { detail: `${name}.db is not what was backed up.`, hint: 'Take another copy of the backup.' })
    openDatabase(formats[name], { path, readOnly: true }).close()
  }
}

const readyPath = (folder: string) => join(folder, 'restore-ready')
const replacedPath = (folder: string) => join(folder, 'replaced')
/** There from before the first move until the last: the old files in `replaced/` belong to this restore. */
const startedPath = (folder: string) => join(readyPath(folder), 'started')

/**
 * A backup has no salts and no keys of imports: the living ones go on, so that nobody becomes another visitor by a restore. A backup
 * of an older format is brought to this one first, so that it has a place for all of them.
 */
export const keepKeys = (folder: string, source: string): void => {
  openDatabase(formats.site, { path: pathOf(source, 'site') }).close()
  copyKeys(pathOf(folder, 'site'), pathOf(source, 'site'))
}

/** Makes a checked backup the one that the next start puts into place; its bytes are on the disk before its name says so. */
export const stageRestore = (folder: string, source: string): void => {
  for (const name of backupOrder) sync(pathOf(source, name))
  sync(source)
  rmSync(readyPath(folder), { recursive: true, force: true })
  renameSync(source, readyPath(folder))
  sync(folder)
}

const moveFile = (from: string, to: string): void => {
  renameSync(from, to)
  sync(dirname(to))
  sync(dirname(from))
}

/** Clears `replaced/` for the files of this restore, and says durably that it has begun. */
const beginMoving = (folder: string): void => {
  rmSync(replacedPath(folder), { recursive: true, force: true })
  mkdirSync(replacedPath(folder), { mode: 0o700 })
  sync(folder)
  closeSync(openSync(startedPath(folder), 'w', 0o600))
  sync(startedPath(folder))
  sync(readyPath(folder))
}

const moveOne = (folder: string, name: FileName): void => {
  const from = pathOf(readyPath(folder), name)
  if (!existsSync(from)) return // moved before a crash
  for (const suffix of ['-wal', '-shm', '']) {
    const old = `${pathOf(folder, name)}${suffix}`
    if (existsSync(old)) moveFile(old, `${pathOf(replacedPath(folder), name)}${suffix}`)
  }
  moveFile(from, pathOf(folder, name))
}

/** What a restore has put aside keeps its numbers, not its salts and keys; a file that cannot be read gives none away. */
export const forgetReplacedKeys = (folder: string): void => {
  const path = pathOf(replacedPath(folder), 'site')
  if (!existsSync(path)) return
  try {
    withoutKeys(path)
  } catch (cause) {
    if (!isDamaged(cause)) throw cause
  }
}

/**
 * Puts a staged backup into place, if there is one; the files it replaces stay in `replaced/` until the next restore. One that was cut off
 * goes on here: what has been moved is not moved again, and the old files that it has put aside are not taken for those of an earlier one.
 */
export const finishRestore = (folder: string): void => {
  const ready = readyPath(folder)
  if (!existsSync(ready)) return
  if (!existsSync(startedPath(folder)) && backupOrder.every((name) => existsSync(pathOf(ready, name)))) {
    beginMoving(folder)
  }
  for (const name of backupOrder) moveOne(folder, name)
  rmSync(ready, { recursive: true, force: true })
}
