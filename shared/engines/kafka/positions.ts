import type { Admin } from '@platformatic/kafka'
import type { Clock } from '../../clock.ts'
import type { PositionPlace, Positions } from '../../ports/positions.ts'
import { within } from './errors.ts'
import type { PlaceOf } from './topics.ts'

/**
 * positions on Kafka: offsets of a consumer group that has no members, as an administrator sets them. They lie beside the log, with as many
 * copies, and Kafka's own tools show and set them.
 */

const askMs = 10_000

/** The topic's id is part of it: a position that is kept late, when the topic was made anew meanwhile, is nobody's. */
export const groupOf = (name: string, { id }: Pick<PositionPlace, 'id'>): string => `footfall.${name}.${id}`

/** `placeOf`: where a partition is at the broker. The group needs the right to read offsets and to commit them, where brokers ask for rights. */
export const createPositions = (admin: Admin, clock: Clock, placeOf: PlaceOf): Positions => ({
  async read(name, at) {
    const { name: topic, partition } = await placeOf(at.topic, at.partition)
    const topics = [{ name: topic, partitionIndexes: [partition] }]
    const asked = admin.listConsumerGroupOffsets({ groups: [{ groupId: groupOf(name, at), topics }], requireStable: true })
    const [group] = await within(clock, askMs, 'tell a position', asked)
    const offset = Number(group?.topics[0]?.partitions[0]?.committedOffset ?? -1n)
    return offset < 0 ? undefined : offset
  },
  async keep(name, at, next) {
    const { name: topic, partition } = await placeOf(at.topic, at.partition)
    const topics = [{ name: topic, partitionOffsets: [{ partition, offset: BigInt(next) }] }]
    await within(clock, askMs, 'keep a position', admin.alterConsumerGroupOffsets({ groupId: groupOf(name, at), topics }))
  },
})
