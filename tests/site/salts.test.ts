import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isSaltGone, saltDates } from '#shared/site/salts.ts'
import { addDays, calendarOf, type Day, utcDay, utcOf } from '#shared/site/zone.ts'

const hour = 3_600_000
const at = (text: string) => Date.parse(text)

/** The local dates that somebody's clock shows, at the ends of the earth. */
const datesAt = (t: number): Day[] => [utcDay(t - 12 * hour), utcDay(t + 14 * hour)]
/** When a date is over everywhere. */
const endOf = (day: Day) => utcOf(addDays(day, 1)) + 12 * hour
/** When a date begins anywhere. */
const beginOf = (day: Day) => utcOf(day) - 14 * hour

describe('the salts that must be there', () => {
  const table: [now: string, first: Day, last: Day][] = [
    ['2026-06-10T00:00:00Z', 20260607, 20260612],
    ['2026-06-10T09:59:59Z', 20260607, 20260612],
    ['2026-06-10T10:00:00Z', 20260607, 20260613],
    ['2026-06-10T10:59:59Z', 20260607, 20260613],
    ['2026-06-10T11:00:00Z', 20260608, 20260613],
    ['2026-06-10T23:59:59Z', 20260608, 20260613],
    ['2026-12-31T23:00:00Z', 20261229, 20270103],
    ['2024-02-28T12:00:00Z', 20240226, 20240302],
  ]
  it.each(table)('at %s are those of %i to %i', (now, first, last) => {
    const { make, dropBefore } = saltDates(at(now))
    expect([make[0], make.at(-1), dropBefore]).toEqual([first, last, first])
  })

  it('at any time: today anywhere, the next 48 hours, yesterday for whoever comes back over midnight', () => {
    fc.assert(
      fc.property(fc.integer({ min: at('2020-01-01T00:00:00Z'), max: at('2040-01-01T00:00:00Z') }), (now) => {
        const { make, dropBefore } = saltDates(now)
        for (const t of [now, now + 48 * hour]) for (const day of datesAt(t)) expect(make).toContain(day)
        for (const day of datesAt(now)) expect(make).toContain(addDays(day, -1))
        expect(make).toEqual([...new Set(make)].sort((a, b) => a - b))
        for (const day of make) expect(isSaltGone(day, now)).toBe(false)
        expect(isSaltGone(addDays(dropBefore, -1), now)).toBe(true)
        expect(make.length).toBeLessThanOrEqual(7)
      }),
    )
  })
})

describe('a salt', () => {
  const days: Day[] = [20260610, 20260301, 20240229, 20261231, 20270101]

  it.each(days)('of %i is made 48 hours before it is needed and is gone 48 hours after', (day) => {
    expect(saltDates(beginOf(day) - 48 * hour).make).toContain(day)
    expect(saltDates(endOf(day)).make).toContain(day)
    // A schedule that runs hourly and was last on time an hour before the promise runs out.
    expect(isSaltGone(day, endOf(day) + 46 * hour)).toBe(false)
    expect(saltDates(endOf(day) + 47 * hour).dropBefore).toBeGreaterThan(day)
    expect(isSaltGone(day, endOf(day) + 48 * hour)).toBe(true)
  })

  it.each(days)('of %i that is destroyed is never asked for again', (day) => {
    for (let t = endOf(day) + 40 * hour, gone = false; t < endOf(day) + 200 * hour; t += hour) {
      const { make, dropBefore } = saltDates(t)
      gone ||= dropBefore > day
      if (gone) expect(make).not.toContain(day)
    }
  })

  it('is there for a hit that waited two days, in every zone', () => {
    for (const tz of ['Pacific/Kiritimati', 'UTC', 'America/Los_Angeles', 'Etc/GMT+12'])
      for (let now = at('2026-06-10T00:00:00Z'); now < at('2026-06-11T00:00:00Z'); now += hour)
        for (const queued of [0, 12, 24, 36, 47]) {
          const { day } = calendarOf([{ tz, from: 0 }]).dayAt(now - queued * hour)
          expect(isSaltGone(day, now)).toBe(false)
        }
  })
})
