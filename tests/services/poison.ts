import { Kafka, logLevel } from 'kafkajs'
import type { Random } from '../../scripts/traffic/random.ts'

/** Records that no stage can use, written into the topics by a client that the product does not use. None has the name of a real site. */

const kinds: readonly { name: string; value: string | Buffer | null }[] = [
  { name: 'no JSON', value: '{"v":1,"site":' },
  { name: 'no text', value: Buffer.from([0xff, 0xfe, 0x00, 0x80, 0xc3]) },
  { name: 'null', value: null },
  { name: 'nothing', value: '' },
  { name: 'a JSON null', value: 'null' },
  { name: 'another version', value: '{"v":99,"site":"poison.example","ev":[]}' },
  { name: 'a megabyte', value: JSON.stringify({ v: 1, site: 'poison.example', ev: 'x'.repeat(1_000_000) }) },
  { name: 'prototype keys', value: '{"v":1,"__proto__":{"site":"poison.example"},"constructor":{"prototype":{"dead":true}},"ev":[]}' },
  { name: 'a deep one', value: '['.repeat(20_000) },
]

export type Poisoner = {
  /** Appends some of them to any partition; answers which. */
  poison(topic: 'hits' | 'events', random: Random): Promise<string>
  /** How many records were appended to `hits`: so many must lie in the topic `dead`. */
  inHits(): number
  close(): Promise<void>
}

export const createPoisoner = async (brokers: readonly string[], partitions: number): Promise<Poisoner> => {
  const producer = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING }).producer()
  await producer.connect()
  let inHits = 0
  return {
    async poison(topic, random) {
      const chosen = Array.from({ length: 1 + random.whole(3) }, () => ({ kind: random.pick(kinds), partition: random.whole(partitions) }))
      await producer.send({ topic, messages: chosen.map(({ kind: { value }, partition }) => ({ value, partition })) })
      if (topic === 'hits') inHits += chosen.length
      return chosen.map(({ kind, partition }) => `${kind.name} to ${partition}`).join(', ')
    },
    inHits: () => inHits,
    close: () => producer.disconnect(),
  }
}
