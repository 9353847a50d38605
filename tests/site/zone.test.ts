import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ZoneSpan } from '#shared/site/config.ts'
import { addDays, calendarOf, changeZone, type Day, isoDay, isTimeZone, offsetAt, utcDay, utcOf } from '#shared/site/zone.ts'

const hour = 3_600_000
const minute = 60_000
const at = (text: string) => Date.parse(text)
const only = (tz: string): ZoneSpan[] => [{ tz, from: 0 }]
const written = (tz: string | ZoneSpan[], day: Day) => {
  const { start, end } = calendarOf(typeof tz === 'string' ? only(tz) : tz).span(day)
  return [new Date(start).toISOString(), (end - start) / hour]
}

describe('a day of one zone', () => {
  const table: [why: string, tz: string, day: Day, start: string, hours: number][] = [
    ['UTC', 'UTC', 20260101, '2026-01-01T00:00:00.000Z', 24],
    ['an ordinary winter day', 'Europe/Berlin', 20260115, '2026-01-14T23:00:00.000Z', 24],
    ['the night that loses an hour', 'Europe/Berlin', 20260329, '2026-03-28T23:00:00.000Z', 23],
    ['the day after it', 'Europe/Berlin', 20260330, '2026-03-29T22:00:00.000Z', 24],
    ['the night that doubles an hour', 'Europe/Berlin', 20261025, '2026-10-24T22:00:00.000Z', 25],
    ['the day after that', 'Europe/Berlin', 20261026, '2026-10-25T23:00:00.000Z', 24],
    ['west of Greenwich, losing', 'America/New_York', 20260308, '2026-03-08T05:00:00.000Z', 23],
    ['west of Greenwich, doubling', 'America/New_York', 20261101, '2026-11-01T04:00:00.000Z', 25],
    ['the south, where spring is in October', 'Australia/Sydney', 20261004, '2026-10-03T14:00:00.000Z', 23],
    ['half an hour of daylight saving', 'Australia/Lord_Howe', 20261004, '2026-10-03T13:30:00.000Z', 23.5],
    ['half an hour back', 'Australia/Lord_Howe', 20260405, '2026-04-04T13:00:00.000Z', 24.5],
    ['a quarter past', 'Asia/Kathmandu', 20260101, '2025-12-31T18:15:00.000Z', 24],
    ['the easternmost date', 'Pacific/Kiritimati', 20260101, '2025-12-31T10:00:00.000Z', 24],
    ['the westernmost date', 'Etc/GMT+12', 20260101, '2026-01-01T12:00:00.000Z', 24],
    ['Sao Paulo, where the clock jumped over midnight', 'America/Sao_Paulo', 20181104, '2018-11-04T03:00:00.000Z', 23],
    ['Sao Paulo, the day before', 'America/Sao_Paulo', 20181103, '2018-11-03T03:00:00.000Z', 24],
    ['Sao Paulo, whose midnight came twice', 'America/Sao_Paulo', 20180217, '2018-02-17T02:00:00.000Z', 25],
    ['Havana, whose midnight hour comes twice: the first counts', 'America/Havana', 20261101, '2026-11-01T04:00:00.000Z', 25],
    ['Havana, the day before', 'America/Havana', 20261031, '2026-10-31T04:00:00.000Z', 24],
    ['Havana, where midnight is skipped', 'America/Havana', 20260308, '2026-03-08T05:00:00.000Z', 23],
    ['Beirut, where midnight is skipped', 'Asia/Beirut', 20260329, '2026-03-28T22:00:00.000Z', 23],
    ['Newfoundland, one minute past midnight back to the day before', 'America/St_Johns', 20101107, '2010-11-07T02:30:00.000Z', 25],
    ['Toronto 1919, a jump from 23:30 over midnight to 0:30', 'America/Toronto', 19190331, '1919-03-31T04:30:00.000Z', 23.5],
    ['Apia, the day before the lost one', 'Pacific/Apia', 20111229, '2011-12-29T10:00:00.000Z', 24],
    ['Apia, the date that was left out when it crossed the date line', 'Pacific/Apia', 20111230, '2011-12-30T10:00:00.000Z', 0],
    ['Apia, the day after', 'Pacific/Apia', 20111231, '2011-12-30T10:00:00.000Z', 24],
  ]
  it.each(table)('%s', (_why, tz, day, start, hours) => {
    expect(written(tz, day)).toEqual([start, hours])
  })
})

describe('the day an instant lies in', () => {
  const table: [tz: string, t: string, day: Day][] = [
    ['Europe/Berlin', '2026-03-28T22:59:59.999Z', 20260328],
    ['Europe/Berlin', '2026-03-28T23:00:00.000Z', 20260329],
    ['Europe/Berlin', '2026-03-29T21:59:59.999Z', 20260329],
    ['Europe/Berlin', '2026-10-25T22:59:59.999Z', 20261025],
    ['Europe/Berlin', '2026-10-25T23:00:00.000Z', 20261026],
    ['Pacific/Apia', '2011-12-30T09:59:59.999Z', 20111229],
    ['Pacific/Apia', '2011-12-30T10:00:00.000Z', 20111231],
    ['America/Havana', '2026-11-01T03:59:59.999Z', 20261031],
    ['America/Havana', '2026-11-01T04:30:00.000Z', 20261101],
    ['America/Havana', '2026-11-01T05:30:00.000Z', 20261101],
    ['America/Sao_Paulo', '2018-11-04T02:59:59.999Z', 20181103],
    ['America/Sao_Paulo', '2018-11-04T03:00:00.000Z', 20181104],
    ['UTC', '1969-12-31T23:59:59.999Z', 19691231],
  ]
  it.each(table)('%s at %s is %i', (tz, t, day) => {
    const calendar = calendarOf(only(tz))
    expect(calendar.dayAt(at(t)).day).toBe(day)
    calendar.dayAt(at(t) + 24 * hour) // the one remembered must not stand in the way
    expect(calendar.dayAt(at(t)).day).toBe(day)
  })
})

/** Days lie end to end, dates ascend, and an instant lies in the day whose span holds it. */
const expectSound = (zones: readonly ZoneSpan[], first: Day, days: number) => {
  const calendar = calendarOf(zones)
  let end = calendar.span(first).start
  for (let i = 0, day = first; i < days; i++, day = addDays(day, 1)) {
    const span = calendar.span(day)
    expect(span.start, `start of ${day}`).toBe(end)
    expect(span.end, `end of ${day}`).toBeGreaterThanOrEqual(span.start)
    for (const t of [span.start, span.end - 1])
      if (span.end > span.start) expect(calendar.dayAt(t).day, `day of ${new Date(t).toISOString()}`).toBe(day)
    end = span.end
  }
}

describe('a change of zone', () => {
  const now = at('2026-06-10T08:00:00Z')
  const table: [why: string, from: string, to: string, first: Day, start: string, hours: number, hoursBefore: number][] = [
    ['east to west: the day before lasts on', 'Europe/Berlin', 'America/New_York', 20260612, '2026-06-12T04:00:00.000Z', 24, 30],
    ['west to east: the first day is short', 'America/New_York', 'Europe/Berlin', 20260612, '2026-06-12T04:00:00.000Z', 18, 24],
    ['the whole way west', 'Etc/GMT-14', 'Etc/GMT+12', 20260612, '2026-06-12T12:00:00.000Z', 24, 50],
    ['the whole way east: a date of no length, none repeated', 'Etc/GMT+12', 'Etc/GMT-14', 20260611, '2026-06-11T12:00:00.000Z', 0, 24],
    ['the same wall clock', 'Europe/Berlin', 'Europe/Paris', 20260612, '2026-06-11T22:00:00.000Z', 24, 24],
  ]
  it.each(table)('%s', (_why, from, to, first, start, hours, hoursBefore) => {
    const zones = changeZone(only(from), to, now)
    expect(zones).toHaveLength(2)
    expect(zones[1]!.from).toBeGreaterThanOrEqual(now + 24 * hour)
    expect(zones[1]!.from).toBeLessThan(now + 48 * hour + 1)
    expect(written(zones, first)).toEqual([start, hours])
    expect(written(zones, addDays(first, -1))[1]).toBe(hoursBefore)
    expect(calendarOf(zones).zoneOf(addDays(first, -1))).toBe(from)
    expect(calendarOf(zones).zoneOf(first)).toBe(to)
    expectSound(zones, 20260601, 30)
  })

  it('changes no day that has begun, nor one that begins within 24 hours', () => {
    const before = calendarOf(only('Europe/Berlin'))
    const after = calendarOf(changeZone(only('Europe/Berlin'), 'Asia/Tokyo', now))
    for (let t = now - 48 * hour; t <= now + 24 * hour; t += 10 * minute) expect(after.dayAt(t).day).toBe(before.dayAt(t).day)
  })

  it('takes an earlier change back while it is more than 24 hours away', () => {
    const changed = changeZone(only('Europe/Berlin'), 'Asia/Tokyo', now)
    expect(changeZone(changed, 'Europe/Berlin', now + hour)).toEqual(only('Europe/Berlin'))
    expect(changeZone(changed, 'America/Lima', now + hour)).toEqual([
      { tz: 'Europe/Berlin', from: 0 },
      { tz: 'America/Lima', from: changed[1]!.from },
    ])
  })

  it('lets an earlier change stand once it is nearer, and follows it', () => {
    const changed = changeZone(only('Europe/Berlin'), 'Asia/Tokyo', now)
    const later = changed[1]!.from - 12 * hour
    const back = changeZone(changed, 'Europe/Berlin', later)
    expect(back.map(({ tz }) => tz)).toEqual(['Europe/Berlin', 'Asia/Tokyo', 'Europe/Berlin'])
    expect(back[2]!.from).toBeGreaterThanOrEqual(later + 24 * hour)
    expectSound(back, 20260601, 30)
  })

  it('is not lost in the hours in which the day of the old zone still lasts', () => {
    const changed = changeZone(only('Europe/Berlin'), 'America/New_York', now)
    const between = changed[1]!.from + hour // the last Berlin day has been stretched to New York's midnight
    expect(calendarOf(changed).zoneOf(calendarOf(changed).dayAt(between).day)).toBe('Europe/Berlin')
    expect(changeZone(changed, 'Europe/Berlin', between).map(({ tz }) => tz)).toEqual([
      'Europe/Berlin',
      'America/New_York',
      'Europe/Berlin',
    ])
  })

  it('to the zone that is in force changes nothing', () => {
    expect(changeZone(only('Europe/Berlin'), 'Europe/Berlin', now)).toEqual(only('Europe/Berlin'))
  })

  it('leaves the calendar sound, whatever follows upon what', () => {
    const zones = [
      'UTC',
      'Europe/Berlin',
      'America/New_York',
      'Pacific/Kiritimati',
      'Etc/GMT+12',
      'America/Havana',
      'America/Sao_Paulo',
      'Asia/Kathmandu',
    ]
    const step = fc.record({ tz: fc.constantFrom(...zones), after: fc.integer({ min: 0, max: 60 * 60 }) })
    fc.assert(
      fc.property(fc.constantFrom(...zones), fc.array(step, { maxLength: 5 }), fc.integer({ min: 0, max: 364 }), (tz, steps, day) => {
        let t = utcOf(addDays(20260101, day))
        const first = addDays(utcDay(t), -3)
        let list = only(tz)
        for (const { tz: next, after } of steps) {
          t += after * minute
          const before = calendarOf(list)
          list = changeZone(list, next, t)
          const changed = calendarOf(list)
          for (const near of [t, t + 12 * hour, t + 24 * hour - 1])
            expect(changed.dayAt(near)).toMatchObject({ day: before.dayAt(near).day })
          expect(list.at(-1)!.tz).toBe(next)
        }
        expectSound(list, first, 25)
      }),
      { numRuns: 150 },
    )
  })
})

describe('dates', () => {
  it('count over the ends of months and years', () => {
    expect(addDays(20251231, 1)).toBe(20260101)
    expect(addDays(20240228, 1)).toBe(20240229)
    expect(addDays(20260301, -1)).toBe(20260228)
    expect(isoDay(20260301)).toBe('2026-03-01')
    expect(utcDay(utcOf(20260301))).toBe(20260301)
  })

  it('knows offsets with seconds and before 1970', () => {
    expect(offsetAt('Africa/Monrovia', at('1950-01-01T00:00:00Z')) / minute).toBe(-44.5)
    expect(offsetAt('Asia/Kolkata', at('2026-01-01T00:00:00.999Z'))).toBe(5.5 * hour)
  })

  it.each([
    ['Europe/Berlin', true],
    ['Europe/Kyiv', true],
    ['UTC', true],
    ['Mars/Olympus', false],
    ['', false],
    ['+05:00', false],
    ['-23:59', false],
  ])('%j is a time zone: %s', (tz, known) => {
    expect(isTimeZone(tz)).toBe(known)
  })
})
