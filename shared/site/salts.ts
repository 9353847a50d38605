import { addDays, type Day, utcDay, utcOf } from './zone.ts'

/**
 * When a day's salt exists (data.md §15). Local dates run from UTC+14 to UTC−12, so a date lasts 50 hours somewhere on earth.
 * A salt is made 48 h before anybody's clock shows its date and destroyed at the latest 48 h after nobody's does any more.
 * With the salt gone, no address can be tied to a stored visitor hash again, and a cookieless hit of that date is `too-old`.
 */

const hourMs = 3_600_000
const dayMs = 24 * hourMs
/** The easternmost and the westernmost local time. */
const eastMs = 14 * hourMs
const westMs = 12 * hourMs
const aheadMs = 48 * hourMs
/** One hour less than the promised 48 h: the schedule that destroys runs hourly. */
const keptMs = 47 * hourMs

/** Milliseconds from a date's UTC midnight to the moment its salt goes. */
const lifeMs = dayMs + westMs + keptMs

/** When the salt of a date is due to be gone. */
export const saltGoneAt = (day: Day): number => utcOf(day) + lifeMs

/** True when the salt of a date is due to be gone (or should be, had the schedule run). */
export const isSaltGone = (day: Day, now: number): boolean => saltGoneAt(day) <= now

/**
 * The dates that must have a salt at `now`, oldest first, and the date before which salts are destroyed. It asks for every date
 * that is not gone, not only for those to come: a salt that was not destroyed yet can only be missing because it was never made
 * (a new installation, a server that stood still), and with it queued hits and the step over the night (`vprev`) work at once.
 */
export const saltDates = (now: number): { make: Day[]; dropBefore: Day } => {
  const last = utcDay(now + aheadMs + eastMs)
  let first = utcDay(now - lifeMs)
  while (isSaltGone(first, now)) first = addDays(first, 1)
  const make: Day[] = []
  for (let day = first; day <= last; day = addDays(day, 1)) make.push(day)
  return { make, dropBefore: first }
}
