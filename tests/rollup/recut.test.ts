import { describe, expect, test } from 'vitest'
import { replayRows } from '#shared/rollup/replay.ts'
import { encodeSegment } from '#shared/segment/encode.ts'
import { mergeRows } from '#shared/segment/merge.ts'
import type { SegmentHit, SegmentRow } from '#shared/segment/row.ts'
import type { SiteConfig } from '#shared/site/config.ts'
import type { Session } from '#shared/visit/event.ts'
import { applyEvent, emptyState } from '#shared/visit/state.ts'
import { flagsOf, hitsEvent } from '#shared/visit/step.ts'
import { aRecord, aSession, aSiteConfig, minute, noon, today } from '../fixtures/hit.ts'
import { createRandom, type Random } from '../model/random.ts'

/** Visits of a day under another session timeout. Hits are taken by the real enrich step, so that all sums are its own. */

type Sent = NonNullable<Parameters<typeof aRecord>[0]> & { after: number }

/** The rows of each day that enrich makes of records, each taken at the time of its hits. */
const enriched = (records: readonly Sent[], config: SiteConfig): Map<number, SegmentRow[]> => {
  const state = emptyState()
  const rows = new Map<number, SegmentRow[]>()
  for (const [src, { after, ev = [{}], ...fields }] of records.entries()) {
    const t = noon + after * minute
    const record = aRecord({ ...fields, ev: ev.map((one) => ({ t, ...one })) })
    const event = hitsEvent(record, flagsOf(record, config), { partition: 0, src, at: src, time: t, lt: t }, config, state)
    applyEvent(state, event)
    for (const { s, h } of event.x)
      for (const [on, vis] of s.days) {
        const hits = h.filter((hit) => hit.day === on).map(({ id: _id, day: _day, ...hit }) => hit)
        rows.set(on, [...(rows.get(on) ?? []), { off: src, vis, cont: on === s.days[0]![0] ? 0 : 1, s, h: hits }])
      }
  }
  return new Map([...rows].map(([on, list]) => [on, mergeRows(list)]))
}

const withTimeout = (minutes: number, fields: Partial<SiteConfig> = {}) => aSiteConfig({ sessionTimeoutMs: minutes * minute, ...fields })
const underMinutes = (rows: SegmentRow[], minutes: number, fields: Partial<SiteConfig> = {}, ver = 3): SegmentRow[] =>
  replayRows(rows, today, () => [], [{ ver, rules: ['session_timeout'], config: withTimeout(minutes, fields) }])
const seen = ({ s, h }: SegmentRow) => ({
  id: s.id,
  from: (s.start - noon) / minute,
  to: (s.last - noon) / minute,
  pv: s.pv,
  ev: s.ev,
  fg: s.fg,
  entry: s.entry,
  exit: s.exit,
  chan: s.chan,
  hits: h.length,
})
const page = (after: number, path: string, more: object = {}): Sent => ({ after, ev: [{ path, ...more }] })
const update = (after: number, fg: number): Sent => ({ after, ev: [{ n: 'engagement', fg }] })
/** What enrich makes of records under one timeout, under another one. */
const changed = (records: readonly Sent[], [then, now]: [number, number], fields: Partial<SiteConfig> = {}) => {
  const made = underMinutes(enriched(records, withTimeout(then, fields)).get(today)!, now, fields)
  encodeSegment(made, { from: 0, to: 1_000 }) // what is made can be kept
  return made
}

describe('a shorter timeout', () => {
  test('cuts a visit where nothing came for longer; the part that begins is the visitor’s, and direct', () => {
    const from = { q: { us: 'news', uc: 'may' } }
    const records = [page(0, '/a', from), page(5, '/b'), page(20, '/c'), page(41, '/d')]
    const made = changed(
      records.map((one) => ({ ...one, geo: { c: 'DE' }, fs: today, lang: 'de' })),
      [30, 15],
    )
    expect(made.map(seen)).toEqual([
      { id: '0-0-0', from: 0, to: 20, pv: 3, ev: 3, fg: 0, entry: '/a', exit: '/c', chan: 'Unassigned', hits: 3 },
      { id: '0-0-0!3-1', from: 41, to: 41, pv: 1, ev: 1, fg: 0, entry: '/d', exit: '/d', chan: 'Direct', hits: 1 },
    ])
    const { s } = made[1]!
    expect(s).toMatchObject({ src: '(direct)', med: '(none)', country: 'DE', new: 1, lang: 'de', dev: 'Desktop', br: 'Firefox' })
    expect([s.us, s.uc, s.ref]).toEqual([undefined, undefined, undefined])
  })

  test('a gap of exactly the timeout does not cut', () => {
    expect(changed([page(0, '/a'), page(15, '/b'), page(30, '/c')], [30, 15])).toHaveLength(1)
  })

  test('each part that begins has an id of its own, the same whenever it is made', () => {
    const ids = () => changed([page(0, '/a'), page(20, '/b'), page(40, '/c')], [30, 10]).map(({ s }) => s.id)
    expect(ids()).toEqual(['0-0-0', '0-0-0!3-1', '0-0-0!3-2'])
    expect(ids()).toEqual(ids())
  })

  test('what begins with a hit from outside comes from there; from an own page it is direct', () => {
    const records = [page(0, '/a'), page(20, '/b', { r: 'google.com/' }), page(40, '/c', { r: 'example.com/b' })]
    expect(changed(records, [30, 10]).map(({ s }) => [s.chan, s.ref])).toEqual([
      ['Direct', undefined],
      ['Organic Search', 'google.com/'],
      ['Direct', undefined],
    ])
  })

  test('updates begin no visit, stay with what they extend, and add to it later', () => {
    const records = [page(0, '/a'), update(8, 100), page(16, '/b'), update(28, 50), page(30, '/c')]
    expect(changed(records, [30, 10]).map(seen)).toMatchObject([
      { from: 0, to: 16, pv: 2, fg: 150, hits: 4 },
      { from: 30, to: 30, pv: 1, fg: 0, hits: 1 },
    ])
  })
})

describe('a longer timeout', () => {
  const records = [
    page(0, '/a', { q: { us: 'news' } }),
    update(3, 100),
    page(40, '/b', { r: 'google.com/' }),
    update(45, 50),
    page(150, '/c'),
  ]

  test('joins visits: the first one’s entry and source stand, sums are of all', () => {
    expect(changed(records, [30, 60]).map(seen)).toEqual([
      { id: '0-0-0', from: 0, to: 45, pv: 2, ev: 2, fg: 150, entry: '/a', exit: '/b', chan: 'Unassigned', hits: 4 },
      { id: '0-4-0', from: 150, to: 150, pv: 1, ev: 1, fg: 0, entry: '/c', exit: '/c', chan: 'Direct', hits: 1 },
    ])
    expect(changed(records, [30, 60])[0]!.off).toBe(3)
    expect(changed(records, [30, 120])).toHaveLength(1)
  })

  test('does not join over a new campaign where the site cuts there', () => {
    const campaigns = [page(0, '/a', { q: { us: 'news' } }), page(40, '/b', { q: { us: 'ads' } }), page(80, '/c', { q: { us: 'ads' } })]
    expect(changed(campaigns, [30, 60], { cutAtCampaign: true }).map(seen)).toMatchObject([
      { id: '0-0-0', pv: 1 },
      { id: '0-1-0', pv: 2 },
    ])
    expect(changed(campaigns, [30, 60])).toHaveLength(1)
  })

  test('joins visits of one visitor alone', () => {
    expect(changed([page(0, '/a'), { ...page(40, '/b'), vis: 'bbbbbbbbbbbb' }], [30, 60])).toHaveLength(2)
  })

  test('who signed in later is known of the whole visit', () => {
    const signedIn = { ...page(40, '/b'), user: 'cccccccccccc' }
    expect(changed([page(0, '/a'), signedIn], [30, 60]).map(({ s }) => s.user)).toEqual(['cccccccccccc'])
  })
})

describe('a goal that a visit met', () => {
  const goals = [{ name: 'Signup', event: 'signup' }]
  const records = [page(0, '/a'), { after: 20, ev: [{ n: 'signup' }] }, page(40, '/b')]
  const met = (then: Partial<SiteConfig>, now: Partial<SiteConfig>, minutes: number) =>
    underMinutes(enriched(records, withTimeout(30, then)).get(today)!, minutes, now).map(({ s }) => s.goal)

  test('is met by the part that has the hit, if it is a goal still, else by each part', () => {
    expect(met({ goals }, { goals }, 10)).toEqual([undefined, 1, undefined])
    expect(met({ goals }, {}, 10)).toEqual([1, 1, 1])
    expect(met({}, { goals }, 10)).toEqual([undefined, undefined, undefined])
  })
  test('is met by the whole of what is joined', () => {
    const joinedTo = [page(0, '/a'), { after: 40, ev: [{ n: 'signup' }] }]
    const rows = enriched(joinedTo, withTimeout(30, { goals })).get(today)!
    expect(rows.map(({ s }) => s.goal)).toEqual([undefined, 1])
    expect(underMinutes(rows, 60, {}).map(({ s }) => s.goal)).toEqual([1])
  })
})

describe('what stays as it is', () => {
  const hit = (after: number): SegmentHit => ({ t: noon + after * minute, n: 'pageview', path: '/', host: 'example.com' })
  const row = (s: Partial<Session>, h: SegmentHit[]): SegmentRow => ({
    off: 5,
    vis: 'aaaaaaaaaaaa',
    cont: 0,
    s: aSession({ start: h[0]!.t, last: h.at(-1)!.t, pv: h.length, ev: h.length, ...s }),
    h,
  })
  test('flagged visits, by whatever', () => {
    for (const bot of ['agent', 'path', 'endless']) {
      const rows = mergeRows([row({ id: '0-1-0', bot }, [hit(0), hit(20)]), row({ id: '0-2-0', bot }, [hit(55)])])
      expect(underMinutes(rows, 10)).toEqual(rows)
      expect(underMinutes(rows, 60)).toEqual(rows)
    }
  })
  test('a visit of several days, and what lies beside it', () => {
    const days: Session['days'] = [
      [today, 'aaaaaaaaaaaa'],
      [20260611, 'bbbbbbbbbbbb'],
    ]
    const over = row({ id: '0-2-0', days, ev: 4, pv: 4 }, [hit(700), hit(719)])
    const rows = mergeRows([row({ id: '0-1-0' }, [hit(660)]), over])
    const made = underMinutes(rows, 60)
    expect(made).toHaveLength(2)
    expect(made[1]).toEqual(over)
    expect(underMinutes(rows, 10)[1]).toEqual(over)
    // Also where its hits of the other day are at hand, for another rule.
    const others = [730, 749].map((after) => ({ ...hit(after), id: '', day: 20260611 }))
    const config = withTimeout(10)
    const [, withOthers] = replayRows(rows, today, (id) => (id === '0-2-0' ? others : []), [{ ver: 3, rules: ['session_timeout'], config }])
    expect(withOthers).toEqual(over)
  })
})

/** A day of two visitors: hits in order, of people and flagged, of the same instant now and then, updates, campaigns. */
const randomRecords = (random: Random): Sent[] => {
  let after = -6 * 60
  const campaigns = [undefined, undefined, undefined, { us: 'news' }, { us: 'ads', um: 'cpc' }, { clk: 'Google' }, { un: 'x' }]
  return Array.from({ length: 5 + random.below(40) }, (): Sent => {
    after += random.chance(0.15) ? 0 : random.chance(0.5) ? random.below(12) : random.below(70)
    const fg = random.below(20_000)
    const hits = Array.from({ length: random.chance(0.2) ? 2 : 1 }, () => {
      if (random.chance(0.2)) return { n: 'engagement', fg }
      const r = random.pick([undefined, 'google.com/', 'example.com/a'])
      const where = { path: random.pick(['/a', '/b', '/admin']), r, q: random.pick(campaigns) }
      return random.chance(0.2) ? { ...where, n: 'signup' } : where
    })
    return {
      after,
      ev: hits,
      vis: random.pick(['aaaaaaaaaaaa', 'bbbbbbbbbbbb']),
      ...(random.chance(0.1) ? { user: 'cccccccccccc' } : {}),
    }
  })
}
/** `undefined` and nothing are one. */
const plain = (rows: readonly SegmentRow[]): unknown => JSON.parse(JSON.stringify(rows))

test('visits whose hits came in order: the timeout that they were cut under changes nothing', () => {
  for (let seed = 1; seed <= 500; seed++) {
    const random = createRandom(seed)
    const minutes = random.pick([5, 15, 30, 60])
    const fields = {
      cutAtCampaign: random.chance(0.5),
      cutAtMidnight: random.chance(0.3),
      exclude: { paths: random.chance(0.3) ? ['/admin'] : [], countries: [], addresses: [] },
      goals: random.chance(0.5) ? [{ name: 'Signup', event: 'signup' }] : [],
    }
    const config = withTimeout(minutes, fields)
    const rows = enriched(randomRecords(random), config).get(today) ?? []
    expect(plain(underMinutes(rows, minutes, fields)), `seed ${seed}`).toEqual(plain(rows))
  }
})

test('whatever the timeout: no hit is lost, sums add up, ids differ, and it is done once and for all', () => {
  for (let seed = 1; seed <= 200; seed++) {
    const random = createRandom(seed)
    const fields = { cutAtCampaign: random.chance(0.5) }
    const rows = enriched(randomRecords(random), withTimeout(random.pick([5, 30, 60]), fields)).get(today) ?? []
    const minutes = random.pick([1, 5, 15, 30, 60, 240])
    const made = underMinutes(rows, minutes, fields)
    const total = (list: readonly SegmentRow[], of: (row: SegmentRow) => number) => list.reduce((sum, row) => sum + of(row), 0)
    for (const of of [({ s }: SegmentRow) => s.ev, ({ s }: SegmentRow) => s.fg, ({ h }: SegmentRow) => h.length])
      expect(total(made, of), `seed ${seed}`).toBe(total(rows, of))
    expect(new Set(made.map(({ s }) => s.id)).size, `seed ${seed}`).toBe(made.length)
    expect(plain(underMinutes(rows, minutes, fields)), `seed ${seed}`).toEqual(plain(made))
    expect(plain(underMinutes(made, minutes, fields, 4)), `seed ${seed}`).toEqual(plain(made))
  }
})
