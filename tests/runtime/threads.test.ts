import { afterEach, beforeEach, expect, test } from 'vitest'
import { systemClock } from '#shared/clock.ts'
import { readConfig } from '#shared/config.ts'
import { needsOf } from '#shared/query/metrics.ts'
import { planText } from '#shared/query/plan-text.ts'
import { endless } from '#shared/query/room.ts'
import { startLate, startThread } from '#shared/runtime/threads.ts'
import { calendarOf } from '#shared/site/zone.ts'
import { wire } from '#shared/wire.ts'
import { temporaryFolder } from '../fixtures/folder.ts'

/** Threads that are started when they are needed. */

let folder: ReturnType<typeof temporaryFolder>
beforeEach(() => {
  folder = temporaryFolder()
})
afterEach(() => folder.remove())

const request = (path: string, body: unknown) => ({
  method: 'POST',
  path,
  query: '',
  headers: {},
  body: Buffer.from(JSON.stringify(body)),
  address: '127.0.0.1',
})

const utc = [{ tz: 'UTC', from: 0 }]
const share = {
  format: 1,
  edgesOf: [],
  site: 'example.com',
  zones: utc,
  ground: { partitions: [0], fences: [null], versions: [[]] },
  share: { units: [{ from: 0, to: 2 ** 48 }], of: { from: 0, to: 2 ** 48 } },
  plan: planText(
    {
      ...{
        dimensions: [],
        filters: [],
        goals: [],
        updates: undefined,
        buckets: undefined,
        bots: false,
        bounce: 'engaged',
        keep: undefined,
      },
      ...{ range: { from: 0, to: 86_400_000 }, needs: needsOf(['visitors']), calendar: calendarOf(utc), mostVisits: 1, room: endless },
      pause: () => undefined,
    },
    utc,
  ),
}

test('a helper is started by its first call, counts shares, and ends', async () => {
  const config = readConfig({ FOOTFALL_DATA: folder.path, FOOTFALL_LOG: 'error' })
  const stores = await wire(folder.path, 'all', systemClock)
  await stores.close()
  let started = 0
  let died: Error | undefined
  const helper = startLate(() => {
    started++
    return startThread({ config, part: 'helper', busName: 'threads-test' }, (error) => {
      died = error
    })
  }, 'query-metrics')
  expect(started).toBe(0)
  const replies = await Promise.all([1, 2].map(() => helper.handle(request('/share', share))))
  expect(replies.map(({ status }) => status)).toEqual([200, 200])
  expect(JSON.parse(String(replies[0]!.body))).toMatchObject({ allVisitors: 0, groups: [{ visits: 0, visitors: 0 }] })
  expect(started).toBe(1)
  await helper.stop()
  expect(died).toBeUndefined()
})

test('one that could not be started is started by the next call', async () => {
  let started = 0
  const helper = startLate(() => {
    started++
    return Promise.reject(new Error('no memory'))
  }, 'query-metrics')
  await expect(helper.handle(request('/share', share))).rejects.toThrow('no memory')
  await expect(helper.handle(request('/share', share))).rejects.toThrow('no memory')
  expect(started).toBe(2)
  await helper.stop()
})
