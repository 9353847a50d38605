import type { Clock } from '#shared/clock.ts'
import type { Salts } from '#shared/ports/sites.ts'
import { saltDates } from '#shared/site/salts.ts'
import { answer, type Step } from './call.ts'

const saltBytes = 32

/** A salt for every date that must have one; making one that is there changes nothing. Answers how many are new. */
const makeSalts = async (days: readonly number[], salts: Salts, clock: Clock): Promise<number> => {
  let made = 0
  for (const day of days) {
    if (await salts.get(day)) continue
    const value = clock.random(saltBytes)
    if ((await salts.make(day, value)).equals(value)) made++
  }
  return made
}

/**
 * Keys of imported visitors go 48 h after their last use: an hour less here, as this runs hourly, and another one since uses are noted
 * in steps of minutes.
 */
export const importKeysMs = 46 * 3_600_000

/** All of them, also when one throws: a reader that is in the way of one must not keep the others alive too. */
const allOf = async (steps: readonly Promise<number>[]): Promise<number[]> => {
  const results = await Promise.allSettled(steps)
  return results.map((result) => {
    if (result.status === 'rejected') throw result.reason
    return result.value
  })
}

/**
 * What is due by the clock, at every start and each hour: salts made ahead and destroyed on time, keys of imports destroyed, links and
 * sessions that have run out dropped. It derives its work from what is stored, so a run more, or two at once, do no harm.
 */
export const runSchedule: Step = async ({ ports, now }) => {
  const { make, dropBefore } = saltDates(now)
  const made = await makeSalts(make, ports.salts, ports.clock)
  const expired = await ports.secrets.dropExpired(now)
  const [destroyed, keys] = await allOf([ports.salts.dropBefore(dropBefore), ports.importKeys.dropUnused(now - importKeysMs)])
  return answer(200, { salts: { made, destroyed }, imports: { destroyed: keys }, expired })
}
