import type { Clock } from '../clock.ts'
import { FootfallError } from '../errors.ts'
import type { Salts } from '../ports/sites.ts'
import { isSaltGone } from './salts.ts'
import { addDays, type Day } from './zone.ts'

/** Salts held in memory for the hot path; a destroyed salt is forgotten here too. */
export type KnownSalts = {
  /** The salt of a date, or `gone` once it is destroyed. Throws `no-salt` when it is not made yet, `store-unavailable`. */
  of(day: Day): Buffer | 'gone' | Promise<Buffer | 'gone'>
}

export const createKnownSalts = (salts: Salts, clock: Clock): KnownSalts => {
  const held = new Map<Day, Buffer>()

  const fetch = async (day: Day): Promise<Buffer> => {
    let salt: Buffer | undefined
    try {
      salt = await salts.get(day)
    } catch (cause) {
      throw new FootfallError('store-unavailable', { cause })
    }
    if (!salt) throw new FootfallError('no-salt')
    for (const old of held.keys()) if (isSaltGone(old, clock.now()) || old < addDays(day, -10)) held.delete(old)
    held.set(day, salt)
    return salt
  }

  return {
    of(day) {
      if (isSaltGone(day, clock.now())) {
        held.delete(day)
        return 'gone'
      }
      return held.get(day) ?? fetch(day)
    },
  }
}
