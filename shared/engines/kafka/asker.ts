import type { Consumer } from '@platformatic/kafka'
import type { Clock } from '../../clock.ts'
import type { LogEnds } from '../../ports/log.ts'
import { closeNow, createAsker, type KafkaAccess } from './clients.ts'
import { within } from './errors.ts'
import { madeAnew } from './fetchers.ts'

/** Questions about topics and offsets, each with a deadline. Topics are given by their names at the broker. */
export type Asker = {
  ends(topic: string, partition: number): Promise<LogEnds>
  /** Offset of the first record at or after `time` (ms UTC, above 0); undefined when there is none. */
  offsetAt(topic: string, partition: number, time: number): Promise<number | undefined>
  /** Identity of the topic, not older than this call. */
  id(topic: string): Promise<string>
  /** How many partitions the topic has, and how many brokers have all records of a partition just now. */
  partitions(topic: string): Promise<{ insync: number }[]>
  close(): Promise<void>
}

/** Time for one question. */
const askMs = 5_000

const earliest = -2n
const latest = -1n

/** A topic that is made anew again and again is not asked about for ever. */
const tries = 3

export const openAsker = (access: KafkaAccess, clock: Clock): Asker => {
  const client: Consumer = createAsker(access)

  const fresh = async (topic: string, forceUpdate: boolean) => {
    const found = (await client.metadata({ topics: [topic], forceUpdate })).topics.get(topic)
    if (!found) throw madeAnew(topic)
    return found
  }

  const offset = async (topic: string, partition: number, timestamp: bigint): Promise<number> => {
    const offsets = await client.listOffsets({ topics: [topic], partitions: { [topic]: [partition] }, timestamp, isolationLevel: 0 })
    return Number(offsets.get(topic)?.[partition] ?? -1n)
  }

  /** Offsets are asked by the topic's name: they are those of its id where that is the same before and after. */
  const endsNow = async (topic: string, partition: number): Promise<LogEnds> => {
    for (let tried = 0; tried < tries; tried++) {
      const before = await fresh(topic, false)
      const [first, end] = await Promise.all([offset(topic, partition, earliest), offset(topic, partition, latest)])
      const { id } = await fresh(topic, true)
      if (id === before.id) return { id, earliest: first, end }
    }
    throw madeAnew(topic)
  }

  const question = async <T>(what: string, work: Promise<T>): Promise<T> => {
    try {
      return await within(clock, askMs, what, work)
    } catch (error) {
      // Leaders may have moved: the next question begins with them.
      client.clearMetadata()
      throw error
    }
  }

  return {
    ends: (topic, partition) => question('tell the ends of a log', endsNow(topic, partition)),
    offsetAt: async (topic, partition, time) => {
      const found = await question('find a time in a log', offset(topic, partition, BigInt(Math.ceil(time))))
      return found < 0 ? undefined : found
    },
    id: async (topic) => (await question('tell the id of a topic', fresh(topic, true))).id,
    partitions: async (topic) => {
      const { partitions } = await question('tell the partitions of a topic', fresh(topic, true))
      return partitions.map(({ isr }) => ({ insync: isr.length }))
    },
    close: () => closeNow(client),
  }
}
