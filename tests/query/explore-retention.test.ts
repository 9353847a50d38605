import { describe, expect, it, test } from 'vitest'
import { answerRetention } from '#shared/query/explore/ask-retention.ts'
import { parseRetention } from '#shared/query/explore/requests.ts'
import { createRandom } from '../model/random.ts'
import {
  askedOf,
  dateIn,
  groupsOf,
  nights,
  type PlainFilter,
  perCent,
  plainFilters,
  plainHits,
  randomVisits,
  refusalOf,
  type World,
  zones,
} from './exploring.ts'
import { type AVisit, aSite } from './world.ts'

const base = { site_id: 'example.com', date_range: 'all', period: 'day' }
const ask = (request: Record<string, unknown>, visits: readonly AVisit[], world: World = {}) =>
  answerRetention(parseRetention({ ...base, ...request }), askedOf(visits, world))
/** `cohort size: visitors of each period`. */
const table = async (...asked: Parameters<typeof ask>): Promise<string[]> =>
  (await ask(...asked)).cohorts.map(
    ({ cohort, visitors, periods }) => `${cohort} ${visitors}: ${periods.map((cell) => cell.visitors).join(' ')}`,
  )

const on = (date: string, who: string, fields: Partial<AVisit> = {}): AVisit => ({
  at: `2026-${date}T10:00:00Z`,
  who,
  hits: [{ path: '/a' }],
  ...fields,
})
const march = { date_range: ['2026-03-02', '2026-03-05'] }

describe('who came back', () => {
  const visits = [
    on('03-02', 'x'),
    on('03-03', 'x'),
    on('03-05', 'x'),
    on('03-02', 'y'),
    on('03-05', 'y'),
    on('03-03', 'z'),
    on('03-03', 'z'),
  ]

  it('by the first day in the range, and how many of them on each day from there on', async () => {
    const answer = await ask(march, visits)
    expect(answer.cohorts).toEqual([
      {
        ...{ cohort: '2026-03-02', visitors: 2 },
        periods: [
          { visitors: 2, rate: 100 },
          { visitors: 1, rate: 50 },
          { visitors: 0, rate: 0 },
          { visitors: 2, rate: 100 },
        ],
      },
      {
        ...{ cohort: '2026-03-03', visitors: 1 },
        periods: [
          { visitors: 1, rate: 100 },
          { visitors: 0, rate: 0 },
          { visitors: 0, rate: 0 },
        ],
      },
    ])
    expect(answer.periods[0]).toEqual({ label: '2026-03-02', complete: true })
    expect(answer.query).toEqual({
      ...{ site_id: 'example.com', date_range: ['2026-03-02T00:00:00+01:00', '2026-03-05T23:59:59+01:00'] },
      ...{ filters: [], include: { bots: false }, period: 'day' },
    })
    expect(answer.meta).toEqual({ exact: true, sampled: 1, imports_included: false })
  })

  it('weeks begin on Monday, months on the first; one that is cut or not over is not complete', async () => {
    const weeks = await ask({ period: 'week', date_range: ['2026-03-04', '2026-03-20'] }, [
      on('03-05', 'x'),
      on('03-09', 'x'),
      on('03-15', 'y'),
    ])
    expect(weeks.periods).toEqual([
      { label: '2026-03-02', complete: false },
      { label: '2026-03-09', complete: false },
      { label: '2026-03-16', complete: false },
    ])
    const cut = await ask({ period: 'week', date_range: ['2026-03-04', '2026-03-20'] }, [], { now: '2026-04-01T00:00:00Z' })
    expect(cut.periods.map(({ complete }) => complete)).toEqual([false, true, false])
    const later = { now: '2026-03-15T23:00:00Z' }
    const over = await ask({ period: 'week', date_range: ['2026-03-02', '2026-03-15'] }, visits, later)
    expect(over.periods.map(({ complete }) => complete)).toEqual([true, true])
    const months = await ask({ period: 'month', date_range: ['2026-01-01', '2026-03-31'] }, [
      on('01-31', 'x'),
      on('02-01', 'x'),
      on('03-05', 'y'),
    ])
    expect(months.periods).toEqual([
      { label: '2026-01-01', complete: true },
      { label: '2026-02-01', complete: true },
      { label: '2026-03-01', complete: false },
    ])
    expect(months.cohorts.map(({ cohort, periods }) => [cohort, ...periods.map(({ visitors }) => visitors)])).toEqual([
      ['2026-01-01', 1, 1, 0],
      ['2026-03-01', 1],
    ])
  })

  it('filters say what makes a cohort, return filters what counts as coming back, not before it', async () => {
    const signup = (date: string, who: string, after = 0) => on(date, who, { hits: [{ after, n: 'signup' }] })
    const buy = (date: string, who: string, after = 0) => on(date, who, { hits: [{ after, n: 'buy' }] })
    const shop = [
      buy('03-02', 'x'),
      signup('03-03', 'x', 60),
      buy('03-03', 'x', 30),
      buy('03-04', 'x'),
      signup('03-02', 'y'),
      buy('03-02', 'y'),
      signup('03-03', 'y'),
    ]
    const filters = [['is', 'event:name', ['signup']]]
    expect(await table({ ...march, filters }, shop)).toEqual(['2026-03-02 1: 1 1 0 0', '2026-03-03 1: 1 0 0'])
    const answered = { ...march, filters, return_filters: [['is', 'event:name', ['buy']]] }
    expect(await table(answered, shop)).toEqual(['2026-03-02 1: 1 0 0 0', '2026-03-03 1: 0 1 0'])
    expect((await ask(answered, shop)).query).toMatchObject({ return_filters: [['is', 'event:name', ['buy']]] })
  })

  it('without cookies nobody is seen to come back on another day, which is said', async () => {
    const site = aSite({ identity: 'cookieless' })
    const { meta } = await ask(march, visits, { site })
    expect(meta['metric_warnings']).toEqual({
      visitors: { code: 'visitors_per_day', warning: expect.stringContaining('nobody is seen to come back on another day') },
    })
  })

  it('bots count where they are asked for', async () => {
    const bots = [on('03-02', 'x', { bot: 'agent' })]
    expect(await table(march, bots)).toEqual([])
    expect(await table({ ...march, include: { bots: true } }, bots)).toEqual(['2026-03-02 1: 1 0 0 0'])
  })
})

describe('a recount of random visits agrees', () => {
  const mondayOf = (date: string): string => {
    const day = new Date(`${date}T00:00:00Z`)
    return new Date(day.getTime() - ((day.getUTCDay() + 6) % 7) * 86_400_000).toISOString().slice(0, 10)
  }
  const labelOf = { day: (date: string) => date, week: mondayOf, month: (date: string) => `${date.slice(0, 7)}-01` }

  it.each(Array.from({ length: 60 }, (_, seed) => seed))('seed %i', async (seed) => {
    const random = createRandom(seed)
    const night = Date.parse(random.pick(nights))
    const tz = random.pick(zones)
    const visits = [
      ...randomVisits(random, night),
      ...randomVisits(random, night + 4 * 86_400_000),
      ...randomVisits(random, night + 12 * 86_400_000),
    ]
    for (let n = 0; n < 4; n++) {
      const period = random.pick(['day', 'week', 'month'] as const)
      const bots = random.chance(0.3)
      const filters = random.chance(0.4) ? [] : [random.pick(plainFilters)]
      const returning = random.chance(0.5) ? undefined : [random.pick(plainFilters)]
      const from = night - random.pick([5, 40]) * 3_600_000
      const to = night + random.pick([40, 400]) * 3_600_000

      const all = plainHits(visits, tz, bots, from, to)
      const labels: string[] = []
      for (let t = from; t < to; t += 3_600_000) {
        const label = labelOf[period](dateIn(tz, t))
        if (!labels.includes(label)) labels.push(label)
      }
      const passes = (list: PlainFilter[]) => (hit: (typeof all)[number]) => list.every((filter) => filter.passes(hit, all))
      const people = [...groupsOf(all, ({ vis }) => vis).values()].flatMap((hits) => {
        const begins = hits.filter(passes(filters)).map(({ t }) => t)
        if (begins.length === 0) return []
        const first = Math.min(...begins)
        const back = hits
          .filter((hit) => hit.t >= first && passes(returning ?? filters)(hit))
          .map(({ t }) => labelOf[period](dateIn(tz, t)))
        return [{ cohort: labelOf[period](dateIn(tz, first)), back }]
      })
      const expected = labels
        .map((cohort, i) => {
          const of = people.filter((one) => one.cohort === cohort)
          const periods = labels.slice(i).map((label) => {
            const count = of.filter(({ back }) => back.includes(label)).length
            return { visitors: count, rate: perCent(count, of.length) }
          })
          return { cohort, visitors: of.length, periods }
        })
        .filter(({ visitors }) => visitors > 0)
      const request = {
        date_range: [from, to - 1_000].map((t) => new Date(t).toISOString().replace('.000', '')),
        filters: filters.map(({ json }) => json),
        ...(returning ? { return_filters: returning.map(({ json }) => json) } : {}),
        ...{ period, include: { bots } },
      }
      const site = aSite({ zones: [{ tz, from: 0 }], identity: random.pick(['cookie', 'cookieless'] as const) })
      const answer = await ask(request, visits, { site, now: new Date(night + 500 * 3_600_000).toISOString() })
      expect(answer.cohorts).toEqual(expected)
      expect(answer.periods.map(({ label }) => label)).toEqual(labels)
    }
  })
})

test('what is wrong is named, with what was expected', async () => {
  const refused = (body: object) => refusalOf(parseRetention, { ...base, ...body })
  expect(refused({ period: 'year' })).toContain('period: expected "day", "week" or "month"')
  expect(refused({ return_filters: [] })).toContain('return_filters: expected at least one filter')
  expect(refused({ return_filters: [['is', 'event:page']] })).toContain('return_filters[0]: expected')
  expect(refused({ periods: 3 })).toContain('query: there is no field "periods". Near: period')
  await expect(ask({ date_range: ['2025-01-01', '2025-12-31'] }, [])).rejects.toThrow('period: the range has 365 of them, more than 120')
})
