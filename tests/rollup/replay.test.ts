import { describe, expect, test } from 'vitest'
import type { ReplayOrder, ReplayRule } from '#shared/ports/replays.ts'
import { eventHits, ordersBelow, replayRows } from '#shared/rollup/replay.ts'
import { encodeSegment } from '#shared/segment/encode.ts'
import { mergeRows } from '#shared/segment/merge.ts'
import type { SegmentHit, SegmentRow } from '#shared/segment/row.ts'
import type { SiteConfig } from '#shared/site/config.ts'
import type { Session } from '#shared/visit/event.ts'
import { aSession, aSiteConfig, minute, noon, today } from '../fixtures/hit.ts'

/** What rules make of the rows of a day. */

const hit = (after: number, fields: Partial<SegmentHit> = {}): SegmentHit => ({
  t: noon + after * minute,
  n: 'pageview',
  path: '/',
  host: 'example.com',
  ...fields,
})
/** A visit as enrich sums it up. */
const row = (s: Partial<Session>, h: SegmentHit[], vis = 'aaaaaaaaaaaa'): SegmentRow => {
  const pages = h.filter(({ n }) => n === 'pageview')
  const [first, last] = [pages[0]!, pages.at(-1)!]
  const sums = { pv: pages.length, ev: h.filter(({ n }) => n !== 'engagement').length, fg: h.reduce((sum, { fg = 0 }) => sum + fg, 0) }
  const ends = { entry: first.path, entryHost: first.host, entryT: first.t, exit: last.path, exitHost: last.host, exitT: last.t }
  return {
    off: 5,
    vis,
    cont: 0,
    s: aSession({ start: h[0]!.t, last: h.at(-1)!.t, ...sums, ...ends, days: [[today, vis]], ...s } as Partial<Session>),
    h,
  }
}
const replayed = (rows: SegmentRow[], rule: ReplayRule, config: Partial<SiteConfig> = {}, others: Record<string, SegmentRow[]> = {}) => {
  const made = replayRows(
    mergeRows(rows),
    today,
    (id) => (others[id] ?? []).flatMap((one) => eventHits(one.s.days.find(([day]) => day !== today)![0], one)),
    [{ ver: 3, rules: [rule], config: aSiteConfig(config) }],
  )
  encodeSegment(made, { from: 0, to: 10 }) // what is made can be kept
  return made.map(({ s, h }) => ({
    id: s.id,
    bot: s.bot,
    pv: s.pv,
    ev: s.ev,
    fg: s.fg,
    entry: s.entry,
    exit: s.exit,
    hits: h.length,
    minutes: (s.last - s.start) / minute,
  }))
}
const exclude = (fields: Partial<SiteConfig['exclude']>) => ({ exclude: { paths: [], countries: [], addresses: [], ...fields } })

describe('channels', () => {
  const traffic = (s: Partial<Session>, config: Partial<SiteConfig> = {}) => {
    const rows = [row({ src: 'old', med: 'old', chan: 'Old', ...s }, [hit(0)])]
    const [made] = replayRows(rows, today, () => [], [{ ver: 1, rules: ['channels'], config: aSiteConfig(config) }])
    const { src, med, chan, ref } = made!.s
    return [src, med, chan, ref]
  }
  test.each([
    [{}, ['(direct)', '(none)', 'Direct', undefined]],
    [{ ref: 'google.de/' }, ['Google', 'organic', 'Organic Search', 'google.de/']],
    [{ us: 'news', um: 'Email', ref: 'google.de/' }, ['news', 'email', 'Email', 'google.de/']],
    [{ us: 'news' }, ['news', undefined, 'Unassigned', undefined]],
    [{ uc: 'summer-shop' }, ['(direct)', '(none)', 'Direct', undefined]],
  ])('%j', (s, expected) => expect(traffic(s)).toEqual(expected))

  test('a referrer that is an own host now is none', () => {
    expect(traffic({ ref: 'shop.example/cart' })).toEqual(['shop.example', 'referral', 'Referral', 'shop.example/cart'])
    expect(traffic({ ref: 'shop.example/cart' }, { hosts: ['shop.example'] })).toEqual(['(direct)', '(none)', 'Direct', undefined])
  })

  test('nothing else of a row changes', () => {
    const rows = [row({ us: 'x', bot: 'agent', goal: 1 }, [hit(0), hit(1, { n: 'engagement', fg: 7 })])]
    const [made] = replayRows(rows, today, () => [], [{ ver: 1, rules: ['channels'], config: aSiteConfig() }])
    const { src: _s, med: _m, chan: _c, ...rest } = made!.s
    const { src: _s2, med: _m2, chan: _c2, ...was } = rows[0]!.s
    expect([rest, made!.h]).toEqual([was, rows[0]!.h])
  })
})

describe('goals', () => {
  const goals = [
    { name: 'Signup', event: 'signup' },
    { name: 'Read', page: '/docs', scroll: 50 },
  ]
  const met = (rows: SegmentRow[], others: Record<string, SegmentRow[]> = {}) =>
    replayRows(rows, today, (id) => (others[id] ?? []).flatMap((one) => eventHits(20260611, one)), [
      { ver: 1, rules: ['goals'], config: aSiteConfig({ goals }) },
    ]).map(({ s }) => s.goal)
  test('a visit is engaged by the goals there are now, and by no other', () => {
    expect(met([row({ goal: 1 }, [hit(0)])])).toEqual([undefined])
    expect(met([row({}, [hit(0), hit(1, { n: 'signup' })])])).toEqual([1])
    expect(met([row({}, [hit(0, { path: '/docs' }), hit(1, { n: 'engagement', path: '/docs', sd: 60 })])])).toEqual([1])
    expect(met([row({}, [hit(0, { path: '/docs' }), hit(1, { n: 'engagement', path: '/docs', sd: 40 })])])).toEqual([undefined])
  })
  test('also by a hit of another day', () => {
    const days: Session['days'] = [
      [today, 'aaaaaaaaaaaa'],
      [20260611, 'bbbbbbbbbbbb'],
    ]
    const next = row({ days }, [hit(720), hit(721, { n: 'signup' })], 'bbbbbbbbbbbb')
    expect(met([row({ days, ev: 3 }, [hit(0)])], { '0-0-0': [next] })).toEqual([1])
    expect(met([row({ days, ev: 3, goal: 1 }, [hit(0)])])).toEqual([1]) // of a day that is gone
  })
})

describe('exclusions', () => {
  test('a visit all of whose hits match is flagged, and one that matches no more is not', () => {
    expect(replayed([row({ country: 'DE' }, [hit(0)])], 'exclusions', exclude({ countries: ['DE'] }))).toMatchObject([
      { id: '0-0-0', bot: 'country' },
    ])
    expect(replayed([row({ country: 'DE', bot: 'country' }, [hit(0)])], 'exclusions')).toMatchObject([{ id: '0-0-0', bot: undefined }])
    expect(replayed([row({ bot: 'host' }, [hit(0, { host: 'other.example' })])], 'exclusions', { hosts: ['other.example'] })).toMatchObject(
      [{ bot: undefined }],
    )
    expect(replayed([row({}, [hit(0, { host: 'other.example' })])], 'exclusions')).toMatchObject([{ bot: 'host' }])
  })

  test('flags by what is not stored stay', () => {
    for (const bot of ['agent', 'address', 'endless'])
      expect(replayed([row({ bot }, [hit(0, { path: '/admin' })])], 'exclusions', exclude({ paths: ['/admin'] }))).toMatchObject([{ bot }])
  })

  test('a visit of which some hits match is cut in two, each summed up anew, updates with their pages', () => {
    const mixed = row({}, [
      hit(0),
      hit(1, { path: '/admin' }),
      hit(2, { n: 'engagement', path: '/admin', fg: 50 }),
      hit(3, { path: '/b' }),
      hit(4, { n: 'engagement', path: '/b', fg: 9 }),
    ])
    expect(replayed([mixed], 'exclusions', exclude({ paths: ['/admin*'] }))).toEqual([
      { id: '0-0-0', bot: undefined, pv: 2, ev: 2, fg: 9, entry: '/', exit: '/b', hits: 3, minutes: 4 },
      { id: '0-0-0!3', bot: 'path', pv: 1, ev: 1, fg: 50, entry: '/admin', exit: '/admin', hits: 2, minutes: 1 },
    ])
  })

  test('hits that are flagged no more join the visit that they lie in; what lies apart is a visit of its own', () => {
    const own = row({ id: '0-1-0' }, [hit(0), hit(10, { path: '/b' })])
    const near = row({ id: '0-2-0', bot: 'path' }, [hit(5, { path: '/admin' }), hit(20, { path: '/admin' })])
    expect(replayed([own, near], 'exclusions')).toEqual([
      { id: '0-1-0', bot: undefined, pv: 4, ev: 4, fg: 0, entry: '/', exit: '/admin', hits: 4, minutes: 20 },
    ])
    const far = row({ id: '0-2-0', bot: 'path' }, [hit(60, { path: '/admin' })])
    expect(replayed([own, far], 'exclusions')).toMatchObject([
      { id: '0-1-0', pv: 2 },
      { id: '0-2-0', bot: undefined, pv: 1 },
    ])
    const other = row({ id: '0-3-0' }, [hit(5)], 'bbbbbbbbbbbb')
    expect(replayed([near, other], 'exclusions')).toHaveLength(2)
  })

  test('what is cut and what joins comes to the same hits, whatever the rules', () => {
    const paths = ['/a', '/b', '/c']
    const rows = [
      row({ id: '0-1-0' }, [hit(0, { path: '/a' }), hit(3, { path: '/b' }), hit(4, { path: '/c' })]),
      row({ id: '0-2-0', bot: 'path' }, [hit(1, { path: '/a' }), hit(50, { path: '/b' })]),
      row({ id: '0-3-0', bot: 'agent' }, [hit(1, { path: '/a' })]),
    ]
    for (let mask = 0; mask < 8; mask++) {
      const excluded = paths.filter((_, i) => mask & (1 << i))
      const made = replayed(rows, 'exclusions', exclude({ paths: excluded }))
      const sum = (of: typeof made) => of.reduce((all, { ev }) => all + ev, 0)
      expect(sum(made)).toBe(6)
      const people = made.filter(({ bot }) => bot === undefined)
      const each = rows.slice(0, 2).flatMap(({ h }) => h)
      expect(sum(people)).toBe(each.filter(({ path }) => !excluded.includes(path!)).length)
      for (const { ev, hits } of made) expect(hits).toBe(ev)
    }
  })

  test('a visit over midnight is cut by the hits of both days; without those of the other it stays', () => {
    const days: Session['days'] = [
      [today, 'aaaaaaaaaaaa'],
      [20260611, 'bbbbbbbbbbbb'],
    ]
    const next = row({ days }, [hit(721, { path: '/admin' })], 'bbbbbbbbbbbb')
    const first = row({ days, ev: 2, pv: 2 }, [hit(719)])
    const rules = exclude({ paths: ['/admin'] })
    expect(replayed([first], 'exclusions', rules, { '0-0-0': [next] })).toEqual([
      { id: '0-0-0', bot: undefined, pv: 1, ev: 1, fg: 0, entry: '/', exit: '/', hits: 1, minutes: 0 },
    ])
    // What was cut off and lies on the other day alone joins nothing here: that day makes it for itself.
    const own = row({ id: '0-9-0', bot: 'path' }, [hit(700, { path: '/admin' })])
    expect(replayed([first, own], 'exclusions', rules, { '0-0-0': [next] })).toMatchObject([
      { id: '0-9-0', bot: 'path', ev: 1, hits: 1 },
      { id: '0-0-0', bot: undefined, ev: 1 },
    ])
    const mixed = row({ days, ev: 3, pv: 3 }, [hit(718), hit(719, { path: '/admin' })])
    expect(replayed([mixed], 'exclusions', rules)).toMatchObject([{ bot: undefined, ev: 3 }])
  })
})

describe('orders that stand on each other', () => {
  const order = (fields: Partial<ReplayOrder>): ReplayOrder => ({
    id: 'x',
    site: 'a',
    ver: 1,
    from: 20260610,
    to: 20260612,
    rules: ['goals'],
    config: 1,
    wanted: 'switched',
    at: 0,
    ...fields,
  })
  test('those that were switched to, of the days they are of', () => {
    const orders = [
      order({ ver: 4, wanted: 'made' }),
      order({ ver: 3, to: 20260610 }),
      order({ ver: 2, wanted: 'dropped' }),
      order({ ver: 1 }),
    ]
    const below = (day: number, ver = 4) => ordersBelow(orders, { ver, day }).map((one) => one.ver)
    expect(below(20260610)).toEqual([1, 3, 4])
    expect(below(20260611)).toEqual([1, 4])
    expect(below(20260613)).toEqual([])
    expect(below(20260610, 3)).toEqual([1, 3])
  })
})
