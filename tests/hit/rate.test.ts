import { expect, test } from 'vitest'
import { createRateLimit } from '#shared/hit/rate.ts'

const network = '192.0.2.0/24'

test('a network has five seconds of its rate at once, then its rate', () => {
  const rates = createRateLimit(10)
  for (let i = 0; i < 50; i++) expect(rates.take(network, 1, 0)).toBe(0)
  expect(rates.take(network, 1, 0)).toBe(1)
  expect(rates.take(network, 1, 100)).toBe(0)
  expect(rates.take(network, 1, 100)).toBe(1)
})

test('networks are apart', () => {
  const rates = createRateLimit(1)
  for (let i = 0; i < 5; i++) rates.take(network, 1, 0)
  expect(rates.take(network, 1, 0)).toBeGreaterThan(0)
  expect(rates.take('198.51.100.0/24', 1, 0)).toBe(0)
})

test('a batch larger than the bucket is let in once, and paid for afterwards', () => {
  const rates = createRateLimit(2)
  expect(rates.take(network, 25, 0)).toBe(0)
  expect(rates.take(network, 1, 0)).toBe(8)
})

test('hits of a request that was let in are charged later', () => {
  const rates = createRateLimit(2)
  rates.take(network, 1, 0)
  rates.charge(network, 24)
  expect(rates.take(network, 1, 0)).toBe(8)
  rates.charge('198.51.100.0/24', 5)
  expect(rates.take('198.51.100.0/24', 10, 0)).toBe(0)
})

test('whoever waits as he is told is let in', () => {
  const rates = createRateLimit(3)
  rates.take(network, 40, 0)
  const wait = rates.take(network, 1, 0)
  expect(rates.take(network, 1, wait * 1_000)).toBe(0)
})

test('asking while refused costs nothing', () => {
  const rates = createRateLimit(1)
  rates.take(network, 5, 0)
  for (let i = 0; i < 100; i++) rates.take(network, 1, 500)
  expect(rates.take(network, 1, 1_000)).toBe(0)
})

test('an idle network gets no more than its burst', () => {
  const rates = createRateLimit(1)
  rates.take(network, 1, 0)
  rates.take(network, 5, 3_600_000)
  expect(rates.take(network, 1, 3_600_000)).toBe(1)
})

test('a clock that goes back refills nothing', () => {
  const rates = createRateLimit(1)
  rates.take(network, 5, 10_000)
  expect(rates.take(network, 1, 0)).toBe(1)
  expect(rates.take(network, 1, 1_000)).toBe(0)
})

test('0 is no limit', () => {
  const rates = createRateLimit(0)
  for (let i = 0; i < 1_000; i++) expect(rates.take(network, 1_000, 0)).toBe(0)
})

test('a rate below one hit in five seconds still lets hits in', () => {
  expect(createRateLimit(0.1).take(network, 1, 0)).toBe(0)
})

test('of very many networks the oldest are forgotten', () => {
  const rates = createRateLimit(1)
  rates.take('first', 5, 0)
  for (let i = 0; i < 100_000; i++) rates.take(`n${i}`, 1, 0)
  expect(rates.take('first', 1, 0)).toBe(0)
})
