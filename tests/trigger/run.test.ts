import { expect, test } from 'vitest'
import { sleep } from '#shared/clock.ts'
import type { LogReader } from '#shared/ports/log.ts'
import { startTrigger } from '#shared/trigger/run.ts'
import { noon } from '../fixtures/hit.ts'
import { settle } from '../fixtures/settle.ts'
import { createRandom } from '../model/random.ts'
import { createVirtualClock } from '../model/virtual-clock.ts'

test('partitions that come later are driven too, and those that are known go on while nobody can say which there are', async () => {
  const clock = createVirtualClock(noon, createRandom(1))
  const driven = new Set<string>()
  const log: LogReader = {
    read: async (_topic, _partition, _offset, { waitMs, signal }) => {
      await sleep(clock, waitMs, signal)
      return []
    },
    ends: async (topic, partition) => {
      driven.add(`${topic} ${partition}`)
      return { id: 'log', earliest: 0, end: 0 }
    },
    offsetAt: async () => 0,
  }
  let partitions: number[] | undefined = [0]
  const failures: unknown[] = []
  const untold = () => undefined
  const trigger = startTrigger(
    [{ name: 'enrich-session', topic: 'hits', schedule: undefined, retries: undefined }],
    {
      log,
      keeper: { headroom: async () => ({ records: 0, ms: undefined }) },
      leases: { hold: async () => true, release: async () => undefined },
      positions: { read: async () => undefined, keep: async () => undefined },
      clock,
      call: () => async () => ({ status: 200, body: '{"next":0}' }),
      partitions: async () => {
        if (!partitions) throw new Error('out of reach')
        return partitions
      },
    },
    {
      ...{ onFailure: untold, onSkipped: untold, onSchedule: untold, onAlarm: untold, onWatch: untold, onLeases: untold },
      onPartitions: (error) => failures.push(error),
    },
  )
  const pass = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += 500) {
      await settle()
      clock.advance(500)
    }
  }
  await pass(2_000)
  partitions = undefined
  await pass(11_000)
  expect([...driven]).toEqual(['hits 0'])
  expect(String(failures[0])).toContain('out of reach')
  partitions = [0, 4_096]
  await pass(6_000)
  expect([...driven]).toEqual(['hits 0', 'hits 4096'])
  expect(trigger.reports().map(({ subscription }) => subscription.partition)).toEqual([0, 4_096])
  let isClosed = false
  void trigger.close().then(() => {
    isClosed = true
  })
  while (!isClosed) await pass(500)
})
