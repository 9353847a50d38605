import { describe, expect, it } from 'vitest'
import { answerFunnel } from '#shared/query/explore/ask-funnel.ts'
import { answerPaths } from '#shared/query/explore/ask-paths.ts'
import { answerRetention } from '#shared/query/explore/ask-retention.ts'
import { answerWhy } from '#shared/query/explore/ask-why.ts'
import { parseFunnel, parsePaths, parseRetention, parseWhy } from '#shared/query/explore/requests.ts'
import { askedOf, refusalOf } from './exploring.ts'
import { type AVisit, aSite } from './world.ts'

/** Goals and segments in explorations: also those that engagement updates meet. */

const site = aSite({
  goals: [
    { name: 'Signup', event: 'signup' },
    { name: 'Read', page: '/docs', scroll: 75 },
  ],
  segments: [{ name: 'mail', filters: [['is', 'visit:source', ['mail']]] }],
})
const base = { site_id: 'example.com', date_range: ['2026-03-10', '2026-03-11'] }
const update = (after: number, path: string, sd: number) => ({ after, n: 'engagement', path, sd, fg: 1_000 })
const visits: AVisit[] = [
  { at: '2026-03-10T10:00:00Z', who: 'a', src: 'mail', hits: [{ path: '/docs' }, update(20, '/docs', 80), { after: 30, n: 'signup' }] },
  { at: '2026-03-10T11:00:00Z', who: 'b', src: 'mail', hits: [{ path: '/docs' }, update(20, '/docs', 40), { after: 30, n: 'signup' }] },
  { at: '2026-03-10T12:00:00Z', who: 'c', src: 'web', hits: [{ path: '/docs' }, update(20, '/docs', 90)] },
  { at: '2026-03-11T12:00:00Z', who: 'c', src: 'web', hits: [{ path: '/' }, update(20, '/', 90)] },
]
const goal = (name: string) => ({ filters: [['is', 'event:goal', [name]]] })

describe('goals and segments', () => {
  const funnel = async (body: object) =>
    (await answerFunnel(parseFunnel({ ...base, ...body }, site), askedOf(visits, { site }))).steps.map(({ visitors }) => visitors)

  it('are steps of a funnel, a depth of a page too', async () => {
    const steps = [
      {
        filters: [
          ['is', 'event:page', ['/docs']],
          ['is', 'event:name', ['pageview']],
        ],
      },
      goal('Read'),
      goal('Signup'),
    ]
    expect(await funnel({ steps })).toEqual([3, 2, 1])
    expect(await funnel({ steps, order: 'strict' })).toEqual([3, 2, 1])
    expect(await funnel({ steps: [steps[0], steps[2]], order: 'strict' })).toEqual([3, 2])
    expect(await funnel({ steps, filters: [['is', 'segment', ['mail']]] })).toEqual([2, 1, 1])
    expect(await funnel({ steps, filters: [['is', 'event:goal', ['Read']]] })).toEqual([2, 2, 1])
    expect(await funnel({ steps: [steps[0], { filters: [['has_done', ['is', 'event:goal', ['Read']]]] }] })).toEqual([3, 2])
  })

  it('choose visits of paths, and are no step of them', async () => {
    const body = { ...base, direction: 'next', steps: 2, by: 'event', filters: [['is', 'event:goal', ['Read']]] }
    const { tree } = await answerPaths(parsePaths(body, site), askedOf(visits, { site }))
    expect(tree).toMatchObject({
      visits: 2,
      children: [{ value: 'pageview', visits: 2, exits: 1, children: [{ value: 'signup', visits: 1 }] }],
    })
  })

  it('make cohorts, and are what comes back', async () => {
    const body = { ...base, period: 'day', filters: goal('Read').filters, return_filters: [['is', 'event:page', ['/']]] }
    const { cohorts } = await answerRetention(parseRetention(body, site), askedOf(visits, { site }))
    expect(cohorts).toEqual([
      {
        ...{ cohort: '2026-03-10', visitors: 2 },
        periods: [
          { visitors: 0, rate: 0 },
          { visitors: 1, rate: 50 },
        ],
      },
    ])
  })

  it('are rows of why', async () => {
    const body = {
      ...base,
      date_range: ['2026-03-11', '2026-03-11'],
      compare: 'previous_period',
      metric: 'visits',
      dimension: 'event:goal',
    }
    const { rows } = await answerWhy(parseWhy(body, site), askedOf(visits, { site }))
    expect(rows.map(({ value, before, now }) => [value, before, now])).toEqual([
      ['Read', 2, 0],
      ['Signup', 2, 0],
    ])
  })

  it('choose what why counts', async () => {
    const body = {
      ...base,
      date_range: ['2026-03-11', '2026-03-11'],
      compare: 'previous_period',
      metric: 'visits',
      dimension: 'visit:source',
    }
    const { rows, total } = await answerWhy(parseWhy({ ...body, filters: goal('Read').filters }, site), askedOf(visits, { site }))
    expect(total).toEqual({ before: 2, now: 0, change: -2 })
    expect(rows.map(({ value, before, now }) => [value, before, now])).toEqual([
      ['mail', 1, 0],
      ['web', 1, 0],
    ])
  })

  it('that do not exist are named; a funnel is not broken down by them', () => {
    const steps = [goal('Signup'), goal('Sign')]
    const refused = (body: object) =>
      refusalOf((json) => parseFunnel(json, site), { ...base, steps: [goal('Signup'), goal('Read')], ...body })
    expect(refused({ steps })).toContain('steps[1].filters[0][2][0]: there is no goal "Sign"')
    expect(refused({ filters: [['is', 'segment', ['post']]] })).toContain('filters[0][2][0]: there is no segment "post"')
    expect(refused({ dimensions: ['event:goal'] })).toContain('dimensions[0]: a hit may meet several goals')
  })
})
