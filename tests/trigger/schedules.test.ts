import { beforeEach, describe, expect, test } from 'vitest'
import { createLeases } from '#shared/engines/sqlite/leases.ts'
import type { Reply, Request } from '#shared/handler.ts'
import type { Leases } from '#shared/ports/leases.ts'
import { createSchedule } from '#shared/trigger/schedules.ts'
import { noon } from '../fixtures/hit.ts'
import { settle } from '../fixtures/settle.ts'
import { createRandom } from '../model/random.ts'
import { createVirtualClock, type VirtualClock } from '../model/virtual-clock.ts'

let clock: VirtualClock
let leases: Leases
beforeEach(() => {
  clock = createVirtualClock(noon, createRandom(1))
  leases = createLeases(clock)
})

const pass = async (minutes: number) => {
  for (let i = 0; i < minutes * 12; i++) {
    clock.advance(5_000)
    await settle()
  }
}

/** A trigger with this schedule; `answers` are those of its calls, 200 when there are none left. */
const aSchedule = (schedule: string, answers: (Reply | Error)[] = []) => {
  const calls: Request[] = []
  const failures: unknown[] = []
  const call = () => async (request: Request) => {
    calls.push(request)
    const next = answers.shift() ?? { status: 200 }
    if (next instanceof Error) throw next
    return next
  }
  const abort = new AbortController()
  const onFailure = (_name: string, error: unknown) => failures.push(error)
  const running = createSchedule({ name: 'manage-sites', schedule }, { leases, clock, call, onFailure }).run(abort.signal)
  const end = async () => {
    abort.abort()
    await running
  }
  return { calls, failures, end }
}

describe('a schedule', () => {
  test('is called at the start and at each due time, as a cron connector calls', async () => {
    const one = aSchedule('*/10 * * * *')
    await settle()
    expect(one.calls).toHaveLength(1)
    await pass(9)
    expect(one.calls).toHaveLength(1)
    await pass(1.5)
    expect(one.calls).toHaveLength(2)
    await pass(20)
    expect(one.calls).toHaveLength(4)
    const { method, headers, body } = one.calls[1]!
    expect([method, headers, body.length]).toEqual(['POST', { 'x-topic': 'cron-function', 'x-connector': 'cron-connector' }, 0])
    await one.end()
  })

  test('is called once per due time, however many triggers run', async () => {
    const all = [aSchedule('*/10 * * * *'), aSchedule('*/10 * * * *'), aSchedule('*/10 * * * *')]
    await settle()
    await pass(31)
    expect(all.flatMap(({ calls }) => calls)).toHaveLength(4)
    for (const one of all) await one.end()
  })

  test('that fails is called again after pauses that grow, which is told, until it is done', async () => {
    const down = new Error('connect ECONNREFUSED')
    const one = aSchedule('@hourly', [down, { status: 503, body: 'later' }, down, down])
    const callsIn = async (seconds: number) => {
      for (let i = 0; i < seconds; i++) {
        clock.advance(1_000)
        await settle()
      }
      return one.calls.length
    }
    await settle()
    // After 5, 10, 20 and 40 s; then it is done.
    expect([
      await callsIn(4),
      await callsIn(1),
      await callsIn(9),
      await callsIn(1),
      await callsIn(20),
      await callsIn(39),
      await callsIn(1),
    ]).toEqual([1, 2, 2, 3, 4, 4, 5])
    expect(one.failures.map(String)).toEqual([String(down), 'Error: manage-sites answered 503: later', String(down), String(down)])
    await pass(30)
    expect(one.calls).toHaveLength(5)
    await one.end()
  })

  test('that fails for ever is left alone once it is due next', async () => {
    const one = aSchedule('@every 1m', Array(1_000).fill(new Error('down')))
    await pass(10)
    // Each minute at its beginning, and 5, 15 and 35 s later.
    expect(one.calls.length).toBeGreaterThan(35)
    expect(one.calls.length).toBeLessThan(45)
    await one.end()
  })

  test('is called when leases can be reached again before it is due next', async () => {
    const hold = leases.hold
    leases.hold = () => Promise.reject(new Error('out of reach'))
    const one = aSchedule('@hourly')
    await pass(0.5)
    expect(one.calls).toHaveLength(0)
    leases.hold = hold
    await pass(1)
    expect(one.calls).toHaveLength(1)
    await one.end()
  })

  test('is not called while leases cannot be reached, which is told', async () => {
    leases.hold = () => Promise.reject(new Error('out of reach'))
    const one = aSchedule('@every 1m')
    await pass(2)
    expect(one.calls).toHaveLength(0)
    expect(one.failures.length).toBeGreaterThan(1)
    await one.end()
  })
})
