import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { stepOf, stepsFor, toPeriod } from '#functions/serve-dashboard/page/state/intervals.ts'
import { ledgerSpan, mostDays } from '#functions/serve-dashboard/page/state/ledger.ts'
import {
  addDays,
  dateRangeOf,
  datesOf,
  daysFrom,
  daysOf,
  earliestOf,
  isDate,
  isOpen,
  isPeriod,
  labelOf,
  offered,
  shifted,
  todayIn,
} from '#functions/serve-dashboard/page/state/periods.ts'
import { bucketsOf, unitOf } from '#shared/query/buckets.ts'
import { parseDates, resolveRange } from '#shared/query/dates.ts'
import { ledgerRange } from '#shared/query/ledger.ts'
import { calendarOf, isoDay } from '#shared/site/zone.ts'
import { anyDate, anyInstant, anyPeriod, anyText, anyZone } from './arbitrary.ts'

const calendar = (tz: string) => calendarOf([{ tz, from: 0 }])

/** The days that the server understands under a period. */
const serverDays = (period: string, tz: string, now: number): [string, string] | undefined => {
  const { days } = resolveRange(parseDates('date_range', dateRangeOf(period, todayIn(tz, now))), calendar(tz), now, undefined)
  return days && [isoDay(days.first), isoDay(days.last)]
}

describe('a period', () => {
  it('is the days that the server takes it for', () => {
    fc.assert(
      fc.property(anyPeriod, anyZone, anyInstant, (period, tz, now) => {
        expect(isPeriod(period)).toBe(true)
        if (period !== 'all') expect(daysOf(period, todayIn(tz, now))).toEqual(serverDays(period, tz, now))
      }),
    )
  })

  it('is told from other texts', () => {
    for (const text of [
      '',
      '0d',
      '5001d',
      '101mo',
      '1w',
      '2026-13-01',
      '2026-11-24..',
      '..2026-11-24',
      '2026-01-01..2026-01-02..2026-01-03',
      'DAY',
    ])
      expect(isPeriod(text), text).toBe(false)
    fc.assert(fc.property(anyText, (text) => void isPeriod(text)))
  })

  it('has a name, and each key picks one', () => {
    fc.assert(fc.property(anyPeriod, (period) => void expect(labelOf(period)).not.toBe('')))
    const keys = offered.map(({ key }) => key).filter((key) => key !== '')
    expect(keys.join('')).toBe('derwftnmpyla')
    expect(new Set(keys).size).toBe(keys.length)
  })

  it('is open where today lies in it', () => {
    expect(
      ['day', 'month', 'year', 'realtime', 'all', '24h', '2026-11-20..2026-11-30'].map((one) => isOpen(one, '2026-11-24')),
    ).not.toContain(false)
    expect(['yesterday', '7d', '1mo', '2026-11-23'].map((one) => isOpen(one, '2026-11-24'))).not.toContain(true)
  })
})

describe('the period before and after', () => {
  const isWholeMonths = ([first, last]: [string, string]) => first.endsWith('-01') && addDays(last, 1).endsWith('-01')

  it('ends where it began, there and back', () => {
    fc.assert(
      fc.property(anyPeriod, anyDate, (period, today) => {
        const days = daysOf(period, today)
        const before = shifted(period, -1, today)
        if (!days || days[0] > today || !before) return
        const there = daysOf(before, today)!
        // 28 days before March are February, whose neighbours are months.
        if (isWholeMonths(there) && !isWholeMonths(days)) return
        expect(daysOf(shifted(before, 1, today)!, today)).toEqual(days)
      }),
    )
  })

  it('lies beside it without gap or overlap, and is as long', () => {
    fc.assert(
      fc.property(anyPeriod, anyDate, (period, today) => {
        const days = daysOf(period, today)
        const before = shifted(period, -1, today)
        if (!days || !before) return
        const there = daysOf(before, today)!
        expect(addDays(there[1], 1)).toBe(days[0])
        if (!isWholeMonths(days)) expect(daysFrom(...there)).toBe(daysFrom(...days))
      }),
    )
  })

  it.each([
    ['day', -1, 'yesterday'],
    ['yesterday', 1, 'day'],
    ['day', 1, undefined],
    ['month', -1, '1mo'],
    ['1mo', -1, '2026-09-01..2026-09-30'],
    ['2026-09-01..2026-09-30', 1, '1mo'],
    ['7d', -1, '2026-11-10..2026-11-16'],
    ['7d', 1, '2026-11-24..2026-11-30'],
    ['year', -1, '2025-01-01..2025-12-31'],
    ['realtime', -1, undefined],
    ['all', -1, undefined],
    ['24h', 1, undefined],
    ['9999-12-31', 1, undefined],
  ] as const)('%s by %i is %s', (period, direction, expected) => {
    expect(shifted(period, direction, '2026-11-24')).toBe(expected)
  })
})

describe('today', () => {
  it('is the date that the server has, in every zone and at every change of clocks', () => {
    fc.assert(fc.property(anyZone, anyInstant, (tz, now) => void expect(todayIn(tz, now)).toBe(isoDay(calendar(tz).dayAt(now).day))))
  })

  it.each([
    ['Europe/Berlin', '2026-10-24T22:00:00Z', '2026-10-25'],
    ['Europe/Berlin', '2026-10-25T22:59:59Z', '2026-10-25'],
    ['Europe/Berlin', '2026-10-25T23:00:00Z', '2026-10-26'],
    ['America/Santiago', '2026-09-06T03:59:59Z', '2026-09-05'],
    ['America/Santiago', '2026-09-06T04:00:00Z', '2026-09-06'],
    ['Pacific/Kiritimati', '2026-11-24T10:00:00Z', '2026-11-25'],
    ['Pacific/Pago_Pago', '2026-11-24T10:59:59Z', '2026-11-23'],
  ])('%s at %s is %s', (tz, now, date) => {
    expect(todayIn(tz, Date.parse(now))).toBe(date)
  })

  it('is a date that exists', () => {
    expect(['2024-02-29', '2026-11-24'].map(isDate)).toEqual([true, true])
    expect(['2026-02-29', '2026-11-31', '26-11-24', '2026-11-24x', '0000-01-01'].map(isDate)).not.toContain(true)
    expect(datesOf('2026-11-01..2040-01-01')).toEqual(['2026-11-01', '2040-01-01'])
    expect(datesOf('2026-11-01..2041-01-01')).toBeUndefined()
  })
})

describe('the steps of the chart', () => {
  const now = Date.parse('2026-11-24T12:34:56Z')

  it('are as the server picks them, where none is chosen', () => {
    fc.assert(
      fc.property(anyPeriod, anyZone, (period, tz) => {
        const today = todayIn(tz, now)
        const step = stepOf({ period, interval: '' }, today)
        const range = resolveRange(parseDates('date_range', dateRangeOf(period, today)), calendar(tz), now, undefined)
        if (period === 'all') expect(step).toBeUndefined()
        else expect(step).toBe(period === 'realtime' || period === '30m' ? 'minute' : unitOf('time', range))
      }),
    )
  })

  it.each([
    ['2d', 'hour'],
    ['3d', 'day'],
    ['40d', 'day'],
    ['41d', 'week'],
    ['364d', 'week'],
    ['365d', 'month'],
  ])('of %s are by %s', (period, step) => {
    expect(stepOf({ period, interval: '' }, '2026-11-24')).toBe(step)
  })

  it('offered for a period are never too many for the server', () => {
    fc.assert(
      fc.property(anyPeriod, (period) => {
        const range = resolveRange(parseDates('date_range', dateRangeOf(period, '2026-11-24')), calendar('UTC'), now, {
          first: 20150101,
          last: 20261124,
        })
        for (const step of stepsFor(period, '2026-11-24'))
          expect(bucketsOf(`time:${step}`, range, calendar('UTC')).labels.length).toBeGreaterThan(0)
      }),
      { numRuns: 40 },
    )
  })

  it('stay with the view where they fit the next period', () => {
    expect(toPeriod({ interval: 'hour' }, '7d', '2026-11-24')).toEqual({ period: '7d', interval: 'hour' })
    expect(toPeriod({ interval: 'hour' }, 'year', '2026-11-24')).toEqual({ period: 'year', interval: '' })
    expect(stepOf({ period: 'year', interval: 'minute' }, '2026-11-24')).toBe('month')
  })
})

describe('the ledger of a period', () => {
  it('is asked so that the server takes it, and is all of it where it is not cut', () => {
    fc.assert(
      fc.property(anyPeriod, anyZone, anyInstant, (period, tz, now) => {
        const today = todayIn(tz, now)
        const { from, to, isCut } = ledgerSpan(period, today, now)
        const range = ledgerRange(from, to, calendar(tz), now)
        expect(typeof range).toBe('object')
        const days = daysOf(period, today)
        if (days && !isCut && days[0] <= today) expect([from, to]).toEqual([days[0], earliestOf(days[1], today)])
        if (isCut) expect(daysFrom(from, to)).toBe(mostDays - 1)
      }),
    )
  })
})
