import { Client } from 'cassandra-driver'
import { systemClock } from '#shared/clock.ts'
import { migrate } from '#shared/engines/cassandra/migrate.ts'
import { openCassandra } from '#shared/engines/cassandra/store.ts'
import { dataCentre } from '../../scripts/services/cassandra.ts'
import type { Server } from '../../scripts/services/service.ts'

/** How tests reach the servers they have started: with the engines' own migration, the engines, and the bare driver. */

export const addressOf = (servers: readonly Pick<Server, 'address'>[], keyspace = 'footfall') => ({
  contactPoints: servers.map(({ address }) => address),
  dataCenter: dataCentre,
  keyspace,
  clock: systemClock,
})

/** The engines over a keyspace whose tables are made here. */
export const openStores = async (servers: readonly Server[], keyspace = 'footfall') => {
  await migrate({ ...addressOf(servers, keyspace), replication: servers.length })
  return openCassandra(addressOf(servers, keyspace))
}

export const bareClient = (servers: readonly Server[], keyspace = 'footfall'): Client => {
  const { contactPoints, dataCenter } = addressOf(servers)
  return new Client({
    contactPoints,
    localDataCenter: dataCenter,
    keyspace,
    protocolOptions: { port: Number(contactPoints[0]!.split(':')[1]) },
    socketOptions: { readTimeout: 30_000 },
  })
}

type OfPartition = Record<string, (partition: number, ...rest: never[]) => unknown>

/** The same port, with each partition moved by `base`. */
export const moved = <T extends OfPartition>(port: T, base: number): T =>
  Object.fromEntries(
    Object.entries(port).map(([name, method]) => [name, (partition: number, ...rest: never[]) => method(partition + base, ...rest)]),
  ) as T
