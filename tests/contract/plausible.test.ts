import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { type AVisit, aSite, ask, refusal, rows } from '../query/world.ts'

/**
 * A client written for Plausible's Stats API v2 works unchanged: the requests that its documentation shows, in our words, and the
 * shapes of their answers. What differs on purpose is in docs/plausible.md.
 */

const visits: AVisit[] = [
  {
    at: '2026-03-12T09:10:00Z',
    who: 'a',
    src: 'Twitter',
    us: 'twitter',
    um: 'social',
    country: 'EE',
    city: 'Tallinn',
    os: 'GNU/Linux',
    hits: [
      { path: '/pricing', p: { is_customer: false } },
      { after: 60, path: '/docs/start', p: { is_customer: true } },
    ],
  },
  {
    at: '2026-03-13T09:10:00Z',
    who: 'b',
    src: 'Google',
    country: 'DE',
    city: 'Berlin',
    os: 'Mac',
    hits: [{ path: '/Blog/one', p: { is_customer: true } }],
  },
  { at: '2026-03-15T01:10:00Z', who: 'a', country: 'EE', city: 'Tallinn', os: 'GNU/Linux', hits: [{ path: '/docs' }] },
]
const earlier: AVisit = { at: '2024-08-02T09:00:00Z', who: 'c', hits: [{}] }

const instant = z.string().regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d$/)
const revenue = z.object({ value: z.string().regex(/^-?\d+\.\d\d$/), currency: z.string().length(3) })

/** What the documentation shows of an answer; further members are allowed, fewer are not. */
const answerOf = (metrics: z.ZodType[], dimensions: z.ZodType[]) =>
  z.object({
    results: z.array(z.strictObject({ metrics: z.tuple(metrics as [z.ZodType]), dimensions: z.tuple(dimensions as [z.ZodType]) })),
    meta: z.looseObject({ imports_included: z.boolean() }),
    query: z.object({
      site_id: z.literal('example.com'),
      metrics: z.array(z.string()),
      date_range: z.tuple([instant, instant]),
      filters: z.array(z.array(z.unknown())),
      dimensions: z.array(z.string()),
      order_by: z.array(z.tuple([z.string(), z.enum(['asc', 'desc'])])),
      include: z.looseObject({}),
      pagination: z.object({ limit: z.number(), offset: z.number() }),
    }),
  })

const int = z.int()
const text = z.string()
const date = z.string().regex(/^\d{4}-\d\d-\d\d$/)
const hour = z.string().regex(/^\d{4}-\d\d-\d\d \d\d:00:00$/)

const examples: [name: string, query: Record<string, unknown>, metrics: z.ZodType[], dimensions: z.ZodType[], rows: number][] = [
  ['one number', { metrics: ['visitors'], date_range: '7d' }, [int], [], 1],
  [
    'every metric that needs no goal',
    { metrics: ['visitors', 'visits', 'pageviews', 'views_per_visit', 'bounce_rate', 'visit_duration', 'events'], date_range: '7d' },
    [int, int, int, z.number(), int, int, int],
    [],
    1,
  ],
  ['a range of dates', { metrics: ['visitors'], date_range: ['2024-08-01', '2024-08-15'] }, [int], [], 1],
  ['a range of instants', { metrics: ['visitors'], date_range: ['2024-08-02T10:00:00+02:00', '2024-08-02T11:59:59+02:00'] }, [int], [], 1],
  [
    'countries and cities',
    { metrics: ['visitors', 'pageviews', 'bounce_rate'], date_range: '7d', dimensions: ['visit:country_name', 'visit:city_name'] },
    [int, int, int],
    [text, text],
    2,
  ],
  [
    'campaigns',
    { metrics: ['visitors', 'events', 'pageviews'], date_range: '7d', dimensions: ['visit:utm_medium', 'visit:utm_source'] },
    [int, int, int],
    [text, text],
    2,
  ],
  [
    'a filtered number',
    {
      metrics: ['visitors'],
      date_range: '7d',
      filters: [
        ['contains', 'event:page', ['/docs', '/pricing']],
        ['is', 'visit:country_name', ['Estonia']],
      ],
    },
    [int],
    [],
    1,
  ],
  [
    'whatever the case',
    { metrics: ['visitors'], date_range: '7d', filters: [['contains', 'event:page', ['blog'], { case_sensitive: false }]] },
    [int],
    [],
    1,
  ],
  [
    'and, or, not',
    {
      metrics: ['visitors'],
      date_range: '7d',
      filters: [
        [
          'or',
          [
            [
              'and',
              [
                ['is', 'visit:country_name', ['Germany']],
                ['is', 'visit:city_name', ['Berlin']],
              ],
            ],
            ['not', ['is', 'visit:os', ['Mac']]],
          ],
        ],
      ],
    },
    [int],
    [],
    1,
  ],
  ['a pattern', { metrics: ['visitors'], date_range: '7d', filters: [['matches', 'event:page', ['^/docs/\\w+$']]] }, [int], [], 1],
  [
    'days',
    { metrics: ['visitors', 'events'], date_range: '7d', filters: [['is', 'visit:os', ['GNU/Linux', 'Mac']]], dimensions: ['time:day'] },
    [int, int],
    [date],
    2,
  ],
  [
    'hours of today, with labels',
    { metrics: ['visitors'], date_range: 'day', dimensions: ['time:hour'], include: { time_labels: true } },
    [int],
    [hour],
    1,
  ],
  ['time as fits', { metrics: ['visitors'], date_range: '12mo', dimensions: ['time'] }, [int], [date], 0],
  [
    'custom properties by day',
    {
      metrics: ['visitors'],
      date_range: '7d',
      dimensions: ['time:day', 'event:props:is_customer'],
      order_by: [
        ['time:day', 'asc'],
        ['event:props:is_customer', 'desc'],
      ],
    },
    [int],
    [date, text],
    3,
  ],
  [
    'a page of rows',
    {
      metrics: ['visitors', 'events', 'pageviews'],
      date_range: '7d',
      dimensions: ['visit:utm_medium', 'visit:utm_source'],
      include: { total_rows: true },
      pagination: { limit: 1, offset: 1 },
    },
    [int, int, int],
    [text, text],
    1,
  ],
  [
    'with imports',
    { metrics: ['visitors'], date_range: 'all', dimensions: ['visit:source'], include: { imports: true } },
    [int],
    [text],
    3,
  ],
  [
    'who has been elsewhere',
    {
      metrics: ['visitors'],
      date_range: 'all',
      filters: [
        ['contains', 'event:page', ['/docs']],
        ['has_done', ['is', 'event:page', ['/pricing']]],
      ],
    },
    [int],
    [],
    1,
  ],
  [
    'pages with their time and depth',
    { metrics: ['time_on_page', 'scroll_depth', 'percentage'], date_range: '7d', dimensions: ['event:page'] },
    [int, int.nullable(), z.number()],
    [text],
    3,
  ],
]

describe('the documented requests', () => {
  test.each(examples)('%s', async (_name, query, metrics, dimensions, rows) => {
    const answer = JSON.parse(JSON.stringify(await ask(query, [...visits, earlier])))
    expect(answerOf(metrics, dimensions).parse(answer)).toBeTruthy()
    expect(answer.results).toHaveLength(rows)
  })

  test('what their answers say', async () => {
    const said = async (query: Record<string, unknown>) =>
      (await ask({ metrics: ['visitors'], date_range: '7d', ...query }, [...visits, earlier])).results.map(({ dimensions, metrics }) => [
        ...dimensions,
        ...metrics,
      ])
    expect(await said({})).toEqual([[2]])
    expect(
      await said({
        dimensions: ['time:day', 'event:props:is_customer'],
        order_by: [
          ['time:day', 'asc'],
          ['event:props:is_customer', 'desc'],
        ],
      }),
    ).toEqual([
      ['2026-03-12', 'true', 1],
      ['2026-03-12', 'false', 1],
      ['2026-03-13', 'true', 1],
    ])
    expect(await said({ dimensions: ['visit:utm_medium'] })).toEqual([
      ['(not set)', 1],
      ['social', 1],
    ])
  })

  test('labels, rows in all and the order by default are where its clients look for them', async () => {
    const hours = await ask({ metrics: ['visitors'], date_range: 'day', dimensions: ['time:hour'], include: { time_labels: true } }, visits)
    expect(hours.results[0]!.dimensions).toEqual(['2026-03-15 02:00:00'])
    expect(hours.meta['time_labels']).toHaveLength(24)
    expect(hours.query['order_by']).toEqual([
      ['time:hour', 'asc'],
      ['visitors', 'desc'],
    ])
    const paged = await ask(
      {
        metrics: ['visitors'],
        date_range: '7d',
        dimensions: ['visit:utm_source'],
        include: { total_rows: true },
        pagination: { limit: 1 },
      },
      visits,
    )
    expect(paged.meta['total_rows']).toBe(2)
    expect(paged.query['pagination']).toEqual({ limit: 1, offset: 0 })
    const plain = await ask({ metrics: ['visitors'], date_range: '7d' }, visits)
    expect(plain.meta).not.toHaveProperty('time_labels')
    expect(plain.meta).not.toHaveProperty('total_rows')
  })

  test('revenue is an object with value and currency, or null', async () => {
    const bought: AVisit = { at: '2026-03-12T10:00:00Z', hits: [{ n: 'Purchase', rev: { a: '129900', c: 'EUR' } }] }
    const [total] = (await ask({ metrics: ['total_revenue'], date_range: '7d' }, [bought])).results[0]!.metrics
    expect(revenue.parse(total)).toEqual({ value: '12.99', currency: 'EUR' })
    expect((await ask({ metrics: ['total_revenue'], date_range: '7d' }, visits)).results[0]!.metrics).toEqual([null])
  })
})

describe('goals and segments', () => {
  const site = aSite({
    goals: [
      { name: 'Signup', event: 'signup' },
      { name: 'Visit /pricing', page: '/pricing' },
    ],
    segments: [{ name: '1', filters: [['is', 'visit:source', ['Google']]] }],
  })
  const of: AVisit[] = [
    { at: '2026-03-12T10:00:00Z', who: 'a', src: 'Google', hits: [{ path: '/pricing' }, { n: 'signup', rev: { a: '100000', c: 'EUR' } }] },
    { at: '2026-03-12T10:00:00Z', who: 'b', hits: [{}] },
  ]
  test.each<[string, Record<string, unknown>, unknown[][]]>([
    [
      'revenue per goal',
      { metrics: ['total_revenue'], date_range: 'all', dimensions: ['event:goal'] },
      [
        ['Signup', { value: '10.00', currency: 'EUR' }],
        ['Visit /pricing', null],
      ],
    ],
    [
      'who completed a goal after a page',
      {
        filters: [
          ['is', 'event:goal', ['Signup']],
          ['has_done', ['is', 'event:page', ['/pricing']]],
        ],
      },
      [[1]],
    ],
    ['conversion', { metrics: ['visitors', 'conversion_rate'], filters: [['is', 'event:goal', ['Signup']]] }, [[1, 50]]],
    [
      'conversion within a source',
      { metrics: ['visitors', 'group_conversion_rate'], dimensions: ['visit:source'], filters: [['is', 'event:goal', ['Signup']]] },
      [['Google', 1, 100]],
    ],
    ['a saved segment', { filters: [['is', 'segment', [1]]] }, [[1]]],
  ])('%s', async (_name, query, expected) => {
    expect(await rows({ metrics: ['visitors'], date_range: '7d', ...query }, of, { site })).toEqual(expected)
  })

  test('a rate of conversion without a goal is refused', () => {
    expect(refusal({ metrics: ['visitors', 'conversion_rate'] }).code).toBe('bad-query')
  })
})

test.each(['day', '7d', '28d', '30d', '91d', 'month', '6mo', '12mo', 'year', 'all', '24h'])(
  'date_range %s is known',
  async (date_range) => {
    expect((await ask({ metrics: ['visitors'], date_range })).results).toHaveLength(1)
  },
)
