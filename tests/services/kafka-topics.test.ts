import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock } from '#shared/clock.ts'
import { openKafka } from '#shared/engines/kafka/log.ts'
import { openTopics } from '#shared/engines/kafka/topics.ts'
import { kafka } from '../../scripts/services/kafka.ts'
import type { Server } from '../../scripts/services/service.ts'
import { aPlace, type Place, reasonAgainst } from './place.ts'

/** Topics as `footfall migrate` sets them up and leaves them, on three brokers. */

const reason = await reasonAgainst(kafka)
const clock = systemClock
const startMs = 150_000
const partitions = 6
const namesOf = (number: number) => ({ hits: `hits-${number}`, events: `events-${number}`, dead: `dead-${number}` })

describe.skipIf(reason !== undefined)('topics on three brokers', () => {
  let place: Place
  let servers: Server[]
  let brokers: string[]
  beforeAll(async () => {
    place = await aPlace(kafka, 3)
    servers = await place.startAll()
    brokers = servers.map(({ address }) => address)
  }, startMs)
  afterAll(() => place.end())

  it(
    'are made once, by whoever comes, and told by their identities',
    async () => {
      const topics = openTopics({ brokers, clock, prefix: 'made-' })
      const plan = { partitions, copies: 3 }
      const [one, other] = await Promise.all([topics.make(namesOf(1), plan), topics.make(namesOf(1), plan)])
      expect(one).toEqual(other)
      expect(await topics.ids(['hits-1', 'events-1', 'nothing'])).toEqual(
        new Map([
          ['hits-1', one.hits],
          ['events-1', one.events],
        ]),
      )
      expect(one.hits).not.toBe(one.events)
      await expect(topics.make(namesOf(1), { ...plan, partitions: 4 })).rejects.toMatchObject({ code: 'bad-setting' })
      expect(await topics.make(namesOf(1), { ...plan, partitions: 4, mayHaveMore: true })).toEqual(one)
      await expect(topics.make(namesOf(1), { ...plan, partitions: 8, mayHaveMore: true })).rejects.toMatchObject({
        code: 'bad-setting',
        detail: expect.stringContaining('--partitions 8'),
      })
    },
    startMs,
  )

  it(
    'take nothing any more once they are closed, and keep all that was answered',
    async () => {
      const topics = openTopics({ brokers, clock })
      await topics.make(namesOf(2), { partitions, copies: 3 })
      const placeOf = (topic: string, partition: number) => ({ name: `${topic}-2`, partition: partition - 8_192 })
      const { log, close } = openKafka({ brokers, clock, placeOf })
      try {
        const answered = new Map<string, number>()
        const refused: unknown[] = []
        let isClosed = false
        const work = async (part: number): Promise<void> => {
          for (let n = 0; refused.length < 100 && !isClosed; n++)
            await log.append('hits', part, [`${part} ${n}`]).then(
              (offset) => answered.set(`${part} ${n}`, offset),
              (error: unknown) => void refused.push(error),
            )
        }
        const parts = Array.from({ length: partitions }, (_, partition) => 8_192 + partition)
        const working = parts.map(work)
        while (answered.size < 200) await new Promise((resolve) => setImmediate(resolve))
        await topics.close('hits-2', 'probe')
        const ends = await Promise.all(parts.map(async (part) => (await log.ends('hits', part)).end))
        while (refused.length < 20) await new Promise((resolve) => setImmediate(resolve))
        isClosed = true
        await Promise.all(working)
        // Twice is once, and nothing has come since.
        await topics.close('hits-2', 'probe')
        expect(await Promise.all(parts.map(async (part) => (await log.ends('hits', part)).end))).toEqual(ends)
        for (const error of refused) expect(error).toMatchObject({ code: 'log-unavailable', retryable: true })
        for (const part of parts) {
          const records = await log.read('hits', part, 0, { records: 100_000, bytes: 1e8, waitMs: 0 })
          const bodies = records.map(({ body }) => body)
          for (const [body, offset] of answered) if (body.startsWith(`${part} `)) expect(bodies[offset]).toBe(body)
        }
        expect(await log.append('events', parts[0]!, ['others go on'])).toBe(0)
      } finally {
        await close()
      }
    },
    startMs,
  )
})
