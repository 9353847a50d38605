import { type Admin, ConfigResourceTypes, Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { kafka } from '../../scripts/services/kafka.ts'
import type { Server } from '../../scripts/services/service.ts'
import { aPlace, type Place, reasonAgainst } from './place.ts'

/** Kafka as the project runs it, asked by a client that the product does not use. */

const reason = await reasonAgainst(kafka)
const startMs = 150_000

const produce = async (client: Kafka, values: readonly string[]): Promise<void> => {
  const producer = client.producer()
  await producer.connect()
  await producer.send({ topic: 'hits', acks: -1, messages: values.map((value) => ({ value })) })
  await producer.disconnect()
}

/** The first `count` values of the topic, by a group of its own. */
const consume = async (client: Kafka, groupId: string, count: number): Promise<string[]> => {
  const consumer = client.consumer({ groupId })
  await consumer.connect()
  await consumer.subscribe({ topic: 'hits', fromBeginning: true })
  const values: string[] = []
  await new Promise<void>((resolve, reject) => {
    const eachMessage = async ({ message }: { message: { value: Buffer | null } }) => {
      values.push(String(message.value))
      if (values.length === count) resolve()
    }
    consumer.run({ eachMessage }).catch(reject)
  })
  await consumer.disconnect()
  return values
}

describe.skipIf(reason !== undefined)('kafka', () => {
  let place: Place
  let server: Server
  let client: Kafka
  let admin: Admin
  beforeAll(async () => {
    place = await aPlace(kafka)
    server = await place.start()
    client = new Kafka({ brokers: [server.address], logLevel: logLevel.NOTHING })
    admin = client.admin()
    await admin.connect()
  }, startMs)
  afterAll(async () => {
    await admin?.disconnect()
    await place.end()
  })

  it('takes records and gives them back in order', async () => {
    await admin.createTopics({ topics: [{ topic: 'hits', numPartitions: 1 }], waitForLeaders: true })
    await produce(client, ['one', 'two', 'three'])
    expect(await consume(client, 'first', 3)).toEqual(['one', 'two', 'three'])
  })

  it('makes no topic by itself', async () => {
    await expect(admin.fetchTopicMetadata({ topics: ['another'] })).rejects.toThrow()
    expect(await admin.listTopics()).not.toContain('another')
  })

  it(
    'has its records after kill -9, and takes more',
    async () => {
      await server.kill()
      expect(await server.healthy()).toBe(false)
      server = await place.start()
      await produce(client, ['four'])
      expect(await consume(client, 'second', 4)).toEqual(['one', 'two', 'three', 'four'])
    },
    startMs,
  )

  it('ends by itself when it is told to', async () => {
    await admin.disconnect()
    expect(await server.stop()).toBe(true)
    expect(server.running()).toBe(false)
  })
})

describe.skipIf(reason !== undefined)('three kafka brokers', () => {
  let place: Place
  let servers: Server[]
  let client: Kafka
  const nodes = [1, 2, 3]
  beforeAll(async () => {
    place = await aPlace(kafka, nodes.length)
    servers = await place.startAll()
    client = new Kafka({ brokers: servers.map(({ address }) => address), logLevel: logLevel.NOTHING })
  }, startMs)
  afterAll(() => place.end())

  it(
    'keep three copies, and go on without the leader',
    async () => {
      const admin = client.admin()
      await admin.connect()
      await admin.createTopics({ topics: [{ topic: 'hits', numPartitions: 1, replicationFactor: 3 }], waitForLeaders: true })
      const described = await admin.describeConfigs({
        resources: [{ type: ConfigResourceTypes.TOPIC, name: 'hits', configNames: ['min.insync.replicas'] }],
        includeSynonyms: false,
      })
      expect(described.resources[0]!.configEntries.map(({ configValue }) => configValue)).toEqual(['2'])
      const [topic] = (await admin.fetchTopicMetadata({ topics: ['hits'] })).topics
      const { leader, replicas } = topic!.partitions[0]!
      expect([...replicas].sort()).toEqual(nodes)

      await produce(client, ['one', 'two'])
      await servers[leader - 1]!.kill()
      await produce(client, ['three'])
      servers[leader - 1] = await place.start({ node: leader })
      await produce(client, ['four'])
      expect(await consume(client, 'first', 4)).toEqual(['one', 'two', 'three', 'four'])
      await admin.disconnect()
    },
    startMs,
  )

  it(
    'end when they are told to, all at once',
    async () => {
      await Promise.all(servers.map((server) => server.stop()))
      expect(servers.filter((server) => server.running())).toEqual([])
    },
    startMs,
  )
})
