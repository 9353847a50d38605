import type { Clock } from '#shared/clock.ts'
import type { ImportKeys } from '#shared/ports/imports.ts'
import { addDays, type Day } from '#shared/site/zone.ts'

const keyBytes = 32

/** Keys of some days, and of those before them as far as there are any. */
export type VisitorKeys = (site: string, days: ReadonlySet<Day>, now: number) => Promise<(day: Day) => Buffer | undefined>

/**
 * Imported visitors are told apart by a random key per site and day, made when the day is first met. They have nothing to do with the
 * salts of live visitors, so an import never touches a live visit. Keys are held for one request: what is destroyed is gone here too.
 */
export const createVisitorKeys =
  (keys: ImportKeys, clock: Clock): VisitorKeys =>
  async (site, days, now) => {
    const wanted = Array.from(days, (day) => ({ day, key: clock.random(keyBytes) }))
    const before = Array.from(days, (day) => addDays(day, -1)).filter((day) => !days.has(day))
    const found = wanted.length === 0 ? [] : [...(await keys.find(site, before)), ...(await keys.use(site, wanted, now))]
    const byDay = new Map(found.map(({ day, key }) => [day, key]))
    return (day) => byDay.get(day)
  }
