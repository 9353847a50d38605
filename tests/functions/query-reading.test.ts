import { afterEach, beforeEach, expect, test } from 'vitest'
import { beginReading } from '#functions/query-metrics/reading.ts'
import { systemClock } from '#shared/clock.ts'
import { createRooms, type Room } from '#shared/query/room.ts'
import { encodeSegment, segmentName } from '#shared/segment/encode.ts'
import { mergeRows } from '#shared/segment/merge.ts'
import { type Stores, wire } from '#shared/wire.ts'
import { aHit, aRow, day, start } from '../segment/rows.ts'

/** What a question holds of a segment while it reads it. */
let stores: Stores
const [visits, texts] = [2_000, 500_000]
beforeEach(async () => {
  stores = await wire(':memory:', 'all', systemClock)
  const rows = Array.from({ length: visits }, (_, i) => {
    const s = { id: `0-${i.toString(36)}-0`, start: start + i, last: start + i }
    return aRow({ off: i, s, h: [aHit({ t: start + i, ti: `${i}`.padStart(texts / visits, 'x') })] })
  })
  const segment = encodeSegment(mergeRows(rows), { from: 0, to: visits })
  const entry = { site: 'example.com', day, from: 0, to: visits, level: 0 as const, name: segmentName(segment) }
  await stores.segments.put(0, { ...entry, rows: visits, hits: visits, bytes: 0, at: 0 }, segment.head, segment.chunks)
  await stores.memtables.init(0, { gen: 1, topic: 'e', next: visits, src: visits - 1, logTime: 0 })
})
afterEach(() => stores.close())

const beginning = () => beginReading({ ...stores, hits: stores.log, clock: systemClock }, 'example.com', 1)
const counted = () => {
  const state = { held: 0, most: 0 }
  const room: Room = {
    take: (bytes) => {
      state.held += bytes
      state.most = Math.max(state.most, state.held)
    },
    give: (bytes) => {
      state.held -= bytes
    },
  }
  return { room, state }
}

test('texts and columns are counted while they are read, and given back', async () => {
  const { room, state } = counted()
  let rows = 0
  for await (const some of (await beginning()).visits(0, day, room)) {
    expect(state.held).toBeGreaterThan(texts)
    rows += some.length
  }
  expect(rows).toBe(visits)
  expect(state).toMatchObject({ held: 0 })
  expect(state.most).toBeLessThan(20 * texts)
})

test('a question that ends early gives back what it held', async () => {
  const { room, state } = counted()
  for await (const _ of (await beginning()).visits(0, day, room)) break
  expect([state.held, state.most > 0]).toEqual([0, true])
})

test('a segment that needs more than there is for questions is refused, and holds nothing', async () => {
  const rooms = createRooms(texts)
  const small = rooms.open()
  const reading = await beginning()
  await expect(reading.visits(0, day, small)[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'bad-query' })
  small.close()
  expect(() => rooms.open().take(texts)).not.toThrow()
})
