import { describe, expect, test } from 'vitest'
import { FootfallError } from '#shared/errors.ts'
import { noCache } from '#shared/query/columns/cache.ts'
import { storedTable } from '#shared/query/columns/stored.ts'
import { hoursOfDay, wholeDay } from '#shared/query/columns/sums.ts'
import { createClosedDay, createVisits } from '#shared/rollup/stored.ts'
import { type CellCount, cellParts } from '#shared/segment/cells.ts'
import type { EncodedSegment } from '#shared/segment/encode.ts'
import { decodeHead, encodeHead } from '#shared/segment/head.ts'
import { mergeRows } from '#shared/segment/merge.ts'
import { openSegment } from '#shared/segment/read.ts'
import type { SegmentRow } from '#shared/segment/row.ts'
import { finish } from '#shared/segment/steps.ts'
import { calendarOf } from '#shared/site/zone.ts'
import { finished } from '../query/tables.ts'
import { aHit, aRow, chunkReader, day, exact, readBack, start } from './rows.ts'

/** The cells and edge rows of a closed day, as bytes. What they count is told in tests/query/cells.test.ts. */

const visitors = 400
const rows = mergeRows(
  Array.from({ length: visitors }, (_, n) => {
    const vis = `${n}`.padStart(12, '0')
    const days: SegmentRow['s']['days'] =
      n % 100 === 7
        ? [
            [day, vis],
            [day + 1, vis],
          ]
        : [[day, vis]]
    const rev = n % 3 === 0 ? { a: `${n + 1}0000`, c: n % 2 === 0 ? 'EUR' : 'USD' } : undefined
    return aRow({
      ...{ off: n, vis },
      s: { id: `0-${n}-0`, start: start + n, last: start + n + 60_000, days, ev: 2, pv: 2, br: `Browser ${n % 4}` },
      h: [aHit({ t: start + n, path: `/${n}`, p: { plan: n % 5 }, rev }), aHit({ t: start + n + 60_000, path: '/' })],
    })
  }),
)
const where = { site: 'example.com', day, from: 0, to: visitors }
const rules = { day, bounce: 'engaged' as const, calendar: calendarOf([{ tz: 'UTC', from: 0 }]) }

const closed = async (list: readonly SegmentRow[], least = 0, known: typeof rules | undefined = rules) => {
  const closing = createClosedDay(where, known, least)
  closing.add(list)
  return await finished(closing.done())
}
const { entry, head, chunks } = await closed(rows)
const segment: EncodedSegment = { head, chunks }

const tableOf = ({ head, chunks }: EncodedSegment) => {
  const read = chunkReader(chunks)
  return storedTable({ name: 'x', day }, head, async (names) => names.map(({ column, group }) => read(column, group)), noCache)
}

/** Reads all cells, and the edge rows as a question does. */
const readCells = async (segment: EncodedSegment): Promise<void> => {
  const { cells } = tableOf(segment)
  for (const [dimension] of openSegment(segment.head).cells!.dimensions) {
    for (const names of cellParts) if (cells!.has(dimension, names, false)) await cells!.load(dimension, names, false)
    if (cells!.has(dimension, [], true)) await cells!.load(dimension, [], true)
  }
  await cells!.edge()
}

const failure = async (read: () => Promise<unknown>): Promise<FootfallError> => {
  try {
    await read()
  } catch (error) {
    expect(error).toBeInstanceOf(FootfallError)
    return error as FootfallError
  }
  throw new Error('the damage was not seen')
}

const withChunk = (at: number, data: Buffer | undefined): EncodedSegment => ({
  head,
  chunks: chunks.flatMap((chunk, i) => (i !== at ? [chunk] : data ? [{ ...chunk, data }] : [])),
})
const ownChunks = chunks.flatMap(({ column }, at) => (column.startsWith('c.') || column === 'e.head' ? [at] : []))

const sumOf = async (dimension: string, count: CellCount): Promise<number> =>
  (await tableOf(segment).cells!.load(dimension, [count], false)).counts[0]![1].reduce((sum, value) => sum + value, 0)

describe('a closed day', () => {
  test('has its rows, its cells, and the rows that are in none', async () => {
    const reader = openSegment(head)
    expect([reader.version, reader.cells?.cut, entry.rows]).toEqual([2, [], visitors])
    expect(readBack(segment).map(exact)).toEqual(rows.map(exact))
    const edge = (await tableOf(segment).cells!.edge())!
    expect(edge.rows).toBe(visitors / 100)
    for (const dimension of [wholeDay, hoursOfDay, 'visit:browser', 'visit:device'])
      expect([dimension, await sumOf(dimension, 'visits')]).toEqual([dimension, visitors - edge.rows])
    expect(await sumOf('event:page', 'pageviews')).toBe(2 * (visitors - edge.rows))
    expect(await sumOf('event:props:plan', 'events')).toBe(2 * (visitors - edge.rows))
    const { revenue } = await tableOf(segment).cells!.load(wholeDay, [], true)
    const amounts = rows.filter(({ s }) => s.days.length === 1).flatMap(({ h }) => h.flatMap(({ rev }) => (rev ? [rev] : [])))
    for (const currency of ['EUR', 'USD']) {
      const own = amounts.filter(({ c }) => c === currency).map(({ a }) => BigInt(a))
      expect(revenue.find((sum) => sum.currency === currency)).toEqual({
        ...{ place: 0, currency, hits: own.length },
        amount: own.reduce((sum, amount) => sum + amount, 0n),
      })
    }
  })

  test('the same rows give the same bytes', async () => {
    expect((await closed(rows)).entry.name).toBe(entry.name)
  })

  test('is as an open one where it has few rows, or nobody knows its site', async () => {
    const visits = createVisits(where)
    visits.add(rows)
    const { entry: plain } = finish(visits.done())
    expect(openSegment((await closed(rows, visitors + 1)).head).version).toBe(1)
    expect((await closed(rows, visitors + 1)).entry.name).toBe(plain.name)
    const unknown = createClosedDay(where, undefined, 0)
    unknown.add(rows)
    expect((await finished(unknown.done())).entry.name).toBe(plain.name)
  })

  test('small dimensions lie in one chunk, large ones in their own', () => {
    const names = ownChunks.map((at) => chunks[at]!.column)
    expect(names.filter((name) => name === 'c.small')).toHaveLength(1)
    expect(names.filter((name) => /^c\.\d+$/.test(name)).length).toBeGreaterThan(3)
    expect(names).toContain('e.head')
  })
})

describe('damage', () => {
  test('what is whole is read', async () => {
    await readCells(segment)
  })

  test('every flipped byte of cells, told with its chunk', async () => {
    for (const at of ownChunks) {
      const { column, group, data } = chunks[at]!
      for (let i = 0; i < data.length; i += 1 + Math.floor(data.length / 200)) {
        const copy = Buffer.from(data)
        copy[i] = copy[i]! ^ (1 << (i % 8))
        const error = await failure(() => readCells(withChunk(at, copy)))
        expect([error.code, error.message.includes(`Column ${column}, group ${group}: `)]).toEqual(['damaged-segment', true])
      }
    }
  })

  test('every flipped byte of the edge rows', async () => {
    for (const [at, { column, data }] of chunks.entries()) {
      if (!column.startsWith('e.') || column === 'e.head') continue
      const copy = Buffer.from(data)
      copy[at % data.length] = copy[at % data.length]! ^ 1
      const load = async () => {
        const edge = (await tableOf(withChunk(at, copy)).cells!.edge())!
        await edge.load(0, [column.slice(2)])
        await edge.identities(0, [0])
        await (await edge.propsOf(0))(0)
        for (const text of ['s.br', 'h.path', 's.src', 's.chan', 's.dev', 'h.host', 'h.ti', 'h.n', 'h.pk', 'h.cur']) await edge.texts(text)
      }
      expect((await failure(load)).code).toBe('damaged-segment')
    }
  })

  test('cells that are cut, missing, or in the place of others', async () => {
    for (const at of ownChunks) {
      const { column, data } = chunks[at]!
      for (const piece of [data.subarray(0, 3), data.subarray(0, data.length - 1), Buffer.concat([data, Buffer.alloc(1)]), undefined])
        expect((await failure(() => readCells(withChunk(at, piece)))).message).toContain(`Column ${column}, `)
      for (const other of ownChunks)
        if (other !== at) expect((await failure(() => readCells(withChunk(at, chunks[other]!.data)))).code).toBe('damaged-segment')
    }
  })

  test('a head whose lengths or values are others', async () => {
    const { body } = decodeHead(head)
    const [first, ...rest] = body.cells!.dimensions
    for (const cells of [
      { ...body.cells, small: body.cells!.small - 1 },
      { ...body.cells, edge: body.cells!.edge + 1 },
      { ...body.cells, dimensions: [[first![0], first![1] + 1, first![2]], ...rest] },
      { ...body.cells, bounce: 'never' },
      { ...body.cells, more: 1 },
    ]) {
      const other = encodeHead({ ...body, cells: cells as typeof body.cells }).head
      expect((await failure(() => readCells({ head: other, chunks }))).code).toBe('damaged-segment')
    }
  })
})
