import { describe, expect, it, test } from 'vitest'
import { answerWhy } from '#shared/query/explore/ask-why.ts'
import { parseWhy } from '#shared/query/explore/requests.ts'
import { createRandom } from '../model/random.ts'
import { askedOf, nights, type PlainHit, plainFilters, plainHits, randomVisits, refusalOf, type World, zones } from './exploring.ts'
import { type AVisit, aSite } from './world.ts'

const base = {
  site_id: 'example.com',
  date_range: ['2026-03-11', '2026-03-11'],
  compare: 'previous_period',
  metric: 'visits',
  dimension: 'visit:source',
}
const ask = (request: Record<string, unknown>, visits: readonly AVisit[], world: World = {}) =>
  answerWhy(parseWhy({ ...base, ...request }), askedOf(visits, world))
const rows = async (...asked: Parameters<typeof ask>): Promise<unknown[][]> =>
  (await ask(...asked)).rows.map(({ value, before, now, change, share, other }) => [
    value,
    before,
    now,
    change,
    share,
    ...(other ? ['other'] : []),
  ])

const on = (day: string, src: string, who: string, fields: Partial<AVisit> = {}): AVisit => ({
  at: `2026-03-${day}T10:00:00Z`,
  who,
  src,
  ...fields,
})

describe('why a number changed', () => {
  const visits = [
    ...[on('10', 'Google', 'a'), on('10', 'Google', 'b'), on('10', 'mail', 'a'), on('10', 'gone', 'c'), on('10', 'same', 'd')],
    ...[on('11', 'Google', 'a'), on('11', 'mail', 'b'), on('11', 'mail', 'c'), on('11', 'mail', 'd'), on('11', 'mail', 'e')],
    ...[on('11', 'same', 'f'), on('11', 'new', 'f')],
  ]

  it('rows by what they add to the change, those too that are gone or new', async () => {
    const answer = await ask({}, visits)
    expect(answer.total).toEqual({ before: 5, now: 7, change: 2 })
    expect(answer.overlap).toEqual({ before: 0, now: 0, change: 0 })
    expect(await rows({}, visits)).toEqual([
      ['mail', 1, 4, 3, 150],
      ['Google', 2, 1, -1, -50],
      ['gone', 1, 0, -1, -50],
      ['new', 0, 1, 1, 50],
      ['same', 1, 1, 0, 0],
    ])
    expect(answer.meta).toMatchObject({
      exact: true,
      sampled: 1,
      comparison_date_range: ['2026-03-10T00:00:00+01:00', '2026-03-10T23:59:59+01:00'],
    })
    expect(answer.query).toEqual({
      ...{
        site_id: 'example.com',
        date_range: ['2026-03-11T00:00:00+01:00', '2026-03-11T23:59:59+01:00'],
        filters: [],
        include: { bots: false },
      },
      ...{ compare: 'previous_period', compare_match_day_of_week: false, metric: 'visits', dimension: 'visit:source', limit: 100 },
    })
  })

  it('what rows have too much is overlap', async () => {
    const answer = await ask({ metric: 'visitors' }, visits)
    expect(answer.total).toEqual({ before: 4, now: 6, change: 2 })
    expect(answer.overlap).toEqual({ before: 1, now: 1, change: 0 })
  })

  it('beyond the limit the exact rest', async () => {
    expect(await rows({ limit: 2 }, visits)).toEqual([
      ['mail', 1, 4, 3, 150],
      ['Google', 2, 1, -1, -50],
      ['(other)', 2, 2, 0, 0, 'other'],
    ])
  })

  it('where the whole did not change there is no share; where it fell, what fell has a share above 0', async () => {
    const even = [on('10', 'a', 'x'), on('11', 'b', 'x')]
    expect(await rows({}, even)).toEqual([
      ['a', 1, 0, -1, null],
      ['b', 0, 1, 1, null],
    ])
    expect(await rows({}, [on('10', 'a', 'x'), on('10', 'a', 'y'), on('10', 'b', 'z'), on('11', 'c', 'x')])).toEqual([
      ['a', 2, 0, -2, 100],
      ['b', 1, 0, -1, 50],
      ['c', 0, 1, 1, -50],
    ])
  })

  it('money is exact, in one currency', async () => {
    const buy = (day: string, src: string, a: string, c = 'EUR') => on(day, src, 'x', { hits: [{ n: 'buy', rev: { a, c } }] })
    const shop = [buy('10', 'a', '100000'), buy('11', 'a', '300001'), buy('11', 'b', '-50000')]
    const answer = await ask({ metric: 'total_revenue' }, shop)
    expect(answer.total).toEqual({
      before: { value: '10.00', currency: 'EUR' },
      now: { value: '25.0001', currency: 'EUR' },
      change: { value: '15.0001', currency: 'EUR' },
    })
    expect(answer.rows.map(({ value, change, share }) => [value, change, share])).toEqual([
      ['a', { value: '20.0001', currency: 'EUR' }, 133.33],
      ['b', { value: '-5.00', currency: 'EUR' }, -33.33],
    ])
    const two = [...shop, buy('11', 'a', '10000', 'USD'), buy('10', 'c', '10000', 'USD')]
    await expect(ask({ metric: 'total_revenue' }, two)).rejects.toThrow('currency: revenue came in EUR, USD; name one of them')
    const euro = await ask({ metric: 'total_revenue', currency: 'EUR' }, two)
    expect(euro.rows).toEqual(answer.rows)
    expect(euro.meta).not.toHaveProperty('metric_warnings')
    expect((await ask({ metric: 'total_revenue' }, visits)).total).toEqual({ before: 0, now: 0, change: 0 })
  })

  it('without cookies it is not known who is new, and visitors are those of days', async () => {
    const site = aSite({ identity: 'cookieless' })
    await expect(ask({ metric: 'new_visitors' }, visits, { site })).rejects.toThrow('metric: the site uses no cookies')
    const { meta } = await ask({ metric: 'visitors', date_range: ['2026-03-10', '2026-03-11'] }, visits, { site })
    expect(meta['metric_warnings']).toMatchObject({ visitors: { code: 'visitors_per_day' } })
  })

  it('an unfinished day is compared with the same hours', async () => {
    const days = [on('14', 'a', 'x'), { ...on('14', 'b', 'y'), at: '2026-03-14T20:00:00Z' }, on('15', 'a', 'x')]
    expect(await rows({ date_range: 'day' }, days, { now: '2026-03-15T12:00:00Z' })).toEqual([['a', 1, 1, 0, null]])
  })
})

describe('a recount of random visits agrees', () => {
  const count = {
    visits: (hits: PlainHit[]) => new Set(hits.map(({ visit }) => visit)).size,
    visitors: (hits: PlainHit[]) => new Set(hits.map(({ vis }) => vis)).size,
    pageviews: (hits: PlainHit[]) => hits.filter(({ name }) => name === 'pageview').length,
    events: (hits: PlainHit[]) => hits.length,
  }
  const read = {
    'visit:source': (hit: PlainHit) => hit.visit.src!,
    'event:page': (hit: PlainHit) => hit.page,
    'event:name': (hit: PlainHit) => hit.name,
  }

  it.each(Array.from({ length: 40 }, (_, seed) => seed))('seed %i', async (seed) => {
    const random = createRandom(seed)
    const night = Date.parse(random.pick(nights))
    const tz = random.pick(zones)
    const visits = randomVisits(random, night)
    for (let n = 0; n < 4; n++) {
      const bots = random.chance(0.3)
      const metric = random.pick(['visits', 'visitors', 'pageviews', 'events'] as const)
      const dimension = random.pick(['visit:source', 'event:page', 'event:name'] as const)
      const filters = random.chance(0.4) ? [] : [random.pick(plainFilters)]
      const length = random.pick([3, 12, 30]) * 3_600_000
      const hitsIn = (from: number) => {
        const all = plainHits(visits, tz, bots, from, from + length)
        return all.filter((hit) => filters.every((filter) => filter.passes(hit, all)))
      }
      const [before, now] = [hitsIn(night - length), hitsIn(night)]
      const values = [...new Set([...before, ...now].map(read[dimension]))]
      const change = count[metric](now) - count[metric](before)
      const expected = values.map((value) => {
        const of = (hits: PlainHit[]) => count[metric](hits.filter((hit) => read[dimension](hit) === value))
        const own = of(now) - of(before)
        const size = Math.round(Math.abs((own * 10_000) / change)) / 100
        const share = change === 0 ? null : size === 0 ? 0 : own < 0 === change < 0 ? size : -size
        return { value, before: of(before), now: of(now), change: own, share }
      })
      const shown = expected.filter((row) => row.before + row.now > 0)
      shown.sort((a, b) => Math.abs(b.change) - Math.abs(a.change) || (a.value < b.value ? -1 : 1))
      const request = {
        date_range: [night, night + length - 1_000].map((t) => new Date(t).toISOString().replace('.000', '')),
        ...{ metric, dimension, filters: filters.map(({ json }) => json), include: { bots } },
      }
      const answer = await ask(request, visits, {
        site: aSite({ zones: [{ tz, from: 0 }] }),
        now: new Date(night + 90 * 3_600_000).toISOString(),
      })
      expect(answer.rows).toEqual(shown)
      expect(answer.total).toEqual({ before: count[metric](before), now: count[metric](now), change })
      const sum = (at: 'before' | 'now') => shown.reduce((total, row) => total + row[at], 0)
      expect(answer.overlap).toMatchObject({ before: sum('before') - count[metric](before), now: sum('now') - count[metric](now) })
    }
  })
})

test('what is wrong is named, with what was expected', () => {
  const refused = (body: object) => refusalOf(parseWhy, { ...base, ...body })
  expect(refused({ metric: 'bounce_rate' })).toContain('metric: there is no metric that adds up "bounce_rate". Known: visitors')
  expect(refused({ metric: 'visit' })).toContain('Near: visits')
  expect(refused({ dimension: 'time:day' })).toContain('dimension: "time:day" is no cause')
  expect(refused({ dimension: 'visit:sauce' })).toContain('dimension: there is no dimension "visit:sauce"')
  expect(refused({ compare: null })).toContain('compare: expected "previous_period"')
  expect(refused({ compare: undefined })).toContain('compare: expected "previous_period"')
  expect(refused({ compare: ['2026-03-02', 'x'] })).toContain('compare: "x" is no date')
  expect(refused({ currency: 'EUR' })).toContain('currency: only "total_revenue" has one')
  expect(refused({ currency: 'eur', metric: 'total_revenue' })).toContain('currency: expected a currency as "EUR"')
  expect(refused({ limit: 1_001 })).toContain('limit: expected a whole number from 1 to 1000')
  expect(refused({ metrics: ['visits'] })).toContain('query: there is no field "metrics". Near: metric')
})
