import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { systemClock } from '#shared/clock.ts'
import { openRedis, type RedisStores } from '#shared/engines/redis/stores.ts'
import type { EnrichChange, EnrichFence } from '#shared/ports/sessions.ts'
import { redis } from '../../scripts/services/redis.ts'
import { aRedisCluster } from '../fixtures/redis.ts'
import { reasonAgainst } from './place.ts'

/** What becomes of a partition while a Cluster moves its slot from one master to another, and while a master is gone. */

const reason = await reasonAgainst(redis)

/** What is answered survives kill -9: synced once a second, it may lie in Redis' own memory while a sync goes on (seen here). */
const onDisk = { appendfsync: 'always' }

const fence: EnrichFence = { gen: 7, topic: 't', next: 0, ev: 0, logTime: 0, mode: '' }
const at = (n: number): EnrichFence => ({ ...fence, next: n, ev: n, logTime: n })
const visitorsOf = (n: number) => Array.from({ length: 20 * n }, (_, i) => ({ site: 'a.example', key: `visitor-${i}` }))
/** Every commit has what those before had, and more. */
const change = (n: number): EnrichChange => ({
  ...{ dropped: [], ids: [], lines: [] },
  sessions: visitorsOf(n).map((visitor) => ({ ...visitor, state: `commit ${n}`, lt: n })),
})

type Cluster = Awaited<ReturnType<typeof aRedisCluster>>

describe.skipIf(reason !== undefined)('hot state in a Redis Cluster', () => {
  let cluster: Cluster
  let nodes: Redis[]
  const opened: RedisStores[] = []
  const open = () => {
    const one = openRedis({ urls: cluster.addresses.map((address) => `redis://${address}`), clock: systemClock, deadlineMs: 3_000 })
    opened.push(one)
    return one
  }
  beforeAll(async () => {
    cluster = await aRedisCluster(onDisk)
    nodes = cluster.addresses.map((address) => {
      const node = new Redis(`redis://${address}`)
      node.on('error', () => undefined) // servers are killed here
      return node
    })
  }, 60_000)
  afterAll(async () => {
    for (const node of nodes) node.disconnect()
    await cluster.end()
  })
  afterEach(async () => {
    for (const one of opened.splice(0)) await one.close()
  })

  const commit = (stores: RedisStores, partition: number, n: number) => stores.sessions.commit(partition, at(n - 1), at(n), change(n))
  const statesOf = async (stores: RedisStores, partition: number) => {
    const { fence: stands, sessions } = await stores.sessions.load(partition, visitorsOf(2), [], [])
    return { fence: stands, states: sessions.map((session) => session?.state) }
  }
  const expected = (n: number) => ({ fence: at(n), states: visitorsOf(2).map((_, i) => (i < 20 * n ? `commit ${n}` : undefined)) })
  /** The master that has the slot of a key, by its place in the list. */
  const ownerOf = async (key: string): Promise<number> => {
    for (const [i, node] of nodes.entries()) if ((await node.exists(key).catch(() => 0)) === 1) return i
    throw new Error(`No master has ${key}.`)
  }

  it('is spread over masters', async () => {
    const stores = open()
    const owners = new Set<number>()
    for (let partition = 10; partition < 22; partition++) {
      await stores.sessions.init(partition, fence)
      owners.add(await ownerOf(`{e${partition}}:f`))
    }
    expect(owners.size).toBe(3)
  })

  it('is read and written whole or not at all while its slot moves, and goes on at its new master', async () => {
    const stores = open()
    await stores.sessions.init(0, fence)
    expect(await commit(stores, 0, 1)).toBe('done')

    const from = await ownerOf('{e0}:f')
    const [source, target] = [nodes[from]!, nodes[(from + 1) % 3]!]
    const slot = Number(await source.cluster('KEYSLOT', '{e0}:f'))
    const [sourceId, targetId] = [String(await source.cluster('MYID')), String(await target.cluster('MYID'))]
    await target.call('CLUSTER', ['SETSLOT', slot, 'IMPORTING', sourceId])
    await source.call('CLUSTER', ['SETSLOT', slot, 'MIGRATING', targetId])
    const keys = (await source.keys('{e0}:*')).filter((key) => key !== '{e0}:f')
    const [host, port] = cluster.addresses[(from + 1) % 3]!.split(':')
    const move = (some: string[]) => source.call('MIGRATE', [host!, port!, '', 0, 5_000, 'KEYS', ...some])
    await move(keys.slice(0, keys.length / 2))

    const unavailable = expect.objectContaining({ code: 'store-unavailable' })
    await expect(statesOf(stores, 0)).rejects.toEqual(unavailable)
    await expect(commit(stores, 0, 2)).rejects.toEqual(unavailable)
    await expect(stores.sessions.init(0, { ...fence, gen: 8 }, at(1))).rejects.toEqual(unavailable)

    await move([...keys.slice(keys.length / 2), '{e0}:f'])
    for (const node of nodes) await node.call('CLUSTER', ['SETSLOT', slot, 'NODE', targetId])
    expect(await statesOf(stores, 0)).toEqual(expected(1))
    expect(await commit(stores, 0, 2)).toBe('done')
    expect(await statesOf(open(), 0)).toEqual(expected(2))
    expect(await ownerOf('{e0}:f')).toBe((from + 1) % 3)
  })

  it('is there again when its master is, and others go on meanwhile', async () => {
    const stores = open()
    await stores.sessions.init(1, fence)
    expect(await commit(stores, 1, 1)).toBe('done')
    const owner = await ownerOf('{e1}:f')
    await cluster.kill(owner)
    await expect(commit(stores, 1, 2)).rejects.toMatchObject({ code: 'store-unavailable' })
    await cluster.restart(owner)
    await expect.poll(() => commit(stores, 1, 2).catch(() => 'not yet'), { timeout: 15_000 }).toMatch(/done|stale/)
    expect(await statesOf(stores, 1)).toEqual(expected(2))
  })
})
