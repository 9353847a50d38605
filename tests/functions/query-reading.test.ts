import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createReached } from '#functions/query-metrics/reached.ts'
import { beginReading, reread } from '#functions/query-metrics/reading.ts'
import { createTables } from '#functions/query-metrics/tables.ts'
import { systemClock } from '#shared/clock.ts'
import { FootfallError } from '#shared/errors.ts'
import { queryLimits } from '#shared/query/limits.ts'
import { needsOf } from '#shared/query/metrics.ts'
import { createRooms, endless, type Room, sizes } from '#shared/query/room.ts'
import { lifeLimits } from '#shared/rollup/life.ts'
import { encodeSegment, segmentName } from '#shared/segment/encode.ts'
import { mergeRows } from '#shared/segment/merge.ts'
import { calendarOf } from '#shared/site/zone.ts'
import { type Stores, wire } from '#shared/wire.ts'
import { countTables } from '../query/tables.ts'
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
  const entry = { site: 'example.com', day, from: 0, to: visits, level: 0 as const, ver: 0, name: segmentName(segment) }
  await stores.segments.put(0, { ...entry, rows: visits, hits: visits, bytes: 0, at: 0 }, segment.head, segment.chunks)
  await stores.memtables.init(0, { gen: 1, topic: 'e', next: visits, src: visits - 1, logTime: 0 })
})
afterEach(() => stores.close())

const beginningOf = (site: string) => {
  const clock = systemClock
  return beginReading({ ...stores, hits: stores.log, clock, reached: createReached({ ...stores, clock }) }, site, [0])
}
const beginning = () => beginningOf('example.com')
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
    ...{
      needs: needsOf(['events']),
      bounce: 'engaged' as const,
      calendar,
      keep: undefined,
      mostVisits: Number.POSITIVE_INFINITY,
      room,
      pause: () => undefined,
    },
  }
  return await countTables(await createTables(stores, 0)(known)(plan.pause)(range), plan)
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

describe('rows that are moved while they are read', () => {
  const closeDay = async () => {
    const [entry] = await stores.segments.list(0, 'example.com', day, day)
    const head = (await stores.segments.head(0, entry!))!
    const chunks = stores.files.state.prepare('SELECT col AS "column", rg AS "group", data FROM chunk').all() as never[]
    await stores.segments.put(0, { ...entry!, level: 1, at: 1 }, head, chunks)
  }
  const count = async () => (await titles(endless)).groups.length

  test('of an interval that was closed the closed one is read', async () => {
    await closeDay()
    const levels: number[] = []
    const { head } = stores.segments
    stores.segments.head = (partition, entry) => {
      levels.push(entry.level)
      return head(partition, entry)
    }
    expect([await count(), levels]).toEqual([visits, [1]])
  })

  test('what is dropped between its head and its chunks is read anew', async () => {
    const { read } = stores.segments
    stores.segments.read = async (...args) => {
      stores.segments.read = read
      await closeDay()
      await stores.segments.dropSuperseded(0, Number.MAX_SAFE_INTEGER, 10)
      return read(...args)
    }
    let readings = 0
    const rows = await reread(async () => {
      readings++
      return count()
    })
    expect([rows, readings]).toEqual([visits, 2])
  })

  test('a chunk that is missing though its segment is listed is damage', async () => {
    stores.files.state.exec('DELETE FROM chunk WHERE rg = 0')
    await expect(count()).rejects.toMatchObject({ code: 'damaged-segment' })
  })

  test('without a fence there is no reading of a site that has cold rows, whatever is asked; with it there is', async () => {
    stores.files.state.exec('DELETE FROM rollup_fence')
    await expect(beginning()).rejects.toMatchObject({ code: 'store-unavailable' })
    const other = await beginningOf('other.example')
    expect(await other.parts(0, day)).toEqual({ cold: [], hot: [] })
  })

  test('state that is emptied behind the fence has no days less: the reading is begun anew', async () => {
    const reading = await beginning()
    expect(await reading.days()).toBeDefined()
    stores.files.state.exec('DELETE FROM rollup_fence')
    await expect(reading.days()).rejects.toThrow('went back')
  })

  test('a store that fails is asked once', async () => {
    let asked = 0
    const failing = reread(() => {
      asked++
      throw new FootfallError('store-unavailable')
    })
    await expect(failing).rejects.toMatchObject({ code: 'store-unavailable' })
    expect(asked).toBe(1)
  })
})

test('a flushed copy stays hot for longer than a question may take', () => {
  expect(lifeLimits.holdMs).toBeGreaterThan(queryLimits.timeMs)
})
