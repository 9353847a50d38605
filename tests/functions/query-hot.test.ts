import { expect, test } from 'vitest'
import { createHot } from '#functions/query-metrics/hot.ts'
import type { Reading } from '#functions/query-metrics/reading.ts'
import { createCache } from '#shared/query/columns/cache.ts'
import { encodeRows } from '#shared/rollup/block.ts'
import type { Block } from '#shared/segment/row.ts'
import { aHit, aRow, day, start } from '../segment/rows.ts'

/** Hot rows become tables once: what a question reads of them, and what it makes of a state that was cut otherwise. */

const row = (off: number) =>
  aRow({ off, s: { id: `0-${off.toString(36)}-0`, start: start + off, last: start + off }, h: [aHit({ t: start + off })] })
const block = (from: number, to: number): Block => {
  const rows = Array.from({ length: to - from }, (_, i) => row(from + i))
  return { site: 'example.com', day, from, to, rows: rows.length, body: encodeRows(rows) }
}

/** A reading of some blocks that ends at the last one's end; `read` lists the blocks it was asked for. */
const aReading = (blocks: readonly Block[]) => {
  const before = blocks.at(-1)?.to ?? 0
  const read: string[] = []
  const reading = {
    site: 'example.com',
    state: () => ({ name: 'events 1', before }),
    async *blocks(_partition: number, _day: number, _spans: unknown, after = -1) {
      const some = blocks.filter(({ from }) => from > after)
      read.push(...some.map(({ from, to }) => `${from}-${to}`))
      yield some
    },
  } as unknown as Reading
  return { reading, read, spans: [{ from: 0, to: before }] }
}

const offsets = async (hot: ReturnType<typeof createHot>, blocks: readonly Block[]) => {
  const { reading, read, spans } = aReading(blocks)
  const tables = await hot(reading, 0, day, spans, () => undefined)
  const found: number[] = []
  for (const table of tables) {
    const rows = await table.load(0, ['s.start'])
    const { values, base } = rows.number('s.start')!
    for (const value of values) found.push(value + base - start)
  }
  return { found: found.sort((a, b) => a - b), read, tables: tables.length }
}
const upTo = (to: number) => Array.from({ length: to }, (_, i) => i)

test('blocks that came since are read, beside the last one that is known', async () => {
  const hot = createHot(createCache(10_000_000))
  const first = [block(0, 10), block(10, 20)]
  expect(await offsets(hot, first)).toMatchObject({ found: upTo(20), read: ['0-10', '10-20'] })
  const more = [...first, block(20, 25)]
  expect(await offsets(hot, more)).toMatchObject({ found: upTo(25), read: ['10-20', '20-25'] })
  expect(await offsets(hot, more)).toMatchObject({ found: upTo(25), read: ['20-25'] })
})

test('a full table stays, the next rows go into another', async () => {
  const hot = createHot(createCache(100_000_000))
  const blocks = [block(0, 1_500), block(1_500, 2_100), block(2_100, 2_200)]
  expect(await offsets(hot, blocks)).toMatchObject({ found: upTo(2_200), tables: 2 })
  expect(await offsets(hot, [...blocks, block(2_200, 2_300)])).toMatchObject({ found: upTo(2_300), tables: 2 })
})

test('a few rows that come are put behind a large table that is not full, and into a small one', async () => {
  const hot = createHot(createCache(100_000_000))
  const tables = async (...ends: number[]): Promise<string[]> => {
    const { reading, spans } = aReading(ends.map((to, i) => block(ends[i - 1] ?? 0, to)))
    return (await hot(reading, 0, day, spans, () => undefined)).map(({ name }) => name.replace(/.* /, ''))
  }
  expect(await tables(1_000)).toEqual(['0-1000'])
  expect(await tables(1_000, 1_010)).toEqual(['0-1000', '1000-1010'])
  expect(await tables(1_000, 1_010, 1_020)).toEqual(['0-1000', '1000-1020'])
  expect(await tables(1_000, 1_010, 1_020, 1_029)).toEqual(['0-1000', '1000-1020', '1020-1029'])
  expect(await tables(1_000, 1_010, 1_020, 1_029, 1_040)).toEqual(['0-1000', '1000-1040'])
  expect(await tables(1_000, 1_010, 1_020, 1_029, 1_040, 2_100)).toEqual(['0-2100'])
  expect(await tables(1_000, 1_010, 1_020, 1_029, 1_040, 2_100, 2_101)).toEqual(['0-2100', '2100-2101'])
})

test('a state that was set back and cut otherwise is read anew', async () => {
  const hot = createHot(createCache(10_000_000))
  await offsets(hot, [block(0, 10), block(10, 20)])
  expect((await offsets(hot, [block(0, 10), block(10, 25)])).found).toEqual(upTo(25))
  expect((await offsets(hot, [block(0, 5), block(5, 25)])).found).toEqual(upTo(25))
  expect((await offsets(hot, [block(0, 5)])).found).toEqual(upTo(5))
  expect((await offsets(hot, [block(0, 5), block(5, 30)])).found).toEqual(upTo(30))
})

test('an older reading beside newer ones sees what it stands on', async () => {
  const hot = createHot(createCache(10_000_000))
  const blocks = [block(0, 10), block(10, 20)]
  await offsets(hot, blocks)
  expect((await offsets(hot, blocks.slice(0, 1))).found).toEqual(upTo(10))
  expect(await offsets(hot, blocks)).toMatchObject({ found: upTo(20), read: ['10-20'] })
})
