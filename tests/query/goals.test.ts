import { describe, expect, test } from 'vitest'
import { compileFilters, createWork } from '#shared/query/filters.ts'
import { goalFilter } from '#shared/query/goals.ts'
import { parseQuery } from '#shared/query/schema.ts'
import type { Goal, SiteConfig } from '#shared/site/config.ts'
import { type AVisit, aSite, ask, refusal, rows, values } from './world.ts'

const noon = '2026-03-10T12:00:00Z'
const day = { date_range: ['2026-03-10', '2026-03-10'] }

describe('a page pattern', () => {
  const matches = (page: string, path: string) => {
    const test = compileFilters([goalFilter({ name: 'g', page })], (name) => (name === 'event:page' ? 1 : 0), [], createWork())
    return test({ v: [] }, { v: ['pageview', path], vis: '' })
  }
  test.each([
    ['/docs', ['/docs'], ['/docs/', '/Docs', '/docs/a', '/x/docs', '/docs\n']],
    ['/docs/*', ['/docs/', '/docs/a', '/docs/a.b'], ['/docs', '/docs/a/b', '/Docs/a']],
    ['/docs/**', ['/docs/', '/docs/a', '/docs/a/b', '/docs/a\nb'], ['/docs', '/x/docs/a']],
    ['/docs**', ['/docs', '/docs/a', '/docsearch'], ['/doc']],
    ['/*/edit', ['/a/edit', '//edit'], ['/a/b/edit', '/edit']],
    ['**/thanks', ['/thanks', '/a/b/thanks'], ['/thanks/x']],
    ['/a.b(c)*', ['/a.b(c)', '/a.b(c)d'], ['/aXb(c)', '/a.bc']],
    ['/***', ['/', '/a/b'], []],
    ['/café *', ['/café x'], ['/cafe x']],
    ['/[x]|\\d', ['/[x]|\\d'], ['/x', '/[x]|1']],
  ])('%s', (page, yes, no) => {
    for (const path of yes) expect([path, matches(page, path)]).toEqual([path, true])
    for (const path of no) expect([path, matches(page, path)]).toEqual([path, false])
  })
})

const goals: Goal[] = [
  { name: 'Signup', event: 'signup' },
  { name: 'Pro signup', event: 'signup', props: { plan: ['pro', 'team'], trial: ['false'] } },
  { name: 'Docs', page: '/docs**' },
  { name: 'Docs read', page: '/docs**', scroll: 75 },
]
const segments = [
  { name: 'Germany', filters: [['is', 'visit:country', ['DE']]] },
  {
    name: 'German signups',
    filters: [
      ['is', 'visit:country', ['DE']],
      ['is', 'event:goal', ['Signup']],
    ],
  },
]
const site = aSite({ goals, segments })

/**
 * a: from Germany, reads the docs to the end and signs up twice, once as a pro. b: looks at the docs. c: signs up only. d: comes to
 * the first page. e: robot.
 */
const visits: AVisit[] = [
  {
    at: noon,
    who: 'a',
    country: 'DE',
    hits: [
      { path: '/docs' },
      { after: 20, n: 'engagement', path: '/docs', sd: 80, fg: 5_000 },
      { after: 30, n: 'signup', p: { plan: 'pro', trial: false }, rev: { a: '100000', c: 'EUR' } },
      { after: 40, n: 'signup', p: { plan: 'free', trial: false }, rev: { a: '50000', c: 'EUR' } },
    ],
  },
  { at: noon, who: 'b', country: 'DE', hits: [{ path: '/docs/a' }, { after: 9, n: 'engagement', path: '/docs/a', sd: 74, fg: 2_000 }] },
  {
    at: '2026-03-10T18:00:00Z',
    who: 'c',
    country: 'US',
    hits: [{ path: '/' }, { after: 5, n: 'signup', p: { plan: 'team', trial: true } }],
  },
  { at: '2026-03-10T18:00:00Z', who: 'd', hits: [{ path: '/' }] },
  { at: noon, who: 'e', bot: 'agent', hits: [{ n: 'signup' }] },
]
const table = (query: Record<string, unknown>, of = visits, config: SiteConfig = site) =>
  rows({ ...day, order_by: undefined, ...query }, of, { site: config })
const one = (query: Record<string, unknown>) => values({ ...day, ...query }, visits, { site })

describe('the dimension event:goal', () => {
  test('a hit lies in the row of each goal it meets, an update only in that of a scroll goal, as visitor and visit', async () => {
    expect(await table({ metrics: ['visitors', 'visits', 'pageviews', 'events'], dimensions: ['event:goal'] })).toEqual([
      ['Docs', 2, 2, 2, 2],
      ['Signup', 2, 2, 0, 3],
      ['Docs read', 1, 1, 0, 0],
      ['Pro signup', 1, 1, 0, 1],
    ])
  })

  test('revenue is that of the hits that meet the goal', async () => {
    expect(await table({ metrics: ['total_revenue', 'average_revenue'], dimensions: ['event:goal'] })).toEqual([
      ['Signup', { value: '15.00', currency: 'EUR' }, { value: '7.50', currency: 'EUR' }],
      ['Pro signup', { value: '10.00', currency: 'EUR' }, { value: '10.00', currency: 'EUR' }],
      ['Docs', null, null],
      ['Docs read', null, null],
    ])
  })

  test('beside others, ordered by it, and with filters', async () => {
    expect(
      await table({
        metrics: ['visitors'],
        dimensions: ['event:goal', 'visit:country'],
        order_by: [['event:goal', 'desc']],
        filters: [['is_not', 'visit:country', ['US']]],
      }),
    ).toEqual([
      ['Signup', 'DE', 1],
      ['Pro signup', 'DE', 1],
      ['Docs read', 'DE', 1],
      ['Docs', 'DE', 2],
    ])
  })

  test('a filter on goals leaves those rows, whatever else its hits meet', async () => {
    const named = async (...filters: unknown[]) =>
      (await table({ metrics: ['visitors'], dimensions: ['event:goal'], filters })).map(([name]) => name)
    expect(await named(['is', 'event:goal', ['Pro signup']])).toEqual(['Pro signup'])
    expect(await named(['and', [['contains', 'event:goal', ['signup']]]])).toEqual(['Pro signup'])
    expect(await named(['is_not', 'event:goal', ['Pro signup']])).toEqual(['Docs', 'Signup', 'Docs read'])
    // An update stands for the pageview it belongs to: it is left out with it.
    expect(await named(['is_not', 'event:goal', ['Docs']])).toEqual(['Signup', 'Pro signup'])
    expect(await named(['is', 'segment', ['German signups']])).toEqual(['Signup'])
  })

  test('a site without goals has no rows', async () => {
    expect(await table({ metrics: ['visitors'], dimensions: ['event:goal'] }, visits, aSite())).toEqual([])
  })

  test('goals that change hold for the past at once', async () => {
    const changed = aSite({ goals: [{ name: 'First page', page: '/' }] })
    expect(await table({ metrics: ['visitors'], dimensions: ['event:goal'] }, visits, changed)).toEqual([['First page', 2]])
  })

  test('percentage is of all who match, with a goal or without', async () => {
    expect(
      await table({ metrics: ['percentage'], dimensions: ['event:goal'], filters: [['is', 'visit:country', ['DE', '(not set)']]] }),
    ).toEqual([
      ['Docs', 66.67],
      ['Docs read', 33.33],
      ['Pro signup', 33.33],
      ['Signup', 33.33],
    ])
  })
})

describe('a filter on goals', () => {
  test.each<[unknown[], number[]]>([
    [
      ['is', 'event:goal', ['Signup']],
      [2, 2, 3],
    ],
    [
      ['is', 'event:goal', ['Pro signup', 'Docs']],
      [2, 2, 3],
    ],
    [
      ['is', 'event:goal', ['SIGNUP'], { case_sensitive: false }],
      [2, 2, 3],
    ],
    [
      ['contains', 'event:goal', ['signup']],
      [1, 1, 1],
    ],
    [
      ['matches', 'event:goal', ['^(?i)sign']],
      [2, 2, 3],
    ],
    [
      ['contains', 'event:goal', ['nothing']],
      [0, 0, 0],
    ],
    [
      ['is_not', 'event:goal', ['Signup', 'Docs']],
      [2, 2, 2],
    ],
    [
      ['contains_not', 'event:goal', ['nothing']],
      [4, 4, 7],
    ],
    [
      ['not', ['is', 'event:goal', ['Signup']]],
      [4, 4, 4],
    ],
    [
      ['is', 'event:goal', ['Docs read']],
      [1, 1, 0],
    ],
    [
      ['not', ['is_not', 'event:goal', ['Docs read']]],
      [1, 1, 0],
    ],
    [
      ['has_done', ['is', 'event:goal', ['Docs read']]],
      [1, 1, 3],
    ],
    [
      ['has_not_done', ['is', 'event:goal', ['Signup', 'Docs read']]],
      [2, 2, 2],
    ],
    [
      ['has_done', ['is', 'event:page', ['/docs/a']]],
      [1, 1, 1],
    ],
    [
      [
        'or',
        [
          ['is', 'event:goal', ['Docs read']],
          ['is', 'visit:country', ['US']],
        ],
      ],
      [2, 2, 2],
    ],
  ])('%j', async (filter, expected) => {
    expect(await one({ metrics: ['visitors', 'visits', 'events'], filters: [filter] })).toEqual(expected)
  })

  test('in has_done knows updates by scroll goals alone', async () => {
    const overnight: AVisit = {
      at: '2026-03-09T22:59:00Z',
      hits: [{ path: '/docs' }, { after: 120, n: 'engagement', path: '/docs', sd: 40, fg: 100 }, { after: 130, path: '/' }],
    }
    const has = (filter: unknown[]) => values({ metrics: ['visitors'], ...day, filters: [['has_done', filter]] }, [overnight], { site })
    expect(await has(['is', 'event:page', ['/']])).toEqual([1])
    expect(await has(['is', 'event:page', ['/docs']])).toEqual([0])
    expect(await has(['is', 'event:goal', ['Docs', 'Docs read']])).toEqual([0])
  })

  test('is echoed as it was asked', async () => {
    const filters = [
      ['is_not', 'event:goal', ['Signup']],
      [
        'or',
        [
          ['is', 'segment', ['Germany']],
          ['contains', 'event:goal', ['DOC'], { case_sensitive: false }],
        ],
      ],
    ]
    expect((await ask({ metrics: ['visitors'], ...day, filters }, visits, { site })).query['filters']).toEqual(filters)
  })

  test.each<[unknown[], string]>([
    [['is', 'event:goal', ['Signup', 'Singup']], 'filters[0][2][1]: there is no goal "Singup". Near: Signup'],
    [['is_not', 'event:goal', ['x']], 'filters[0][2][0]: there is no goal "x". Known: Signup, Pro signup, Docs, Docs read.'],
    [['is', 'event:goal', ['signup']], 'Near: Signup'],
    [['is', 'segment', ['germany']], 'filters[0][2][0]: there is no segment "germany". Near: Germany'],
    [['contains', 'segment', ['Germany']], 'filters[0][0]: "segment" takes "is" and "is_not"'],
    [['is', 'segment', ['Germany'], { case_sensitive: false }], 'filters[0][3]: "segment" takes no modifier'],
    [
      ['has_done', ['is', 'segment', ['Germany']]],
      'filters[0][1]: segment "Germany"[0][1]: has_done and has_not_done take "event:" dimensions',
    ],
  ])('%j is refused', (filter, message) => {
    const said = refusal({ filters: [filter] }, site)
    expect(said.code).toBe('bad-query')
    expect(said.message).toContain(message)
  })

  test('of a site without goals or segments says so', () => {
    expect(refusal({ filters: [['is', 'event:goal', ['x']]] }).message).toContain('the site has no goals; add them')
    expect(refusal({ filters: [['is', 'segment', ['x']]] }).message).toContain('the site has no segments; add them')
    expect(refusal({ dimensions: ['segment'] }).message).toContain('there is no dimension "segment"')
  })
})

describe('segments', () => {
  test.each<[unknown[], number]>([
    [['is', 'segment', ['Germany']], 2],
    [['is_not', 'segment', ['Germany']], 2],
    [['is', 'segment', ['German signups']], 1],
    [['is', 'segment', ['Germany', 'German signups']], 2],
    [['is_not', 'segment', ['German signups']], 4],
    [
      [
        'and',
        [
          ['is', 'segment', ['Germany']],
          ['not', ['is', 'event:page', ['/docs']]],
        ],
      ],
      2,
    ],
  ])('%j', async (filter, expected) => {
    expect(await one({ metrics: ['visitors'], filters: [filter] })).toEqual([expected])
  })

  test('count towards the limits as if they stood there', () => {
    const many = { segments: [{ name: 'many', filters: Array.from({ length: 60 }, () => ['is', 'event:page', ['/']]) }] }
    const filters = [['is', 'segment', ['many']]]
    expect(() => parseQuery({ site_id: 'x', metrics: ['visitors'], date_range: '7d', filters }, many)).not.toThrow()
    expect(refusal({ filters: [...filters, ...filters] }, many).message).toContain('filters[1]: segment "many"[38]: at most 100 conditions')
    const deep = { segments: [{ name: 'deep', filters: [nested(9)] }] }
    expect(refusal({ filters: [['not', ['is', 'segment', ['deep']]]] }, deep).message).toContain('filters may be nested 10 deep')
  })
  const nested = (depth: number): unknown[] => (depth === 1 ? ['is', 'event:page', ['/']] : ['not', nested(depth - 1)])
})

describe('conversion', () => {
  test('is of the visitors taken without the goal', async () => {
    expect(await table({ metrics: ['conversion_rate'], dimensions: ['event:goal'] })).toEqual([
      ['Docs', 50],
      ['Signup', 50],
      ['Docs read', 25],
      ['Pro signup', 25],
    ])
    expect(await one({ metrics: ['conversion_rate'], filters: [['is', 'event:goal', ['Signup']]] })).toEqual([50])
    expect(
      await one({
        metrics: ['conversion_rate'],
        filters: [
          ['is', 'event:goal', ['Signup']],
          ['is', 'visit:country', ['DE']],
        ],
      }),
    ).toEqual([50])
    // What a condition says about the visitor says who is asked: of those who signed up, one reads the docs to the end.
    expect(
      await one({
        metrics: ['conversion_rate'],
        filters: [
          ['is', 'event:goal', ['Docs read']],
          ['has_done', ['is', 'event:goal', ['Signup']]],
        ],
      }),
    ).toEqual([50])
  })

  test('of a group is within its other values', async () => {
    const metrics = ['visitors', 'conversion_rate', 'group_conversion_rate']
    expect(await table({ metrics, dimensions: ['event:goal', 'visit:country'], filters: [['is', 'event:goal', ['Signup']]] })).toEqual([
      ['Signup', 'DE', 1, 25, 50],
      ['Signup', 'US', 1, 25, 100],
    ])
    expect(await table({ metrics, dimensions: ['visit:country'], filters: [['is', 'event:goal', ['Signup']]] })).toEqual([
      ['DE', 1, 25, 50],
      ['US', 1, 25, 100],
    ])
  })

  test('in a time bucket is of the bucket', async () => {
    const filters = [['is', 'event:goal', ['Signup']]]
    expect(await table({ metrics: ['conversion_rate', 'group_conversion_rate'], dimensions: ['time:hour'], filters })).toEqual([
      ['2026-03-10 13:00:00', 50, 50],
      ['2026-03-10 19:00:00', 50, 50],
    ])
    expect(await table({ metrics: ['conversion_rate'], dimensions: ['event:goal', 'time:hour'], filters })).toEqual([
      ['Signup', '2026-03-10 13:00:00', 50],
      ['Signup', '2026-03-10 19:00:00', 50],
    ])
  })

  test('is compared, and put in order', async () => {
    const before = visits.map((visit) => ({ ...visit, at: visit.at.replace('-10T', '-09T') })).filter(({ who }) => who !== 'b')
    const { results } = await ask(
      {
        metrics: ['conversion_rate'],
        ...day,
        dimensions: ['event:goal'],
        order_by: [['conversion_rate', 'asc']],
        include: { compare: 'previous_period' },
      },
      [...before, ...visits],
      { site },
    )
    expect(
      results.map(({ dimensions, metrics, comparison }) => [...dimensions, ...metrics, comparison?.metrics, comparison?.change]),
    ).toEqual([
      ['Docs read', 25, [33.33], [-25]],
      ['Pro signup', 25, [33.33], [-25]],
      ['Docs', 50, [33.33], [50]],
      ['Signup', 50, [66.67], [-25]],
    ])
  })

  test('of a goal that nobody met in one of two periods is 0 there, not unknown', async () => {
    const before: AVisit[] = [{ at: '2026-03-09T12:00:00Z', hits: [{ path: '/docs' }] }]
    const after: AVisit[] = [{ at: noon, hits: [{ n: 'signup' }] }, { at: noon }]
    const include = { compare: 'previous_period', compare_missing: true }
    const query = { metrics: ['conversion_rate', 'group_conversion_rate'], ...day, dimensions: ['event:goal'], include }
    const { results } = await ask(query, [...before, ...after], { site })
    expect(results.map(({ dimensions, metrics, comparison }) => [...dimensions, metrics, comparison?.metrics, comparison?.change])).toEqual(
      [
        ['Signup', [50, 50], [0, 0], [null, null]],
        ['Docs', [0, 0], [100, 100], [-100, -100]],
      ],
    )
    const { results: alone } = await ask(query, after, { site })
    expect(alone[0]?.comparison?.metrics).toEqual([null, null])
  })

  test('never passes 100: whoever meets a scroll goal is among those who are asked', async () => {
    const late: AVisit[] = [
      { at: '2026-03-10T12:59:59Z', who: 'a', hits: [{ path: '/docs' }, { after: 60, n: 'engagement', path: '/docs', sd: 90, fg: 100 }] },
    ]
    const metrics = ['visitors', 'pageviews', 'conversion_rate', 'group_conversion_rate']
    // (With the depth, which makes the update be looked at in the row of the page too: there it counts nobody.)
    expect(await table({ metrics: [...metrics, 'scroll_depth'], dimensions: ['event:goal', 'time:hour'] }, late)).toEqual([
      ['Docs', '2026-03-10 13:00:00', 1, 1, 100, 100, null],
      ['Docs read', '2026-03-10 14:00:00', 1, 0, 100, 100, 90],
    ])
    expect(await table({ metrics, dimensions: ['time:hour'], filters: [['is', 'event:goal', ['Docs read']]] }, late)).toEqual([
      ['2026-03-10 14:00:00', 1, 0, 100, 100],
    ])
  })

  test.each([['conversion_rate'], ['group_conversion_rate']])('%s without a goal is refused with the cure', (metric) => {
    for (const filters of [[], [['is', 'visit:os', ['x']]], [['has_done', ['is', 'event:goal', ['Signup']]]]])
      expect(refusal({ metrics: ['visitors', metric], filters }, site).message).toContain(
        `metrics[1]: "${metric}" needs a goal: add the dimension "event:goal", or a filter such as ["is","event:goal",["Signup"]]`,
      )
  })

  test.each<[unknown[], unknown[]]>([
    [['is', 'event:goal', ['Docs']], []],
    [
      [
        'and',
        [
          ['is', 'event:goal', ['Docs']],
          ['is', 'visit:os', ['x']],
        ],
      ],
      [['and', [['is', 'visit:os', ['x']]]]],
    ],
    [
      [
        'or',
        [
          ['is', 'event:goal', ['Docs']],
          ['is', 'visit:os', ['x']],
        ],
      ],
      [],
    ],
    [
      [
        'not',
        [
          'and',
          [
            ['is', 'event:goal', ['Docs']],
            ['is', 'visit:os', ['x']],
          ],
        ],
      ],
      [],
    ],
    [
      [
        'not',
        [
          'or',
          [
            ['is_not', 'event:goal', ['Docs']],
            ['is', 'visit:os', ['x']],
          ],
        ],
      ],
      [['not', ['or', [['is', 'visit:os', ['x']]]]]],
    ],
  ])('%j without goals', (filter, expected) => {
    const { asked } = parseQuery({ site_id: 'x', metrics: ['conversion_rate'], date_range: '7d', filters: [filter] }, site)
    const said = parseQuery({ site_id: 'x', metrics: ['visitors'], date_range: '7d', filters: expected }, site)
    expect(asked?.filters).toEqual(said.filters)
  })
})
