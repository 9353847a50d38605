import { type Clock, sleep } from '../clock.ts'
import type { Leases } from '../ports/leases.ts'

/**
 * How triggers share the partitions among each other, without a consumer group: each takes the lowest free seat by a lease, and of
 * `seats` taken ones the trigger of seat s drives the partitions p with p mod seats = s. Two that think they have the same one are
 * harmless (the function's fence decides); one that has died is missed when its lease has run out.
 */
export type Share = {
  /** Whether this trigger is to drive a partition now. */
  has(partition: number): boolean
  /** Looks for its seat and for the others until `signal` aborts; then gives it up. */
  run(signal: AbortSignal): Promise<void>
}

/** `apartMs`: looks of several triggers fall apart by up to so much: two that look for free seats at once see each other's look as a third. */
export const shareLimits = { seats: 64, leaseMs: 20_000, everyMs: 3_000, apartMs: 2_000 } as const

/** `onFailure` is told when the leases cannot be reached: what was known last stands meanwhile. */
export const createShare = (leases: Leases, clock: Clock, onFailure: (error: unknown) => void): Share => {
  const holder = clock.random(8).toString('hex')
  const nameOf = (seat: number): string => `trigger.seat.${seat}`
  let seat: number | undefined
  let seats = 1

  const take = (at: number): Promise<boolean> => leases.hold(nameOf(at), holder, shareLimits.leaseMs)

  /** The lowest seat that can be had: one below its own that has become free is better. */
  const sit = async (): Promise<number | undefined> => {
    for (let at = 0; at < shareLimits.seats; at++) {
      if (!(await take(at))) continue
      if (seat !== undefined && seat !== at) await leases.release(nameOf(seat), holder)
      return at
    }
    return undefined
  }

  /** Seats above its own that others have; the first free one is the end. */
  const countFrom = async (own: number): Promise<number> => {
    for (let at = own + 1; at < shareLimits.seats; at++) {
      if (!(await take(at))) continue
      await leases.release(nameOf(at), holder)
      return at
    }
    return shareLimits.seats
  }

  const look = async (): Promise<void> => {
    seat = await sit()
    if (seat !== undefined) seats = await countFrom(seat)
  }

  return {
    has: (partition) => seat !== undefined && partition % seats === seat,
    async run(signal) {
      while (!signal.aborted) {
        await look().catch(onFailure)
        await sleep(clock, shareLimits.everyMs + (clock.random(2).readUInt16BE() % shareLimits.apartMs), signal)
      }
      if (seat !== undefined) await leases.release(nameOf(seat), holder).catch(() => undefined) // it runs out by itself
      seat = undefined
    },
  }
}
