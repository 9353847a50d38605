import { expect, test } from 'vitest'
import { createTurns } from '#functions/query-metrics/turns.ts'
import { queryLimits } from '#shared/query/limits.ts'
import { createRandom } from '../model/random.ts'
import { createVirtualClock } from '../model/virtual-clock.ts'

const open = () => {
  const clock = createVirtualClock(0, createRandom(1))
  const turns = createTurns(clock)
  const begun: string[] = []
  const ends: (() => void)[] = []
  const said: string[] = []
  const ask = (key: string, signal?: AbortSignal): void => {
    const work = (): Promise<void> => {
      begun.push(key)
      return new Promise((resolve) => ends.push(resolve))
    }
    void turns(key, signal, work).catch(({ code, retryAfterS, message }) => said.push(`${code} ${retryAfterS} ${message}`))
  }
  const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
  const endOne = async (): Promise<void> => {
    ends.shift()!()
    await settle()
  }
  return { clock, ask, begun, said, settle, endOne }
}

test('four at a time, two of one key, the others one after the other', async () => {
  const { ask, begun, endOne, settle, said, clock } = open()
  for (const key of ['a', 'a', 'a', 'b', 'c', 'd']) ask(key)
  await settle()
  expect(begun.join('')).toBe('aabc')
  await endOne()
  expect(begun.join('')).toBe('aabca')
  for (let i = 0; i < 5; i++) await endOne()
  expect(begun.join('')).toBe('aabcad')
  expect([said, clock.untilNext()]).toEqual([[], undefined])
})

test('who waits too long is told to come again', async () => {
  const { ask, said, clock, settle, endOne, begun } = open()
  for (let i = 0; i < 3; i++) ask('a')
  clock.advance(queryLimits.waitMs)
  await settle()
  expect(said).toEqual([expect.stringMatching(/^overloaded 5 .*too long/)])
  await endOne()
  await endOne()
  ask('a')
  await settle()
  expect(begun).toHaveLength(3)
})

test('the queue is short, and no key fills it', async () => {
  const { ask, said, settle } = open()
  for (let i = 0; i < 2 + queryLimits.waitingPerKey; i++) ask('a')
  await settle()
  expect(said).toEqual([])
  ask('a')
  for (let i = 0; i < 2 + queryLimits.waiting - queryLimits.waitingPerKey; i++) ask(`other ${i}`)
  await settle()
  expect(said).toHaveLength(1)
  ask('last')
  await settle()
  expect(said).toHaveLength(2)
  expect(said[1]).toMatch(/^overloaded 5 /)
})

test('who has gone leaves the queue', async () => {
  const { ask, said, settle, endOne, begun, clock } = open()
  const gone = new AbortController()
  for (let i = 0; i < 2; i++) ask('a')
  ask('a', gone.signal)
  gone.abort()
  await settle()
  expect(said).toEqual([expect.stringContaining('Nobody waits')])
  await endOne()
  expect([begun.length, clock.untilNext()]).toEqual([2, undefined])
})

test('a question that fails gives its place back', async () => {
  const turns = createTurns(createVirtualClock(0, createRandom(1)))
  for (let i = 0; i < 10; i++) await expect(turns('a', undefined, () => Promise.reject(new Error('no')))).rejects.toThrow('no')
  expect(await turns('a', undefined, async () => 'yes')).toBe('yes')
})
