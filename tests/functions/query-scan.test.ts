import { expect, test } from 'vitest'
import { createReached } from '#functions/query-metrics/reached.ts'
import { beginReading } from '#functions/query-metrics/reading.ts'
import { createTables } from '#functions/query-metrics/tables.ts'
import { systemClock } from '#shared/clock.ts'
import { scanTables } from '#shared/query/columns/scan.ts'
import { answerFunnel } from '#shared/query/explore/ask-funnel.ts'
import { parseFunnel } from '#shared/query/explore/requests.ts'
import { endless, type Room } from '#shared/query/room.ts'
import { decodeRows, encodeRows } from '#shared/rollup/block.ts'
import { encodeSegment, segmentName } from '#shared/segment/encode.ts'
import { mergeRows } from '#shared/segment/merge.ts'
import { calendarOf } from '#shared/site/zone.ts'
import { wire } from '#shared/wire.ts'
import { askedOf } from '../query/exploring.ts'
import { type AVisit, aSite, blocksOf } from '../query/world.ts'

/** Explorations read visits wherever their rows lie: in segments, hot, and both. */

const site = aSite()
const page = (path: string) => ({ filters: [['is', 'event:page', [path]]] })
const request = parseFunnel({
  site_id: 'example.com',
  date_range: 'all',
  steps: [page('/a'), page('/b'), page('/c')],
  dimensions: ['visit:source'],
})
const visits = Array.from({ length: 30 }, (_, i): AVisit => {
  const hits = ['/a', '/b', '/c'].slice(0, 1 + (i % 3)).map((path, n) => ({ after: n * 10, path }))
  return { at: '2026-03-10T10:00:00Z', who: `w${i % 20}`, src: i % 2 ? 'mail' : 'web', hits }
})
const [[day, blocks]] = [...blocksOf(site, visits)] as [[number, ReturnType<typeof blocksOf> extends Map<number, infer B> ? B : never]]
const rows = blocks.flatMap((block) => decodeRows(block))
const end = rows.length

test.each([0, 1, 17, 31, end - 1, end])('the first %i rows in a segment', async (cut) => {
  const stores = await wire(':memory:', 'all', systemClock)
  const cold = rows.filter(({ off }) => off < cut)
  if (cut > 0) {
    const segment = encodeSegment(mergeRows(cold), { from: 0, to: cut })
    const entry = { site: 'example.com', day, from: 0, to: cut, level: 0 as const, ver: 0, name: segmentName(segment) }
    await stores.segments.put(0, { ...entry, rows: cold.length, hits: cold.length, bytes: 0, at: 0 }, segment.head, segment.chunks)
  }
  const fence = { gen: 1, topic: 'events', next: cut, src: cut - 1, logTime: 0 }
  await stores.memtables.init(0, fence)
  const hot = rows.filter(({ off }) => off >= cut)
  if (hot.length > 0) {
    const block = { site: 'example.com', day, from: cut, to: end, rows: hot.length, body: encodeRows(hot) }
    const batch = { blocks: [block], minutes: [], seen: [], bases: [{ site: 'example.com', day, base: cut }] }
    expect(await stores.memtables.commit(0, fence, { ...fence, next: end, src: end - 1 }, batch)).toBe('done')
  }
  const reached = createReached({ ...stores, clock: systemClock })
  const reading = await beginReading({ ...stores, hits: stores.log, clock: systemClock, reached }, 'example.com', [0])
  let held = 0
  const room: Room = {
    take: (bytes) => {
      held += bytes
    },
    give: (bytes) => {
      held -= bytes
    },
  }
  const known = { reading, data: await reading.days(), calendar: calendarOf(site.zones), pause: () => undefined }
  const scan = scanTables({ ...known, tables: createTables(stores, 1_000_000)(known)(known.pause), room })
  const asked = { ...askedOf(visits), scan, room: endless }
  expect(await answerFunnel(request, asked)).toEqual(await answerFunnel(request, askedOf(visits)))
  expect(held).toBe(0)
  await stores.close()
})
