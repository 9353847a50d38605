import { describe, expect, test } from 'vitest'
import { dayOf, engage, extend, open, type Standing, standingOf, visitLimits } from '#shared/visit/session.ts'
import { aRecord, aRecordHit, aSession, aSiteConfig, hour, minute, noon, today } from '../fixtures/hit.ts'

const config = aSiteConfig({ sessionTimeoutMs: 30 * minute })
const tomorrow = today + 1
const vis = 'aaaaaaaaaaaa'

describe('where a hit stands to the latest session', () => {
  const session = aSession({ start: noon, last: noon + hour, days: [[today, vis]] })
  test.each<[number, Standing]>([
    [noon - 30 * minute - 1, 'before'],
    [noon - 30 * minute, 'inside'],
    [noon, 'inside'],
    [noon + hour + 30 * minute, 'inside'],
    [noon + hour + 30 * minute + 1, 'after'],
  ])('at %d', (t, standing) => {
    expect(standingOf(session, aRecordHit({ t }), today, config)).toBe(standing)
  })

  test('midnight cuts only where the site says so', () => {
    const hit = aRecordHit({ t: noon + hour + minute })
    expect(standingOf(session, hit, tomorrow, config)).toBe('inside')
    const cutting = aSiteConfig({ cutAtMidnight: true })
    expect(standingOf(session, hit, tomorrow, cutting)).toBe('after')
    expect(standingOf(session, hit, today, cutting)).toBe('inside')
    expect(standingOf(session, aRecordHit({ t: noon - minute }), today - 1, cutting)).toBe('before')
  })

  test('a new campaign cuts only where the site says so, and only with a pageview that carries one', () => {
    const cutting = aSiteConfig({ cutAtCampaign: true })
    const from = aSession({ last: noon, us: 'mail' })
    const later = { t: noon + minute }
    expect(standingOf(from, aRecordHit({ ...later, q: { us: 'other' } }), today, config)).toBe('inside')
    expect(standingOf(from, aRecordHit({ ...later, q: { us: 'other' } }), today, cutting)).toBe('after')
    expect(standingOf(from, aRecordHit({ ...later, q: { us: 'mail' } }), today, cutting)).toBe('inside')
    expect(standingOf(from, aRecordHit({ ...later, q: { us: 'mail', clk: 'Google' } }), today, cutting)).toBe('after')
    expect(standingOf(from, aRecordHit({ ...later, n: 'signup', q: { us: 'other' } }), today, cutting)).toBe('inside')
    expect(standingOf(from, aRecordHit(later), today, cutting)).toBe('inside')
  })
})

describe('a session that is opened', () => {
  const openWith = (hit: Parameters<typeof aRecordHit>[0], opening: Parameters<typeof aRecord>[0] & { flag?: string } = {}) => {
    const { flag, ...record } = opening
    return open('0-0-0', aRecordHit(hit), today, vis, { ...aRecord(record), flag }, config)
  }

  test('by a pageview', () => {
    expect(openWith({ t: noon, path: '/a', host: 'example.com' })).toMatchObject({
      id: '0-0-0',
      start: noon,
      last: noon,
      pv: 1,
      ev: 1,
      fg: 0,
      entry: '/a',
      entryHost: 'example.com',
      entryT: noon,
      exit: '/a',
      exitHost: 'example.com',
      exitT: noon,
      days: [[today, vis]],
      src: '(direct)',
      chan: 'Direct',
    })
  })

  test('by an event: it has no page yet', () => {
    const session = openWith({ n: 'signup', path: '/a' })
    expect(session).toMatchObject({ pv: 0, ev: 1 })
    expect([session.entry, session.exit]).toEqual([undefined, undefined])
  })

  test('takes source, place and device from the hit that opens it', () => {
    const session = openWith(
      { r: 'other.example/page', q: { us: 'News', um: 'Email', uc: 'c', un: 'n', ut: 't' } },
      {
        geo: { c: 'DE', r: 'DE-BY', ci: 'Ulm' },
        dev: { br: 'Firefox', brv: '140', os: '', osv: '', type: 'Mobile' },
        lang: 'de',
        scr: '1x1',
        user: 'u',
        flag: 'host',
      },
    )
    expect(session).toMatchObject({
      src: 'News',
      med: 'email',
      chan: 'Email',
      ref: 'other.example/page',
      us: 'News',
      um: 'Email',
      uc: 'c',
      un: 'n',
      ut: 't',
      country: 'DE',
      region: 'DE-BY',
      city: 'Ulm',
      br: 'Firefox',
      dev: 'Mobile',
      lang: 'de',
      scr: '1x1',
      user: 'u',
      bot: 'host',
    })
    expect(session.os).toBeUndefined()
  })

  test("a referrer on the site's own hosts is no source", () => {
    expect(openWith({ r: 'shop.example.com/cart' })).toMatchObject({ src: '(direct)' })
    expect(openWith({ r: 'shop.example.com/cart' }).ref).toBeUndefined()
  })

  test.each([
    [today, 1],
    [tomorrow, 1],
    [today - 1, 0],
    [undefined, undefined],
  ])('first day %s: new is %s', (fs, isNew) => {
    expect(openWith({}, { fs }).new).toBe(isNew)
  })
})

describe('a session that goes on', () => {
  const session = aSession({
    start: noon,
    last: noon,
    pv: 1,
    ev: 1,
    entry: '/a',
    entryT: noon,
    exit: '/a',
    exitT: noon,
    days: [[today, vis]],
    user: 'u',
  })

  test('a later pageview is its exit, not its entry', () => {
    const next = extend(session, aRecordHit({ t: noon + minute, path: '/b' }), today, vis, undefined)
    expect(next).toMatchObject({ start: noon, last: noon + minute, pv: 2, ev: 2, entry: '/a', exit: '/b', exitT: noon + minute, user: 'u' })
  })

  test('an earlier pageview moves start and entry', () => {
    const next = extend(session, aRecordHit({ t: noon - minute, path: '/b' }), today, vis, undefined)
    expect(next).toMatchObject({ start: noon - minute, last: noon, entry: '/b', entryT: noon - minute, exit: '/a' })
  })

  test('of two pageviews at one moment the first stays entry, the last is exit', () => {
    expect(extend(session, aRecordHit({ t: noon, path: '/b' }), today, vis, undefined)).toMatchObject({ entry: '/a', exit: '/b' })
  })

  test('an event counts and has no page', () => {
    expect(extend(session, aRecordHit({ t: noon + 1, n: 'signup', path: '/b' }), today, vis, undefined)).toMatchObject({
      pv: 1,
      ev: 2,
      exit: '/a',
    })
  })

  test('source and device stay; a person who signs in is known from then on', () => {
    const next = extend(session, aRecordHit({ q: { us: 'other' }, r: 'x.example/' }), today, vis, 'user')
    expect(next).toMatchObject({ src: '(direct)', user: 'user' })
  })

  test('days: the start day first, the others as they came, each with its own hash', () => {
    const second = extend(session, aRecordHit({ t: noon + 12 * hour }), tomorrow, 'second', undefined)
    expect(second.days).toEqual([
      [today, vis],
      [tomorrow, 'second'],
    ])
    const third = extend(second, aRecordHit({ t: noon + 12 * hour + 1 }), tomorrow, 'other', undefined)
    expect(third.days).toEqual(second.days)
    const earlier = extend(second, aRecordHit({ t: noon - 12 * hour - 1 }), today - 1, 'zero', undefined)
    expect(earlier.days).toEqual([
      [today - 1, 'zero'],
      [today, vis],
      [tomorrow, 'second'],
    ])
  })

  test('a start that moves to a day that is known already puts that day first, with the hash it has', () => {
    const days: [number, string][] = [
      [tomorrow, 'second'],
      [today, vis],
    ]
    const next = extend(
      aSession({ start: noon + 13 * hour, last: noon + 13 * hour, days }),
      aRecordHit({ t: noon }),
      today,
      'other',
      undefined,
    )
    expect(next.days[0]![0]).toBe(today)
    expect(next.days).toHaveLength(2)
  })

  test('longer than a day, or more than 10,000 hits, is no person', () => {
    const long = extend(
      aSession({ start: noon, last: noon + visitLimits.ms - 1 }),
      aRecordHit({ t: noon + visitLimits.ms }),
      tomorrow,
      vis,
      undefined,
    )
    expect(long.bot).toBeUndefined()
    expect(extend(long, aRecordHit({ t: noon + visitLimits.ms + 1 }), tomorrow, vis, undefined).bot).toBe('endless')
    expect(extend(aSession({ ev: visitLimits.hits - 1 }), aRecordHit(), today, vis, undefined).bot).toBeUndefined()
    expect(extend(aSession({ ev: visitLimits.hits }), aRecordHit(), today, vis, undefined).bot).toBe('endless')
  })

  test('a verdict that stands is not replaced', () => {
    expect(extend(aSession({ ev: visitLimits.hits, bot: 'host' }), aRecordHit(), today, vis, undefined).bot).toBe('host')
  })

  test('nothing changes what it is given', () => {
    const frozen = Object.freeze({ ...session, days: Object.freeze([Object.freeze([today, vis])]) as never })
    extend(frozen, aRecordHit({ t: noon - 1 }), today - 1, vis, 'u')
    engage(frozen, aRecordHit({ n: 'engagement', fg: 5 }), tomorrow, vis, minute)
  })
})

describe('engagement', () => {
  const session = aSession({ start: noon, last: noon, pv: 1, ev: 1, fg: 1_000, exit: '/a', days: [[today, vis]] })
  const update = (t: number) => engage(session, aRecordHit({ t, n: 'engagement', fg: 5_000, path: '/b' }), today, vis, 30 * minute)

  test('adds foreground time and moves the last activity; it is no event and no page', () => {
    expect(update(noon + minute)).toMatchObject({ fg: 6_000, last: noon + minute, start: noon, pv: 1, ev: 1, exit: '/a' })
  })

  test('after the timeout only the foreground time', () => {
    expect(update(noon + 31 * minute)).toMatchObject({ fg: 6_000, last: noon })
  })

  test('before the session too, and it never moves the start', () => {
    expect(update(noon - minute)).toMatchObject({ fg: 6_000, start: noon, last: noon })
    expect(update(noon - hour)).toMatchObject({ fg: 6_000, start: noon, last: noon })
  })

  test('on a day of its own the session has that day', () => {
    const next = engage(session, aRecordHit({ t: noon + 13 * hour, n: 'engagement' }), tomorrow, 'second', 30 * minute)
    expect(next.days).toEqual([
      [today, vis],
      [tomorrow, 'second'],
    ])
  })

  test('a session that only engagement makes endless is flagged too', () => {
    const old = aSession({ start: noon, last: noon + visitLimits.ms })
    expect(engage(old, aRecordHit({ t: noon + visitLimits.ms + minute, n: 'engagement' }), tomorrow, vis, hour).bot).toBe('endless')
  })
})

test("days are the site's own", () => {
  const t = Date.UTC(2026, 5, 10, 23, 30)
  expect(dayOf(aSiteConfig({ zones: [{ tz: 'UTC', from: 0 }] }), t)).toBe(20260610)
  expect(dayOf(aSiteConfig({ zones: [{ tz: 'Europe/Berlin', from: 0 }] }), t)).toBe(20260611)
})
