import type { Clock } from './clock.ts'
import type { FileName, OpenFolder } from './engines/sqlite/folder.ts'

/**
 * The only place that knows which engine is used. Engines are imported lazily, so that a function loads no driver it has no use for.
 * Embedded mode: one data folder, SQLite. (Kafka, Redis, Cassandra and NATS come with a later version.)
 */
export type Stores = OpenFolder

/** What a thread of the embedded product writes; it reads the rest (one writer per file). */
export type ThreadPart = 'all' | 'edge' | 'stages' | 'queries'
const writes: Record<ThreadPart, readonly FileName[]> = {
  all: ['log', 'state', 'site'],
  edge: ['log', 'site'],
  stages: ['state'],
  queries: [],
}

/** Opens the ports of one thread over the data folder (`:memory:` for tests). `busName` joins the threads of one process. */
export const wire = async (folder: string, part: ThreadPart, clock: Clock, busName?: string): Promise<Stores> => {
  const { openFolder } = await import('./engines/sqlite/folder.ts')
  const { groupLimits } = await import('./engines/sqlite/log.ts')
  return openFolder({ folder, writes: writes[part], busName, group: part === 'edge' ? groupLimits : undefined }, clock)
}

/**
 * Makes the folder and its files where they are missing, and holds the folder for this process until the answer is called.
 * Throws `not-a-folder`, `folder-in-use`, `newer-format`, `damaged-file`.
 */
export const holdFolder = async (folder: string, clock: Clock): Promise<() => void> => {
  const { lockFolder, openFolder, prepareFolder } = await import('./engines/sqlite/folder.ts')
  prepareFolder(folder)
  const release = lockFolder(folder)
  try {
    // Every file is made and migrated by one thread before any other opens it.
    openFolder({ folder, writes: writes.all }, clock).close()
    return release
  } catch (error) {
    release()
    throw error
  }
}
