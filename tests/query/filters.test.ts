import { describe, expect, test } from 'vitest'
import { type AVisit, rows, values } from './world.ts'

const noon = '2026-03-10T12:00:00Z'
const dates = { date_range: ['2026-03-09', '2026-03-11'] }
const visits: AVisit[] = [
  {
    at: noon,
    who: 'a',
    country: 'DE',
    hits: [
      { path: '/Docs/setup', p: { plan: 'pro' } },
      { after: 9, path: '/pricing' },
      { after: 10, n: 'signup', path: '/pricing' },
    ],
  },
  { at: noon, who: 'b', country: 'US', hits: [{ path: '/docs' }, { after: 30, n: 'engagement', path: '/docs', fg: 30_000 }] },
  { at: noon, who: 'c', hits: [{ path: '/pricing' }] },
  { at: '2026-03-11T12:00:00Z', who: 'a', country: 'DE', hits: [{ path: '/' }] },
]

/** Visitors, visits and events that pass. */
const passing = (filter: unknown[], ...more: unknown[][]) =>
  values({ metrics: ['visitors', 'visits', 'events'], filters: [filter, ...more], ...dates }, visits)

describe('each operator', () => {
  test.each([
    [
      ['is', 'event:page', ['/pricing']],
      [2, 2, 3],
    ],
    [
      ['is', 'event:page', ['/pricing', '/docs']],
      [3, 3, 4],
    ],
    [
      ['is', 'event:page', ['/DOCS']],
      [0, 0, 0],
    ],
    [
      ['is', 'event:page', ['/DOCS'], { case_sensitive: false }],
      [1, 1, 1],
    ],
    [
      ['is_not', 'event:page', ['/pricing', '/']],
      [2, 2, 2],
    ],
    [
      ['contains', 'event:page', ['doc', 'pric']],
      [3, 3, 4],
    ],
    [
      ['contains', 'event:page', ['DOC'], { case_sensitive: false }],
      [2, 2, 2],
    ],
    [
      ['contains_not', 'event:page', ['doc', 'pric']],
      [1, 2, 2],
    ],
    [
      ['contains_not', 'event:page', ['doc', 'pric'], { case_sensitive: false }],
      [1, 1, 1],
    ],
    [
      ['matches', 'event:page', ['^/[dp].*s', 'setup$']],
      [2, 2, 2],
    ],
    [
      ['matches', 'event:page', ['(?i)^/docs']],
      [2, 2, 2],
    ],
    [
      ['matches_not', 'event:page', ['^/.']],
      [1, 1, 1],
    ],
    [
      ['is', 'event:name', ['signup']],
      [1, 1, 1],
    ],
    [
      ['is', 'event:props:plan', ['pro']],
      [1, 1, 1],
    ],
    [
      ['is', 'visit:country', ['DE']],
      [1, 2, 4],
    ],
    [
      ['is_not', 'visit:country', ['DE']],
      [2, 2, 2],
    ],
    [
      ['is', 'visit:country', ['(not set)']],
      [1, 1, 1],
    ],
    [
      ['is_not', 'visit:country', ['(not set)']],
      [2, 3, 5],
    ],
    [
      ['contains', 'visit:country', ['not']],
      [1, 1, 1],
    ],
    [
      ['is', 'visit:entry_page', ['/']],
      [1, 1, 1],
    ],
    [
      ['is', 'visit:country_name', ['Germany', 'Poland']],
      [1, 2, 4],
    ],
    [
      ['not', ['is', 'event:page', ['/pricing']]],
      [2, 3, 3],
    ],
    [
      [
        'and',
        [
          ['is', 'visit:country', ['DE']],
          ['is', 'event:page', ['/']],
        ],
      ],
      [1, 1, 1],
    ],
    [
      [
        'or',
        [
          ['is', 'visit:country', ['US']],
          ['is', 'event:page', ['/']],
        ],
      ],
      [2, 2, 2],
    ],
    [
      ['has_done', ['is', 'event:name', ['signup']]],
      [1, 2, 4],
    ],
    [
      ['has_not_done', ['is', 'event:name', ['signup']]],
      [2, 2, 2],
    ],
    [
      [
        'has_done',
        [
          'and',
          [
            ['is', 'event:name', ['signup']],
            ['is', 'event:page', ['/docs']],
          ],
        ],
      ],
      [0, 0, 0],
    ],
    [
      ['not', ['has_done', ['is', 'event:page', ['/pricing']]]],
      [1, 1, 1],
    ],
  ] as [unknown[], number[]][])('%j', async (filter, expected) => {
    expect(await passing(filter)).toEqual(expected)
  })
})

describe('scope', () => {
  test('event leaves under one and hold for the same hit', async () => {
    expect(await passing(['is', 'event:page', ['/pricing']], ['is', 'event:props:plan', ['pro']])).toEqual([0, 0, 0])
    expect(await passing(['is', 'event:page', ['/pricing']], ['has_done', ['is', 'event:props:plan', ['pro']]])).toEqual([1, 1, 2])
  })

  test('a visit counts when one of its hits passes, and its started metrics are the whole visit', async () => {
    const query = {
      metrics: ['visits', 'pageviews', 'bounce_rate', 'visit_duration'],
      filters: [['is', 'event:page', ['/pricing']]],
      ...dates,
    }
    expect(await values(query, visits)).toEqual([2, 2, 50, 5])
  })

  test('has_done looks at the whole range, before and after, but not beyond', async () => {
    const filters = [['has_done', ['is', 'event:page', ['/']]]]
    const query = (to: string) => ({ metrics: ['visitors', 'events'], filters, date_range: ['2026-03-09', to] })
    expect(await values(query('2026-03-11'), visits)).toEqual([1, 4])
    expect(await values(query('2026-03-10'), visits)).toEqual([0, 0])
  })

  test('several has_done keep apart', async () => {
    expect(await passing(['has_done', ['is', 'event:page', ['/pricing']]], ['has_not_done', ['is', 'event:name', ['signup']]])).toEqual([
      1, 1, 1,
    ])
  })

  test('engagement updates pass as pageviews of their page', async () => {
    const time = (filter: unknown[]) => values({ metrics: ['time_on_page'], filters: [filter], ...dates }, visits)
    expect(await time(['is', 'event:page', ['/docs']])).toEqual([30])
    expect(await time(['is', 'event:name', ['pageview']])).toEqual([6])
    expect(await time(['is', 'event:page', ['/pricing']])).toEqual([0])
  })

  test('an engagement update is nothing that was done', async () => {
    const reader: AVisit = {
      at: '2026-03-09T22:58:00Z',
      hits: [{ path: '/long' }, { after: 600, n: 'engagement', path: '/long', fg: 9_000 }, { after: 700, path: '/next' }],
    }
    const query = {
      metrics: ['visitors'],
      filters: [['has_done', ['is', 'event:page', ['/long']]]],
      date_range: ['2026-03-10', '2026-03-10'],
    }
    expect(await values(query, [reader])).toEqual([0])
  })

  test('flagged visits have done nothing unless they are asked for', async () => {
    const flagged: AVisit[] = [{ at: noon, who: 'a', bot: 'agent', hits: [{ path: '/secret' }] }, ...visits]
    const query = { metrics: ['visitors'], filters: [['has_done', ['is', 'event:page', ['/secret']]]], ...dates }
    expect(await values(query, flagged)).toEqual([0])
    expect(await values({ ...query, include: { bots: true } }, flagged)).toEqual([1])
  })
})

test('a pattern that would ruin a backtracking engine is answered at once', async () => {
  const evil: AVisit[] = [{ at: noon, hits: [{ path: `/${'x'.repeat(1990)}` }] }]
  const started = performance.now()
  expect(
    await rows(
      { metrics: ['visits'], dimensions: ['event:page'], filters: [['matches', 'event:page', ['^(/(x+x+)+)+y$']]], ...dates },
      evil,
    ),
  ).toEqual([])
  expect(performance.now() - started).toBeLessThan(5_000)
})
