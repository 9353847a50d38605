import type { Producer } from '@platformatic/kafka'
import type { Clock } from '../../clock.ts'
import { FootfallError } from '../../errors.ts'
import { closeNow, createProducer, type KafkaAccess } from './clients.ts'
import { wordsOf } from './errors.ts'

/**
 * Sends batches to partitions, each by an idempotent producer: the broker knows a batch by its number and takes a copy of it once,
 * however often it is sent. A producer is thrown away as soon as a send of its is rejected, or takes longer than `deliveryMs`:
 * so no copy is sent later than that, and numbers are never used again after a doubt.
 */
export type Producers = {
  /** Appends the values as one batch; answers its first offset. One at a time for each partition. Rejected: unknown. */
  send(topic: string, partition: number, values: readonly Buffer[]): Promise<number>
  /** What keeps the sends of a partition waiting, in words; undefined while nothing does. */
  trouble(partition: number): string | undefined
  /** Ends all; what is under way is rejected. */
  close(): Promise<void>
}

/** A producer sends one batch at a time to each broker: several of them, so that partitions do not wait for each other much. */
const producerCount = 4

/** Wait before a send is tried again. A broker that comes back is found within this. */
const retryMs = 250

/** Batches of fewer records than this grow when they are compressed one by one, or gain nothing (services.md). */
const compressFrom = 50

type Held = { producer: Producer; underway: number; retired: boolean; trouble: string | undefined }

export const createProducers = (access: KafkaAccess, clock: Clock, deliveryMs: number): Producers => {
  const current = new Map<number, Held>()
  const all = new Set<Held>()

  const open = (): Held => {
    const held: Held = { producer: createProducer(access, noteTrouble), underway: 0, retired: false, trouble: undefined }
    function noteTrouble(_client: object, _operation: string, _attempt: number, _retries: number, error: Error): number {
      held.trouble = wordsOf(error)
      return retryMs
    }
    all.add(held)
    return held
  }

  const of = (partition: number): Held => {
    const slot = partition % producerCount
    const found = current.get(slot)
    if (found && !found.retired) return found
    const held = open()
    current.set(slot, held)
    return held
  }

  const end = (held: Held): Promise<void> => {
    held.retired = true
    all.delete(held)
    return closeNow(held.producer)
  }

  /** The driver takes a partition that is not there for another one (by the remainder): it has to be known before. */
  const checkPartition = async ({ producer }: Held, topic: string, partition: number): Promise<void> => {
    const known = (await producer.metadata({ topics: [topic] })).topics.get(topic)
    if (!known || partition >= known.partitionsCount)
      throw new Error(`Topic ${topic} has ${known?.partitionsCount ?? 0} partitions, so none of number ${partition}.`)
  }

  const deliver = async (held: Held, topic: string, partition: number, values: readonly Buffer[]): Promise<number> => {
    await checkPartition(held, topic, partition)
    const { offsets } = await held.producer.send({
      messages: values.map((value) => ({ topic, partition, value })),
      compression: values.length >= compressFrom ? 'zstd' : 'none',
    })
    const first = Number(offsets?.[0]?.offset ?? -1)
    if (first < 0) throw new FootfallError('log-unavailable', { detail: 'Kafka: a send was answered without an offset.' })
    held.trouble = undefined
    return first
  }

  return {
    async send(topic, partition, values) {
      const held = of(partition)
      held.underway++
      const cancel = clock.after(deliveryMs, () => void end(held))
      try {
        return await deliver(held, topic, partition, values)
      } catch (error) {
        held.retired = true
        throw error
      } finally {
        cancel()
        held.underway--
        // Others may still be under way at it: the last one closes the door.
        if (held.retired && held.underway === 0) void end(held)
      }
    },
    trouble: (partition) => current.get(partition % producerCount)?.trouble,
    close: async () => {
      await Promise.all([...all].map(end))
    },
  }
}
