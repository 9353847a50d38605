import { setTimeout as wait } from 'node:timers/promises'
import { promisify } from 'node:util'
import { zstdCompress, zstdDecompress } from 'node:zlib'
// Its compressions have to be added to where it looks for them, and it is a CommonJS module without names for them.
import kafkajs, { Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock } from '#shared/clock.ts'
import { type KafkaLog, type KafkaOptions, openKafka } from '#shared/engines/kafka/log.ts'
import { createTopics } from '#shared/engines/kafka/topics.ts'
import type { LogRecord } from '#shared/ports/log.ts'
import { kafka } from '../../scripts/services/kafka.ts'
import type { Server } from '../../scripts/services/service.ts'
import { aPlace, type Place, reasonAgainst } from './place.ts'

/** The log on Kafka while brokers die, stand still and come late: what was answered is there, where it was answered to be, once. */

const reason = await reasonAgainst(kafka)
const clock = systemClock
const startMs = 150_000

kafkajs.CompressionCodecs[kafkajs.CompressionTypes.ZSTD] = () => ({
  compress: ({ buffer }: { buffer: Buffer }) => promisify(zstdCompress)(buffer),
  decompress: (buffer: Buffer) => promisify(zstdDecompress)(buffer),
})

/** Everything in the partition, by kafkajs: a client that the product does not use. `count`: as many as there are. */
const witness = async (brokers: string[], topic: string, count: number): Promise<{ offset: number; time: number; body: string }[]> => {
  const consumer = new Kafka({ brokers, logLevel: logLevel.NOTHING }).consumer({ groupId: `witness-${topic}-${count}` })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  const records: { offset: number; time: number; body: string }[] = []
  await new Promise<void>((resolve, reject) => {
    const eachMessage = async ({ message }: { message: { offset: string; timestamp: string; value: Buffer | null } }) => {
      records.push({ offset: Number(message.offset), time: Number(message.timestamp), body: String(message.value) })
      if (records.length === count) resolve()
    }
    consumer.run({ eachMessage }).catch(reject)
  })
  await consumer.disconnect()
  return records
}

/** Asks again while the log cannot be reached: a broker that was away takes some seconds to lead again. */
const patiently = async <T>(ask: () => Promise<T>): Promise<T> => {
  while (true) {
    try {
      return await ask()
    } catch (error) {
      expect(error).toMatchObject({ code: 'log-unavailable' })
      await wait(200)
    }
  }
}

const readAll = async ({ log }: KafkaLog) => {
  const { end } = await patiently(() => log.ends('hits', 0))
  const records: LogRecord[] = []
  while (records.length < end) {
    const from = records.length
    records.push(...(await patiently(() => log.read('hits', 0, from, { records: 100_000, bytes: 100_000_000, waitMs: 5_000 }))))
  }
  return records
}

/** Appends of two bodies each, by several at a time, until told to stop. What was answered, and what was not. */
const traffic = ({ log }: KafkaLog) => {
  const answered = new Map<string, number>()
  const unknown = new Set<string>()
  let running = true
  let n = 0
  const work = async () => {
    while (running) {
      const name = `record ${n++}`
      try {
        answered.set(name, await log.append('hits', 0, [`${name} a`, `${name} b`]))
      } catch (error) {
        expect(error).toMatchObject({ code: 'log-unavailable' })
        unknown.add(name)
        await wait(50)
      }
    }
  }
  const workers = Promise.all([work(), work(), work(), work()])
  return {
    answered,
    unknown,
    until: async (count: number) => {
      const before = answered.size
      while (answered.size < before + count) await wait(20)
    },
    stop: async () => {
      running = false
      await workers
    },
  }
}

/** Each answered append stands once, whole, at its offset; each other one not at all or whole (a late copy and the retry are two appends). */
const check = async (kafkaLog: KafkaLog, { answered, unknown }: { answered: Map<string, number>; unknown: Set<string> }) => {
  const records = await readAll(kafkaLog)
  expect(records.map(({ offset }) => offset)).toEqual([...records.keys()])
  const bodies = records.map(({ body }) => body)
  const count = new Map<string, number>()
  for (const body of bodies) count.set(body, (count.get(body) ?? 0) + 1)
  for (const [name, first] of answered)
    expect([bodies[first], bodies[first + 1], count.get(`${name} a`)]).toEqual([`${name} a`, `${name} b`, 1])
  for (const name of unknown) expect(count.get(`${name} a`) ?? 0).toBe(count.get(`${name} b`) ?? 0)
  for (const name of unknown) expect(count.get(`${name} a`) ?? 0).toBeLessThanOrEqual(1)
  expect(new Set(bodies.map((body) => body.slice(0, -2))).size).toBeLessThanOrEqual(answered.size + unknown.size)
  return records
}

describe.skipIf(reason !== undefined)('the log on one broker', () => {
  let place: Place
  let server: Server
  let brokers: string[]
  const open: KafkaLog[] = []
  const logOf = async (prefix: string, limits: KafkaOptions['limits'] = {}) => {
    await createTopics({ brokers, clock, prefix, partitions: 1, copies: 1 })
    const made = openKafka({ brokers, clock, prefix, limits })
    open.push(made)
    return made
  }
  beforeAll(async () => {
    place = await aPlace(kafka)
    server = await place.start()
    brokers = [server.address]
  }, startMs)
  afterAll(async () => {
    await Promise.all(open.map(({ close }) => close()))
    await place.end()
  }, startMs)

  it('is read by another client with the same offsets, bodies and times, and reads what that writes', async () => {
    const made = await logOf('other-')
    const bodies = Array.from({ length: 200 }, (_, i) => `{"ü":${i}}`)
    await made.log.append('hits', 0, bodies.slice(0, 3))
    await made.log.append('hits', 0, bodies.slice(3))
    const ours = await readAll(made)
    expect(ours.map(({ body }) => body)).toEqual(bodies)
    expect(await witness(brokers, 'other-hits', 200)).toEqual(ours)

    const producer = new Kafka({ brokers, logLevel: logLevel.NOTHING }).producer()
    await producer.connect()
    await producer.send({ topic: 'other-hits', acks: -1, messages: [{ key: 'k', value: 'theirs' }, { value: null }] })
    await producer.disconnect()
    const read = await made.log.read('hits', 0, 200, { records: 10, bytes: 1_000, waitMs: 5_000 })
    expect(read.map(({ offset, body }) => ({ offset, body }))).toEqual([
      { offset: 200, body: 'theirs' },
      { offset: 201, body: '' },
    ])
  }, 30_000)

  it('tells a topic that was made anew by another id, and never reads it by old offsets unasked', async () => {
    const made = await logOf('anew-')
    await made.log.append('hits', 0, ['old 0', 'old 1', 'old 2'])
    const before = await made.log.ends('hits', 0)
    const admin = new Kafka({ brokers, logLevel: logLevel.NOTHING }).admin()
    await admin.connect()
    await admin.deleteTopics({ topics: ['anew-hits'] })
    await admin.disconnect()
    const again = await logOf('anew-')
    await again.log.append('hits', 0, ['new 0', 'new 1', 'new 2'])
    const limits = { records: 10, bytes: 1_000, waitMs: 0 }
    await expect(made.log.read('hits', 0, 1, limits)).rejects.toMatchObject({ code: 'log-unavailable' })
    await expect(made.log.read('hits', 0, 1, limits)).rejects.toMatchObject({ code: 'log-unavailable' })
    const after = await made.log.ends('hits', 0)
    expect(after).toMatchObject({ earliest: 0, end: 3 })
    expect(after.id).not.toBe(before.id)
    expect((await made.log.read('hits', 0, 1, limits)).map(({ body }) => body)).toEqual(['new 1', 'new 2'])
  }, 30_000)

  it('refuses a partition and a topic that are not there, and a topic that is set otherwise', async () => {
    const made = await logOf('there-')
    await expect(made.log.append('hits', 5, ['x'])).rejects.toThrow('has 1 partitions')
    await expect(made.log.read('hits', 5, 0, { records: 1, bytes: 1, waitMs: 0 })).rejects.toThrow()
    const nowhere = openKafka({ brokers, clock, prefix: 'nowhere-' })
    open.push(nowhere)
    await expect(nowhere.log.append('hits', 0, ['x'])).rejects.toMatchObject({ code: 'log-unavailable' })
    await expect(createTopics({ brokers, clock, prefix: 'there-', partitions: 2, copies: 1 })).rejects.toMatchObject({
      code: 'bad-setting',
      detail: expect.stringContaining('has 1 partitions and not 2'),
    })
  }, 30_000)

  it('says how far retention is', async () => {
    const made = await logOf('room-')
    await made.log.append('hits', 0, ['a', 'b', 'c'])
    await made.log.trim('hits', 0, 1)
    const { records, ms } = await made.headroom('hits', 0, 2)
    expect(records).toBe(1)
    expect(Math.abs(ms! - 72 * 3_600_000)).toBeLessThan(60_000)
    expect(await made.headroom('hits', 0, 3)).toEqual({ records: 2, ms: undefined })
    expect((await made.headroom('hits', 0, 0)).records).toBe(-1)
  }, 30_000)

  it('lets nothing wait without bound', async () => {
    const made = await logOf('bound-', { waitingAppends: 10 })
    const results = await Promise.allSettled(Array.from({ length: 30 }, (_, i) => made.log.append('hits', 0, [`${i}`])))
    const refused = results.filter(({ status }) => status === 'rejected')
    expect(refused).toHaveLength(20)
    for (const result of refused) expect(result).toMatchObject({ reason: { code: 'overloaded' } })
    expect(await made.log.append('hits', 0, ['after'])).toBe(10)
  }, 30_000)

  it('keeps what it answered when the broker is killed, and goes on when it is back', async () => {
    const made = await logOf('kill-', { appendMs: 3_000 })
    const load = traffic(made)
    await load.until(100)
    await server.kill()
    await expect(made.log.append('hits', 0, [])).rejects.toMatchObject({ code: 'log-unavailable' })
    server = await place.start()
    await load.until(100)
    await load.stop()
    const records = await check(made, load)
    expect(await witness(brokers, 'kill-hits', records.length)).toEqual(records)
  }, 90_000)

  it('answers within its deadline while the broker stands still, and is right afterwards', async () => {
    const made = await logOf('pause-', { appendMs: 1_000, deliveryMs: 4_000 })
    const load = traffic(made)
    await load.until(20)
    server.pause()
    const begun = performance.now()
    await expect(made.log.append('hits', 0, ['late a', 'late b'])).rejects.toMatchObject({ code: 'log-unavailable' })
    expect(performance.now() - begun).toBeLessThan(2_000)
    await expect(made.log.append('hits', 0, [])).rejects.toMatchObject({ code: 'log-unavailable' })
    const read = made.log.read('hits', 0, 0, { records: 1, bytes: 1, waitMs: 0 })
    await expect(read).rejects.toMatchObject({ code: 'log-unavailable' })
    server.resume()
    await load.until(20)
    await load.stop()
    load.unknown.add('late')
    await check(made, load)
  }, 60_000)

  it('works with a broker that is started after it', async () => {
    await logOf('late-')
    await server.kill()
    const early = openKafka({ brokers, clock, prefix: 'late-', limits: { appendMs: 60_000 } })
    open.push(early)
    const append = early.log.append('hits', 0, ['early'])
    await expect(early.log.ends('hits', 0)).rejects.toMatchObject({ code: 'log-unavailable' })
    server = await place.start()
    expect(await append).toBe(0)
    expect((await early.log.read('hits', 0, 0, { records: 1, bytes: 1, waitMs: 0 })).map(({ body }) => body)).toEqual(['early'])
  }, 90_000)
})

describe.skipIf(reason !== undefined)('the log on three brokers', () => {
  const nodes = [1, 2, 3]
  let place: Place
  let servers: Server[]
  beforeAll(async () => {
    place = await aPlace(kafka, nodes.length)
    servers = await place.startAll()
  }, startMs)
  afterAll(() => place.end())

  it('has all it answered, in order, after its leader was killed', async () => {
    const brokers = servers.map(({ address }) => address)
    await createTopics({ brokers, clock, partitions: 1, copies: 3 })
    const made = openKafka({ brokers, clock })
    const load = traffic(made)
    await load.until(100)
    const admin = new Kafka({ brokers, logLevel: logLevel.NOTHING }).admin()
    await admin.connect()
    const [topic] = (await admin.fetchTopicMetadata({ topics: ['hits'] })).topics
    await admin.disconnect()
    await servers[topic!.partitions[0]!.leader - 1]!.kill()
    await load.until(100)
    await load.stop()
    await check(made, load)
    await made.close()
  }, 90_000)
})
