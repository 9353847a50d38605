import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '#shared/clock.ts'
import { openRedis } from '#shared/engines/redis/stores.ts'
import { redis } from '../../scripts/services/redis.ts'
import { aRedisCluster } from '../fixtures/redis.ts'
import { aPlace, reasonAgainst } from '../services/place.ts'
import { leasesContract } from './leases.ts'
import { memtablesContract } from './memtables.ts'
import { sealsContract } from './seals.ts'
import { sessionsContract } from './sessions.ts'

/** The Redis engines against one real server, and against a real Cluster of three masters. */
const reason = await reasonAgainst(redis)

type Running = { addresses: string[]; end(): Promise<void> }

const alone = async (): Promise<Running> => {
  const place = await aPlace(redis)
  const server = await place.start()
  return { addresses: [server.address], end: () => place.end() }
}

const clientOf = (address: string) => new Redis(`redis://${address}`)

/** The servers' own clock cannot be turned: leases are shortened instead. */
const shorten = async (clients: readonly Redis[], ms: number) => {
  for (const client of clients)
    for (const key of await client.keys('lease:*')) await client.pexpire(key, Math.max(0, (await client.pttl(key)) - ms))
}

const contractOf = (name: string, start: () => Promise<Running>) =>
  describe.skipIf(reason !== undefined)(name, () => {
    let running: Running
    let clients: Redis[]
    beforeAll(async () => {
      running = await start()
      clients = running.addresses.map(clientOf)
    }, 60_000)
    afterAll(async () => {
      for (const client of clients) client.disconnect()
      await running.end()
    })

    /** Every test begins with empty servers. */
    const open = async () => {
      for (const client of clients) await client.flushall()
      const stores = openRedis({ urls: running.addresses.map((address) => `redis://${address}`), clock: systemClock })
      return { ...stores, advance: (ms: number) => shorten(clients, ms) }
    }
    sessionsContract(name, open)
    memtablesContract(name, open)
    sealsContract(name, open)
    leasesContract(name, open)

    test('every server says how full it is, and of what', async () => {
      const { usage, close } = await open()
      await clients[0]!.config('SET', 'maxmemory', '0')
      const without = await usage.memory()
      for (const client of clients) await client.config('SET', 'maxmemory', '256mb')
      const memory = await usage.memory()
      await close()
      expect(memory.map(({ node }) => node).sort()).toEqual([...running.addresses].sort())
      for (const { usedBytes, limitBytes } of memory) expect([usedBytes > 100_000, limitBytes]).toEqual([true, 256 * 2 ** 20])
      // One that has no limit takes what the machine has.
      expect(Math.max(...without.map(({ limitBytes }) => limitBytes))).toBeGreaterThan(256 * 2 ** 20)
    })
  })

contractOf('one Redis server', alone)
contractOf('a Redis Cluster of three masters', aRedisCluster)
