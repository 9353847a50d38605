import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { withUnmet } from '#functions/serve-dashboard/page/panels/unmet.ts'
import type { Answer, Goal } from '#functions/serve-dashboard/page/state/api.ts'
import {
  causeMetric,
  cohortsOf,
  funnelBody,
  nodeAt,
  pathsBody,
  retentionBody,
  whyBody,
} from '#functions/serve-dashboard/page/state/explorations.ts'
import { defaultExplore, type Explore } from '#functions/serve-dashboard/page/state/explore.ts'
import { parseFilters } from '#functions/serve-dashboard/page/state/filters.ts'
import { emptyDraft, goalOf, wordsOfGoal } from '#functions/serve-dashboard/page/state/goal-draft.ts'
import { scopeNotices } from '#functions/serve-dashboard/page/state/scope.ts'
import { formatView, parseView } from '#functions/serve-dashboard/page/state/view.ts'
import { parseFunnel, parsePaths, parseRetention, parseWhy } from '#shared/query/explore/requests.ts'
import { anyExplore, anyView, aView } from './arbitrary.ts'

/** Goals and explorations: what the address says of them, what is asked, and what is made of the answers. */
const today = '2026-11-25'
const viewed = (explore: Partial<Explore>, part: object = {}) => aView({ ...part, explore: { ...defaultExplore, ...explore } })
const steps = (text: string) => parseFilters(text).filters

describe('the address of Explore', () => {
  it('is read back as it was', () => {
    fc.assert(
      fc.property(anyExplore, (explore) => {
        const { view, problems } = parseView(formatView(viewed(explore)))
        expect(problems).toEqual([])
        expect(view.explore).toEqual(explore)
      }),
    )
  })

  it('stays readable', () => {
    const text = '?site=example.com&explore=funnel&steps=page:/pricing+event:signup&window=7d&split=source'
    expect(formatView(parseView(text).view)).toBe(text)
    const paths = '?site=example.com&explore=paths&root=page:/pricing&trail=/signup|/done&direction=previous'
    expect(formatView(parseView(paths).view)).toBe(paths)
  })

  it.each([
    ['explore=map', /explore=map; it may be funnel, paths, retention, why/],
    ['steps=country:DE', /steps=country:DE; it may be up to 8 of page:/],
    [`steps=${'page:/+'.repeat(9)}`, /steps=/],
    ['steps=page', /steps=page/],
    ['order=loose', /order=loose/],
    ['window=0d', /window=0d; it may be 90s/],
    ['split=goal', /split=goal/],
    ['split=segment', /split=segment/],
    ['cause=nothing', /cause=nothing/],
    ['root=page:/a|/b', /root=/],
    ['root=!page:/a', /root=/],
    ['root=goal:a', /root=goal:a/],
    [`trail=${Array.from({ length: 10 }, () => '/a').join('|')}`, /trail=/],
    ['trail=/a /b:', /trail=/],
    ['cohorts=year', /cohorts=year/],
  ])('%s is told, and the rest is as usual', (search, said) => {
    const { view, problems } = parseView(`?${search}`)
    expect(view.explore).toEqual(defaultExplore)
    expect(problems).toEqual([expect.stringMatching(said)])
  })
})

describe('what is asked', () => {
  const settings = { goals: [] }
  /** The server knows no goal here; and it takes no empty list of words. */
  const isAsked = ({ steps: some }: Explore) => some.every(({ key }) => key !== 'goal')

  it('the server takes, whatever is shown', () => {
    const usable = anyView.filter(({ filters }) => filters.every(({ key }) => key !== 'goal' && key !== 'segment'))
    fc.assert(
      fc.property(usable, anyExplore.filter(isAsked), (some, explore) => {
        const view = { ...some, site: 'example.com', filters: some.filters.slice(0, 3), explore }
        const funnel = funnelBody(view, today)
        expect(funnel === undefined).toBe(explore.steps.length < 2)
        if (funnel) parseFunnel(funnel, settings)
        parseRetention(retentionBody(view, today), settings)
        for (let depth = 0; depth <= explore.trail.length; depth++) parsePaths(pathsBody(view, today, depth, 'cookie'), settings)
        const why = whyBody(view, today)
        if (why) parseWhy(why, settings)
      }),
    )
  })

  it('a funnel of one step is not', () => {
    expect(funnelBody(viewed({ steps: steps('page:/') }), today)).toBeUndefined()
    expect(funnelBody(viewed({ steps: steps('page:/ event:signup'), window: '7d', split: 'source' }), today)).toMatchObject({
      steps: [{ filters: [['is', 'event:page', ['/']]] }, { filters: [['is', 'event:name', ['signup']]] }],
      order: 'ordered',
      window: '7d',
      dimensions: ['visit:source'],
    })
  })

  test('of paths are those who went the way of the rows that are opened', () => {
    const view = viewed({ trail: ['/a', '/b'], root: steps('event:signup')[0], direction: 'previous' })
    expect(pathsBody(view, today, 0, 'cookie')).toMatchObject({ filters: [], to: { event: 'signup' }, steps: 1 })
    const done = (page: string) => ['has_done', ['is', 'event:page', [page]]]
    expect(pathsBody(view, today, 2, 'cookie')).toMatchObject({ filters: [done('/a'), done('/b'), ['is', 'event:page', ['/b']]], steps: 3 })
    // A visitor without a cookie is another one after midnight.
    expect(pathsBody(view, today, 2, 'cookieless')['filters']).toEqual([['is', 'event:page', ['/b']]])
    // Two conditions about hits would have to hold for one hit.
    const filtered = { ...view, filters: steps('page:/c') }
    expect(pathsBody(filtered, today, 2, 'cookieless')['filters']).toEqual([['is', 'event:page', ['/c']]])
  })

  it.each([
    ['day', 'day'],
    ['7d', 'day'],
    ['28d', 'week'],
    ['91d', 'week'],
    ['12mo', 'month'],
    ['all', 'month'],
    ['24h', 'day'],
  ])('of retention over %s are cohorts by %s', (period, unit) => {
    expect(cohortsOf(viewed({}, { period }), today)).toBe(unit)
    expect(cohortsOf(viewed({ cohorts: 'month' }, { period }), today)).toBe('month')
  })

  test('why is about a sum, and only where something is compared', () => {
    expect(causeMetric(viewed({}, { metric: 'pageviews' }))).toBe('pageviews')
    expect(causeMetric(viewed({}, { metric: 'bounce_rate' }))).toBe('visits')
    expect(whyBody(viewed({}, { compare: 'off' }), today)).toBeUndefined()
    expect(whyBody(viewed({}, { period: 'all' }), today)).toBeUndefined()
    expect(whyBody(viewed({}, { compare: 'year', weekday: true }), today)).toMatchObject({
      compare: 'year_over_year',
      compare_match_day_of_week: true,
    })
  })
})

test('a trail leads to a row, and never to the rest', () => {
  const leaf = { value: '/b', visits: 1, share: 1 }
  const tree = {
    value: null,
    visits: 3,
    share: 100,
    children: [
      { value: '/a', visits: 2, share: 60, children: [leaf] },
      { value: '(other)', other: true as const, visits: 1, share: 30 },
    ],
  }
  expect(nodeAt(tree, [])).toBe(tree)
  expect(nodeAt(tree, ['/a', '/b'])).toBe(leaf)
  expect(nodeAt(tree, ['/b'])).toBeUndefined()
  expect(nodeAt(tree, ['(other)'])).toBeUndefined()
  expect(nodeAt(tree, ['/a', '/b', '/c'])).toBeUndefined()
})

describe('goals', () => {
  const goals: Goal[] = [
    { name: 'a', page: '/' },
    { name: 'b', event: 'b' },
  ]
  const answer = { results: [{ dimensions: ['b'], metrics: [2, 2, 50] }], meta: { total_rows: 1 }, query: {} } as unknown as Answer
  const names = (one: Answer | undefined) => one?.results.map(({ dimensions: [name], metrics: [n] }) => `${name} ${n}`)

  test('that nobody met have a row, unless the rows are picked or there are more', () => {
    expect(names(withUnmet(answer, goals, aView()))).toEqual(['b 2', 'a 0'])
    expect(names(withUnmet(answer, goals, aView({ filters: steps('goal:b') })))).toEqual(['b 2'])
    expect(names(withUnmet({ ...answer, meta: { total_rows: 5 } }, goals, aView()))).toEqual(['b 2'])
    expect(withUnmet(undefined, goals, aView())).toBeUndefined()
  })

  it.each([
    [{ name: 'x', page: '/a' }, { name: 'x', page: '/a' }, 'Page /a'],
    [{ name: 'x', kind: 'event' as const, event: 'e' }, { name: 'x', event: 'e' }, 'Event e'],
    [{ name: 'x', kind: 'scroll' as const, page: '/**' }, { name: 'x', page: '/**', scroll: 75 }, '75% of page /** seen'],
    [
      { name: 'x', page: '/', conditions: [{ name: '__proto__', values: 'a\n\nb c\n' }] },
      { name: 'x', page: '/', props: Object.fromEntries([['__proto__', ['a', 'b c']]]) },
      'Page /, where __proto__ is a or b c',
    ],
  ])('are sent as they are written: %j', (part, goal, words) => {
    expect(goalOf({ ...emptyDraft, ...part })).toEqual(goal)
    expect(wordsOfGoal(goal)).toBe(words)
  })
})

test('what is no longer kept is said where it was asked for, by the date at the site', () => {
  expect(scopeNotices({}, 'UTC')).toEqual([])
  expect(scopeNotices(undefined, 'UTC')).toEqual([])
  const meta = { complete_from: '2026-10-31T23:00:00.000Z' }
  expect(scopeNotices(meta, 'Europe/Berlin')).toEqual([expect.stringMatching(/Nov/)])
  expect(scopeNotices(meta, 'UTC')).toEqual([expect.stringMatching(/Oct/)])
})

test('a sample is said to be one, with its share and how far it may be off', () => {
  expect(scopeNotices({ exact: true, sampled: 1 }, 'UTC')).toEqual([])
  expect(scopeNotices({ exact: false, sampled: 0.25, relative_error: 0.0012 }, 'UTC')).toEqual([
    expect.stringMatching(/25 % of .* ±0\.12 %/),
  ])
})
