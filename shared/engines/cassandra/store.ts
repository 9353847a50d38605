import type { Clock } from '../../clock.ts'
import type { GenerationChanges } from '../../ports/generations.ts'
import type { ImportKeys, Imports } from '../../ports/imports.ts'
import type { Replays, Versions } from '../../ports/replays.ts'
import type { Retention } from '../../ports/retention.ts'
import type { Progress, Segments } from '../../ports/segments.ts'
import type { Salts, Secrets, Sites } from '../../ports/sites.ts'
import { createContent } from './content.ts'
import { type CassandraAddress, type Database, openDatabase } from './database.ts'
import { createGenerations } from './generations.ts'
import { createImportKeys, createImports } from './imports.ts'
import { createReplays } from './replays.ts'
import { createRetention } from './retention.ts'
import { createProgress, createSegments } from './segments.ts'
import { createSalts, createSecrets, createSites } from './sites.ts'
import { createVersions } from './versions.ts'

/** Everything that is cold or configured, over one connection pool. */
export type CassandraStores = {
  segments: Segments
  progress: Progress
  versions: Versions
  retention: Retention
  sites: Sites
  salts: Salts
  secrets: Secrets
  imports: Imports
  importKeys: ImportKeys
  replays: Replays
  generations: GenerationChanges
  /** Ends all connections, so that the process can exit; twice without harm. */
  close(): Promise<void>
}

/** The engines over a connection pool, which `close` ends. */
export const createStores = (db: Database, clock: Clock): CassandraStores => {
  const content = createContent(db)
  return {
    segments: createSegments(db, content, clock),
    progress: createProgress(db),
    versions: createVersions(db),
    retention: createRetention(db, content, clock),
    sites: createSites(db),
    salts: createSalts(db),
    secrets: createSecrets(db),
    imports: createImports(db),
    importKeys: createImportKeys(db),
    replays: createReplays(db),
    generations: createGenerations(db),
    close: () => db.close(),
  }
}

/**
 * Opens the cold store. Connects at the first request, by itself again after an outage; while Cassandra is away, or its tables are not
 * made (`footfall migrate`), each call throws `store-unavailable`, each of its requests within 10 s.
 */
export const openCassandra = ({ clock, ...address }: CassandraAddress & { keyspace: string; clock: Clock }): CassandraStores =>
  createStores(openDatabase(address, clock), clock)
