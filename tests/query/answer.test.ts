import { describe, expect, test } from 'vitest'
import { type AHit, type AVisit, ask, queryLimits, rows } from './world.ts'

const noon = '2026-03-10T12:00:00Z'
const dates = { date_range: ['2026-03-10', '2026-03-10'] }
const from = (src: string, times: number): AVisit[] => Array.from({ length: times }, () => ({ at: noon, src }))
const sources = [...from('b', 2), ...from('a', 2), ...from('Z', 2), ...from('é', 2), ...from('top', 3)]

describe('order', () => {
  const bySource = { metrics: ['visits', 'bounce_rate'], dimensions: ['visit:source'], ...dates }

  test('is by the first metric, ties by code point', async () => {
    expect((await rows(bySource, sources)).map(([source]) => source)).toEqual(['top', 'Z', 'a', 'b', 'é'])
    expect((await rows({ ...bySource, order_by: [['visits', 'asc']] }, sources)).map(([source]) => source)).toEqual([
      'Z',
      'a',
      'b',
      'é',
      'top',
    ])
  })

  test('may be by a dimension, and by several', async () => {
    expect((await rows({ ...bySource, order_by: [['visit:source', 'desc']] }, sources)).map(([source]) => source)).toEqual([
      'é',
      'top',
      'b',
      'a',
      'Z',
    ])
    const order_by = [
      ['bounce_rate', 'desc'],
      ['visits', 'asc'],
      ['visit:source', 'desc'],
    ]
    expect((await rows({ ...bySource, order_by }, sources)).map(([source]) => source)).toEqual(['é', 'b', 'a', 'Z', 'top'])
  })

  test('null is last in both directions', async () => {
    const visits: AVisit[] = [
      { at: '2026-03-09T22:50:00Z', src: 'early', hits: [{}, { after: 1800 }] },
      ...from('x', 1),
      { at: noon, src: 'y', hits: [{}, { after: 1 }] },
    ]
    for (const [direction, order] of [
      ['asc', ['y', 'x', 'early']],
      ['desc', ['x', 'y', 'early']],
    ] as const)
      expect((await rows({ ...bySource, order_by: [['bounce_rate', direction]] }, visits)).map(([source]) => source)).toEqual(order)
  })

  test('time is ascending by default, then the first metric', async () => {
    const visits: AVisit[] = [...from('late', 1), ...from('more', 2), { at: '2026-03-09T12:00:00Z', src: 'first' }]
    const query = { metrics: ['visits'], dimensions: ['visit:source', 'time:day'], date_range: ['2026-03-09', '2026-03-10'] }
    expect(await rows(query, visits)).toEqual([
      ['first', '2026-03-09', 1],
      ['more', '2026-03-10', 2],
      ['late', '2026-03-10', 1],
    ])
    expect((await rows({ ...query, order_by: [['time:day', 'desc']] }, visits)).map(([source]) => source)).toEqual([
      'late',
      'more',
      'first',
    ])
  })

  test('revenue is ordered by its exact amount in the commonest currency', async () => {
    const buy = (src: string, a: string, c = 'EUR'): AVisit => ({ at: noon, src, hits: [{ n: 'buy', rev: { a, c } }] })
    const visits = [
      buy('nine', '90000'),
      buy('ten', '100000'),
      buy('tiny more', '100001'),
      buy('dollars', '999999999', 'USD'),
      buy('back', '-1'),
      ...from('none', 1),
    ]
    const query = { metrics: ['total_revenue'], dimensions: ['visit:source'], ...dates }
    expect((await rows(query, visits)).map(([source]) => source)).toEqual(['tiny more', 'ten', 'nine', 'back', 'dollars', 'none'])
  })
})

describe('pages of an answer', () => {
  test('laid end to end are the whole answer', async () => {
    const query = { metrics: ['visits'], dimensions: ['visit:source'], ...dates, include: { total_rows: true } }
    const whole = await ask(query, sources)
    expect(whole.meta['total_rows']).toBe(5)
    const paged = []
    for (let offset = 0; offset < 6; offset += 2) {
      const page = await ask({ ...query, pagination: { limit: 2, offset } }, sources)
      expect(page.meta['total_rows']).toBe(5)
      expect(page.query['pagination']).toEqual({ limit: 2, offset })
      paged.push(...page.results)
    }
    expect(paged).toEqual(whole.results)
  })
})

describe('labels', () => {
  test('results hold buckets with data, labels hold all', async () => {
    const answer = await ask(
      { metrics: ['visits'], dimensions: ['time:day'], date_range: '7d', include: { time_labels: true } },
      from('a', 1),
    )
    expect(answer.results.map(({ dimensions }) => dimensions)).toEqual([['2026-03-10']])
    expect(answer.meta['time_labels']).toEqual([
      '2026-03-08',
      '2026-03-09',
      '2026-03-10',
      '2026-03-11',
      '2026-03-12',
      '2026-03-13',
      '2026-03-14',
    ])
  })

  test('without a time dimension there are none', async () => {
    expect((await ask({ metrics: ['visits'], ...dates, include: { time_labels: true } })).meta['time_labels']).toEqual([])
    expect((await ask({ metrics: ['visits'], ...dates })).meta).toEqual({ exact: true, sampled: 1, imports_included: false })
  })

  test('the doubled hour is one row with the visits of both', async () => {
    const visits: AVisit[] = [{ at: '2026-10-25T00:30:00Z' }, { at: '2026-10-25T01:30:00Z' }, { at: '2026-10-25T02:30:00Z' }]
    const query = { metrics: ['visits'], dimensions: ['time:hour'], date_range: ['2026-10-25', '2026-10-25'] }
    expect(await rows(query, visits, { now: '2026-10-26T12:00:00Z' })).toEqual([
      ['2026-10-25 02:00:00', 2],
      ['2026-10-25 03:00:00', 1],
    ])
  })
})

describe('comparison', () => {
  const earlier = (src: string, times: number): AVisit[] => from(src, times).map((visit) => ({ ...visit, at: '2026-03-09T12:00:00Z' }))

  test('rows are joined by value, change is in whole per cent', async () => {
    const query = { metrics: ['visits', 'bounce_rate'], dimensions: ['visit:source'], ...dates, include: { compare: 'previous_period' } }
    const answer = await ask(query, [...from('a', 3), ...from('b', 1), ...earlier('a', 2), ...earlier('gone', 4)])
    expect(answer.results).toEqual([
      { dimensions: ['a'], metrics: [3, 100], comparison: { dimensions: ['a'], metrics: [2, 100], change: [50, 0] } },
      { dimensions: ['b'], metrics: [1, 100], comparison: { dimensions: ['b'], metrics: [0, null], change: [null, null] } },
    ])
    expect(answer.meta['comparison_date_range']).toEqual(['2026-03-09T00:00:00+01:00', '2026-03-09T23:59:59+01:00'])
    expect(answer.query['include']).toMatchObject({ compare: 'previous_period' })
  })

  test('rows that only the earlier period has are appended when asked for', async () => {
    const query = {
      metrics: ['visits', 'visitors'],
      dimensions: ['visit:source'],
      ...dates,
      include: { compare: 'previous_period', compare_missing: true, total_rows: true },
    }
    const answer = await ask(query, [...from('a', 1), ...earlier('gone', 4), ...earlier('more', 5)])
    expect(answer.results.slice(1)).toEqual([
      { dimensions: ['more'], metrics: [0, 0], comparison: { dimensions: ['more'], metrics: [5, 5], change: [-100, -100] } },
      { dimensions: ['gone'], metrics: [0, 0], comparison: { dimensions: ['gone'], metrics: [4, 4], change: [-100, -100] } },
    ])
    expect(answer.meta['total_rows']).toBe(3)
  })

  test('time is joined by the index of its bucket', async () => {
    const visits: AVisit[] = [...from('a', 2), { at: '2026-03-08T12:00:00Z' }, { at: '2026-03-07T12:00:00Z' }]
    const query = {
      metrics: ['visits'],
      dimensions: ['time:day'],
      date_range: ['2026-03-09', '2026-03-10'],
      include: { compare: 'previous_period', compare_missing: true },
    }
    expect((await ask(query, visits)).results).toEqual([
      { dimensions: ['2026-03-10'], metrics: [2], comparison: { dimensions: ['2026-03-08'], metrics: [1], change: [100] } },
      { dimensions: ['2026-03-09'], metrics: [0], comparison: { dimensions: ['2026-03-07'], metrics: [1], change: [-100] } },
    ])
  })

  test('a bucket that the earlier period does not have is compared with nothing', async () => {
    const query = { metrics: ['visits'], dimensions: ['time:day'], date_range: '1mo', include: { compare: 'previous_period' } }
    const answer = await ask(query, [{ at: '2026-03-31T12:00:00Z' }, { at: '2026-03-28T12:00:00Z' }, { at: '2026-02-28T12:00:00Z' }], {
      now: '2026-04-10T12:00:00Z',
    })
    expect(answer.results).toEqual([
      { dimensions: ['2026-03-28'], metrics: [1], comparison: { dimensions: ['2026-02-28'], metrics: [1], change: [0] } },
      { dimensions: ['2026-03-31'], metrics: [1], comparison: null },
    ])
  })

  test('an unfinished day is compared with the same hours of the day before', async () => {
    const visits: AVisit[] = [{ at: '2026-03-15T08:00:00Z' }, { at: '2026-03-14T11:59:00Z' }, { at: '2026-03-14T12:01:00Z' }]
    const answer = await ask({ metrics: ['visits'], date_range: 'day', include: { compare: 'previous_period' } }, visits)
    expect(answer.results).toEqual([{ dimensions: [], metrics: [1], comparison: { dimensions: [], metrics: [1], change: [0] } }])
  })

  test('money is compared in its currency only', async () => {
    const buy = (at: string, a: string, c: string): AVisit => ({ at, hits: [{ n: 'buy', rev: { a, c } }] })
    const change = async (now: [string, string], then: [string, string]) => {
      const visits = [buy(noon, ...now), buy('2026-03-09T12:00:00Z', ...then)]
      return (await ask({ metrics: ['total_revenue'], ...dates, include: { compare: 'previous_period' } }, visits)).results[0]!.comparison!
        .change
    }
    expect(await change(['150000', 'EUR'], ['100000', 'EUR'])).toEqual([50])
    expect(await change(['150000', 'EUR'], ['100000', 'USD'])).toEqual([null])
    expect(await change(['-50000', 'EUR'], ['-100000', 'EUR'])).toEqual([50])
    expect(await change(['50000', 'EUR'], ['0', 'EUR'])).toEqual([null])
  })

  test('each period has its own has_done', async () => {
    const visits: AVisit[] = [
      { at: noon, who: 'a' },
      { at: '2026-03-09T12:00:00Z', who: 'a', hits: [{ path: '/buy' }] },
    ]
    const query = {
      metrics: ['visitors'],
      ...dates,
      filters: [['has_done', ['is', 'event:page', ['/buy']]]],
      include: { compare: 'previous_period' },
    }
    expect((await ask(query, visits)).results[0]).toMatchObject({ metrics: [0], comparison: { metrics: [1] } })
  })
})

describe('a long tail', () => {
  const pages = (day: string, count: number, who: string): AVisit => ({
    at: `${day}T12:00:00Z`,
    who,
    pv: count,
    ev: count,
    hits: Array.from({ length: count }, (_, i): AHit => ({ path: `/p${String(i).padStart(6, '0')}`, at: `${day}T12:00:00Z` })),
  })

  test('beyond the limit is (other), exact in visitors and visits', async () => {
    const count = queryLimits.groups + 3
    const visits = [
      pages('2026-03-10', count, 'reader'),
      { at: noon, who: 'w', hits: [{ path: '/p999998' }, { path: '/p999999', after: 1 }] },
    ]
    const query = { metrics: ['pageviews', 'visits', 'visitors'], dimensions: ['event:page'], ...dates, include: { total_rows: true } }
    const answer = await ask({ ...query, pagination: { limit: 2, offset: queryLimits.groups - 1 } }, visits, { oneEvent: true })
    expect(answer.meta['total_rows']).toBe(queryLimits.groups + 1)
    expect(answer.results.map(({ dimensions, metrics }) => [...dimensions, ...metrics])).toEqual([
      ['/p099999', 1, 1, 1],
      ['(other)', 5, 2, 2],
    ])
  })
})
