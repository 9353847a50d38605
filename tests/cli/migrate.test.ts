import { describe, expect, it } from 'vitest'
import { FootfallError } from '#shared/errors.ts'
import type { LogTopics } from '#shared/ports/log.ts'
import { createGenerationList } from '../model/generations.ts'
import { type } from './terminal.ts'

const env = { FOOTFALL_CASSANDRA: '10.0.0.1:9042,10.0.0.2:9042;dc1;stats' }

describe('migrate', () => {
  it('makes the tables where the setting says, with three copies unless it is told otherwise', async () => {
    const asked: unknown[] = []
    const world = {
      migrate: async (where: unknown) => {
        asked.push(where)
        return { ran: asked.length === 1 ? [1, 2] : [] }
      },
    }
    expect(await type(['migrate'], { env, world })).toEqual({ code: 0, out: 'Keyspace stats has run migration 1, 2.', err: '' })
    expect(await type(['migrate', '--replication', '1'], { env, world })).toMatchObject({
      code: 0,
      out: 'Keyspace stats has all tables already.',
    })
    const where = { contactPoints: ['10.0.0.1:9042', '10.0.0.2:9042'], dataCenter: 'dc1', keyspace: 'stats' }
    expect(asked).toEqual([
      { ...where, replication: 3 },
      { ...where, replication: 1 },
    ])
  })

  it('makes the topics too, where Kafka is named', async () => {
    const asked: unknown[] = []
    let isClosed = false
    const ids = new Map([
      ['hits', 'h'],
      ['events', 'e'],
    ])
    const topics: LogTopics = {
      make: async (names, plan) => {
        asked.push([names, plan])
        return { hits: 'h', events: 'e' }
      },
      ids: async () => ids,
      close: () => Promise.reject(new Error('no topic was to be closed')),
    }
    const openTopics = async (where: unknown) => {
      asked.push(where)
      const close = async () => {
        isClosed = true
      }
      return { topics, generations: createGenerationList(), close }
    }
    const world = { migrate: async () => ({ ran: [] }), openTopics }
    const kafka = { ...env, FOOTFALL_KAFKA: '10.0.0.5:9092', FOOTFALL_PARTITIONS: '4' }
    expect(await type(['migrate'], { env: kafka, world })).toMatchObject({
      code: 0,
      out: 'Keyspace stats has all tables already.\nKafka has all topics; generation 0 takes hits, in 4 partitions.',
    })
    expect(asked[0]).toMatchObject({ kafka: { brokers: ['10.0.0.5:9092'] }, cassandra: { keyspace: 'stats' } })
    expect(asked[1]).toEqual([
      { hits: 'hits', events: 'events', dead: 'dead' },
      { partitions: 4, copies: 3 },
    ])
    expect(isClosed).toBe(true)
    expect(await type(['migrate', '--partitions', '8'], { env: kafka, world })).toMatchObject({
      code: 2,
      err: expect.stringContaining('--new-topics'),
    })
    expect((await type(['migrate', '--new-topics', '--partitions', '0'], { env: kafka, world })).code).toBe(2)
    expect(await type(['migrate', '--new-topics'], { env, world })).toMatchObject({
      code: 1,
      err: expect.stringContaining('FOOTFALL_KAFKA is not set.'),
    })
  })

  it('says what is missing, what is wrong, and what Cassandra said', async () => {
    expect(await type(['migrate'])).toMatchObject({ code: 1, err: expect.stringContaining('FOOTFALL_CASSANDRA is not set.') })
    expect((await type(['migrate', '--replication', 'three'], { env })).code).toBe(2)
    const world = { migrate: () => Promise.reject(new FootfallError('store-unavailable')) }
    expect(await type(['migrate'], { env, world })).toMatchObject({ code: 1, err: expect.stringContaining('cannot be reached') })
  })

  it('has help', async () => {
    expect((await type(['migrate', '--help'])).out).toMatch(/FOOTFALL_CASSANDRA.*--replication|--replication.*FOOTFALL_CASSANDRA/s)
  })
})
