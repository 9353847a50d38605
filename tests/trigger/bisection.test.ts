import { describe, expect, test } from 'vitest'
import { createBisection, killsAlone } from '#shared/trigger/bisection.ts'

/** Hands a log of records to a function that dies of some of them, as a loop does; answers what was parked and how many calls it took. */
const drive = (records: number, killers: readonly number[], mostRecords: number) => {
  const bisection = createBisection(mostRecords)
  const parked: number[] = []
  let calls = 0
  for (let next = 0; next < records; ) {
    calls++
    if (calls > 10_000) throw new Error('it does not come to an end')
    if (bisection.isParked(next)) parked.push(next++)
    else {
      const last = Math.min(records, next + bisection.most()) - 1
      if (killers.some((offset) => offset >= next && offset <= last)) {
        bisection.killed(next, last)
        continue
      }
      next = last + 1
    }
    bisection.passed(next)
  }
  return { parked, calls, most: bisection.most() }
}

describe('the record that kills', () => {
  test('nothing dies: whole batches', () => {
    expect(drive(5_000, [], 1_000)).toEqual({ parked: [], calls: 5, most: 1_000 })
  })

  test.each([[[0]], [[999]], [[1_000]], [[500, 501]], [[17, 3_999, 4_000]]])('alone is parked, all others are taken: %j', (killers) => {
    const { parked, calls, most } = drive(5_000, killers, 1_000)
    expect(parked).toEqual(killers)
    expect(most).toBe(1_000)
    expect(calls).toBeLessThan(1_200 * killers.length)
  })

  test('is not parked before it has killed so often, alone', () => {
    const bisection = createBisection(100)
    bisection.killed(0, 0)
    for (let kills = 1; kills < killsAlone; kills++) {
      expect(bisection.isParked(0)).toBe(false)
      bisection.killed(0, 0)
    }
    expect(bisection.isParked(0)).toBe(true)
    expect(bisection.isParked(1)).toBe(false)
  })

  test('what killed once by chance is taken in the end', () => {
    const bisection = createBisection(8)
    bisection.killed(0, 7)
    expect(bisection.most()).toBe(4)
    bisection.passed(4)
    expect(bisection.most()).toBe(4)
    bisection.passed(8)
    expect(bisection.most()).toBe(8)
  })
})
