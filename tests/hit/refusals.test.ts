import { expect, test } from 'vitest'
import { createRefusals } from '#shared/hit/refusals.ts'
import { hour, minute, noon } from '../fixtures/hit.ts'

test('refusals are summed per site and reason, and taken once', () => {
  const refusals = createRefusals()
  refusals.add('a.example', 'too-long')
  refusals.add('a.example', 'too-long', 3)
  refusals.add('a.example', 'rate')
  refusals.add('', 'unknown-site')
  expect(refusals.size).toBe(2)
  expect(refusals.take(noon + 59 * minute)).toEqual([
    { v: 1, site: 'a.example', led: { 'too-long': 4, rate: 1 }, hour: noon },
    { v: 1, site: '', led: { 'unknown-site': 1 }, hour: noon },
  ])
  expect(refusals.size).toBe(0)
  expect(refusals.take(noon + hour)).toEqual([])
})

test('beyond 10,000 sites the rest goes under no name, and nothing is lost', () => {
  const refusals = createRefusals()
  for (let i = 0; i < 10_050; i++) refusals.add(`site${i}.example`, 'rate')
  refusals.add('site1.example', 'rate')
  const records = refusals.take(noon)
  expect(records.length).toBeLessThanOrEqual(10_001)
  expect(records.find(({ site }) => site === '')!.led).toEqual({ rate: 50 })
  expect(records.find(({ site }) => site === 'site1.example')!.led).toEqual({ rate: 2 })
})

test('a site named __proto__ is a site like any other', () => {
  const refusals = createRefusals()
  refusals.add('__proto__', 'rate')
  expect(refusals.take(noon)).toEqual([{ v: 1, site: '__proto__', led: { rate: 1 }, hour: noon }])
})
