import { writeFileSync } from 'node:fs'
import { createServer, type Server as HttpServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock } from '#shared/clock.ts'
import { type KafkaLog, openKafka } from '#shared/engines/kafka/log.ts'
import { cassandra } from '../../scripts/services/cassandra.ts'
import { kafka } from '../../scripts/services/kafka.ts'
import { redis } from '../../scripts/services/redis.ts'
import type { Server } from '../../scripts/services/service.ts'
import { until } from '../process/server.ts'
import { triggerService } from './functions.ts'
import { startServers } from './installation.ts'
import { aPlace, type Place, reasonAgainst } from './place.ts'

/**
 * A function of somebody else, which fails, is slow, goes away and comes back, is given single records of a real Kafka by a real trigger,
 * which is killed in the middle.
 */

const reasons = await Promise.all([kafka, cassandra, redis].map(reasonAgainst))

const partitions = 3
const each = 25
const retries = { attempts: '3', codes: '500', min_wait: '20ms', max_wait: '40ms' }
const stack = {
  functions: {
    mailer: {
      annotations: {
        topic: 'hits',
        ...Object.fromEntries(Object.entries(retries).map(([name, value]) => [`com.openfaas.retry.${name}`, value])),
      },
    },
  },
}

type Call = { partition: number; offset: number; headers: IncomingMessage['headers']; body: string }

/** A function that keeps each call; `answer` says what it answers, or nothing for ever. */
const aFunction = async (answer: (call: Call) => number | undefined) => {
  const calls: Call[] = []
  const handle = (request: IncomingMessage, response: ServerResponse) => {
    let body = ''
    request.setEncoding('utf8').on('data', (piece: string) => {
      body += piece
    })
    request.on('end', () => {
      const { headers } = request
      const call = { partition: Number(headers['x-kafka-partition']), offset: Number(headers['x-kafka-offset']), headers, body }
      calls.push(call)
      const status = answer(call)
      if (status !== undefined) response.writeHead(status).end()
    })
  }
  let server: HttpServer
  const open = async (port: number): Promise<number> => {
    server = createServer(handle)
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
    return (server.address() as AddressInfo).port
  }
  const close = async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
  const port = await open(0)
  return { calls, url: `http://127.0.0.1:${port}`, close, openAgain: () => open(port) }
}

describe.skipIf(reasons.some((reason) => reason !== undefined))('single records', () => {
  let servers: Awaited<ReturnType<typeof startServers>>
  let kafkaLog: KafkaLog
  let triggerPlace: Place
  let trigger: Server
  let fn: Awaited<ReturnType<typeof aFunction>>
  /** What is to be answered, by partition and offset, first answer first; `undefined` is none at all. */
  const planned = new Map<string, (number | undefined)[]>([
    ['0 5', [500, 500, 500]],
    ['1 7', [500, 500, 204]],
    ['1 9', [400]],
    ['2 12', [undefined]],
  ])

  beforeAll(async () => {
    servers = await startServers({ partitions })
    kafkaLog = openKafka({ brokers: servers.kafkas.map((part) => part.process().address), clock: systemClock })
    fn = await aFunction(({ partition, offset }) => {
      const plan = planned.get(`${partition} ${offset}`)
      return plan && plan.length > 0 ? plan.shift() : 200
    })
    const path = join(servers.folder, 'stack.json')
    writeFileSync(path, JSON.stringify(stack))
    triggerPlace = await aPlace(triggerService({ mailer: fn.url }, servers.env, path))
  }, 180_000)
  afterAll(async () => {
    await triggerPlace?.end()
    await fn?.close()
    await kafkaLog?.close()
    await servers?.close()
  }, 60_000)

  const offsetsOf = (partition: number) => fn.calls.filter((call) => call.partition === partition).map(({ offset }) => offset)
  const append = (count: number) =>
    Promise.all(
      Array.from({ length: partitions }, (_, partition) =>
        kafkaLog.log.append(
          'hits',
          partition,
          Array.from({ length: count }, (_, i) => `{"ü":${i}}`),
        ),
      ),
    )
  const metric = async (name: string): Promise<string[]> =>
    (await (await fetch(`http://${trigger.address}/metrics`)).text()).split('\n').filter((line) => line.startsWith(`${name}{`))
  const kept = async (partition: number) => {
    const { id } = await kafkaLog.log.ends('hits', partition)
    return kafkaLog.positions.read('mailer', { topic: 'hits', partition, id })
  }

  it('come as they are and in order; what fails comes again, up to its attempts', { timeout: 60_000 }, async () => {
    await append(each)
    trigger = await triggerPlace.start()
    await until('the record that is not answered', () => offsetsOf(2).at(-1) === 12)
    await until('all of the others', () => offsetsOf(0).at(-1) === each - 1 && offsetsOf(1).at(-1) === each - 1)
    const all = Array.from({ length: each }, (_, i) => i)
    expect(offsetsOf(0)).toEqual([...all.slice(0, 5), 5, 5, ...all.slice(5)])
    expect(offsetsOf(1)).toEqual([...all.slice(0, 7), 7, 7, ...all.slice(7)])
    expect(offsetsOf(2)).toEqual(all.slice(0, 13))
    expect(fn.calls[0]!.body).toBe('{"ü":0}')
    expect(fn.calls[0]!.headers).toMatchObject({ 'x-topic': 'hits', 'x-connector': 'kafka-connector', 'content-type': 'text/plain' })
    expect(fn.calls[0]!.headers).not.toHaveProperty('x-kafka-key')
    await until('their positions', async () => (await kept(0)) === each && (await kept(1)) === each)
    const labels = (partition: number) => `{function="mailer",topic="hits",partition="${partition}"}`
    expect(await metric('footfall_trigger_skipped_total')).toEqual([
      `footfall_trigger_skipped_total${labels(0)} 1`,
      `footfall_trigger_skipped_total${labels(1)} 1`,
      `footfall_trigger_skipped_total${labels(2)} 0`,
    ])
    expect(await metric('footfall_trigger_lag_records')).toContain(`footfall_trigger_lag_records${labels(2)} ${each - 12}`)
  })

  it('when the trigger is killed only the one under way comes again', { timeout: 120_000 }, async () => {
    await trigger.kill()
    expect(await kept(2)).toBe(12)
    const before = fn.calls.length
    await append(each)
    // Its leases run out first.
    trigger = await triggerPlace.start()
    const total = 2 * each
    await until('all records', () => [0, 1, 2].every((partition) => offsetsOf(partition).at(-1) === total - 1), 90_000)
    const later = fn.calls.slice(before)
    const laterOf = (partition: number) => later.filter((call) => call.partition === partition).map(({ offset }) => offset)
    const from = (first: number) => Array.from({ length: total - first }, (_, i) => first + i)
    expect([0, 1, 2].map(laterOf)).toEqual([from(each), from(each), from(12)])
  })

  it('wait for a function that is not there, as long as it takes, and lose nothing', { timeout: 60_000 }, async () => {
    const total = 3 * each
    await until('what is kept', async () => (await kept(0)) === 2 * each && (await kept(1)) === 2 * each && (await kept(2)) === 2 * each)
    await fn.close()
    await append(each)
    // More often than there are attempts.
    await until('failures', async () => (await metric('footfall_trigger_failures')).every((line) => Number(line.split(' ').at(-1)) > 4))
    await fn.openAgain()
    await until('all records', () => [0, 1, 2].every((partition) => offsetsOf(partition).at(-1) === total - 1))
    const from = Array.from({ length: each }, (_, i) => 2 * each + i)
    for (const partition of [0, 1, 2]) expect(offsetsOf(partition).slice(-each)).toEqual(from)
    const skipped = (await metric('footfall_trigger_skipped_total')).map((line) => line.split(' ').at(-1))
    expect(skipped).toEqual(['0', '0', '0'])
  })

  it('a position is that of the topic as it was made', async () => {
    const { id } = await kafkaLog.log.ends('hits', 0)
    const at = { topic: 'hits', partition: 0 } as const
    await until('its position', async () => (await kept(0)) === 3 * each)
    expect(await kafkaLog.positions.read('mailer', { ...at, id: 'another' })).toBeUndefined()
    await kafkaLog.positions.keep('mailer', { ...at, id: 'another' }, 4)
    expect(await kafkaLog.positions.read('mailer', { ...at, id: 'another' })).toBe(4)
    expect(await kafkaLog.positions.read('mailer', { ...at, id })).toBe(3 * each)
  })
})
