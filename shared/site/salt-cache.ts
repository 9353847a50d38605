import type { Clock } from '../clock.ts'
import { FootfallError } from '../errors.ts'
import type { Salts } from '../ports/sites.ts'
import { isSaltGone, saltGoneAt } from './salts.ts'
import type { Day } from './zone.ts'

/** Salts held in memory for the hot path; a destroyed salt is forgotten here too, also when nobody asks any more. */
export type KnownSalts = {
  /** The salt of a date, or `gone` once it is destroyed. Throws `no-salt` when it is not made yet, `store-unavailable`. */
  of(day: Day): Buffer | 'gone' | Promise<Buffer | 'gone'>
}

export const createKnownSalts = (salts: Salts, clock: Clock): KnownSalts => {
  const held = new Map<Day, { salt: Buffer; cancel(): void }>()

  const forget = (day: Day): void => {
    held.get(day)?.cancel()
    held.delete(day)
  }

  const hold = (day: Day, salt: Buffer): void => {
    forget(day)
    held.set(day, { salt, cancel: clock.after(saltGoneAt(day) - clock.now(), () => forget(day)) })
  }

  const fetch = async (day: Day): Promise<Buffer | 'gone'> => {
    let salt: Buffer | undefined
    try {
      salt = await salts.get(day)
    } catch (cause) {
      throw new FootfallError('store-unavailable', { cause })
    }
    if (isSaltGone(day, clock.now())) return 'gone' // while it was asked for
    if (!salt) throw new FootfallError('no-salt')
    hold(day, salt)
    return salt
  }

  return {
    of(day) {
      if (isSaltGone(day, clock.now())) {
        forget(day) // a timer is late where the machine slept or its clock was put forward
        return 'gone'
      }
      return held.get(day)?.salt ?? fetch(day)
    },
  }
}
