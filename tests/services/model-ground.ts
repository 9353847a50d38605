import type { Client } from 'cassandra-driver'
import { Redis } from 'ioredis'
import { systemClock } from '#shared/clock.ts'
import { openCassandra } from '#shared/engines/cassandra/store.ts'
import { openRedis } from '#shared/engines/redis/stores.ts'
import type { Server } from '../../scripts/services/service.ts'
import { type HotState, type MakeGround, type StatePlace, sqliteGround } from '../model/ground.ts'
import { addressOf, bareClient, moved, openStores } from './cassandra-tables.ts'

/**
 * What the model's world stands on in tests of real servers: hot state on Redis, what is cold or configured on Cassandra, and the log on
 * SQLite in memory: append times are then the model's, where a broker has a clock of its own that nobody turns.
 */

/** Keys of a place's fence and state: they have the tag of its slot. */
const tagOf = ({ stage, partition }: StatePlace): string => `{${stage === 'enrich-session' ? 'e' : 'r'}${partition}}:`

const keysOf = (place: StatePlace) => ({
  async take(client: Redis) {
    const keys = await client.keys(`${tagOf(place)}*`)
    return await Promise.all(keys.map(async (key) => ({ key, dump: await client.dumpBuffer(key) })))
  },
  async lose(client: Redis) {
    const keys = await client.keys(`${tagOf(place)}*`)
    if (keys.length > 0) await client.del(keys)
  },
})

const hotOn = (client: Redis): HotState => ({
  async take(place) {
    const copies = await keysOf(place).take(client)
    return async () => {
      await keysOf(place).lose(client)
      for (const { key, dump } of copies) await client.restore(key, 0, dump)
    }
  },
  lose: (place) => keysOf(place).lose(client),
})

/** What is not of a partition, and lies in tables that every world has for itself. */
const configured = ['site_cfg', 'salt', 'secret', 'import', 'import_key', 'replay'] as const

/** A world has no more partitions of one generation, and so few generations that those of 256 worlds lie apart. */
const mostPartitions = 16

export type Grounds = { make: MakeGround; close(): Promise<void> }

/** Grounds one after the other on two servers: Redis is emptied for each, on Cassandra each has partitions of its own. */
export const openGrounds = async (redis: Server, cassandra: Server): Promise<Grounds> => {
  await (await openStores([cassandra])).close()
  const tables: Client = bareClient([cassandra])
  await tables.connect()
  const client = new Redis(`redis://${redis.address}`)
  let base = 0
  /** Ends of the worlds that nobody has closed: what was red leaves its world as it is. */
  const left = new Set<() => Promise<void>>()

  const make: MakeGround = async (clock, random, partitions) => {
    const at = base
    base += mostPartitions
    await client.flushall()
    for (const table of configured) await tables.execute(`TRUNCATE ${table}`)
    // What times are written is the model's, how long a server may take is ours.
    const mixed = { now: clock.now, random: clock.random, after: systemClock.after }
    const log = await sqliteGround(clock, random, partitions)
    const hot = openRedis({ urls: [`redis://${redis.address}`], clock: mixed })
    const cold = openCassandra({ ...addressOf([cassandra]), clock: mixed })
    const close = async () => {
      left.delete(close)
      await Promise.all([hot.close(), cold.close(), log.close()])
    }
    left.add(close)
    return {
      stores: {
        ...log.stores,
        sessions: hot.sessions,
        memtables: hot.memtables,
        seals: hot.seals,
        segments: moved(cold.segments, at),
        versions: moved(cold.versions, at),
        retention: moved(cold.retention, at),
        progress: {
          get: (stage, partition) => cold.progress.get(stage, partition + at),
          advance: (stage, partition, mark) => cold.progress.advance(stage, partition + at, mark),
        },
        sites: cold.sites,
        salts: cold.salts,
        secrets: cold.secrets,
        imports: cold.imports,
        importKeys: cold.importKeys,
        replays: cold.replays,
      },
      hot: hotOn(client),
      close,
    }
  }
  return {
    make,
    async close() {
      for (const end of left) await end()
      client.disconnect()
      await tables.shutdown()
    },
  }
}
