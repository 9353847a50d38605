import type { Clock } from './clock.ts'
import { type Config, type Services, servicesOf } from './config.ts'
import type { Migrate, Migrated } from './engines/cassandra/migrate.ts'
import type { OpenFolder } from './engines/sqlite/folder.ts'
import type { FileName } from './engines/sqlite/formats.ts'
import type { LogPort } from './engines/sqlite/log-thread.ts'
import { type ErrorCode, FootfallError } from './errors.ts'
import type { GenerationChanges } from './ports/generations.ts'
import type { LogKeeper, LogTopics } from './ports/log.ts'
import type { Positions } from './ports/positions.ts'
import type { Sessions } from './ports/sessions.ts'
import type { Usage } from './ports/usage.ts'
import { createKnownGenerations, createPlaceOf, type GenerationList, writerStaleMs } from './site/generations.ts'

/**
 * The only place that knows which engine is used. Engines are imported lazily, so that a function loads no driver it has no use for.
 * Embedded mode: one data folder, SQLite. Distributed: Kafka, Redis, Cassandra and NATS.
 */
export type Ports = Omit<OpenFolder, 'settleState' | 'files' | 'close' | 'sessions'> & { sessions: Sessions }
/** The ports over servers; `keeper` is of the log, `usage` of the hot state. */
export type ServicePorts = Ports & { keeper: LogKeeper; positions: Positions; usage: Usage }
/** The ports over a data folder. */
export type Stores = OpenFolder

/** The servers of the distributed mode, and the ports over each. */
const portsOver = {
  kafka: ['log', 'keeper', 'positions'],
  redis: ['sessions', 'memtables', 'seals', 'leases', 'usage'],
  cassandra: [
    'segments',
    'progress',
    'retention',
    'versions',
    'replays',
    'sites',
    'salts',
    'secrets',
    'imports',
    'importKeys',
    'generations',
  ],
  nats: ['bus'],
} as const satisfies Record<string, readonly (keyof ServicePorts)[]>
export type EngineName = keyof typeof portsOver

type Opened = Partial<ServicePorts> & { close(): Promise<void> }

/** `generations` is asked when a partition is; `onBus` is told of trouble of the live feed, which is nobody's trouble else. */
type OpenOptions = { services: Services; clock: Clock; generations: GenerationList; onBus: (error: unknown) => void }

const openers: Record<EngineName, (options: OpenOptions) => Promise<Opened>> = {
  async kafka({ services: { kafka }, clock, generations }) {
    const { openKafka } = await import('./engines/kafka/log.ts')
    const known = createKnownGenerations(generations, clock, writerStaleMs)
    const { log, positions, close, ...keeper } = openKafka({ ...kafka, clock, placeOf: createPlaceOf(known) })
    return { log, positions, keeper, close }
  },
  async redis({ services: { redis }, clock }) {
    const { openRedis } = await import('./engines/redis/stores.ts')
    return openRedis({ ...redis, clock })
  },
  async cassandra({ services: { cassandra }, clock }) {
    const { openCassandra } = await import('./engines/cassandra/store.ts')
    return openCassandra({ ...cassandra, clock })
  },
  async nats({ services: { nats }, clock, onBus }) {
    const { openNats } = await import('./engines/nats/bus.ts')
    const bus = openNats({ ...nats, clock, onError: onBus })
    return { bus, close: () => bus.close() }
  },
}

/** Stands where an engine is that was not asked for: who uses it has a mistake in what it says it needs. */
const absent = (engine: EngineName): object =>
  new Proxy(
    {},
    {
      get(_target, name) {
        throw new TypeError(`${String(name)} is a matter of ${engine}, to which this process is not wired.`)
      },
    },
  )

/** By what an engine says that its server cannot be reached, or cannot do it now. */
const outages: Partial<Record<EngineName, readonly ErrorCode[]>> = {
  kafka: ['log-unavailable', 'disk-full'],
  redis: ['store-unavailable'],
  cassandra: ['store-unavailable'],
}

/** A port whose failures that come of its server are told besides. */
const watched = <Port extends object>(port: Port, engine: EngineName, onOutage: (engine: EngineName) => void): Port => {
  const tell = (error: unknown): never => {
    if (error instanceof FootfallError && outages[engine]?.includes(error.code)) onOutage(engine)
    throw error
  }
  const watch = (method: unknown) =>
    typeof method !== 'function'
      ? method
      : (...args: unknown[]) => {
          const answer: unknown = method.apply(port, args)
          return answer instanceof Promise ? answer.catch(tell) : answer
        }
  return Object.fromEntries(Object.entries(port).map(([name, method]) => [name, watch(method)])) as Port
}

/** `onBus` is told of trouble of the live feed, `onOutage` of each call that a server could not be reached for. */
export type ServicesTold = { onBus?: (error: unknown) => void; onOutage?: (engine: EngineName) => void }

/**
 * Opens the ports over the servers that a process needs; no connection is made before one is used. `close` ends all of them.
 * Throws `bad-setting` where the settings name no servers.
 */
export const wireServices = async (
  config: Config,
  needs: readonly EngineName[],
  clock: Clock,
  { onBus = () => undefined, onOutage }: ServicesTold = {},
): Promise<ServicePorts & { close(): Promise<void> }> => {
  const services = servicesOf(config)
  const ports: Record<string, unknown> = {}
  // Whoever reads or writes the log is told by Cassandra where its partitions are.
  const generations = { list: () => (ports as ServicePorts).generations.list() }
  const closers: (() => Promise<void>)[] = []
  for (const [engine, names] of Object.entries(portsOver) as [EngineName, readonly (keyof ServicePorts)[]][]) {
    const opened = needs.includes(engine) ? await openers[engine]({ services, clock, generations, onBus }) : undefined
    for (const name of names) {
      const port = opened?.[name as keyof typeof opened]
      ports[name] = port === undefined ? absent(engine) : onOutage ? watched(port, engine, onOutage) : port
    }
    if (opened) closers.push(() => opened.close())
  }
  const close = async () => {
    await Promise.all(closers.map((end) => end()))
  }
  return { ...(ports as ServicePorts), close }
}

/** What a thread of the embedded product writes; it reads the rest (one writer per file). */
export type ThreadPart = 'all' | 'edge' | 'log' | 'stages' | 'queries'
const writes: Record<ThreadPart, readonly FileName[]> = {
  all: ['log', 'state', 'site'],
  edge: ['site'],
  log: ['log'],
  stages: ['state'],
  queries: [],
}

/** `busName` joins the threads of one process; `logThread` is the thread that owns log.db. `partitions` (1): more only in tests. */
export type WireOptions = { busName?: string; logThread?: LogPort; partitions?: number }

/** Opens the ports of one thread over the data folder (`:memory:` for tests). */
export const wire = async (folder: string, part: ThreadPart, clock: Clock, options: WireOptions = {}): Promise<Stores> => {
  const { openFolder } = await import('./engines/sqlite/folder.ts')
  const hitsWriter = options.logThread && (await import('./engines/sqlite/log-thread.ts')).createThreadWriter(options.logThread)
  const { busName, partitions } = options
  return openFolder({ folder, writes: writes[part], busName, hitsWriter, partitions }, clock)
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

/** Brings the tables in Cassandra to this version (`footfall migrate`). */
export const migrateTables = async (what: Migrate): Promise<Migrated> => (await import('./engines/cassandra/migrate.ts')).migrate(what)

/** What sets up the log: its topics in Kafka, and the generations of them in Cassandra (`footfall migrate`). */
export const wireTopics = async (
  { kafka, cassandra }: Pick<Services, 'kafka' | 'cassandra'>,
  clock: Clock,
): Promise<{ topics: LogTopics; generations: GenerationChanges; close(): Promise<void> }> => {
  const { openTopics } = await import('./engines/kafka/topics.ts')
  const { openCassandra } = await import('./engines/cassandra/store.ts')
  const { generations, close } = openCassandra({ ...cassandra, clock })
  return { topics: openTopics({ ...kafka, clock }), generations, close }
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
