import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, beforeAll, describe } from 'vitest'
import { systemClock } from '#shared/clock.ts'
import { openKafka } from '#shared/engines/kafka/log.ts'
import { createTopics, openTopics } from '#shared/engines/kafka/topics.ts'
import type { Topic } from '#shared/ports/log.ts'
import { kafka } from '../../scripts/services/kafka.ts'
import { aPlace, type Place, reasonAgainst } from '../services/place.ts'
import { logContract } from './log.ts'

/** The Kafka log against one broker: each test has topics of its own. */

const reason = await reasonAgainst(kafka)

describe.skipIf(reason !== undefined)('kafka', () => {
  let place: Place
  let brokers: string[]
  let made = 0
  beforeAll(async () => {
    place = await aPlace(kafka)
    brokers = [(await place.start()).address]
  }, 150_000)
  afterAll(() => place.end())

  /** The broker's clock cannot be turned: an advance lets some milliseconds of it pass. */
  const clock = { ...systemClock, advance: (ms: number) => wait(Math.max(0, Math.min(ms, 20))) }

  logContract('Kafka', async () => {
    const prefix = `test${made++}-`
    await createTopics({ brokers, clock: systemClock, prefix, partitions: 2, copies: 1 })
    const { log, close } = openKafka({ brokers, clock, prefix })
    return { log, clock, close, ownTime: true }
  })

  logContract('Kafka, where a partition is in another topic and under another number', async () => {
    const prefix = `test${made++}-`
    const nameOf = (topic: Topic) => `${topic}-3`
    const names = { hits: nameOf('hits'), events: nameOf('events'), dead: nameOf('dead') }
    await openTopics({ brokers, clock: systemClock, prefix }).make(names, { partitions: 2, copies: 1 })
    const placeOf = (topic: Topic, partition: number) => ({ name: nameOf(topic), partition: 1 - partition })
    const { log, close } = openKafka({ brokers, clock, prefix, placeOf })
    return { log, clock, close, ownTime: true }
  })
})
