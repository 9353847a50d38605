import { describe, expect, it } from 'vitest'
import { bucketsOf } from '#shared/query/buckets.ts'
import { countCells } from '#shared/query/columns/cells.ts'
import { areDisjoint } from '#shared/query/columns/disjoint.ts'
import type { Table } from '#shared/query/columns/table.ts'
import type { CountPlan } from '#shared/query/counting.ts'
import { parseFilters } from '#shared/query/filters.ts'
import { needsOf } from '#shared/query/metrics.ts'
import type { MetricName } from '#shared/query/names.ts'
import { endless } from '#shared/query/room.ts'
import { calendarOf } from '#shared/site/zone.ts'
import { daily, plainQuestion, wholeDays } from './seeded.ts'
import { answeredFrom, countTables, tablesOf } from './tables.ts'
import { type AVisit, aSite, ask, blocksOf } from './world.ts'

/** Closed days answer from cells what the reference fold answers of their rows; and where cells cannot, rows are asked. */

describe('cells and reference answer the same', () => {
  const seeds = 40
  it.each(Array.from({ length: seeds }, (_, seed) => seed))('seed %i', async (seed) => {
    const { random, days, site, visits, now } = wholeDays(seed)
    for (let n = 0; n < 8; n++) await ask(plainQuestion(random, days), visits, { site, now, oneEvent: seed % 2 === 0 })
  })

  it('most of them were answered from cells, and some from rows', () => {
    expect(answeredFrom.cells).toBeGreaterThan(answeredFrom.rows)
    expect(answeredFrom.rows).toBeGreaterThan(seeds / 4)
  })
})

describe('what cells answer', () => {
  const site = aSite()
  const calendar = calendarOf(site.zones)
  const visits: AVisit[] = [
    { at: '2026-03-10T10:00:00Z', who: 'a', hits: [{ path: '/a' }, { after: 20, path: '/b', p: { plan: 'pro' } }], br: 'Firefox' },
    { at: '2026-03-10T10:30:00Z', who: 'a', hits: [{ path: '/a' }], bot: 'agent' },
    { at: '2026-03-10T12:00:00Z', who: 'b', new: 1 },
    { at: '2026-03-10T22:50:00Z', who: 'c', hits: [{ path: '/a' }, { after: 1_200, path: '/late' }] },
    { at: '2026-03-10T08:00:00Z', who: 'c', hits: [{ path: '/early' }] },
    { at: '2026-03-11T12:00:00Z', who: 'd', hits: [{ path: '/a' }] },
    { at: '2026-03-12T12:00:00Z', who: 'a', hits: [{ path: '/a', rev: { a: '129900', c: 'EUR' } }] },
  ]
  const span = (day: number) => calendar.span(day)
  const plan = (metrics: readonly MetricName[], fields: Partial<CountPlan> = {}): CountPlan => ({
    ...{ dimensions: [], filters: [], goals: [], updates: undefined, buckets: undefined, needs: needsOf(metrics), bots: false },
    ...{ range: { from: span(20260310).start, to: span(20260312).end }, bounce: 'engaged', calendar, keep: undefined },
    ...{ mostVisits: Number.POSITIVE_INFINITY, room: endless, pause: () => undefined },
    ...fields,
  })
  const blocks = blocksOf(site, visits)
  const closed = tablesOf(site, blocks, 'closed')
  const sorted = (counted: Awaited<ReturnType<typeof countTables>>) => counted.groups.toSorted((a, b) => (a.key < b.key ? -1 : 1))

  /** A table that is asked for no column but those of its edge rows. */
  const unread = (table: Table): Table => ({
    ...table,
    load: () => Promise.reject(new Error('rows were read')),
  })

  it('of closed days no row is read', async () => {
    const tables = (await closed).map(unread)
    for (const asked of [
      plan(['visits', 'pageviews', 'bounce_rate', 'total_revenue', 'scroll_depth', 'exit_rate']),
      plan(['pageviews', 'visits', 'exit_rate', 'total_revenue'], { dimensions: ['event:page'] }),
      plan(['visits', 'bounce_rate'], { dimensions: ['visit:browser'] }),
      plan(['visits'], { dimensions: ['visit:city_name'] }),
    ])
      expect(sorted((await countCells(tables, asked))!)).toEqual(sorted(await countTables(await closed, asked)))
    const days = plan(['visitors', 'new_visitors', 'time_on_page'], {
      dimensions: ['time:day'],
      buckets: bucketsOf('time:day', plan([]).range, calendar),
    })
    expect(sorted((await countCells(tables, days))!)).toEqual(sorted(await countTables(await closed, days)))
  })

  it('visitors of visits on several days are in no cell, with all their rows of the day', async () => {
    const [first, second, third] = await closed
    expect([(await first!.cells!.edge())!.rows, (await second!.cells!.edge())!.rows, await third!.cells!.edge()]).toEqual([2, 1, undefined])
    const { counts } = await first!.cells!.load('', ['visits', 'visitors'], false)
    expect(counts.map(([, values]) => values[0])).toEqual([2, 2])
  })

  it.each<[string, CountPlan]>([
    ['a filter', plan(['visits'], { filters: parseFilters([['is', 'event:page', ['/a']]]) })],
    ['flagged visits', plan(['visits'], { bots: true })],
    ['two dimensions', plan(['visits'], { dimensions: ['event:page', 'visit:browser'] })],
    [
      'minutes',
      plan(['visits'], {
        dimensions: ['time:minute'],
        buckets: bucketsOf('time:minute', { ...span(20260310), from: span(20260310).start, to: span(20260310).end }, calendar),
      }),
    ],
    ['a tail', plan(['visits'], { dimensions: ['event:page'], keep: new Set(['/a']) })],
    ['another rule of bounces', plan(['bounce_rate'], { bounce: 'single-page' })],
    ['another zone', plan(['visits'], { calendar: calendarOf([{ tz: 'Asia/Tokyo', from: 0 }]) })],
    ['part of a day', plan(['visits'], { range: { from: span(20260310).start, to: span(20260310).end - 1 } })],
    ['people of several days', plan(['visitors'], { dimensions: ['event:page'] })],
    ['pages of people of several days', plan(['time_on_page'])],
    [
      'what is kept of pages alone',
      plan(['scroll_depth'], { dimensions: ['visit:browser'], range: { from: span(20260310).start, to: span(20260310).end } }),
    ],
  ])('%s is asked of rows', async (_name, asked) => {
    const tables = (await closed).filter(({ day }) => span(day).start < asked.range.to)
    expect(await countCells(tables, asked)).toBeUndefined()
    expect(await countCells(await closed, plan(['visits']))).toBeDefined()
  })

  it('time on a page of which the edge rows have an update and no visit', async () => {
    const own: AVisit[] = [
      { at: '2026-03-10T12:00:00Z', who: 'a', hits: [{ path: '/a' }, { after: 9, n: 'engagement', path: '/a', fg: 9_000 }] },
      {
        ...{ at: '2026-03-10T22:50:00Z', who: 'c' },
        hits: [{ path: '/x' }, { after: 5, n: 'engagement', path: '/a', fg: 5_000, sd: 40 }, { after: 1_200, path: '/late' }],
      },
    ]
    const [first] = await tablesOf(site, blocksOf(site, own), 'closed')
    const pages = plan(['visitors', 'time_on_page', 'scroll_depth'], {
      dimensions: ['event:page'],
      range: { from: span(20260310).start, to: span(20260310).end },
    })
    const counted = (await countCells([first!], pages))!
    expect(sorted(counted)).toEqual(sorted(await countTables([first!], pages)))
    expect(counted.groups.find(({ key }) => key === '/a')).toMatchObject({ foregroundMs: 14_000, pagePairs: 1, scrollSum: 40 })
  })

  it('a rule of bounces that nobody asks for is no matter', async () => {
    expect(await countCells(await closed, plan(['visits'], { bounce: 'single-page' }))).toBeDefined()
  })

  it('a sample is taken of rows alone', async () => {
    const open = await tablesOf(site, blocks, 1)
    expect(await countCells([(await closed)[0]!, open[1]!], plan(['visits'], { mostVisits: 1 }))).toBeUndefined()
  })

  it('people of days that have none in common add up', async () => {
    const tables = await closed
    const asked = { room: endless, pause: () => undefined }
    expect(await areDisjoint(tables, asked)).toBe(false)
    expect(await areDisjoint([tables[1]!, tables[2]!], asked)).toBe(true)
    const others = await tablesOf(site, blocksOf(site, daily(visits)), 'closed')
    expect(await areDisjoint(others, asked)).toBe(true)
    const pages = plan(['visitors', 'percentage', 'time_on_page'], { dimensions: ['event:page'] })
    const counted = (await countCells(others, pages))!
    expect(sorted(counted)).toEqual(sorted(await countTables(others, pages)))
    expect(counted.allVisitors).toBe((await countTables(others, pages)).allVisitors)
  })
})
