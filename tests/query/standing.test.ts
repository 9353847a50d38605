import { describe, expect, test } from 'vitest'
import { freshnessOf, oldestPending, together } from '#shared/query/freshness.ts'
import { balanced, createLedgerFold, ledgerRange } from '#shared/query/ledger.ts'
import { calendarOf } from '#shared/site/zone.ts'
import type { LedgerSums } from '#shared/visit/event.ts'

const now = 10_000
const fresh = { asOf: now, lagMs: 0, pendingRecords: 0, pendingMs: 0, incompleteSince: undefined }

describe('how far an answer reaches', () => {
  test('no farther than the last hit that was taken, where the log is another one by now', () => {
    const ends = { earliest: 0, end: 9 }
    const behind = { asOf: 9_000, lagMs: 1_000, pendingRecords: 9, pendingMs: 1_000, incompleteSince: 9_000 }
    expect(freshnessOf({ fence: { src: 4, logTime: 9_000 }, ends, oldest: undefined, isOther: true }, now)).toEqual(behind)
  })

  test.each([
    ['nothing at all', undefined, { earliest: 0, end: 0 }, undefined, fresh],
    ['all taken', { src: 6, logTime: 9_000 }, { earliest: 0, end: 7 }, undefined, fresh],
    ['all taken and trimmed', { src: 6, logTime: 9_000 }, { earliest: 7, end: 7 }, undefined, fresh],
    [
      'a new installation that has taken nothing yet',
      { src: -1, logTime: 0 },
      { earliest: 0, end: 2 },
      8_000,
      { asOf: 8_000, lagMs: 2_000, pendingRecords: 2, pendingMs: 2_000, incompleteSince: undefined },
    ],
    [
      'two behind',
      { src: 4, logTime: 9_000 },
      { earliest: 0, end: 7 },
      9_500,
      { asOf: 9_500, lagMs: 500, pendingRecords: 2, pendingMs: 500, incompleteSince: undefined },
    ],
    [
      'behind, and the log is trimmed beyond',
      { src: 4, logTime: 9_000 },
      { earliest: 6, end: 7 },
      9_500,
      { asOf: 9_000, lagMs: 1_000, pendingRecords: 2, pendingMs: 1_000, incompleteSince: undefined },
    ],
    [
      'no state beside a log',
      undefined,
      { earliest: 3, end: 7 },
      4_000,
      { asOf: 4_000, lagMs: 6_000, pendingRecords: 7, pendingMs: 6_000, incompleteSince: 4_000 },
    ],
    [
      'new state beside an old log',
      { src: -1, logTime: 0 },
      { earliest: 3, end: 7 },
      4_000,
      { asOf: 4_000, lagMs: 6_000, pendingRecords: 7, pendingMs: 6_000, incompleteSince: 4_000 },
    ],
    [
      'a log with less than was taken',
      { src: 6, logTime: 9_000 },
      { earliest: 0, end: 3 },
      undefined,
      { asOf: 9_000, lagMs: 1_000, pendingRecords: 3, pendingMs: 1_000, incompleteSince: 9_000 },
    ],
    [
      'a record of a clock that is ahead',
      { src: 4, logTime: 9_000 },
      { earliest: 0, end: 6 },
      12_000,
      { asOf: now, lagMs: 0, pendingRecords: 1, pendingMs: 0, incompleteSince: undefined },
    ],
  ])('%s', (_name, fence, ends, oldest, expected) => {
    expect(freshnessOf({ fence, ends, oldest }, now)).toEqual(expected)
  })

  test('state that was farther before says that rows are missing', () => {
    const standing = { fence: { src: -1, logTime: 0 }, ends: { earliest: 0, end: 2 }, oldest: 8_000 }
    expect(freshnessOf({ ...standing, isSetBack: true }, now)).toMatchObject({ asOf: 8_000, incompleteSince: 8_000 })
    const trimmed = { fence: { src: 4, logTime: 9_000 }, ends: { earliest: 6, end: 7 }, oldest: 9_500 }
    expect(freshnessOf({ ...trimmed, isSetBack: true }, now)).toMatchObject({ asOf: 9_000, incompleteSince: 9_000 })
  })

  test('which record tells', () => {
    expect(oldestPending({ fence: { src: 4, logTime: 0 }, ends: { earliest: 0, end: 7 } })).toBe(5)
    expect(oldestPending({ fence: { src: 4, logTime: 0 }, ends: { earliest: 6, end: 7 } })).toBe(6)
    expect(oldestPending({ fence: { src: 6, logTime: 0 }, ends: { earliest: 0, end: 7 } })).toBeUndefined()
    expect(oldestPending({ fence: undefined, ends: { earliest: 2, end: 7 } })).toBe(2)
  })

  test('the least fresh partition speaks for all', () => {
    const late = { asOf: 8_000, lagMs: 2_000, pendingRecords: 2, pendingMs: 2_000, incompleteSince: 8_500 }
    expect(together([fresh, late, { ...late, incompleteSince: 7_000 }])).toEqual({ ...late, pendingRecords: 4, incompleteSince: 7_000 })
  })
})

describe('the ledger', () => {
  const hour = Date.parse('2026-03-10T12:00:00Z')
  const sums = (fields: Partial<LedgerSums>): LedgerSums => ({ hour, received: 0, counted: 0, repeated: 0, dead: 0, lost: 0, ...fields })
  const fold = (rows: { off: number; n: LedgerSums }[], range = { from: hour, to: hour + 7_200_000 }) => {
    const ledger = createLedgerFold(range)
    ledger.add(rows)
    return ledger.hours()
  }
  const some = [
    { off: 1, n: sums({ received: 6, counted: 2, flagged: { agent: 1, __proto__: 0 }, refused: { malformed: 1 }, repeated: 1, dead: 1 }) },
    { off: 2, n: sums({ hour: hour + 3_600_000, received: 1, counted: 1, lost: 3 }) },
    { off: 3, n: sums({ received: 2, flagged: { agent: 1, host: 1 } }) },
  ]

  test('adds up per hour of receipt', () => {
    const hours = fold(some)
    expect(hours).toEqual([
      {
        from: '2026-03-10T12:00:00.000Z',
        received: 8,
        counted: 2,
        flagged: { agent: 2, host: 1 },
        refused: { malformed: 1 },
        repeated: 1,
        dead: 1,
        lost: 0,
      },
      { from: '2026-03-10T13:00:00.000Z', received: 1, counted: 1, flagged: {}, refused: {}, repeated: 0, dead: 0, lost: 3 },
    ])
    expect(balanced(hours)).toBe(true)
  })

  test('an hour too much and one too little do not make a balance', () => {
    const hours = fold([
      { off: 1, n: sums({ received: 2, counted: 1 }) },
      { off: 2, n: sums({ hour: hour + 3_600_000, received: 1, counted: 2 }) },
    ])
    expect(balanced(hours)).toBe(false)
  })

  test('holds the hours that the range touches', () => {
    expect(fold(some, { from: hour + 1_800_000, to: hour + 3_600_000 }).map(({ received }) => received)).toEqual([8])
    expect(fold(some, { from: hour + 3_600_000, to: hour + 7_200_000 }).map(({ received }) => received)).toEqual([1])
  })

  test('its range is of dates of the site or of instants, the last 24 hours by default', () => {
    const calendar = calendarOf([{ tz: 'Europe/Berlin', from: 0 }])
    const at = (text: string) => Date.parse(text)
    const range = (from?: string, to?: string) => ledgerRange(from, to, calendar, at('2026-03-10T12:30:00Z'))
    expect(range()).toEqual({ from: at('2026-03-09T12:30:00.001Z'), to: at('2026-03-10T12:30:00.001Z') })
    expect(range('2026-03-09', '2026-03-10')).toEqual({ from: at('2026-03-08T23:00:00Z'), to: at('2026-03-10T23:00:00Z') })
    expect(range('2026-03-10T08:00:00Z')).toEqual({ from: at('2026-03-10T08:00:00Z'), to: at('2026-03-10T12:30:00.001Z') })
    expect(range(undefined, '2026-03-09')).toEqual({ from: at('2026-03-08T23:00:00Z'), to: at('2026-03-09T23:00:00Z') })
    expect(range('soon')).toMatch(/^from: expected a date/)
    expect(range('2026-03-09', 'x')).toMatch(/^to: expected a date/)
    expect(range('2026-03-11')).toMatch(/^from: it is after the end/)
    expect(range('2020-03-11')).toMatch(/^from: at most 400 days/)
  })
})
