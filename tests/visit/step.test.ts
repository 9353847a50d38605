import { describe, expect, test } from 'vitest'
import type { HitsRecord } from '#shared/hit/record.ts'
import { type SiteConfig, sessionTimeoutLimits } from '#shared/site/config.ts'
import type { EventRecord } from '#shared/visit/event.ts'
import { graceMs } from '#shared/visit/session.ts'
import { applyEvent, emptyState, type VisitState } from '#shared/visit/state.ts'
import { deadEvent, flagsOf, hitsEvent, keysOf, lostEvent, type Position, refusalsEvent, retryHorizonMs } from '#shared/visit/step.ts'
import { aRecord, aSiteConfig, hour, minute, noon, today } from '../fixtures/hit.ts'

const timeout = 30 * minute

/** A partition that takes records one after the other, as enrich does: step, then apply. */
const aPartition = (config: SiteConfig = aSiteConfig({ sessionTimeoutMs: timeout })) => {
  const state: VisitState = emptyState()
  let src = 0
  const take = (fields: Parameters<typeof aRecord>[0] | HitsRecord, at: Partial<Position> = {}): EventRecord => {
    const record = aRecord(fields)
    const position = { partition: 0, src, at: src, time: noon, lt: noon, ...at }
    src++
    const event = hitsEvent(record, flagsOf(record, config), position, config, state)
    applyEvent(state, event)
    return event
  }
  return { state, take }
}

describe('the ledger of one record', () => {
  test('counted, by the hour of receipt', () => {
    const { n } = aPartition().take({ ev: [{}, {}] }, { time: noon + 59 * minute })
    expect(n).toEqual({ hour: noon, received: 2, counted: 2, repeated: 0, dead: 0, lost: 0 })
  })

  test('flagged by its reason, and the sum adds up', () => {
    const { take } = aPartition()
    take({ ev: [{ id: 'one' }] })
    const { n } = take({ ev: [{ id: 'one' }, { host: 'spam.example' }, { host: 'spam.example' }, {}] })
    expect(n).toMatchObject({ received: 4, counted: 1, flagged: { host: 2 }, repeated: 1 })
  })

  test('a reason named __proto__ counts like any other', () => {
    const { n } = aPartition().take({ bot: '__proto__', ev: [{}, {}] })
    expect(Object.entries(n.flagged!)).toEqual([['__proto__', 2]])
  })

  test('refusals', () => {
    const event = refusalsEvent(
      { v: 1, site: 'example.com', led: { rate: 3, 'too-long': 2 }, hour: noon },
      { partition: 0, src: 4, at: 6, time: noon + hour, lt: noon + hour },
    )
    expect(event).toEqual({
      v: 1,
      src: 4,
      at: 6,
      lt: noon + hour,
      site: 'example.com',
      n: { hour: noon, received: 5, counted: 0, refused: { rate: 3, 'too-long': 2 }, repeated: 0, dead: 0, lost: 0 },
      x: [],
    })
  })

  test('a dead record and a hole', () => {
    const position = { partition: 0, src: 4, at: 6, time: noon, lt: noon }
    expect(deadEvent('not-json', position)).toMatchObject({
      src: 4,
      at: 6,
      site: '',
      n: { received: 1, dead: 1, lost: 0 },
      x: [],
      dead: 'not-json',
    })
    expect(lostEvent(17, position)).toMatchObject({ src: 4, at: 6, site: '', n: { received: 0, dead: 0, lost: 17 }, x: [], dead: 'lost' })
  })
})

describe('visits', () => {
  test('hits within the timeout share one, which is carried whole', () => {
    const { take } = aPartition()
    const [first] = take({ ev: [{ t: noon, path: '/a' }] }).x
    const [second] = take({ ev: [{ t: noon + timeout, path: '/b' }] }).x
    expect(first).toMatchObject({ key: 'aaaaaaaaaaaa', opened: 1, s: { id: '0-0-0', pv: 1 } })
    expect(second).toMatchObject({ s: { id: '0-0-0', pv: 2, entry: '/a', exit: '/b' }, h: [{ path: '/b', day: today }] })
    expect(second!.opened).toBeUndefined()
  })

  test('one entry per session, however many hits; hits in time order', () => {
    const { x } = aPartition().take({
      ev: [
        { t: noon + 2, path: '/c' },
        { t: noon, path: '/a' },
        { t: noon + 1, path: '/b' },
      ],
    })
    expect(x).toHaveLength(1)
    expect(x[0]!.h.map(({ path }) => path)).toEqual(['/a', '/b', '/c'])
    expect(x[0]!.s).toMatchObject({ pv: 3, entry: '/a', exit: '/c' })
  })

  test('a gap within one record opens a second one, with an id of its own', () => {
    const { x } = aPartition().take({ ev: [{ t: noon - hour }, { t: noon }] })
    expect(x.map(({ s, opened }) => [s.id, opened])).toEqual([
      ['0-0-0', 1],
      ['0-0-1', 1],
    ])
  })

  test('what is older than the session by more than its timeout is a closed visit beside it', () => {
    const { take } = aPartition()
    take({ ev: [{ t: noon }] })
    const [side] = take({ ev: [{ t: noon - hour }] }).x
    expect(side).toMatchObject({ side: 1, opened: 1, s: { start: noon - hour } })
    expect(take({ ev: [{ t: noon + 1 }] }).x[0]!.s).toMatchObject({ id: '0-0-0', pv: 2 })
  })

  test('visitors and sites are apart', () => {
    const { take } = aPartition()
    take({ vis: 'aaaaaaaaaaaa' })
    expect(take({ vis: 'bbbbbbbbbbbb' }).x[0]!.opened).toBe(1)
    expect(take({ site: 'other.example', vis: 'aaaaaaaaaaaa', ev: [{ host: 'example.com' }] }).x[0]!.opened).toBe(1)
  })

  test('a session that is held too long in log time is gone, whatever its hits say', () => {
    const held = (lt: number) => {
      const { take } = aPartition()
      take({ ev: [{ t: noon }] })
      return take({ ev: [{ t: noon + 1 }] }, { lt }).x[0]!.opened
    }
    expect(held(noon + timeout + graceMs)).toBeUndefined()
    expect(held(noon + timeout + graceMs + 1)).toBe(1)
  })

  test('flagged hits have visits of their own', () => {
    const { take } = aPartition()
    const [person] = take({ ev: [{ host: 'example.com' }] }).x
    const [flagged] = take({ ev: [{ host: 'spam.example' }] }).x
    expect(flagged).toMatchObject({ key: 'aaaaaaaaaaaa!', opened: 1, s: { bot: 'host' } })
    expect(flagged!.s.id).not.toBe(person!.s.id)
    expect(
      take({
        ev: [
          { host: 'spam.example', t: noon + 1 },
          { host: 'example.com', t: noon + 1 },
        ],
      })
        .x.map(({ s }) => s.id)
        .sort(),
    ).toEqual([person!.s.id, flagged!.s.id].sort())
  })
})

describe('repeats', () => {
  test('by id, for 24 h of log time', () => {
    const { take } = aPartition()
    take({ ev: [{ id: 'same' }] }, { lt: noon })
    expect(take({ ev: [{ id: 'same' }] }, { lt: noon + retryHorizonMs })).toMatchObject({ n: { repeated: 1, counted: 0 }, x: [] })
    expect(take({ ev: [{ id: 'same' }] }, { lt: noon + retryHorizonMs + 1 })).toMatchObject({ n: { repeated: 0, counted: 1 } })
  })

  test('within one record', () => {
    expect(
      aPartition().take({
        ev: [
          { id: 'same', path: '/a' },
          { id: 'same', path: '/b' },
        ],
      }),
    ).toMatchObject({ n: { received: 2, counted: 1, repeated: 1 }, x: [{ h: [{ path: '/a' }] }] })
  })

  test('whoever sends it; but every site has its own', () => {
    const { take } = aPartition()
    take({ ev: [{ id: 'same' }] })
    expect(take({ vis: 'bbbbbbbbbbbb', ev: [{ id: 'same' }] }).n.repeated).toBe(1)
    expect(take({ site: 'other.example', ev: [{ id: 'same', host: 'example.com' }] }).n.repeated).toBe(0)
  })

  test('a flagged hit and an engagement are repeats too', () => {
    const { take } = aPartition()
    take({
      ev: [
        { id: 'flagged', host: 'spam.example' },
        { id: 'engaged', n: 'engagement' },
      ],
    })
    expect(take({ ev: [{ id: 'flagged' }, { id: 'engaged', n: 'engagement' }] }).n).toMatchObject({ received: 2, repeated: 2 })
  })

  test('an import line at or below the highest one', () => {
    const { take } = aPartition()
    expect(take({ imp: { src: 'file' }, ev: [{ l: 1 }, { l: 2 }] }).imp).toEqual({ src: 'file', line: 2 })
    expect(take({ imp: { src: 'file' }, ev: [{ l: 2 }, { l: 3 }] })).toMatchObject({
      n: { repeated: 1, counted: 1 },
      imp: { src: 'file', line: 3 },
    })
    expect(take({ imp: { src: 'other file' }, ev: [{ l: 2 }] }).n.repeated).toBe(0)
    expect(take({ imp: { src: 'file' }, ev: [{ l: 1 }] }).imp).toEqual({ src: 'file', line: 3 })
  })

  test("an imported hit is known by its line alone: another hit's id does not hide it, and its own hides none", () => {
    const { take } = aPartition()
    take({ ev: [{ id: 'same' }] })
    expect(take({ imp: { src: 'file' }, ev: [{ id: 'same', l: 1 }] }).n).toMatchObject({ counted: 1, repeated: 0 })
    take({ imp: { src: 'file' }, ev: [{ id: 'of the import', l: 2 }] })
    expect(take({ ev: [{ id: 'of the import' }] }).n).toMatchObject({ counted: 1, repeated: 0 })
  })
})

test('visits of an import are held as long as those of any site may be: log time is when it was read', () => {
  const held = (longer: number, imp?: { src: string }) => {
    const { take } = aPartition()
    take({ imp, ev: [{ t: noon, l: 1 }] })
    return take({ imp, ev: [{ t: noon + minute, l: 2 }] }, { lt: noon + longer }).x[0]!.s.pv
  }
  const file = { src: 'file' }
  const most = sessionTimeoutLimits.maxMs + graceMs
  expect([held(timeout + graceMs), held(timeout + graceMs + 1)]).toEqual([2, 1])
  expect([held(most, file), held(most + 1, file)]).toEqual([2, 1])
})

describe('engagement', () => {
  test('never opens a visit: then it is only in the ledger, and its id is known', () => {
    const { take } = aPartition()
    expect(take({ ev: [{ id: 'e', n: 'engagement', fg: 5_000 }] })).toMatchObject({ n: { counted: 1 }, ids: ['e'], x: [] })
    expect(take({ ev: [{ id: 'e', n: 'engagement' }] }).n.repeated).toBe(1)
  })

  test('goes to the latest visit that is held, even after its timeout', () => {
    const { take } = aPartition()
    take({ ev: [{ t: noon }] })
    expect(take({ ev: [{ t: noon + 40 * minute, n: 'engagement', fg: 5_000, sd: 80 }] }, { lt: noon + 40 * minute }).x[0]).toMatchObject({
      s: { id: '0-0-0', fg: 5_000, last: noon, ev: 1 },
      h: [{ n: 'engagement', fg: 5_000, sd: 80 }],
    })
  })

  test('before the pageview of the same moment it belongs to nothing; after it, to it', () => {
    const { x, n, ids } = aPartition().take({ ev: [{ id: 'e', t: noon, n: 'engagement' }, { t: noon }] })
    expect([n.counted, ids, x[0]!.h.length]).toEqual([2, ['e'], 1])
  })
})

describe('over the night, without a cookie', () => {
  const evening = { vis: 'yesterday', vprev: 'the day before' }
  const morning = { vis: 'today', vprev: 'yesterday' }

  test("a visit found under yesterday's hash moves to today's", () => {
    const { state, take } = aPartition()
    take({ ...evening, ev: [{ t: noon }] })
    const [touch] = take({ ...morning, ev: [{ t: noon + minute }] }).x
    expect(touch).toMatchObject({ key: 'today', from: 'yesterday', s: { id: '0-0-0', pv: 2 } })
    expect([...state.sessions.keys()]).toEqual(['example.com\0today'])
    expect(take({ ...morning, ev: [{ t: noon + 2 * minute }] }).x[0]).toMatchObject({ key: 'today', s: { id: '0-0-0', pv: 3 } })
  })

  test('a visit of its own wins over one of yesterday', () => {
    const { take } = aPartition()
    take({ vis: 'today', ev: [{ t: noon }] })
    take({ vis: 'yesterday', ev: [{ t: noon }] })
    const [touch] = take({ ...morning, ev: [{ t: noon + 1 }] }).x
    expect(touch).toMatchObject({ key: 'today', s: { id: '0-0-0' } })
    expect(touch!.from).toBeUndefined()
  })

  test('a visit that is over stays where it is', () => {
    const { take } = aPartition()
    take({ ...evening, ev: [{ t: noon }] })
    const [touch] = take({ ...morning, ev: [{ t: noon + 31 * minute }] }).x
    expect(touch).toMatchObject({ key: 'today', opened: 1 })
    expect(touch!.from).toBeUndefined()
  })

  test('an engagement moves it too', () => {
    const { take } = aPartition()
    take({ ...evening, ev: [{ t: noon }] })
    expect(take({ ...morning, ev: [{ t: noon + 1, n: 'engagement' }] }).x[0]).toMatchObject({ key: 'today', from: 'yesterday' })
  })

  test('a visit that is moved and then followed by another within one record is no longer under the old hash', () => {
    const { state, take } = aPartition()
    take({ ...evening, ev: [{ t: noon }] })
    take({ ...morning, ev: [{ t: noon + minute }, { t: noon + 2 * hour }] })
    expect([...state.sessions.keys()]).toEqual(['example.com\0today'])
  })

  test('keys: both hashes, and the flagged ones of both only where a hit is flagged', () => {
    const record = aRecord({ vis: 'a', vprev: 'b' })
    expect(keysOf(record, [undefined])).toEqual(['a', 'b'])
    expect(keysOf(record, ['host'])).toEqual(['a!', 'b!'])
    expect(keysOf(record, [undefined, 'host'])).toEqual(['a', 'a!', 'b', 'b!'])
    expect(keysOf(aRecord({ vis: 'a' }), [undefined])).toEqual(['a'])
  })
})

test('the step changes neither the state nor the record', () => {
  const { state, take } = aPartition()
  take({ ev: [{ id: 'one', t: noon }] })
  const record = aRecord({
    ev: [
      { id: 'two', t: noon + 2 },
      { id: 'three', t: noon + 1 },
    ],
  })
  const before = JSON.stringify([[...state.sessions], [...state.ids], record])
  hitsEvent(record, [undefined, undefined], { partition: 0, src: 1, at: 1, time: noon, lt: noon }, aSiteConfig(), state)
  expect(JSON.stringify([[...state.sessions], [...state.ids], record])).toBe(before)
})
