import { Admin, Producer } from '@platformatic/kafka'
import { Redis } from 'ioredis'

/** What the servers themselves take from one client that does nothing else, in the sizes of the pipeline. */

const valueBytes = 350

/** Records a second that one producer appends, 50 at a time, four sends under way, acknowledged by all. `brokers`: host:port,… */
export const measureKafka = async (brokers: string, records: number): Promise<number> => {
  const options = { clientId: 'bare', bootstrapBrokers: brokers.split(',') }
  const topic = 'bare'
  const admin = new Admin(options)
  await admin.createTopics({ topics: [topic], partitions: 4, replicas: 1 })
  const producer = new Producer({ ...options, idempotent: true, acks: -1, compression: 'zstd' })
  const value = Buffer.from(JSON.stringify({ filler: 'abcdefghij'.repeat(valueBytes / 10) }))
  const each = 50
  let left = 20 // to begin with: who leads, and warm code
  const sender = async (partition: number): Promise<void> => {
    while (left-- > 0) await producer.send({ messages: Array.from({ length: each }, () => ({ topic, partition, value })) })
  }
  await Promise.all([0, 1, 2, 3].map(sender))
  left = records / each
  const began = performance.now()
  await Promise.all([0, 1, 2, 3].map(sender))
  const rate = records / ((performance.now() - began) / 1000)
  await producer.close()
  await admin.deleteTopics({ topics: [topic] })
  await admin.close()
  return rate
}

/** Fields a second that one client sets, 1,000 at a time in a pipeline: as many as sessions and ids are written. */
export const measureRedis = async (url: string, fields: number): Promise<number> => {
  const redis = new Redis(url)
  const value = 'x'.repeat(200)
  const each = 1_000
  const began = performance.now()
  for (let i = 0; i < fields; i += each) {
    const pipeline = redis.pipeline()
    for (let k = 0; k < each; k++) pipeline.hset(`bare:${(i + k) % 4_096}`, String(i + k), value)
    await pipeline.exec()
  }
  const rate = fields / ((performance.now() - began) / 1000)
  const keys = Array.from({ length: 4_096 }, (_, i) => `bare:${i}`)
  await redis.unlink(...keys)
  redis.disconnect()
  return rate
}
