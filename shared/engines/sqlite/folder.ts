import { accessSync, constants, existsSync, mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Clock } from '../../clock.ts'
import { FootfallError } from '../../errors.ts'
import type { LogReader, LogTrimmer, LogWriter, Topic } from '../../ports/log.ts'
import { createBus } from './bus.ts'
import { openDatabase, primaryCode, sqliteBusy } from './database.ts'
import { type FileName, formats, pathOf } from './formats.ts'
import { createGenerations } from './generations.ts'
import { createImports } from './imports.ts'
import { createLeases } from './leases.ts'
import { createLogFile, createLogReader, createLogWriter } from './log.ts'
import { createMemtables } from './memtables.ts'
import { createReplays, createVersions } from './replays.ts'
import { createRetention } from './retention.ts'
import { createSeals } from './seals.ts'
import { createProgress, createSegments } from './segments.ts'
import { createSessions } from './sessions.ts'
import { createSites } from './sites.ts'

/** Node's own recursive mkdir never ends where a parent exists and refuses (seen below /proc). */
const makeFolder = (folder: string): void => {
  if (existsSync(folder)) return
  if (!existsSync(dirname(folder))) makeFolder(dirname(folder))
  mkdirSync(folder, { mode: 0o700 })
}

/** Makes the folder where it is missing. Throws `not-a-folder` when it cannot be written to. */
export const prepareFolder = (folder: string): void => {
  try {
    makeFolder(folder)
    accessSync(folder, constants.W_OK | constants.X_OK)
  } catch (cause) {
    throw new FootfallError('not-a-folder', { detail: `It is ${folder}.`, cause })
  }
}

/**
 * Holds the folder for this process until the answer is called; the system lets go when the process dies.
 * Throws `folder-in-use` when another process has it.
 */
export const lockFolder = (folder: string): (() => void) => {
  let db: DatabaseSync | undefined
  try {
    db = new DatabaseSync(join(folder, 'lock.db'), { timeout: 0 })
    db.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE')
  } catch (cause) {
    db?.close()
    if (primaryCode(cause) === sqliteBusy) throw new FootfallError('folder-in-use', { detail: `It is ${folder}.`, cause })
    const hint = 'It holds nothing: remove it while no server runs, and start again.'
    throw new FootfallError('damaged-file', { detail: `${join(folder, 'lock.db')} cannot be locked.`, hint, cause })
  }
  let held = true
  return () => {
    if (held) db?.close()
    held = false
  }
}

/** Session state that a crash may take along (it is caught up from `events`) is at most this old. */
const sessionFlushMs = 2_000

/** One of the folder's files, open for its writer. */
export const openFile = (folder: string, name: FileName): DatabaseSync => openDatabase(formats[name], { path: pathOf(folder, name) })

/** Which files a thread writes; it reads the others. `hitsWriter`: writes of log.db go to the thread that owns it. One machine has one partition. */
export type Part = {
  folder: string
  writes: readonly FileName[]
  busName?: string
  hitsWriter?: LogWriter & LogTrimmer
  partitions?: number
}

/**
 * All ports over one data folder for one thread. What a thread may not write is opened read-only, so its writes fail loudly.
 * `close` ends what was opened, in reverse order, and may be called twice.
 */
export const openFolder = ({ folder, writes, busName, hitsWriter, partitions = 1 }: Part, clock: Clock) => {
  const closers: (() => void)[] = []
  const open = (name: FileName) => {
    const db = openDatabase(formats[name], { path: pathOf(folder, name), readOnly: !writes.includes(name) })
    closers.push(() => db.close())
    return db
  }
  let closed = false
  const close = () => {
    if (closed) return
    closed = true
    const errors: unknown[] = []
    for (const end of closers.reverse())
      try {
        end()
      } catch (error) {
        errors.push(error) // the files after it are closed all the same
      }
    if (errors.length > 0) throw new AggregateError(errors, 'Not all of the data folder could be closed.')
  }
  try {
    const logDb = open('log')
    const stateDb = open('state')
    const siteDb = open('site')
    const bus = createBus(busName)
    closers.push(() => bus.close())
    const writerOf = (db: DatabaseSync) => createLogWriter(createLogFile(db, clock, bus))
    const hits = { ...createLogReader(logDb, clock, bus), ...(hitsWriter ?? writerOf(logDb)) }
    const results = { ...createLogReader(stateDb, clock, bus), ...writerOf(stateDb) }
    const fileOf = (topic: Topic) => (topic === 'hits' ? hits : results)
    const log: LogReader & LogWriter & LogTrimmer = {
      append: (topic, ...rest) => fileOf(topic).append(topic, ...rest),
      trim: (topic, ...rest) => fileOf(topic).trim(topic, ...rest),
      read: (topic, ...rest) => fileOf(topic).read(topic, ...rest),
      ends: (topic, ...rest) => fileOf(topic).ends(topic, ...rest),
      offsetAt: (topic, ...rest) => fileOf(topic).offsetAt(topic, ...rest),
    }
    const sessions = createSessions(stateDb, clock, folder === ':memory:' ? 0 : sessionFlushMs)
    if (writes.includes('state')) closers.push(() => sessions.flush())
    const ports = {
      log,
      generations: createGenerations(partitions),
      sessions,
      memtables: createMemtables(stateDb),
      seals: createSeals(stateDb),
      segments: createSegments(stateDb),
      progress: createProgress(stateDb),
      retention: createRetention(stateDb),
      versions: createVersions(stateDb),
      replays: createReplays(siteDb),
      ...createSites(siteDb),
      ...createImports(siteDb),
      bus,
      leases: createLeases(clock),
    }
    /**
     * Puts the state on the disk and answers the hits offset that it has taken: hits below it are needed no more after a crash.
     * `undefined` while a reader keeps pages from being copied.
     */
    const settleState = (partition: number): number | undefined => {
      sessions.flush()
      const row = stateDb.prepare('SELECT next FROM enrich_fence WHERE part = ?').get(partition) as { next: number } | undefined
      // A checkpoint syncs the write-ahead log before it copies: when all of it was copied, all of it is on the disk.
      const { log: pages, checkpointed } = stateDb.prepare('PRAGMA wal_checkpoint(PASSIVE)').get() as { log: number; checkpointed: number }
      return pages === checkpointed ? row?.next : undefined
    }
    return { ...ports, settleState, files: { log: logDb, state: stateDb, site: siteDb }, close }
  } catch (error) {
    try {
      close()
    } catch {
      // why it could not be opened says more
    }
    throw error
  }
}

export type OpenFolder = ReturnType<typeof openFolder>
