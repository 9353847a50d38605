import { join } from 'node:path'
import type { FileFormat } from './database.ts'
import { importTables } from './imports.ts'
import { topicTables } from './log.ts'
import { memtableTables } from './memtables.ts'
import { replayTables, versionTables } from './replays.ts'
import { retentionTables } from './retention.ts'
import { sealTables } from './seals.ts'
import { segmentTables } from './segments.ts'
import { sessionTables } from './sessions.ts'
import { siteTables } from './sites.ts'

/**
 * The data folder (data.md §16): `log.db` hits, `state.db` events, dead records, sessions, memtables, segments and versions of days,
 * `site.db` sites, salts, secrets, imports and orders of replays, `lock.db` held for as long as a process works in the folder. Format versions are only ever added to.
 */
export const formats = {
  log: {
    name: 'log',
    applicationId: 0x46466c67,
    synchronous: 'FULL',
    cacheKib: 8_192,
    checkpointPages: 4_000,
    migrations: [topicTables('hits')],
  },
  state: {
    name: 'state',
    applicationId: 0x46467374,
    synchronous: 'NORMAL',
    cacheKib: 65_536,
    checkpointPages: 8_000,
    migrations: [
      topicTables('events') + topicTables('dead') + sessionTables + memtableTables,
      sealTables + segmentTables + retentionTables,
      versionTables,
    ],
  },
  site: {
    name: 'site',
    applicationId: 0x46467369,
    synchronous: 'FULL',
    cacheKib: 2_048,
    checkpointPages: 1_000,
    secureDelete: true,
    migrations: [siteTables, importTables, replayTables],
  },
} as const satisfies Record<string, FileFormat>

export type FileName = keyof typeof formats

/** Files in the order in which a backup must copy them: a state newer than the log would point beyond its end. */
export const backupOrder: readonly FileName[] = ['state', 'log', 'site']

/** Path of one of the folder's files; `:memory:` has none. */
export const pathOf = (folder: string, name: FileName): string => (folder === ':memory:' ? folder : join(folder, `${name}.db`))
