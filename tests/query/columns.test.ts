import { describe, expect, it } from 'vitest'
import { countOnce, createResults } from '#shared/query/columns/results.ts'
import type { CountPlan } from '#shared/query/counting.ts'
import { parseFilters } from '#shared/query/filters.ts'
import { needsOf } from '#shared/query/metrics.ts'
import { endless } from '#shared/query/room.ts'
import { decodeRows } from '#shared/rollup/block.ts'
import type { Block } from '#shared/segment/row.ts'
import { calendarOf } from '#shared/site/zone.ts'
import { anyWorld, randomQuery } from './seeded.ts'
import { countTables, tableOfRows } from './tables.ts'
import { type AVisit, aSite, ask, blocksOf, visitorHash } from './world.ts'

/** The column engine against the reference fold: `ask` asks both, of days in one, two and five intervals, and compares. */

describe('columns and reference answer the same', () => {
  it.each(Array.from({ length: 120 }, (_, seed) => seed))('seed %i', async (seed) => {
    const { random, night, site, visits, now } = anyWorld(seed)
    for (let n = 0; n < 5; n++) await ask(randomQuery(random, night), visits, { site, now, oneEvent: random.chance(0.5) })
  })

  it('a visitor of a visit over midnight and of another one is one', async () => {
    const visits: AVisit[] = [
      { at: '2026-03-10T22:55:00Z', who: 'a', hits: [{}, { after: 600 }] },
      { at: '2026-03-11T10:00:00Z', who: 'a' },
    ]
    const answer = await ask({ metrics: ['visitors', 'visits'] }, visits)
    expect(answer.results[0]!.metrics).toEqual([1, 2])
    expect(visitorHash('a')).toHaveLength(12)
  })
})

describe('what was counted once', () => {
  const visits: AVisit[] = [{ at: '2026-03-10T10:00:00Z', who: 'a', hits: [{ path: '/a' }, { after: 5, path: '/b' }] }]
  const site = aSite()
  const calendar = calendarOf(site.zones)
  const plan = (fields: Partial<CountPlan> = {}): CountPlan => ({
    ...{ dimensions: ['event:page'], filters: [], goals: [], updates: undefined, buckets: undefined, needs: needsOf(['visitors']) },
    ...{ range: { from: Date.parse('2026-03-10T00:00:00Z'), to: Date.parse('2026-03-11T00:00:00Z') }, bots: false },
    ...{ bounce: 'engaged', calendar, keep: undefined, mostVisits: Number.POSITIVE_INFINITY, room: endless, pause: () => undefined },
    ...fields,
  })
  const tables = (list: readonly AVisit[], name: string) => {
    const [[day, blocks]] = [...blocksOf(site, list)] as [[number, Block[]]]
    return [tableOfRows(day, blocks.flatMap(decodeRows), name)]
  }

  it('is not counted again, and everything else is', async () => {
    const results = createResults(1_000_000)
    const first = await countOnce(tables(visits, 'one'), plan(), results)
    expect(await countOnce(tables(visits, 'one'), plan(), results)).toBe(first)
    const other = [...visits, { at: '2026-03-10T11:00:00Z', who: 'b', hits: [{ path: '/a' }] }]
    const more = await countOnce(tables(other, 'two'), plan(), results)
    expect(more.groups.find(({ key }) => key === '/a')!.visitors).toBe(2)
    const only = (page: string) => parseFilters([['is', 'event:page', [page]]])
    for (const fields of [
      { filters: only('/a') },
      { filters: only('/b') },
      { filters: parseFilters([['matches', 'event:page', ['b$']]]) },
      { filters: parseFilters([['matches', 'event:page', ['a$']]]) },
      { bots: true },
      { bounce: 'single-page' as const },
      { needs: needsOf(['visits']) },
      { dimensions: [] },
      { calendar: calendarOf([{ tz: 'Asia/Tokyo', from: 0 }]) },
      { range: { from: Date.parse('2026-03-10T09:00:00Z'), to: Date.parse('2026-03-10T10:00:01Z') } },
    ]) {
      const counted = await countOnce(tables(visits, 'one'), plan(fields), results)
      expect(counted, JSON.stringify(fields)).toEqual(await countTables(tables(visits, 'one'), plan(fields)))
      expect(counted).not.toBe(first)
    }
  })

  it('goes when there is no room for more', async () => {
    const results = createResults(1_500)
    const first = await countOnce(tables(visits, 'one'), plan({ dimensions: [] }), results)
    await countOnce(tables(visits, 'two'), plan({ dimensions: [] }), results)
    const again = await countOnce(tables(visits, 'one'), plan({ dimensions: [] }), results)
    expect(again).toEqual(first)
    expect(again).not.toBe(first)
  })
})

describe('a sample', () => {
  const visits = Array.from({ length: 4_000 }, (_, i): AVisit => {
    const rev = i % 5 === 0 ? { rev: { a: '10000', c: 'EUR' } } : {}
    return { at: '2026-03-10T10:00:00Z', who: `w${i % 1_500}`, src: ['mail', 'web', 'ads'][i % 3]!, hits: [{ path: '/', ...rev }] }
  })
  const site = aSite()
  const calendar = calendarOf(site.zones)
  const [[day, blocks]] = [...blocksOf(site, visits)] as [[number, Block[]]]
  const table = tableOfRows(day, blocks.flatMap(decodeRows))
  const ask = (mostVisits: number) =>
    countTables([table], {
      ...{ dimensions: ['visit:source'], filters: [], goals: [], updates: undefined, buckets: undefined, bots: false, bounce: 'engaged' },
      ...{ range: calendar.span(day) && { from: calendar.span(day).start, to: calendar.span(day).end }, calendar, keep: undefined },
      ...{ needs: needsOf(['visitors', 'total_revenue', 'bounce_rate']), room: endless, pause: () => undefined, mostVisits },
    })

  it.each([2, 4, 16])('of one visitor in %i is within what it says, and says so', async (one) => {
    const [all, some] = [await ask(Number.POSITIVE_INFINITY), await ask(4_000 / one)]
    expect([all.sampled, some.sampled]).toEqual([1, 1 / one])
    expect(some.relativeError).toBeGreaterThan(0)
    const off = Math.abs(some.allVisitors - all.allVisitors) / all.allVisitors
    expect(off).toBeLessThan(2 * some.relativeError)
    for (const { key, visits, visitors, started, revenue } of some.groups) {
      const whole = all.groups.find((group) => group.key === key)!
      const most = 3 * some.relativeError * Math.sqrt(all.groups.length)
      for (const [a, b] of [
        [visits, whole.visits],
        [visitors, whole.visitors],
        [started, whole.started],
      ] as const)
        expect(Math.abs(a - b) / b).toBeLessThan(most)
      expect(revenue.get('EUR')!.amount).toBe(BigInt(revenue.get('EUR')!.hits) * 10_000n)
    }
    expect(await ask(4_000 / one)).toEqual(some)
  })

  it('is taken of nothing that can be counted', async () => {
    expect((await ask(4_000)).sampled).toBe(1)
  })
})
