import { describe, expect, test } from 'vitest'
import { createMerge } from '#shared/query/merge.ts'
import { encodeRows } from '#shared/rollup/block.ts'
import type { Row } from '#shared/segment/row.ts'
import { calendarOf } from '#shared/site/zone.ts'
import { type AVisit, aSite, ask, blocksOf, visitorHash } from './world.ts'

const calendar = calendarOf(aSite().zones)
const t = Date.parse('2026-03-10T12:00:00Z')
const whole = { from: 0, to: Number.MAX_SAFE_INTEGER }
const columns = { visit: ['visit:exit_page'], hit: ['event:page'], paths: true }

const aRow = (off: number, exit: string, hits: string[], fields: Partial<Row> = {}): Row => ({
  off,
  vis: 'a',
  cont: 0,
  s: { id: 's', start: t, last: t, pv: off, ev: off, fg: 0, days: [[20260310, 'a']], src: '', chan: '', dev: '', exit },
  h: hits.map((path, i) => ({ id: `${off}-${i}`, t: t + i, n: 'pageview', path })),
  ...fields,
})
const merged = (rows: Row[], before = 100, range = whole) => {
  const merge = createMerge(columns, range, calendar)
  for (const row of rows) merge.take({ site: 'x', day: 20260310, from: row.off, to: row.off + 1, rows: 1, body: encodeRows([row]) }, before)
  return [...merge.day(), ...merge.rest()].map(({ pv, v, hits }) => ({ pv, exit: v[0], pages: hits.map((hit) => hit.v[0]) }))
}

describe('merging the rows of a day', () => {
  test('the newest row stands, hits of all add up', () => {
    expect(merged([aRow(1, '/a', ['/a']), aRow(2, '/b', []), aRow(5, '/c', ['/b', '/c'])])).toEqual([
      { pv: 5, exit: '/c', pages: ['/a', '/b', '/c'] },
    ])
  })

  test('whatever the order in which blocks are taken', () => {
    expect(merged([aRow(5, '/c', ['/c']), aRow(1, '/a', ['/a'])])).toEqual([{ pv: 5, exit: '/c', pages: ['/c', '/a'] }])
  })

  test('rows beyond the end of the reading are not there', () => {
    expect(merged([aRow(1, '/a', ['/a']), aRow(5, '/c', ['/c'])], 5)).toEqual([{ pv: 1, exit: '/a', pages: ['/a'] }])
  })

  test('hits outside the range are dropped, the visit is kept', () => {
    expect(merged([aRow(1, '/b', ['/a', '/b'])], 9, { from: t + 1, to: t + 2 })).toEqual([{ pv: 1, exit: '/b', pages: ['/b'] }])
    expect(merged([aRow(1, '/b', ['/a', '/b'])], 9, { from: t + 5, to: t + 6 })).toEqual([{ pv: 1, exit: '/b', pages: [] }])
  })

  test('a visit on several days is one, each hit with the hash of its day', () => {
    const visit: AVisit = {
      at: '2026-03-10T22:50:00Z',
      who: 'c1',
      whoNext: 'c2',
      hits: [{ path: '/a' }, { after: 1200, path: '/b' }, { after: 1300, path: '/c' }],
    }
    const merge = createMerge(columns, whole, calendar)
    for (const [, blocks] of [...blocksOf(aSite(), [visit])].sort(([a], [b]) => a - b)) {
      for (const block of blocks) merge.take(block, 100)
      expect(merge.day()).toEqual([])
    }
    const visits = merge.rest()
    expect(visits).toHaveLength(1)
    expect(visits[0]!.hits.map(({ vis, v }) => [vis, v[0]])).toEqual([
      [visitorHash('c1'), '/a'],
      [visitorHash('c2'), '/b'],
      [visitorHash('c2'), '/c'],
    ])
    expect(visits[0]!.v).toEqual(['/c'])
  })
})

/** Chance that can be repeated: a failure prints its seed. */
const chance = (seed: number) => {
  let state = seed
  return (n: number): number => {
    state = (state + 0x6d2b79f5) | 0
    let x = Math.imul(state ^ (state >>> 15), 1 | state)
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x
    return Math.floor((((x ^ (x >>> 14)) >>> 0) / 4294967296) * n)
  }
}

describe('a plain recount of the hits gives the same numbers', () => {
  const start = Date.parse('2026-03-27T20:00:00Z') // three days around the short night of the 29th
  const aWorld = (seed: number): AVisit[] => {
    const pick = chance(seed)
    return Array.from({ length: 1 + pick(12) }, (_, i) => ({
      at: new Date(start + pick(72 * 60) * 60_000).toISOString(),
      who: `w${pick(4)}`,
      src: `source ${pick(3)}`,
      ...(pick(6) === 0 ? { bot: 'agent' } : {}),
      hits: Array.from({ length: 1 + pick(5) }, (_, j) => ({
        after: j * pick(3000),
        path: `/p${pick(3)}`,
        ti: `${i}`,
        n: j > 0 && pick(4) === 0 ? 'click' : 'pageview',
      })),
    }))
  }

  test.each(Array.from({ length: 150 }, (_, seed) => seed))('seed %i', async (seed) => {
    const pick = chance(seed + 1_000)
    const visits = aWorld(seed)
    const page = `/p${pick(3)}`
    const isNot = pick(2) === 1
    const from = start + pick(48 * 3600) * 1000
    const to = from + (1 + pick(48 * 3600)) * 1000
    const dimension = ['event:page', 'visit:source', 'time:day'][pick(3)]!
    const query = {
      metrics: ['visitors', 'visits', 'pageviews', 'events'],
      date_range: [new Date(from).toISOString().replace('.000', ''), new Date(to - 1000).toISOString().replace('.000', '')],
      dimensions: [dimension],
      filters: [[isNot ? 'is_not' : 'is', 'event:page', [page]]],
    }
    const recount = new Map<string, { visitors: Set<string>; visits: Set<number>; pageviews: number; events: number }>()
    const clock = new Intl.DateTimeFormat('sv-SE', { timeZone: 'Europe/Berlin', dateStyle: 'short' })
    for (const [i, { at, who, src, bot, hits }] of visits.entries()) {
      for (const { after, path, n } of hits!) {
        const when = Date.parse(at) + after! * 1000
        if (bot || when < from || when >= to || (path === page) === isNot) continue
        const value = dimension === 'event:page' ? path! : dimension === 'visit:source' ? src! : clock.format(when)
        const group = recount.get(value) ?? { visitors: new Set(), visits: new Set(), pageviews: 0, events: 0 }
        group.visitors.add(who!)
        group.visits.add(i)
        group.events++
        if (n === 'pageview') group.pageviews++
        recount.set(value, group)
      }
    }
    const expected = [...recount].map(([value, g]) => [value, g.visitors.size, g.visits.size, g.pageviews, g.events])
    const answer = await ask(query, visits)
    const got = answer.results.map(({ dimensions, metrics }) => [...dimensions, ...metrics])
    const byName = (a: unknown[], b: unknown[]) => (String(a[0]) < String(b[0]) ? -1 : 1)
    expect(got.sort(byName)).toEqual(expected.sort(byName))
  })
})
