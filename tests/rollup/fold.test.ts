import { describe, expect, test } from 'vitest'
import { decodeLedger, decodeRows } from '#shared/rollup/block.ts'
import { type Folded, foldEvents, liveMs } from '#shared/rollup/fold.ts'
import { anEvent, aTouch, hour, minute, noon, today } from '../fixtures/hit.ts'

const vis = 'aaaaaaaaaaaa'
const yesterday = today - 1

/** Folds events that stand at offsets from 10 on. */
const fold = (...events: Parameters<typeof anEvent>[0][]): Folded =>
  foldEvents(
    events.map((event, i) => ({ offset: 10 + i, event: anEvent({ at: 10 + i, ...event }) })),
    10,
    10 + events.length,
  )
const rows = ({ blocks }: Folded, day = today, site = 'example.com') =>
  blocks.filter((block) => block.site === site && block.day === day).flatMap(decodeRows)
const ledger = ({ blocks }: Folded, day = -today, site = 'example.com') =>
  blocks.filter((block) => block.site === site && block.day === day).flatMap(decodeLedger)

test('nothing accepted, nothing written', () => {
  expect(foldEvents([], 10, 12)).toEqual({ blocks: [], minutes: [], seen: [] })
})

describe('rows', () => {
  test('one per session, with its hits, under the hash of the day', () => {
    const change = fold({ x: [aTouch({ s: { id: '7', days: [[today, vis]] }, h: [{ id: 'h', day: today, path: '/a' }] })] })
    expect(rows(change)).toMatchObject([{ off: 10, vis, cont: 0, s: { id: '7' }, h: [{ id: 'h', path: '/a' }] }])
    expect(change.blocks[0]).toMatchObject({ site: 'example.com', day: today, from: 10, to: 11, rows: 1 })
  })

  test('one per day of the session: the start day, the others as continued, each with its hash and its hits', () => {
    const days: [number, string][] = [
      [yesterday, 'eeeeeeeeeeee'],
      [today, 'dddddddddddd'],
    ]
    const change = fold({
      x: [
        aTouch({
          s: { days },
          h: [
            { id: 'late', day: yesterday },
            { id: 'early', day: today },
          ],
        }),
      ],
    })
    expect(rows(change, yesterday)).toMatchObject([{ vis: 'eeeeeeeeeeee', cont: 0, h: [{ id: 'late' }] }])
    expect(rows(change, today)).toMatchObject([{ vis: 'dddddddddddd', cont: 1, h: [{ id: 'early' }] }])
  })

  test('a day without new hits is written again too: the row is the whole session', () => {
    const days: [number, string][] = [
      [yesterday, 'eeeeeeeeeeee'],
      [today, 'dddddddddddd'],
    ]
    expect(rows(fold({ x: [aTouch({ s: { days, pv: 5 }, h: [{ day: today }] })] }), yesterday)).toMatchObject([
      { cont: 0, s: { pv: 5 }, h: [] },
    ])
  })

  test('every event of a session writes a row of its own, in order', () => {
    const change = fold({ x: [aTouch({ s: { pv: 1 } })] }, { x: [aTouch({ s: { pv: 2 } })] })
    expect(rows(change).map(({ off, s }) => [off, s.pv])).toEqual([
      [10, 1],
      [11, 2],
    ])
    expect(change.blocks.filter(({ day }) => day > 0)).toMatchObject([{ from: 10, to: 12, rows: 2 }])
  })

  test('sites are apart, whatever they are called', () => {
    const change = fold({ site: '__proto__', x: [aTouch()] }, { site: 'constructor', x: [aTouch()] })
    expect([rows(change, today, '__proto__').length, rows(change, today, 'constructor').length]).toEqual([1, 1])
  })
})

describe('the ledger', () => {
  test('is one row per site and hour of receipt, summed over the batch', () => {
    const change = fold(
      { n: { hour: noon, received: 3, counted: 1, flagged: { host: 1 }, repeated: 1 } },
      { n: { hour: noon, received: 4, counted: 1, flagged: { host: 1, agent: 1 }, refused: { rate: 1 } } },
      { n: { hour: noon + hour, received: 2, dead: 1, lost: 3, refused: { rate: 1 } } },
      { n: { hour: noon + hour, dead: 1, lost: 4, repeated: 1 } },
      { site: '', n: { hour: noon, received: 1, dead: 1 } },
    )
    expect(ledger(change)).toEqual([
      {
        off: 14,
        n: { hour: noon, received: 7, counted: 2, flagged: { host: 2, agent: 1 }, refused: { rate: 1 }, repeated: 1, dead: 0, lost: 0 },
      },
      { off: 14, n: { hour: noon + hour, received: 2, counted: 0, refused: { rate: 1 }, repeated: 1, dead: 2, lost: 7 } },
    ])
    expect(ledger(change, -today, '')).toMatchObject([{ n: { received: 1, dead: 1 } }])
  })

  test('goes by the UTC day of receipt, not by the day of the hit', () => {
    const change = fold({ n: { hour: noon - 24 * hour, received: 1, counted: 1 }, x: [aTouch({ h: [{ day: today }] })] })
    expect(ledger(change, -yesterday)).toHaveLength(1)
    expect(ledger(change, -today)).toHaveLength(0)
  })

  test('reasons named as objects name things add up like others', () => {
    const flagged = (reason: string) => Object.assign(Object.create(null), { [reason]: 1 })
    const change = fold(
      { n: { received: 1, flagged: flagged('__proto__') } },
      { n: { received: 1, flagged: flagged('__proto__') } },
      { n: { received: 1, flagged: flagged('constructor') } },
    )
    expect(Object.entries(ledger(change)[0]!.n.flagged!)).toEqual([
      ['__proto__', 2],
      ['constructor', 1],
    ])
  })

  test('summing changes no event', () => {
    const events = [
      anEvent({ at: 10, n: { received: 1, flagged: { host: 1 } } }),
      anEvent({ at: 11, n: { received: 1, flagged: { host: 1 } } }),
    ]
    const before = JSON.stringify(events)
    foldEvents(
      events.map((event, i) => ({ offset: 10 + i, event })),
      10,
      12,
    )
    expect(JSON.stringify(events)).toBe(before)
  })
})

describe('live', () => {
  test('pageviews, events, visits by minute, and who was seen when', () => {
    const change = fold(
      {
        x: [
          aTouch({
            opened: 1,
            s: { start: noon, days: [[today, vis]] },
            h: [{ t: noon }, { t: noon + minute }, { t: noon + minute + 1, n: 'signup' }],
          }),
        ],
      },
      { x: [aTouch({ opened: 1, s: { start: noon + minute, days: [[today, 'bbbbbbbbbbbb']] }, h: [{ t: noon + minute }] })] },
    )
    expect(change.minutes).toEqual([
      { site: 'example.com', minute: noon, pageviews: 1, events: 1, visits: 1 },
      { site: 'example.com', minute: noon + minute, pageviews: 2, events: 3, visits: 1 },
    ])
    expect(change.seen).toEqual([
      { site: 'example.com', vis, t: noon + minute + 1 },
      { site: 'example.com', vis: 'bbbbbbbbbbbb', t: noon + minute },
    ])
  })

  test.each([
    ['of no person', aTouch({ s: { bot: 'host' } }), noon],
    ['engagement', aTouch({ h: [{ n: 'engagement' }] }), noon],
    ['long ago', aTouch({ h: [{ t: noon - liveMs - 1 }] }), noon],
  ])('%s is not live', (_what, touch, lt) => {
    const { minutes, seen } = fold({ lt, x: [touch] })
    expect([minutes, seen]).toEqual([[], []])
  })

  test('a visit counts where it was opened, not where it goes on', () => {
    const { minutes } = fold({ x: [aTouch({ s: { start: noon }, h: [{ t: noon }] })] })
    expect(minutes).toMatchObject([{ events: 1, visits: 0 }])
  })

  test('a visit opened by two hits of one moment is one visit', () => {
    const { minutes } = fold({ x: [aTouch({ opened: 1, s: { start: noon }, h: [{ t: noon }, { t: noon, n: 'signup' }] })] })
    expect(minutes).toMatchObject([{ events: 2, visits: 1 }])
  })
})
