import { describe, expect, it, test } from 'vitest'
import { answerFunnel } from '#shared/query/explore/ask-funnel.ts'
import { parseFunnel } from '#shared/query/explore/requests.ts'
import { createRooms } from '#shared/query/room.ts'
import { createRandom } from '../model/random.ts'
import {
  askedOf,
  dateIn,
  groupsOf,
  nights,
  type PlainFilter,
  type PlainHit,
  perCent,
  plainFilters,
  plainHits,
  randomVisits,
  refusalOf,
  type World,
  zones,
} from './exploring.ts'
import { type AVisit, aSite } from './world.ts'

const base = { site_id: 'example.com', date_range: 'all' }
const page = (...paths: string[]) => ({ filters: [['is', 'event:page', paths]] })
const event = (name: string) => ({ filters: [['is', 'event:name', [name]]] })
const ask = (request: Record<string, unknown>, visits: readonly AVisit[], world: World = {}) =>
  answerFunnel(parseFunnel({ ...base, ...request }), askedOf(visits, world))
const reached = async (...asked: Parameters<typeof ask>): Promise<number[]> => (await ask(...asked)).steps.map(({ visitors }) => visitors)
const times = async (...asked: Parameters<typeof ask>) => (await ask(...asked)).steps.map(({ time_from_previous: time }) => time)

describe('how far visitors got', () => {
  const abc = { steps: [page('/a'), page('/b'), page('/c')] }

  it('counts who did each step, in order, with anything between', async () => {
    const visits: AVisit[] = [
      { at: '2026-03-10T10:00:00Z', who: 'all', hits: [{ path: '/a' }, { after: 5, path: '/' }, { after: 10, path: '/b' }] },
      { at: '2026-03-11T10:00:00Z', who: 'all', hits: [{ path: '/c' }] },
      { at: '2026-03-10T10:00:00Z', who: 'two', hits: [{ path: '/a' }, { after: 20, path: '/b' }] },
      { at: '2026-03-10T10:00:00Z', who: 'back', hits: [{ path: '/c' }, { after: 1, path: '/b' }, { after: 2, path: '/a' }] },
      { at: '2026-03-10T10:00:00Z', who: 'none', hits: [{ path: '/b' }] },
    ]
    const { steps, meta, query } = await ask({ steps: [{ name: 'Start', ...page('/a') }, page('/b'), page('/c')] }, visits)
    expect(steps).toEqual([
      {
        ...{ step: 1, name: 'Start', visitors: 3, conversion_from_previous: 100, conversion_from_first: 100 },
        ...{ drop_off: 0, drop_off_rate: 0, time_from_previous: null },
      },
      {
        ...{ step: 2, visitors: 2, conversion_from_previous: 66.67, conversion_from_first: 66.67 },
        ...{ drop_off: 1, drop_off_rate: 33.33, time_from_previous: { median: 15, mean: 15 } },
      },
      {
        ...{ step: 3, visitors: 1, conversion_from_previous: 50, conversion_from_first: 33.33 },
        ...{ drop_off: 1, drop_off_rate: 50, time_from_previous: { median: 86_390, mean: 86_390 } },
      },
    ])
    expect(meta).toEqual({ exact: true, sampled: 1, imports_included: false })
    expect(query).toEqual({
      site_id: 'example.com',
      date_range: ['2026-03-10T00:00:00+01:00', '2026-03-15T23:59:59+01:00'],
      filters: [],
      include: { bots: false },
      steps: [{ name: 'Start', filters: [['is', 'event:page', ['/a']]] }, page('/b'), page('/c')],
      order: 'ordered',
      dimensions: [],
    })
  })

  it('strict takes the next hit only, also of the next visit', async () => {
    const visits: AVisit[] = [
      {
        at: '2026-03-10T10:00:00Z',
        who: 'straight',
        hits: [{ path: '/a' }, { after: 1, n: 'engagement', path: '/a' }, { after: 2, path: '/b' }],
      },
      { at: '2026-03-11T10:00:00Z', who: 'straight', hits: [{ path: '/c' }] },
      {
        at: '2026-03-10T10:00:00Z',
        who: 'detour',
        hits: [{ path: '/a' }, { after: 1, path: '/b' }, { after: 2 }, { after: 3, path: '/c' }],
      },
      { at: '2026-03-10T10:00:00Z', who: 'event', hits: [{ path: '/a' }, { after: 1, n: 'signup' }, { after: 2, path: '/b' }] },
      { at: '2026-03-10T10:00:00Z', who: 'again', hits: [{ path: '/a' }, { after: 1, path: '/a' }, { after: 2, path: '/b' }] },
    ]
    expect(await reached(abc, visits)).toEqual([4, 4, 2])
    expect(await reached({ ...abc, order: 'strict' }, visits)).toEqual([4, 3, 1])
  })

  it('one hit is one step, the same page twice is two', async () => {
    const visits: AVisit[] = [
      { at: '2026-03-10T10:00:00Z', who: 'once', hits: [{ path: '/a' }] },
      { at: '2026-03-10T10:00:00Z', who: 'twice', hits: [{ path: '/a' }, { path: '/a' }] },
    ]
    expect(await reached({ steps: [page('/a'), page('/a')] }, visits)).toEqual([2, 1])
    expect(await reached({ steps: [event('pageview'), page('/a')] }, visits)).toEqual([2, 1])
  })

  it('conditions of a step hold for one hit', async () => {
    const pro = {
      filters: [
        ['is', 'event:name', ['signup']],
        ['is', 'event:props:plan', ['pro']],
      ],
    }
    const visits: AVisit[] = [
      { at: '2026-03-10T10:00:00Z', who: 'one', hits: [{ path: '/a' }, { after: 1, n: 'signup', p: { plan: 'pro' } }] },
      {
        ...{ at: '2026-03-10T10:00:00Z', who: 'apart' },
        hits: [{ path: '/a' }, { after: 1, n: 'signup', p: { plan: 'free' } }, { after: 2, n: 'buy', p: { plan: 'pro' } }],
      },
    ]
    expect(await reached({ steps: [page('/a'), pro] }, visits)).toEqual([2, 1])
  })

  it('hits of one millisecond are taken in the order of the steps', async () => {
    const visits: AVisit[] = [
      { at: '2026-03-10T10:00:00Z', who: 'x', hits: [{ path: '/c' }, { path: '/' }, { path: '/b' }, { path: '/a' }] },
      { at: '2026-03-10T10:00:00Z', who: 'y', hits: [{ path: '/b' }] },
      { at: '2026-03-10T10:00:00Z', who: 'y', hits: [{ path: '/a' }] },
    ]
    expect(await reached(abc, visits)).toEqual([2, 2, 1])
    expect(await reached({ ...abc, order: 'strict' }, visits)).toEqual([2, 2, 1])
  })

  it('the window is from the first step, its last millisecond included; a later start has a window of its own', async () => {
    const arriving = (seconds: number): AVisit[] => [
      { at: '2026-03-10T10:00:00Z', who: 'w', hits: [{ path: '/a' }, { after: 10, path: '/b' }, { after: seconds, path: '/c' }] },
    ]
    const within = { ...abc, window: '30m' }
    expect(await reached(within, arriving(1_800))).toEqual([1, 1, 1])
    expect(await reached(within, arriving(1_800.001))).toEqual([1, 1, 0])
    expect(await reached({ ...within, window: '1801s' }, arriving(1_800.001))).toEqual([1, 1, 1])
    const again = [{ path: '/a' }, { after: 1_000, path: '/a' }, { after: 1_010, path: '/b' }, { after: 2_700, path: '/c' }]
    expect(await reached(within, [{ at: '2026-03-10T10:00:00Z', who: 'w', hits: again }])).toEqual([1, 1, 1])
  })

  it('times are counted back from the first arrival at the furthest step', async () => {
    const hits = [
      { path: '/a' },
      { after: 100, path: '/a' },
      { after: 110, path: '/b' },
      { after: 150, path: '/b' },
      { after: 190, path: '/a' },
      { after: 200, path: '/c' },
      { after: 201, path: '/b' },
      { after: 202, path: '/c' },
    ]
    const visits = [{ at: '2026-03-10T10:00:00Z', who: 'w', hits }]
    expect(await times(abc, visits)).toEqual([null, { median: 50, mean: 50 }, { median: 50, mean: 50 }])
    const two = [...visits, { at: '2026-03-10T10:00:00Z', who: 'v', hits: [{ path: '/a' }, { after: 11, path: '/b' }] }]
    expect(await times({ steps: abc.steps.slice(0, 2) }, two)).toEqual([null, { median: 11, mean: 11 }])
    const three = [...two, { at: '2026-03-10T10:00:00Z', who: 'u', hits: [{ path: '/a' }, { after: 70, path: '/b' }] }]
    expect(await times({ steps: abc.steps.slice(0, 2) }, three)).toEqual([null, { median: 11, mean: 30 }])
  })

  it('filters choose visits, and has_done visitors', async () => {
    const visits: AVisit[] = [
      { at: '2026-03-10T10:00:00Z', who: 'g', src: 'Google', hits: [{ path: '/a' }, { after: 1, path: '/b' }] },
      { at: '2026-03-11T10:00:00Z', who: 'g', src: 'mail', hits: [{ path: '/c' }] },
      { at: '2026-03-10T10:00:00Z', who: 'h', src: 'mail', hits: [{ path: '/a' }, { after: 1, path: '/b' }, { after: 2, path: '/c' }] },
    ]
    expect(await reached({ ...abc, filters: [['is', 'visit:source', ['Google']]] }, visits)).toEqual([1, 1, 0])
    expect(await reached({ ...abc, filters: [['is', 'event:page', ['/b']]] }, visits)).toEqual([2, 2, 1])
    expect(await reached({ ...abc, filters: [['has_done', ['is', 'event:page', ['/b']]]] }, visits)).toEqual([2, 2, 2])
    const steps = [
      page('/a'),
      {
        filters: [
          ['is', 'event:page', ['/b']],
          ['has_not_done', ['is', 'event:page', ['/c']]],
        ],
      },
    ]
    expect(await reached({ steps }, visits)).toEqual([2, 0])
  })

  it('on a site without cookies a visitor is known for a day, and the answer says so', async () => {
    const site = aSite({ identity: 'cookieless' })
    const visits: AVisit[] = [
      { at: '2026-03-10T22:55:00Z', who: 'a', whoNext: 'b', hits: [{ path: '/a' }, { after: 600, path: '/b' }] },
      { at: '2026-03-10T10:00:00Z', who: 'c', hits: [{ path: '/a' }, { after: 600, path: '/b' }] },
    ]
    const answer = await ask(abc, visits, { site })
    expect(answer.steps.map(({ visitors }) => visitors)).toEqual([2, 1, 0])
    expect(answer.meta['metric_warnings']).toEqual({
      visitors: { code: 'visitors_per_day', warning: expect.stringContaining('steps on different days are those of different visitors') },
    })
    expect((await ask({ ...abc, date_range: 'day' }, visits, { site })).meta).not.toHaveProperty('metric_warnings')
  })

  it('bots count where they are asked for, and nobody is an answer as well', async () => {
    const visits: AVisit[] = [{ at: '2026-03-10T10:00:00Z', who: 'b', bot: 'agent', hits: [{ path: '/a' }] }]
    expect(await reached({ ...abc, include: { bots: true } }, visits)).toEqual([1, 0, 0])
    const { steps } = await ask(abc, visits)
    expect(steps[1]).toEqual({
      ...{ step: 2, visitors: 0, conversion_from_previous: null, conversion_from_first: null, drop_off: 0, drop_off_rate: null },
      time_from_previous: { median: null, mean: null },
    })
    expect(await reached(abc, [])).toEqual([0, 0, 0])
  })
})

describe('broken down', () => {
  const steps = [page('/a'), page('/b')]
  const shown = async (...asked: Parameters<typeof ask>) =>
    (await ask(...asked)).breakdown!.map(({ value, other, steps }) => [
      value,
      ...(other ? ['other'] : []),
      ...steps.map(({ visitors }) => visitors),
    ])

  it('by the value at the first step of the attempt', async () => {
    const visits: AVisit[] = [
      { at: '2026-03-10T10:00:00Z', who: 'x', src: 'Google', hits: [{ path: '/a' }] },
      { at: '2026-03-11T10:00:00Z', who: 'x', src: 'mail', hits: [{ path: '/a' }, { after: 1, path: '/b' }] },
      { at: '2026-03-10T10:00:00Z', who: 'y', src: 'Google', hits: [{ path: '/a' }] },
      { at: '2026-03-12T10:00:00Z', who: 'y', src: 'mail', hits: [{ path: '/a' }] },
    ]
    expect(await shown({ steps, dimensions: ['visit:source'] }, visits)).toEqual([
      ['Google', 1, 0],
      ['mail', 1, 1],
    ])
    expect(await shown({ steps, dimensions: ['time:day'] }, visits)).toEqual([
      ['2026-03-10', 1, 0],
      ['2026-03-11', 1, 1],
    ])
    expect(await shown({ steps: [page('/a', '/b'), page('/b')], dimensions: ['event:page'] }, visits)).toEqual([['/a', 2, 1]])
  })

  it('in the order of visitors, then of the value; times in their own', async () => {
    const visits = ['c', 'b', 'a', 'a'].map((src, i): AVisit => {
      return { at: `2026-03-1${i < 2 ? 0 : 1}T10:00:00Z`, who: `w${i}`, src, hits: [{ path: '/a' }] }
    })
    const more = [...visits, { ...visits[3]!, who: 'w4' }]
    expect(await shown({ steps, dimensions: ['visit:source'] }, more)).toEqual([
      ['a', 3, 0],
      ['b', 1, 0],
      ['c', 1, 0],
    ])
    expect(await shown({ steps, dimensions: ['time:day'] }, more)).toEqual([
      ['2026-03-10', 2, 0],
      ['2026-03-11', 3, 0],
    ])
  })

  it('beyond the limit of values by the exact rest', async () => {
    const visits = Array.from({ length: 105 }, (_, i): AVisit => {
      const hits = [{ path: '/a' }, { after: i, path: '/b' }]
      return { at: '2026-03-10T10:00:00Z', who: `w${i}`, src: `s${String(i).padStart(3, '0')}`, hits }
    })
    const more = [...visits, { at: '2026-03-10T10:00:00Z', who: 'z', src: 's104', hits: [{ path: '/a' }] }]
    const { breakdown } = await ask({ steps, dimensions: ['visit:source'] }, more)
    expect(breakdown).toHaveLength(101)
    expect(breakdown![0]).toMatchObject({ value: 's104', steps: [{ visitors: 2 }, { visitors: 1 }] })
    expect(breakdown!.at(-1)).toMatchObject({
      ...{ value: '(other)', other: true },
      steps: [{ visitors: 5 }, { visitors: 5, time_from_previous: { median: 101, mean: 101 } }],
    })
  })
})

describe('a recount of random visits agrees', () => {
  type Chain = PlainHit[]

  const masked = (hit: PlainHit, steps: PlainFilter[], all: readonly PlainHit[]) =>
    steps.reduce((mask, step, i) => mask + (step.passes(hit, all) ? 2 ** i : 0), 0)

  /** The latest chain of hits up to `end` that passes steps 0 … depth − 1; all of them tried. */
  const latest = (hits: PlainHit[], masks: number[], depth: number, end: number, strict: boolean, windowMs: number): Chain | undefined => {
    const back = (step: number, at: number): Chain | undefined => {
      if (Math.floor(masks[at]! / 2 ** step) % 2 === 0) return undefined
      if (step === 0) return hits[end]!.t - hits[at]!.t <= windowMs ? [hits[at]!] : undefined
      for (let before = at - 1; before >= (strict ? Math.max(at - 1, 0) : 0); before--) {
        const chain = back(step - 1, before)
        if (chain) return [...chain, hits[at]!]
      }
      return undefined
    }
    return back(depth - 1, end)
  }

  const furthest = (hits: PlainHit[], masks: number[], steps: number, strict: boolean, windowMs: number): Chain | undefined => {
    for (let depth = steps; depth > 0; depth--) {
      for (let end = 0; end < hits.length; end++) {
        const chain = latest(hits, masks, depth, end, strict, windowMs)
        if (chain) return chain
      }
    }
    return undefined
  }

  const numbers = (chains: Chain[], steps: number) =>
    Array.from({ length: steps }, (_, i) => {
      const count = (step: number) => chains.filter((chain) => chain.length > step).length
      const before = i === 0 ? count(0) : count(i - 1)
      const gaps = chains.filter((chain) => i > 0 && chain.length > i).map((chain) => chain[i]!.t - chain[i - 1]!.t)
      gaps.sort((a, b) => a - b)
      const n = gaps.length
      const median = n % 2 === 1 ? gaps[(n - 1) / 2]! : (gaps[n / 2 - 1]! + gaps[n / 2]!) / 2
      const mean = gaps.reduce((a, b) => a + b, 0) / n
      return {
        ...{ step: i + 1, visitors: count(i), drop_off: before - count(i), drop_off_rate: perCent(before - count(i), before) },
        ...{ conversion_from_previous: perCent(count(i), before), conversion_from_first: perCent(count(i), count(0)) },
        time_from_previous:
          i === 0 ? null : n === 0 ? { median: null, mean: null } : { median: Math.round(median / 1_000), mean: Math.round(mean / 1_000) },
      }
    })

  it.each(Array.from({ length: 60 }, (_, seed) => seed))('seed %i', async (seed) => {
    const random = createRandom(seed)
    const night = Date.parse(random.pick(nights))
    const tz = random.pick(zones)
    const visits = randomVisits(random, night)
    const site = aSite({ zones: [{ tz, from: 0 }], identity: random.pick(['cookie', 'cookieless'] as const) })
    for (let n = 0; n < 4; n++) {
      const bots = random.chance(0.3)
      const strict = random.chance(0.4)
      const [window, windowMs] = random.pick([
        [undefined, Number.POSITIVE_INFINITY],
        ['30s', 30_000],
        ['1m', 60_000],
        ['6h', 21_600_000],
      ] as const)
      const steps = Array.from({ length: 2 + random.below(3) }, () => [
        random.pick(plainFilters),
        ...(random.chance(0.2) ? [random.pick(plainFilters)] : []),
      ])
      const filters = random.chance(0.5) ? [] : [random.pick(plainFilters)]
      const from = night - random.pick([10, 40]) * 3_600_000
      const to = night + random.pick([10, 40]) * 3_600_000
      const dimension = random.pick(['visit:source', 'event:page', 'time:day'])

      const all = plainHits(visits, tz, bots, from, to)
      const chosen = [...groupsOf(all, ({ visit }) => String(visits.indexOf(visit))).values()]
        .filter((hits) => hits.some((hit) => filters.every((filter) => filter.passes(hit, all))))
        .flat()
      const plainSteps = steps.map((list): PlainFilter => ({ json: [], passes: (hit) => list.every((filter) => filter.passes(hit, all)) }))
      const valueAt = ({ visit, page, t }: PlainHit) =>
        dimension === 'visit:source' ? visit.src! : dimension === 'event:page' ? page : dateIn(tz, t)
      const lowest = (mask: number) => (mask === 0 ? 99 : plainSteps.findIndex((_, i) => Math.floor(mask / 2 ** i) % 2 === 1))
      const chains = [...groupsOf(chosen, ({ vis }) => vis).values()].flatMap((hits) => {
        const sorted = hits
          .map((hit) => ({ hit, mask: masked(hit, plainSteps, all) }))
          .filter(({ mask }) => strict || mask > 0)
          .sort(
            (a, b) => a.hit.t - b.hit.t || lowest(a.mask) - lowest(b.mask) || a.mask - b.mask || (valueAt(a.hit) < valueAt(b.hit) ? -1 : 1),
          )
        const chain = furthest(
          sorted.map(({ hit }) => hit),
          sorted.map(({ mask }) => mask),
          ...([steps.length, strict, windowMs] as const),
        )
        return chain ? [chain] : []
      })
      const request = {
        date_range: [new Date(from).toISOString(), new Date(to - 1_000).toISOString().replace('.000', '')].map((text) =>
          text.replace('.000', ''),
        ),
        filters: filters.map(({ json }) => json),
        steps: steps.map((list) => ({ filters: list.map(({ json }) => json) })),
        ...{ order: strict ? 'strict' : 'ordered', include: { bots }, dimensions: [dimension] },
        ...(window ? { window } : {}),
      }
      const answer = await ask(request, visits, { site, now: new Date(night + 90 * 3_600_000).toISOString() })
      expect(answer.steps).toEqual(numbers(chains, steps.length))
      const parts = [...groupsOf(chains, (chain) => valueAt(chain[0]!))].map(([value, of]) => ({ value, steps: numbers(of, steps.length) }))
      expect([...answer.breakdown!].sort((a, b) => (a.value < b.value ? -1 : 1))).toEqual(
        parts.sort((a, b) => (a.value < b.value ? -1 : 1)),
      )
    }
  })
})

test('what is wrong is named, with what was expected', () => {
  const steps = [page('/a'), page('/b')]
  const refused = (body: object) => refusalOf(parseFunnel, { ...base, steps, ...body })
  expect(refused({ steps: [page('/a')] })).toContain('steps: expected 2 to 8 steps')
  expect(refused({ steps: Array.from({ length: 9 }, () => page('/a')) })).toContain('steps: expected 2 to 8 steps')
  expect(refused({ steps: [page('/a'), { filters: [] }] })).toContain('steps[1].filters: expected at least one filter')
  expect(refused({ steps: [page('/a'), { filter: [] }] })).toContain('steps[1].filters: expected a list of filters')
  expect(refused({ steps: [page('/a'), { ...page('/b'), nam: 'x' }] })).toContain('steps[1]: there is no field "nam". Near: name')
  expect(refused({ steps: [page('/a'), { filters: [['is', 'event:pge', ['/']]] }] })).toContain(
    'steps[1].filters[0][1]: there is no dimension',
  )
  expect(refused({ widow: '1h' })).toContain('query: there is no field "widow". Near: window')
  for (const window of [30, '30', '0m', '367d', '1.5h', ' 1h']) expect(refused({ window })).toContain('window: expected')
  expect(refused({ order: 'any' })).toContain('order: expected "ordered" or "strict"')
  expect(refused({ dimensions: ['visit:source', 'event:page'] })).toContain('dimensions: a funnel is broken down by one dimension')
  expect(refused({ dimensions: ['visit:sauce'] })).toContain('dimensions[0]: there is no dimension "visit:sauce"')
  expect(refused({ include: { imports: true } })).toContain('include: there is no field "imports"')
  const many = Array.from({ length: 60 }, () => ['is', 'event:page', ['/a']])
  expect(refused({ steps: [{ filters: many }, { filters: many }] })).toContain('at most 100 conditions')
})

test('what it holds is counted, and given back at the end', async () => {
  const visits = Array.from({ length: 400 }, (_, i): AVisit => ({ at: '2026-03-10T10:00:00Z', who: `w${i}`, hits: [{ path: '/a' }] }))
  const request = { steps: [page('/a'), page('/b')], dimensions: ['visit:source'] }
  const full = createRooms(40_000).open()
  await expect(ask(request, visits, { room: full })).rejects.toThrow('it needs more than')
  full.close()
  const busy: AVisit = { at: '2026-03-10T10:00:00Z', who: 'w', hits: Array.from({ length: 500 }, (_, after) => ({ after, path: '/a' })) }
  await expect(ask(request, [busy], { room: createRooms(7_000).open() })).rejects.toThrow('it needs more than')
  const rooms = createRooms(200_000)
  for (let i = 0; i < 5; i++) {
    const room = rooms.open()
    await ask(request, visits, { room })
    room.close()
  }
})
