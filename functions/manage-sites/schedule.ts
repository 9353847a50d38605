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
 * What is due by the clock, at every start and each hour: salts made ahead and destroyed on time, links and sessions that have run
 * out dropped. It derives its work from what is stored, so a run more, or two at once, do no harm.
 */
export const runSchedule: Step = async ({ ports, now }) => {
  const { make, dropBefore } = saltDates(now)
  const made = await makeSalts(make, ports.salts, ports.clock)
  const expired = await ports.secrets.dropExpired(now)
  const destroyed = await ports.salts.dropBefore(dropBefore)
  return answer(200, { salts: { made, destroyed }, expired })
}
