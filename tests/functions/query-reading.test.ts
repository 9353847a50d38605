import { afterEach, beforeEach, expect, test } from 'vitest'
import { beginReading } from '#functions/query-metrics/reading.ts'
import { createTables } from '#functions/query-metrics/tables.ts'
import { systemClock } from '#shared/clock.ts'
import { countTables } from '#shared/query/columns/engine.ts'
import { needsOf } from '#shared/query/metrics.ts'
import { createRooms, type Room, sizes } from '#shared/query/room.ts'
import { encodeSegment, segmentName } from '#shared/segment/encode.ts'
import { mergeRows } from '#shared/segment/merge.ts'
import { calendarOf } from '#shared/site/zone.ts'
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

/** Asks for the titles, which are long. */
const titles = async (room: Room) => {
  const reading = await beginning()
  const calendar = calendarOf([{ tz: 'UTC', from: 0 }])
  const known = { reading, partitions: [0], data: await reading.days(), calendar, pause: () => undefined }
  const range = { from: start, to: start + visits }
  const plan = {
    ...{ dimensions: ['event:title'], filters: [], goals: [], updates: undefined, buckets: undefined, range, bots: false },
    ...{ needs: needsOf(['events']), bounce: 'engaged' as const, calendar, keep: undefined, room, pause: () => undefined },
  }
  return await countTables(await createTables(stores, 0)(known)(range), plan)
}

test('texts and columns are counted while they are read, and given back', async () => {
  const { room, state } = counted()
  const { groups } = await titles(room)
  expect(groups).toHaveLength(visits)
  const forGroups = visits * (sizes.group + (2 * texts) / visits)
  expect(state.held).toBe(forGroups)
  expect(state.most - forGroups).toBeGreaterThan(texts)
  expect(state.most - forGroups).toBeLessThan(20 * texts)
})

test('a segment that needs more than there is for questions is refused, and holds nothing', async () => {
  const rooms = createRooms(texts)
  const small = rooms.open()
  await expect(titles(small)).rejects.toMatchObject({ code: 'bad-query' })
  small.close()
  expect(() => rooms.open().take(texts)).not.toThrow()
})
