import { describe, expect, test } from 'vitest'
import { bucketsOf, type TimeDimension, unitOf, wallHour } from '#shared/query/buckets.ts'
import { addMonths, compareRange, isoRange, parseDates, type Range, resolveRange } from '#shared/query/dates.ts'
import { calendarOf, changeZone } from '#shared/site/zone.ts'

const berlin = calendarOf([{ tz: 'Europe/Berlin', from: 0 }])
const at = (text: string) => Date.parse(text)
const resolve = (dates: string | [string, string], now: string, calendar = berlin, data?: { first: number; last: number }): Range =>
  resolveRange(parseDates('date_range', dates), calendar, at(now), data)
const iso = (dates: string | [string, string], now: string, calendar = berlin) => isoRange(calendar, resolve(dates, now, calendar))

describe('date_range', () => {
  const now = '2026-03-15T12:34:56.789Z' // 13:34 in Berlin, a Sunday
  test.each([
    ['day', '2026-03-15T00:00:00+01:00', '2026-03-15T23:59:59+01:00'],
    ['month', '2026-03-01T00:00:00+01:00', '2026-03-31T23:59:59+02:00'],
    ['year', '2026-01-01T00:00:00+01:00', '2026-12-31T23:59:59+01:00'],
    ['1d', '2026-03-14T00:00:00+01:00', '2026-03-14T23:59:59+01:00'],
    ['7d', '2026-03-08T00:00:00+01:00', '2026-03-14T23:59:59+01:00'],
    ['28d', '2026-02-15T00:00:00+01:00', '2026-03-14T23:59:59+01:00'],
    ['1mo', '2026-02-01T00:00:00+01:00', '2026-02-28T23:59:59+01:00'],
    ['6mo', '2025-09-01T00:00:00+02:00', '2026-02-28T23:59:59+01:00'],
    ['12mo', '2025-03-01T00:00:00+01:00', '2026-02-28T23:59:59+01:00'],
    ['24h', '2026-03-14T13:34:57+01:00', '2026-03-15T13:34:56+01:00'],
    ['30m', '2026-03-15T13:04:57+01:00', '2026-03-15T13:34:56+01:00'],
    ['realtime', '2026-03-15T13:29:57+01:00', '2026-03-15T13:34:56+01:00'],
  ])('%s', (dates, from, to) => {
    expect(iso(dates, now)).toEqual([from, to])
  })

  test('dates are inclusive, of the site zone, and know both nights of the clock', () => {
    expect(iso(['2026-03-29', '2026-03-29'], now)).toEqual(['2026-03-29T00:00:00+01:00', '2026-03-29T23:59:59+02:00'])
    expect(iso(['2026-10-25', '2026-10-25'], now)).toEqual(['2026-10-25T00:00:00+02:00', '2026-10-25T23:59:59+01:00'])
    const hours = (range: Range) => (range.to - range.from) / 3_600_000
    expect(hours(resolve(['2026-03-29', '2026-03-29'], now))).toBe(23)
    expect(hours(resolve(['2026-10-25', '2026-10-25'], now))).toBe(25)
  })

  test('the day before today may be near midnight in the site zone', () => {
    expect(iso('day', '2026-03-15T23:30:00Z')).toEqual(['2026-03-16T00:00:00+01:00', '2026-03-16T23:59:59+01:00'])
    const auckland = calendarOf([{ tz: 'Pacific/Auckland', from: 0 }])
    expect(iso('1d', now, auckland)).toEqual(['2026-03-15T00:00:00+13:00', '2026-03-15T23:59:59+13:00'])
  })

  test('instants are inclusive: a second as a whole, a millisecond as one', () => {
    const range = resolve(['2024-01-01T12:00:00+02:00', '2024-01-01T15:59:59+02:00'], now)
    expect(range).toEqual({ from: at('2024-01-01T10:00:00Z'), to: at('2024-01-01T14:00:00Z') })
    expect(resolve(['2024-01-01T12:00:00.250Z', '2024-01-01T12:00:00.250Z'], now)).toEqual({
      from: at('2024-01-01T12:00:00.250Z'),
      to: at('2024-01-01T12:00:00.251Z'),
    })
    expect(resolve(['2024-01-01T12:00:00.250Z', '2024-01-01T12:00:00.250Z'], now).from).toBe(at('2024-01-01T12:00:00.250Z'))
  })

  test.each(['day', '7d', '24h', 'realtime', '6mo'])('the echo of %s asks for the same range', (dates) => {
    const range = resolve(dates, now)
    expect(resolve(isoRange(berlin, range), now)).toEqual({ from: range.from, to: range.to })
  })

  test('the echo keeps milliseconds', () => {
    const range = { from: at('2024-01-01T12:00:00.250Z'), to: at('2024-01-01T13:00:00.001Z') }
    expect(resolve(isoRange(berlin, range), now)).toEqual(range)
  })

  test('all reaches from the first day with data to today, or is today', () => {
    const range = resolve('all', now, berlin, { first: 20240229, last: 20260314 })
    expect(range.days).toEqual({ first: 20240229, last: 20260315 })
    expect(resolve('all', now).days).toEqual({ first: 20260315, last: 20260315 })
  })

  test.each([
    ['0d', /expected "day"/],
    ['5001d', /expected "day"/],
    ['101mo', /expected "day"/],
    ['yesterday', /expected "day"/],
    [['2026-02-30', '2026-03-01'], /"2026-02-30" is no date/],
    [['2026-03-02', '2026-03-01'], /is after/],
    [['2026-03-02', '2026-03-03T00:00:00Z'], /cannot be mixed/],
    [['2026-03-02T00:00:00', '2026-03-03T00:00:00'], /no instant with offset/],
    [['2026-02-30T00:00:00Z', '2026-03-03T00:00:00Z'], /"2026-02-30T00:00:00Z" is no date/],
    [['2006-03-02', '2026-03-03'], /at most 5000 days/],
  ] as [string | [string, string], RegExp][])('%s is refused', (dates, message) => {
    expect(() => parseDates('date_range', dates)).toThrow(message)
    expect(() => parseDates('date_range', dates)).toThrow(/date_range: /)
  })

  test('months keep to the end of shorter months', () => {
    expect([addMonths(20240131, 1), addMonths(20240229, -12), addMonths(20260331, -1), addMonths(20251231, 2)]).toEqual([
      20240229, 20230228, 20260228, 20260228,
    ])
  })
})

describe('a change of zone', () => {
  // Tokyo until the end of its 15th, then New York: whose 16th begins 13 hours later, so the 15th has 37 hours.
  const west = calendarOf(changeZone([{ tz: 'Asia/Tokyo', from: 0 }], 'America/New_York', at('2026-01-14T12:00:00Z')))
  const east = calendarOf(changeZone([{ tz: 'America/New_York', from: 0 }], 'Asia/Tokyo', at('2026-01-14T12:00:00Z')))

  test.each([
    ['west', west],
    ['east', east],
  ])('%s: no hour label leaves its date or comes twice', (_name, calendar) => {
    for (let day = 20260114; day <= 20260118; day++) {
      const { start, end } = calendar.span(day)
      const { labels, at: bucketAt } = bucketsOf('time:hour', { from: start, to: end }, calendar)
      const date = `2026-01-${day % 100}`
      expect(new Set(labels).size).toBe(labels.length)
      expect(labels.every((label) => label.startsWith(date))).toBe(true)
      for (let t = start; t < end; t += 600_000)
        expect(labels[bucketAt(t)]).toBe(`${date} ${String(wallHour(calendar, t)).padStart(2, '0')}:00:00`)
    }
  })

  test('a day of 37 hours keeps what is beyond 24:00 in its last hour', () => {
    const day = [20260115, 20260116].find((d) => west.span(d).end - west.span(d).start > 30 * 3_600_000)!
    const { start, end } = west.span(day)
    const { labels, at: bucketAt } = bucketsOf('time:hour', { from: start, to: end }, west)
    expect(labels).toHaveLength(24)
    expect(bucketAt(end - 1)).toBe(23)
    expect(bucketsOf('time:day', { from: start, to: end }, west).labels).toHaveLength(1)
  })
})

describe('time buckets', () => {
  const labels = (dimension: TimeDimension, dates: [string, string]) =>
    bucketsOf(dimension, resolve(dates, '2026-03-15T12:00:00Z'), berlin).labels

  test('the skipped hour is no label, the doubled one is one bucket', () => {
    const spring = labels('time:hour', ['2026-03-29', '2026-03-29'])
    expect(spring).toHaveLength(23)
    expect(spring.slice(1, 3)).toEqual(['2026-03-29 01:00:00', '2026-03-29 03:00:00'])
    const autumn = bucketsOf('time:hour', resolve(['2026-10-25', '2026-10-25'], '2026-03-15T12:00:00Z'), berlin)
    expect(autumn.labels).toHaveLength(24)
    expect(autumn.labels[autumn.at(at('2026-10-25T00:30:00Z'))]).toBe('2026-10-25 02:00:00')
    expect(autumn.labels[autumn.at(at('2026-10-25T01:30:00Z'))]).toBe('2026-10-25 02:00:00')
    expect(autumn.labels[autumn.at(at('2026-10-25T02:00:00Z'))]).toBe('2026-10-25 03:00:00')
  })

  test('a doubled minute is one bucket too', () => {
    const minutes = bucketsOf('time:minute', resolve(['2026-10-25', '2026-10-25'], '2026-03-15T12:00:00Z'), berlin)
    expect(minutes.labels).toHaveLength(1440)
    expect(minutes.at(at('2026-10-25T00:30:10Z'))).toBe(minutes.at(at('2026-10-25T01:30:50Z')))
    expect(minutes.labels[minutes.at(at('2026-10-25T00:30:10Z'))]).toBe('2026-10-25 02:30:00')
  })

  test('a zone with half hours, and one whose clock moves by half an hour', () => {
    const india = calendarOf([{ tz: 'Asia/Kolkata', from: 0 }])
    const half = bucketsOf('time:hour', resolve(['2026-03-10', '2026-03-10'], '2026-03-15T12:00:00Z', india), india)
    expect(half.labels[half.at(at('2026-03-10T00:29:59Z'))]).toBe('2026-03-10 05:00:00')
    expect(half.labels[half.at(at('2026-03-10T00:30:00Z'))]).toBe('2026-03-10 06:00:00')
    const lord = calendarOf([{ tz: 'Australia/Lord_Howe', from: 0 }])
    for (const day of ['2026-04-05', '2026-10-04']) {
      const { labels: hours } = bucketsOf('time:hour', resolve([day, day], '2026-03-15T12:00:00Z', lord), lord)
      expect(hours).toHaveLength(24)
    }
  })

  test('weeks begin on Monday and are named by it, months by their first', () => {
    expect(labels('time:week', ['2026-03-07', '2026-03-16'])).toEqual(['2026-03-02', '2026-03-09', '2026-03-16'])
    expect(labels('time:month', ['2025-12-31', '2026-02-01'])).toEqual(['2025-12-01', '2026-01-01', '2026-02-01'])
    expect(labels('time:day', ['2026-03-28', '2026-03-30'])).toEqual(['2026-03-28', '2026-03-29', '2026-03-30'])
  })

  test('a range inside an hour has the labels it touches', () => {
    const range = resolve(['2026-03-10T10:50:00+01:00', '2026-03-10T12:00:00+01:00'], '2026-03-15T12:00:00Z')
    expect(bucketsOf('time:hour', range, berlin).labels).toEqual(['2026-03-10 10:00:00', '2026-03-10 11:00:00', '2026-03-10 12:00:00'])
  })

  test.each([
    [['2026-03-29', '2026-03-29'], 'hour'],
    [['2026-10-24', '2026-10-25'], 'hour'],
    [['2026-03-10', '2026-03-12'], 'day'],
    [['2026-01-01', '2026-02-09'], 'day'],
    [['2026-01-01', '2026-02-10'], 'week'],
    [['2025-01-01', '2025-12-30'], 'week'],
    [['2025-01-01', '2025-12-31'], 'month'],
    [['2026-03-10T10:00:00Z', '2026-03-12T09:59:59Z'], 'hour'],
    [['2026-03-10T10:00:00Z', '2026-03-12T10:00:00Z'], 'day'],
  ] as [[string, string], string][])('time over %s is by %s', (dates, unit) => {
    expect(unitOf('time', resolve(dates, '2026-03-15T12:00:00Z'))).toBe(unit)
  })

  test('too many buckets are refused', () => {
    expect(() => labels('time:minute', ['2026-03-01', '2026-03-08'])).toThrow(
      /"time:minute" over this range would give 11520 buckets, more than 10000/,
    )
    expect(() => labels('time:hour', ['2020-01-01', '2026-03-08'])).toThrow(/take a longer unit/)
  })
})

describe('the range compared with', () => {
  const compare = (
    dates: string | [string, string],
    mode: 'previous_period' | 'year_over_year' | [string, string],
    now: string,
    match = false,
  ) => {
    const given = typeof mode === 'string' ? mode : parseDates('include.compare', mode)
    return isoRange(berlin, compareRange(given, match, resolve(dates, now), berlin, at(now)))
  }
  const days = (range: [string, string]) => range.map((text) => text.slice(0, 10))
  const now = '2026-03-15T12:00:00Z'

  test.each([
    ['7d', 'previous_period', '2026-03-01', '2026-03-07'],
    ['7d', 'year_over_year', '2025-03-08', '2025-03-14'],
    ['1mo', 'previous_period', '2026-01-01', '2026-01-31'],
    ['6mo', 'previous_period', '2025-03-01', '2025-08-31'],
    ['1mo', 'year_over_year', '2025-02-01', '2025-02-28'],
    [['2024-02-29', '2024-02-29'], 'year_over_year', '2023-02-28', '2023-02-28'],
    [['2026-03-02', '2026-03-04'], 'previous_period', '2026-02-27', '2026-03-01'],
    ['7d', ['2025-01-01', '2025-01-03'], '2025-01-01', '2025-01-03'],
  ] as [string | [string, string], 'previous_period', string, string][])('%s against %s', (dates, mode, from, to) => {
    expect(days(compare(dates, mode, now))).toEqual([from, to])
  })

  test('the same day of the week: earlier before, nearest a year before', () => {
    expect(days(compare('30d', 'previous_period', now, true))).toEqual(['2026-01-09', '2026-02-07'])
    expect(days(compare(['2026-03-09', '2026-03-15'], 'year_over_year', now, true))).toEqual(['2025-03-10', '2025-03-16'])
    expect(days(compare(['2024-03-04', '2024-03-04'], 'year_over_year', now, true))).toEqual(['2023-03-06', '2023-03-06'])
  })

  test('an unfinished period compares the same elapsed time', () => {
    expect(compare('day', 'previous_period', '2026-03-15T12:34:56.789Z')).toEqual([
      '2026-03-14T00:00:00+01:00',
      '2026-03-14T13:34:56+01:00',
    ])
    expect(compare('month', 'previous_period', '2026-03-15T12:34:56Z')).toEqual(['2026-02-01T00:00:00+01:00', '2026-02-15T13:34:56+01:00'])
    expect(compare('year', 'year_over_year', '2026-03-15T12:34:56Z')).toEqual(['2025-01-01T00:00:00+01:00', '2025-03-15T13:34:56+01:00'])
    // On the 31st the whole shorter month before is compared.
    expect(compare('month', 'previous_period', '2026-03-31T12:00:00Z')).toEqual(['2026-02-01T00:00:00+01:00', '2026-02-28T23:59:59+01:00'])
  })

  test('rolling ranges compare the time just before', () => {
    expect(compare('24h', 'previous_period', now)).toEqual(['2026-03-13T13:00:01+01:00', '2026-03-14T13:00:00+01:00'])
    expect(compare('30m', 'year_over_year', now)).toEqual(['2025-03-15T12:30:01+01:00', '2025-03-15T13:00:00+01:00'])
  })
})
