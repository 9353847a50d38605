import { beforeEach, describe, expect, test } from 'vitest'
import { createLeases } from '#shared/engines/sqlite/leases.ts'
import type { Leases } from '#shared/ports/leases.ts'
import { createShare, shareLimits } from '#shared/trigger/share.ts'
import { noon } from '../fixtures/hit.ts'
import { settle } from '../fixtures/settle.ts'
import { createRandom } from '../model/random.ts'
import { createVirtualClock, type VirtualClock } from '../model/virtual-clock.ts'

let clock: VirtualClock
let leases: Leases
beforeEach(() => {
  clock = createVirtualClock(noon, createRandom(7))
  leases = createLeases(clock)
})

const pass = async (ms: number) => {
  for (let gone = 0; gone < ms; gone += 100) {
    clock.advance(100)
    await settle(40)
  }
}

const aTrigger = () => {
  const errors: unknown[] = []
  const share = createShare(leases, clock, (error) => errors.push(error))
  const abort = new AbortController()
  const running = share.run(abort.signal)
  const partitions = () => Array.from({ length: 8 }, (_, i) => i).filter((partition) => share.has(partition))
  const end = async () => {
    abort.abort()
    await running
  }
  return { partitions, end, errors }
}

describe('triggers share the partitions', () => {
  test('one has all of them', async () => {
    const one = aTrigger()
    await settle(40)
    expect(one.partitions()).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
    await one.end()
    expect(one.partitions()).toEqual([])
  })

  test('three have each partition once, whoever came when', async () => {
    const all = [aTrigger()]
    await settle(40)
    all.push(aTrigger(), aTrigger())
    await settle(40)
    await pass(4 * shareLimits.everyMs)
    expect(all.flatMap(({ partitions }) => partitions()).sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
    expect(all.map(({ partitions }) => partitions().length).sort()).toEqual([2, 3, 3])
    for (const one of all) await one.end()
  })

  test('one that ends, or dies, leaves its partitions to the others', async () => {
    const [first, second] = [aTrigger(), aTrigger()]
    await settle(40)
    await pass(2 * shareLimits.everyMs)
    await first.end()
    await pass(2 * shareLimits.everyMs)
    expect(second.partitions()).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
    await second.end()
  })

  test('what was known stands while leases cannot be reached', async () => {
    const one = aTrigger()
    await settle(40)
    const { hold } = leases
    leases.hold = () => Promise.reject(new Error('out of reach'))
    await pass(2 * shareLimits.everyMs)
    expect(one.partitions()).toHaveLength(8)
    expect(one.errors.length).toBeGreaterThan(0)
    leases.hold = hold
    await one.end()
  })
})
