import type { Client, Host } from 'cassandra-driver'
import type { Clock } from '../../clock.ts'
import { FootfallError } from '../../errors.ts'
import { type CassandraAddress, createClient, storeError } from './database.ts'
import { isKeyspace, migrations, migrationTable } from './schema.ts'

/**
 * Makes the keyspace and brings its tables to this version. Each statement may be repeated, and what is done is noted when all of it is: so
 * it may be killed and run again, and run twice at once. Both then ask the same node, which does one change after the other; two nodes
 * could each make a table of one name.
 */
export type Migrate = CassandraAddress & {
  keyspace: string
  /** Copies of each row, of a keyspace that is made; one that is there stays as it is. */
  replication: number
  clock: Clock
  /** Told before each statement; throwing ends it there. */
  onStatement?(text: string): void
}

/** Versions that ran, oldest first; none where all had. */
export type Migrated = { ran: number[] }

/** A change of tables may wait for slow nodes. */
const changeMs = 60_000
/** How long, and how often, it is looked whether all nodes have it. */
const agreementMs = 60_000
const agreementStepMs = 100
/** How long nodes of a cluster that has just started may take to hear of each other. */
const knownMs = 3_000

/** The node that is asked by everybody: of those that are up and near the one whose address comes first. */
const coordinatorOf = (client: Client, dataCenter: string) =>
  client.hosts
    .values()
    .filter((host) => host.isUp() && host.datacenter === dataCenter)
    .sort((a, b) => (a.address < b.address ? -1 : 1))[0]

/** Versions of the tables that a node knows of itself and of the others that are up. */
const versionsAt = async (client: Client, host: Host): Promise<Set<string>> => {
  const ask = async (query: string) => (await client.execute(query, [], { prepare: false, host })).rows
  const port = host.address.replace(/.*:/, '')
  const isUp = (address: unknown): boolean => client.hosts.get(`${address}:${port}`)?.isUp() ?? true
  const peers = (await ask('SELECT rpc_address, schema_version FROM system.peers')).filter((row) => isUp(row['rpc_address']))
  const own = await ask('SELECT schema_version FROM system.local')
  return new Set([...own, ...peers].map((row) => String(row['schema_version'])))
}

/** Waits until all nodes that are up have the tables of this one. Others would say so too soon: they hear of the change later. */
const agreed = async (client: Client, host: Host, clock: Clock): Promise<void> => {
  for (let looks = 0; looks < agreementMs / agreementStepMs; looks++) {
    if ((await versionsAt(client, host)).size === 1) return
    await new Promise<void>((resolve) => void clock.after(agreementStepMs, resolve))
  }
  throw new FootfallError('store-unavailable', {
    detail: 'The nodes of Cassandra do not agree on their tables yet.',
    hint: 'Run `footfall migrate` again when all nodes are up.',
  })
}

/** Runs a change and waits until all nodes have it; also where another has made it just now, and so there is nothing to change. */
const change = async (client: Client, { dataCenter, clock }: Migrate, query: string): Promise<void> => {
  const host = coordinatorOf(client, dataCenter)
  if (!host) throw new FootfallError('store-unavailable', { detail: `No node of Cassandra is up in data centre ${dataCenter}.` })
  await client.execute(query, [], { prepare: false, readTimeout: changeMs, host })
  await agreed(client, host, clock)
}

const connected = async <T>(client: Client, work: (client: Client) => Promise<T>): Promise<T> => {
  try {
    await client.connect()
    return await work(client)
  } catch (cause) {
    throw storeError(cause)
  } finally {
    await client.shutdown()
  }
}

/** Nodes of the data centre that a node of it knows, itself among them. The driver's own list lags behind where a cluster has just started. */
const nodesKnown = async (client: Client, { dataCenter }: Migrate): Promise<number> => {
  const host = coordinatorOf(client, dataCenter)
  const ask = async (table: string) => (await client.execute(`SELECT data_center FROM system.${table}`, [], { prepare: false, host })).rows
  return [...(await ask('local')), ...(await ask('peers'))].filter((row) => row['data_center'] === dataCenter).length
}

/** The same, after a while where there are fewer than are wanted: nodes that start together hear of each other within a second or so. */
const nodesIn = async (client: Client, what: Migrate): Promise<number> => {
  for (let looks = 0; looks < knownMs / agreementStepMs; looks++) {
    if ((await nodesKnown(client, what)) >= what.replication) break
    await new Promise<void>((resolve) => void what.clock.after(agreementStepMs, resolve))
  }
  return nodesKnown(client, what)
}

const makeKeyspace = async (client: Client, what: Migrate): Promise<void> => {
  const { dataCenter, keyspace, replication } = what
  const { rows } = await client.execute('SELECT keyspace_name FROM system_schema.keyspaces WHERE keyspace_name = ?', [keyspace])
  const nodes = rows.length === 0 ? await nodesIn(client, what) : replication
  if (nodes < replication)
    throw new FootfallError('bad-setting', {
      detail: `${replication} copies are asked for, and data centre ${dataCenter} has ${nodes} node${nodes === 1 ? '' : 's'}.`,
      hint: `Add nodes, or say --replication ${nodes}.`,
    })
  // Also where it is listed: another may be making it just now, and this ends when it can be used.
  const replicas = `{'class': 'NetworkTopologyStrategy', '${dataCenter.replaceAll("'", "''")}': ${replication}}`
  await change(client, what, `CREATE KEYSPACE IF NOT EXISTS ${keyspace} WITH replication = ${replicas}`)
}

const makeTables = async (client: Client, what: Migrate): Promise<number[]> => {
  const run = async (text: string): Promise<void> => {
    what.onStatement?.(text)
    await change(client, what, text)
  }
  await run(migrationTable)
  const { rows } = await client.execute('SELECT version FROM migration')
  const done = new Set(rows.map((row) => row['version']))
  const ran: number[] = []
  for (const { version, statements } of migrations) {
    if (done.has(version)) continue
    for (const text of statements) await run(text)
    await client.execute('INSERT INTO migration (version, at) VALUES (?, ?)', [version, what.clock.now()])
    ran.push(version)
  }
  return ran
}

/** Throws `bad-setting`, `store-unavailable`. */
export const migrate = async (what: Migrate): Promise<Migrated> => {
  const { keyspace } = what
  if (!isKeyspace(keyspace))
    throw new FootfallError('bad-setting', {
      detail: `${JSON.stringify(keyspace)} is no name of a keyspace.`,
      hint: 'Use small letters, digits and underscores, beginning with a letter.',
    })
  await connected(createClient(what, undefined), (client) => makeKeyspace(client, what))
  return { ran: await connected(createClient(what, keyspace), (client) => makeTables(client, what)) }
}
