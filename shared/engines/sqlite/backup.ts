import { createHash } from 'node:crypto'
import { closeSync, existsSync, mkdirSync, openSync, readSync, renameSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { backup, DatabaseSync } from 'node:sqlite'
import { FootfallError } from '../../errors.ts'
import { openDatabase } from './database.ts'
import { backupOrder, type FileName, formats, pathOf } from './formats.ts'

/**
 * Copies of the data folder. `state` is copied before `log`: the log then holds all that the state has taken, and the state catches up
 * with the rest. A restore is prepared beside the folder's files and moved into place by the next start, so that a crash in
 * between ends in the old files or the new ones, never in a mixture.
 */
export type BackupFile = { name: FileName; size: number; sha256: string }

const readBytes = 1 << 20

const hashFile = (path: string): string => {
  const hash = createHash('sha256')
  const buffer = Buffer.alloc(readBytes)
  const file = openSync(path, 'r')
  try {
    for (let n = readSync(file, buffer); n > 0; n = readSync(file, buffer)) hash.update(buffer.subarray(0, n))
  } finally {
    closeSync(file)
  }
  return hash.digest('hex')
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
    files.push({ name, size: statSync(path).size, sha256: hashFile(path) })
  }
  return files
}

/** Looks whether `source` holds a whole backup of a format this version knows. Throws `bad-request`, `damaged-file`, `newer-format`. */
export const checkBackup = (source: string, files: readonly BackupFile[]): void => {
  for (const name of backupOrder) {
    const file = files.find((one) => one.name === name)
    const path = pathOf(source, name)
    if (!file || !existsSync(path)) throw new FootfallError('bad-request', { detail: `The backup has no ${name}.db.` })
    if (statSync(path).size !== file.size || hashFile(path) !== file.sha256)
      throw new FootfallError('damaged-file', { detail: `${name}.db is not what was backed up.`, hint: 'Take another copy of the backup.' })
    openDatabase(formats[name], { path, readOnly: true }).close()
  }
}

const readyPath = (folder: string) => join(folder, 'restore-ready')
const replacedPath = (folder: string) => join(folder, 'replaced')

/** Makes a checked backup the one that the next start puts into place. */
export const stageRestore = (folder: string, source: string): void => {
  rmSync(readyPath(folder), { recursive: true, force: true })
  renameSync(source, readyPath(folder))
}

/** Puts a staged backup into place, if there is one; the files it replaces stay in `replaced/` until the next restore. */
export const finishRestore = (folder: string): void => {
  const ready = readyPath(folder)
  if (!existsSync(ready)) return
  const replaced = replacedPath(folder)
  // A restore that was cut off goes on here: what has been moved already is not moved again.
  if (backupOrder.every((name) => existsSync(pathOf(ready, name)))) rmSync(replaced, { recursive: true, force: true })
  mkdirSync(replaced, { recursive: true, mode: 0o700 })
  for (const name of backupOrder) {
    const from = pathOf(ready, name)
    if (!existsSync(from)) continue
    for (const suffix of ['-wal', '-shm', '']) {
      const old = `${pathOf(folder, name)}${suffix}`
      if (existsSync(old)) renameSync(old, `${pathOf(replaced, name)}${suffix}`)
    }
    renameSync(from, pathOf(folder, name))
  }
  rmSync(ready, { recursive: true, force: true })
}
