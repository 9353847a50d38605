import { Client, types } from 'cassandra-driver'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { cassandra, dataCentre } from '../../scripts/services/cassandra.ts'
import type { Server } from '../../scripts/services/service.ts'
import { aPlace, type Place, reasonAgainst } from './place.ts'

const reason = await reasonAgainst(cassandra)
const startMs = 200_000

const connect = async (servers: readonly Server[]): Promise<Client> => {
  const addresses = servers.map(({ address }) => address)
  const client = new Client({
    contactPoints: addresses,
    localDataCenter: dataCentre,
    // It learns of other nodes by their hosts alone.
    protocolOptions: { port: Number(addresses[0]!.split(':')[1]) },
    queryOptions: { consistency: types.consistencies.localQuorum },
  })
  await client.connect()
  return client
}

describe.skipIf(reason !== undefined)('cassandra', () => {
  let place: Place
  let server: Server
  let client: Client
  beforeAll(async () => {
    place = await aPlace(cassandra)
    server = await place.start()
    client = await connect([server])
  }, startMs)
  afterAll(async () => {
    await client?.shutdown()
    await place.end()
  })

  const pages = async (): Promise<string[]> =>
    (await client.execute('SELECT page FROM test.hits WHERE site = 1')).rows.map((row) => row.page)
  const insert = (id: number, page: string) =>
    client.execute('INSERT INTO test.hits (site, id, page) VALUES (1, ?, ?)', [id, page], { prepare: true })

  it('keeps rows in the order of their key', async () => {
    await client.execute("CREATE KEYSPACE test WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
    await client.execute('CREATE TABLE test.hits (site int, id int, page text, PRIMARY KEY (site, id))')
    await insert(2, '/docs')
    await insert(1, '/')
    expect(await pages()).toEqual(['/', '/docs'])
  })

  it('takes a row once, where that is asked for', async () => {
    const once = () => client.execute("INSERT INTO test.hits (site, id, page) VALUES (1, 3, '/once') IF NOT EXISTS")
    expect((await once()).wasApplied()).toBe(true)
    expect((await once()).wasApplied()).toBe(false)
  })

  it(
    'has its rows after kill -9, and takes more',
    async () => {
      await insert(4, '/last')
      await server.kill()
      await client.shutdown()
      expect(await server.healthy()).toBe(false)
      server = await place.start()
      client = await connect([server])
      await insert(5, '/more')
      expect(await pages()).toEqual(['/', '/docs', '/once', '/last', '/more'])
    },
    startMs,
  )

  it('ends by itself when it is told to', async () => {
    await client.shutdown()
    expect(await server.stop()).toBe(true)
    expect(server.running()).toBe(false)
  })
})

describe.skipIf(reason !== undefined)('three cassandra nodes', () => {
  let place: Place
  let servers: Server[]
  let client: Client
  const nodes = [1, 2, 3]
  beforeAll(async () => {
    place = await aPlace(cassandra, nodes.length)
    servers = await place.startAll()
    client = await connect(servers)
  }, startMs)
  afterAll(async () => {
    await client?.shutdown()
    await place.end()
  })

  const insert = (id: number) => client.execute('INSERT INTO test.hits (id) VALUES (?)', [id], { prepare: true, isIdempotent: true })
  const ids = async (): Promise<number[]> => (await client.execute('SELECT id FROM test.hits')).rows.map(({ id }) => id).sort()

  it(
    'take writes by two of three, refuse them by one, and have them all when a second is back',
    async () => {
      await client.execute("CREATE KEYSPACE test WITH replication = {'class': 'NetworkTopologyStrategy', 'datacenter1': 3}")
      await client.execute('CREATE TABLE test.hits (id int PRIMARY KEY)')
      // A busy machine may take longer than the driver waits; what is repeated is the same row.
      const isTaken = (id: number) => expect.poll(() => insert(id).then(() => 'taken'), { timeout: 60_000, interval: 500 }).toBe('taken')
      await isTaken(1)
      await servers[0]!.kill()
      await isTaken(2)
      await servers[1]!.kill()
      await expect(insert(3)).rejects.toThrow()
      servers[0] = await place.start({ node: 1 })
      await isTaken(4)
      await expect.poll(async () => (await ids()).filter((id) => id !== 3), { timeout: 60_000, interval: 500 }).toEqual([1, 2, 4])
    },
    startMs,
  )
})
