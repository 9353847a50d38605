import type { Clock } from './clock.ts'
import type { OpenFolder } from './engines/sqlite/folder.ts'
import type { FileName } from './engines/sqlite/formats.ts'
import type { LogPort } from './engines/sqlite/log-thread.ts'

/**
 * The only place that knows which engine is used. Engines are imported lazily, so that a function loads no driver it has no use for.
 * Embedded mode: one data folder, SQLite. (Kafka, Redis, Cassandra and NATS come with a later version.)
 */
export type Stores = OpenFolder

/** What a thread of the embedded product writes; it reads the rest (one writer per file). */
export type ThreadPart = 'all' | 'edge' | 'log' | 'stages' | 'queries'
const writes: Record<ThreadPart, readonly FileName[]> = {
  all: ['log', 'state', 'site'],
  edge: ['site'],
  log: ['log'],
  stages: ['state'],
  queries: [],
}

/** `busName` joins the threads of one process; `logThread` is the thread that owns log.db. */
export type WireOptions = { busName?: string; logThread?: LogPort }

/** Opens the ports of one thread over the data folder (`:memory:` for tests). */
export const wire = async (folder: string, part: ThreadPart, clock: Clock, options: WireOptions = {}): Promise<Stores> => {
  const { openFolder } = await import('./engines/sqlite/folder.ts')
  const hitsWriter = options.logThread && (await import('./engines/sqlite/log-thread.ts')).createThreadWriter(options.logThread)
  return openFolder({ folder, writes: writes[part], busName: options.busName, hitsWriter }, clock)
}

/**
 * Owns log.db in this thread and commits what comes over `port` (the other end is `wire`'s `logThread`); `onFailure` is told what fails.
 * Answers how to end it.
 */
export const wireLogThread = async (
  folder: string,
  clock: Clock,
  port: LogPort,
  busName: string,
  onFailure: (error: unknown) => void,
): Promise<() => void> => {
  const { openFile } = await import('./engines/sqlite/folder.ts')
  const { serveThreadWriter } = await import('./engines/sqlite/log-thread.ts')
  const { createLogFile } = await import('./engines/sqlite/log.ts')
  const { createBus } = await import('./engines/sqlite/bus.ts')
  const db = openFile(folder, 'log')
  const bus = createBus(busName)
  serveThreadWriter(port, createLogFile(db, clock, bus), onFailure)
  return () => {
    bus.close()
    db.close()
  }
}

/**
 * Puts a staged restore into place, if there is one, and brings all files to this version's format, before any thread opens them for
 * reading; only the holder of the folder may, while nothing of it is open.
 */
export const putRestore = async (folder: string, clock: Clock): Promise<void> => {
  const { finishRestore, forgetReplacedKeys } = await import('./engines/sqlite/backup.ts')
  const { openFolder } = await import('./engines/sqlite/folder.ts')
  finishRestore(folder)
  forgetReplacedKeys(folder)
  openFolder({ folder, writes: writes.all }, clock).close()
}

/** Copies of the folder: taking one, checking one, staging one for `putRestore`. */
export const wireBackups = async () => {
  const { checkBackup, keepKeys, snapshotFolder, stageRestore } = await import('./engines/sqlite/backup.ts')
  const { backupOrder, pathOf } = await import('./engines/sqlite/formats.ts')
  return { checkBackup, keepKeys, snapshotFolder, stageRestore, names: backupOrder, pathOf }
}

/**
 * Makes the folder and its files where they are missing, and holds the folder for this process until the answer is called.
 * Throws `not-a-folder`, `folder-in-use`, `newer-format`, `damaged-file`.
 */
export const holdFolder = async (folder: string, clock: Clock): Promise<() => void> => {
  const { lockFolder, prepareFolder } = await import('./engines/sqlite/folder.ts')
  prepareFolder(folder)
  const release = lockFolder(folder)
  try {
    await putRestore(folder, clock)
    return release
  } catch (error) {
    release()
    throw error
  }
}
