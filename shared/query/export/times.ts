import { type Calendar, offsetAt } from '../../site/zone.ts'

/** Instants in the zone of a site, with its offset: `2026-10-25T02:30:00.000+01:00`. */

/** Clocks change at quarters of an hour: between them the zone is asked once. */
const quarterMs = 900_000
const mostKept = 10_000

const two = (n: number): string => String(n).padStart(2, '0')

export const createTimes = (calendar: Calendar): ((t: number) => string) => {
  const offsets = new Map<number, { ms: number; text: string }>()
  const offsetOf = (t: number) => {
    const quarter = Math.floor(t / quarterMs)
    const known = offsets.get(quarter)
    if (known) return known
    const minutes = Math.round(offsetAt(calendar.zoneOf(calendar.dayAt(t).day), t) / 60_000)
    const size = Math.abs(minutes)
    const made = { ms: minutes * 60_000, text: `${minutes < 0 ? '-' : '+'}${two(Math.floor(size / 60))}:${two(size % 60)}` }
    if (offsets.size >= mostKept) offsets.clear()
    offsets.set(quarter, made)
    return made
  }
  return (t) => {
    const { ms, text } = offsetOf(t)
    return `${new Date(t + ms).toISOString().slice(0, 23)}${text}`
  }
}
