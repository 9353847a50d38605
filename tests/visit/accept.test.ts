import { expect, test } from 'vitest'
import type { LogRecord } from '#shared/ports/log.ts'
import { acceptEvents } from '#shared/visit/accept.ts'
import { anEvent } from '../fixtures/hit.ts'

const record = (offset: number, value: unknown): LogRecord => ({
  offset,
  time: 0,
  body: typeof value === 'string' ? value : JSON.stringify(value),
})
const offsets = (records: LogRecord[], lastSrc: number | undefined) => acceptEvents(records, lastSrc).map(({ offset }) => offset)

test('events that stand where they were meant to, one hits record after the other', () => {
  expect(offsets([record(5, anEvent({ at: 5, src: 3 })), record(6, anEvent({ at: 6, src: 4 }))], 2)).toEqual([5, 6])
})

test('a misplaced event is nobody’s, whatever it says', () => {
  const records = [
    record(5, anEvent({ at: 5, src: 3 })),
    record(6, anEvent({ at: 5, src: 3 })),
    record(7, anEvent({ at: 6, src: 99 })),
    record(8, anEvent({ at: 8, src: 4 })),
  ]
  expect(offsets(records, 2)).toEqual([5, 8])
})

test.each(['', 'no event', 'null', '7', '"at"', '[]', '{}', '{"at":"5"}'])('%j stands nowhere', (body) => {
  expect(offsets([record(5, body)], 2)).toEqual([])
})

test('where nothing is known before, the first one sets it', () => {
  expect(offsets([record(5, anEvent({ at: 5, src: 70 })), record(6, anEvent({ at: 6, src: 71 }))], undefined)).toEqual([5, 6])
})

test.each([
  ['a gap', 5],
  ['a step back', 2],
])('%s stops the partition', (_what, src) => {
  const records = [record(0, anEvent({ at: 0, src: 3 })), record(1, anEvent({ at: 1, src }))]
  expect(() => acceptEvents(records, 2)).toThrowError(expect.objectContaining({ code: 'partition-stopped', status: 500 }))
})

test('an event of a later version stops the partition until its reader is there; one of no version is an event all the same', () => {
  const of = (v: unknown) => [record(0, { ...anEvent({ at: 0, src: 3 }), v })]
  expect(() => acceptEvents(of(2), 2)).toThrowError(expect.objectContaining({ code: 'partition-stopped' }))
  for (const v of [1, 0, '2', null]) expect(offsets(of(v), 2)).toEqual([0])
})

test('the same hits record again stops the partition', () => {
  const records = [record(0, anEvent({ at: 0, src: 3 })), record(1, anEvent({ at: 1, src: 3 }))]
  expect(() => acceptEvents(records, 2)).toThrowError(expect.objectContaining({ code: 'partition-stopped' }))
})

test('a gap that says how much was lost is accepted, and only of that size', () => {
  const hole = (src: number) => [record(0, anEvent({ at: 0, src, n: { lost: 7 } })), record(1, anEvent({ at: 1, src: src + 1 }))]
  expect(offsets(hole(9), 2)).toEqual([0, 1])
  expect(() => offsets(hole(10), 2)).toThrowError(expect.objectContaining({ code: 'partition-stopped' }))
})

test('no records, nothing accepted', () => {
  expect(acceptEvents([], 5)).toEqual([])
})
