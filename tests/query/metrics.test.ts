import { describe, expect, test } from 'vitest'
import { metricNames } from '#shared/query/names.ts'
import { type AVisit, aSite, ask, rows, values } from './world.ts'

// 2026-03-10 is a Tuesday; Berlin is an hour ahead of UTC.
const day = '2026-03-10'
const dates = (from = day, to = from) => ({ date_range: [from, to] })
const noon = `${day}T12:00:00Z`

/** One visit of three pages and an event, one bounce, one visitor who comes twice. */
const simple: AVisit[] = [
  {
    at: noon,
    who: 'a',
    hits: [
      { path: '/' },
      { after: 60, path: '/docs' },
      { after: 90, n: 'signup' },
      { after: 120, path: '/' },
      { after: 130, n: 'engagement', path: '/', fg: 9_000, sd: 40 },
    ],
  },
  { at: noon, who: 'b', hits: [{ path: '/docs' }, { after: 4, n: 'engagement', path: '/docs', fg: 4_000, sd: 90 }] },
  {
    at: `${day}T18:00:00Z`,
    who: 'a',
    hits: [
      { path: '/docs' },
      { after: 20, n: 'engagement', path: '/docs', fg: 12_000, sd: 50 },
      { after: 40, n: 'engagement', path: '/docs', fg: 8_000, sd: 30 },
    ],
  },
]

describe('each metric', () => {
  test.each([
    ['visitors', 2],
    ['visits', 3],
    ['pageviews', 5],
    ['events', 6],
    ['views_per_visit', 1.67],
    ['bounce_rate', 33],
    ['engaged_visits', 2],
    ['engagement_rate', 66.67],
    ['visit_duration', 57], // (130 + 0 + 40) / 3: the bounce's 4 seconds count as 0
    ['time_on_page', 11], // 33 s over a:/, a:/docs, b:/docs
    ['scroll_depth', 60], // 40 of the first, 90 of the second, 50 of the third visit
    ['total_revenue', null],
    ['average_revenue', null],
    ['new_visitors', 0],
    ['exit_rate', 60], // three of five pageviews are the last of their visit
    ['percentage', 100],
  ])('%s', async (metric, value) => {
    expect(await values({ metrics: [metric], ...dates() }, simple)).toEqual([value])
  })

  test('without data counts are 0, and what divides is null', async () => {
    const names = metricNames.filter((name) => !name.endsWith('conversion_rate')) // goals.test.ts has them
    const answer = await ask({ metrics: names, ...dates() }, [])
    const shown = Object.fromEntries(names.map((name, i) => [name, answer.results[0]!.metrics[i]]))
    expect(answer.results).toHaveLength(1)
    expect(shown).toEqual({
      visitors: 0,
      visits: 0,
      pageviews: 0,
      events: 0,
      engaged_visits: 0,
      new_visitors: 0,
      views_per_visit: null,
      bounce_rate: null,
      engagement_rate: null,
      visit_duration: null,
      time_on_page: null,
      scroll_depth: null,
      total_revenue: null,
      average_revenue: null,
      exit_rate: null,
      percentage: null,
    })
  })

  test('per page', async () => {
    const metrics = ['visitors', 'visits', 'pageviews', 'time_on_page', 'scroll_depth', 'exit_rate', 'bounce_rate', 'percentage']
    expect(await rows({ metrics, dimensions: ['event:page'], ...dates() }, simple)).toEqual([
      ['/docs', 2, 3, 3, 12, 70, 66.67, 33, 100],
      ['(not set)', 1, 1, 0, null, null, null, 0, 50],
      ['/', 1, 1, 2, 9, 40, 50, 0, 50],
    ])
  })
})

describe('bounces', () => {
  const visits: AVisit[] = [
    { at: noon, hits: [{}] }, // bounced under both rules
    { at: noon, hits: [{}, { after: 30, n: 'engagement', fg: 10_000 }] }, // engaged; but a single page
    { at: noon, hits: [{}, { after: 5, n: 'signup' }] }, // not engaged; but two events
    { at: noon, hits: [{}, { after: 5 }] }, // neither
  ]
  test.each([
    ['engaged', 50, 50, 9],
    ['single-page', 50, 50, 3],
  ] as const)('%s', async (bounce, rate, engaged, duration) => {
    const site = aSite({ bounce })
    expect(await values({ metrics: ['bounce_rate', 'engagement_rate', 'visit_duration'], ...dates() }, visits, { site })).toEqual([
      rate,
      engaged,
      duration,
    ])
  })

  test('a goal met as the site was set then engages, whatever is set now', async () => {
    const met: AVisit = { at: noon, goal: 1, hits: [{ n: 'signup' }] }
    const metrics = ['bounce_rate', 'engaged_visits']
    const goals = [{ name: 'Signup', event: 'signup' }]
    expect(await values({ metrics, ...dates() }, [met, { at: noon, hits: [{ n: 'signup' }] }], { site: aSite({ goals }) })).toEqual([50, 1])
    const single = aSite({ bounce: 'single-page' })
    expect(await values({ metrics, ...dates() }, [{ at: noon, goal: 1, hits: [{}] }], { site: single })).toEqual([100, 1])
  })

  test('just under ten seconds is no engagement', async () => {
    const visit = { at: noon, hits: [{}, { after: 30, n: 'engagement', fg: 9_999 }] }
    expect(await values({ metrics: ['bounce_rate'], ...dates() }, [visit])).toEqual([100])
  })
})

describe('what lies in a range', () => {
  // Begins on the 9th at 23:50 in Berlin and goes on until 0:20 of the 10th.
  const overnight: AVisit = {
    at: '2026-03-09T22:50:00Z',
    who: 'n',
    hits: [{ path: '/a' }, { after: 1200, path: '/b' }, { after: 1800, n: 'engagement', path: '/b', fg: 20_000, sd: 80 }],
  }
  const metrics = ['visitors', 'visits', 'pageviews', 'bounce_rate', 'visit_duration', 'exit_rate', 'time_on_page', 'scroll_depth']

  test('a visit over midnight is active on both days, starts on one, exits on the other', async () => {
    expect(await values({ metrics, ...dates('2026-03-09') }, [overnight])).toEqual([1, 1, 1, 0, 1800, 0, 0, null])
    expect(await values({ metrics, ...dates('2026-03-10') }, [overnight])).toEqual([1, 1, 1, null, null, 100, 20, 80])
    expect(await values({ metrics, ...dates('2026-03-09', '2026-03-10') }, [overnight])).toEqual([1, 1, 2, 0, 1800, 50, 10, 80])
  })

  test('per day it is counted on both', async () => {
    const query = { metrics: ['visits', 'bounce_rate', 'pageviews'], dimensions: ['time:day'], ...dates('2026-03-08', '2026-03-11') }
    expect(await rows(query, [overnight])).toEqual([
      ['2026-03-09', 1, 0, 1],
      ['2026-03-10', 1, null, 1],
    ])
  })

  test('a part of a day counts hits and starts to the second', async () => {
    const query = (from: string, to: string) => ({
      metrics: ['visits', 'pageviews', 'bounce_rate'],
      date_range: [`${day}T${from}Z`, `${day}T${to}Z`],
    })
    const visit: AVisit = { at: noon, hits: [{}, { after: 3600 }] }
    expect(await values(query('12:00:00', '12:59:59'), [visit])).toEqual([1, 1, 0])
    expect(await values(query('12:00:01', '13:00:00'), [visit])).toEqual([1, 1, null])
    expect(await values(query('12:00:01', '12:59:59'), [visit])).toEqual([0, 0, null])
  })

  test('engagement updates alone make nobody active', async () => {
    const visit: AVisit = { at: '2026-03-09T22:58:00Z', hits: [{}, { after: 600, n: 'engagement', fg: 30_000, sd: 10 }] }
    expect(await values({ metrics: ['visitors', 'visits', 'events', 'time_on_page'], ...dates() }, [visit])).toEqual([0, 0, 0, null])
    expect(await rows({ metrics: ['visits', 'scroll_depth'], dimensions: ['event:page'], ...dates() }, [visit])).toEqual([])
  })

  test('started metrics lie in the bucket of the start, whatever page matches', async () => {
    const visit: AVisit = { at: `${day}T12:59:00Z`, hits: [{ path: '/' }, { after: 120, path: '/docs' }] }
    const query = { metrics: ['visits', 'bounce_rate'], dimensions: ['time:hour'], filters: [['is', 'event:page', ['/docs']]], ...dates() }
    expect(await rows(query, [visit])).toEqual([
      [`${day} 13:00:00`, 0, 0],
      [`${day} 14:00:00`, 1, null],
    ])
  })
})

describe('visitors', () => {
  const nights: AVisit[] = [
    { at: `2026-03-09T12:00:00Z`, who: 'a' },
    { at: `2026-03-10T12:00:00Z`, who: 'a' },
    { at: '2026-03-09T22:50:00Z', who: 'c1', whoNext: 'c2', hits: [{}, { after: 1200 }] },
  ]
  test('with cookies the same person on two days is one', async () => {
    const answer = await ask({ metrics: ['visitors'], ...dates('2026-03-09', '2026-03-10') }, nights.slice(0, 2))
    expect(answer.results[0]!.metrics).toEqual([1])
    expect(answer.meta['metric_warnings']).toBeUndefined()
  })

  test('without, the days add up, and the answer says so', async () => {
    const site = aSite({ identity: 'cookieless' })
    const answer = await ask({ metrics: ['visits', 'visitors'], ...dates('2026-03-09', '2026-03-10') }, nights.slice(2), { site })
    expect(answer.results[0]!.metrics).toEqual([1, 2])
    expect(answer.meta['metric_warnings']).toEqual({ visitors: { code: 'visitors_per_day', warning: expect.any(String) } })
    const oneDay = await ask({ metrics: ['visitors'], ...dates('2026-03-09') }, nights.slice(2), { site })
    expect(oneDay.meta['metric_warnings']).toBeUndefined()
  })

  test('new visitors: whose first day lies in the range, also where only a later visit matches', async () => {
    const visits: AVisit[] = [
      { at: '2026-03-09T12:00:00Z', who: 'n', new: 1, src: 'google' },
      { at: '2026-03-10T12:00:00Z', who: 'n', new: 0 },
      { at: '2026-03-10T12:00:00Z', who: 'old', new: 0 },
      { at: '2026-03-10T12:00:00Z', who: 'foreign' },
    ]
    const both = dates('2026-03-09', '2026-03-10')
    expect(await values({ metrics: ['visitors', 'new_visitors'], ...both }, visits)).toEqual([3, 1])
    expect(await values({ metrics: ['visitors', 'new_visitors'], ...dates('2026-03-10') }, visits)).toEqual([3, 0])
    expect(await rows({ metrics: ['visitors', 'new_visitors'], dimensions: ['visit:source'], ...both }, visits)).toEqual([
      ['(direct)', 3, 1],
      ['google', 1, 1],
    ])
    expect(await rows({ metrics: ['visitors', 'new_visitors'], dimensions: ['time:day'], ...both }, visits)).toEqual([
      ['2026-03-09', 1, 1],
      ['2026-03-10', 3, 0],
    ])
  })

  test('a site without cookies does not know who is new', async () => {
    const answer = await ask({ metrics: ['new_visitors'], ...dates() }, [{ at: noon }], { site: aSite({ identity: 'cookieless' }) })
    expect(answer.results[0]!.metrics).toEqual([null])
    expect(answer.meta['metric_warnings']).toEqual({ new_visitors: { code: 'no_cookies', warning: expect.any(String) } })
  })

  test('percentage is of the visitors of the whole answer', async () => {
    const visits: AVisit[] = ['a', 'b', 'c'].map((who) => ({ at: noon, who, src: who === 'c' ? 'google' : '(direct)' }))
    visits.push({ at: noon, who: 'c' })
    expect(await rows({ metrics: ['percentage'], dimensions: ['visit:source'], ...dates() }, visits)).toEqual([
      ['(direct)', 100],
      ['google', 33.33],
    ])
  })
})

describe('flagged visits', () => {
  const visits: AVisit[] = [{ at: noon }, { at: noon, bot: 'agent' }, { at: noon, bot: 'host' }]
  test('are left out, and there with one switch', async () => {
    expect(await values({ metrics: ['visits', 'visitors'], ...dates() }, visits)).toEqual([1, 1])
    expect(await values({ metrics: ['visits', 'visitors'], ...dates(), include: { bots: true } }, visits)).toEqual([3, 3])
    expect(await rows({ metrics: ['visits'], dimensions: ['visit:bot'], ...dates(), include: { bots: true } }, visits)).toEqual([
      ['(not set)', 1],
      ['agent', 1],
      ['host', 1],
    ])
  })
})

describe('revenue', () => {
  const buy = (a: string, c: string, path = '/buy') => ({ n: 'purchase', path, rev: { a, c } })
  const metrics = ['total_revenue', 'average_revenue']

  test('is exact beyond what a float can hold', async () => {
    const visits: AVisit[] = [{ at: noon, hits: [buy('9007199254740993', 'EUR'), buy('1', 'EUR'), buy('1000', 'EUR')] }]
    expect(await values({ metrics, ...dates() }, visits)).toEqual([
      { value: '900719925474.1994', currency: 'EUR' },
      { value: '300239975158.0665', currency: 'EUR' },
    ])
  })

  test.each([
    [['129900'], 'EUR', '12.99', '12.99'],
    [['129900', '-29900'], 'EUR', '10.00', '5.00'],
    [['-5000'], 'EUR', '-0.50', '-0.50'],
    [['-1', '-2'], 'EUR', '-0.0003', '-0.0002'],
    [['5000000'], 'JPY', '500', '500'],
    [['12345'], 'KWD', '1.2345', '1.2345'],
    [['10000', '10000', '20000'], 'USD', '4.00', '1.3333'],
    [['0'], 'USD', '0.00', '0.00'],
  ])('%j %s', async (amounts, currency, total, average) => {
    const visits: AVisit[] = [{ at: noon, hits: amounts.map((a) => buy(a, currency)) }]
    expect(await values({ metrics, ...dates() }, visits)).toEqual([
      { value: total, currency },
      { value: average, currency },
    ])
  })

  test('several currencies of a row are listed, none is left out, and a warning says so', async () => {
    const visits: AVisit[] = [{ at: noon, hits: [buy('10000', 'USD'), buy('20000', 'EUR'), buy('30000', 'EUR', '/other')] }]
    const answer = await ask({ metrics: ['total_revenue'], dimensions: ['event:page'], ...dates() }, visits)
    expect(answer.results).toEqual([
      { dimensions: ['/other'], metrics: [{ value: '3.00', currency: 'EUR' }] },
      {
        dimensions: ['/buy'],
        metrics: [
          [
            { value: '2.00', currency: 'EUR' },
            { value: '1.00', currency: 'USD' },
          ],
        ],
      },
    ])
    expect(answer.meta['metric_warnings']).toEqual({ total_revenue: { code: 'several_currencies', warning: expect.any(String) } })
  })
})

describe('exits', () => {
  const rate = (visit: AVisit, to: string) => values({ metrics: ['exit_rate'], date_range: [noon, `${day}T${to}Z`] }, [visit])

  test('a page that is seen again later is no exit yet', async () => {
    const visit: AVisit = { at: noon, hits: [{ path: '/' }, { after: 600, path: '/docs' }, { after: 1200, path: '/' }] }
    expect(await rate(visit, '12:05:00')).toEqual([0])
    expect(await rate(visit, '12:30:00')).toEqual([33.33])
  })

  test('a visit leaves once, even where its last page was seen twice at that time', async () => {
    expect(await rate({ at: noon, hits: [{ path: '/' }, { path: '/' }] }, '12:05:00')).toEqual([50])
  })
})

test('averages are rounded once, at the end', async () => {
  const short: AVisit[] = [0, 1].map(() => ({ at: noon, hits: [{}, { after: 1.4 }] }))
  expect(await values({ metrics: ['visit_duration'], ...dates() }, short)).toEqual([1])
  const visits: AVisit[] = Array.from({ length: 8 }, (_, i) => ({ at: noon, hits: i === 0 ? [{}, { after: 1 }] : [{}] }))
  expect(await values({ metrics: ['views_per_visit', 'engagement_rate', 'bounce_rate'], ...dates() }, visits)).toEqual([1.13, 12.5, 88])
})
