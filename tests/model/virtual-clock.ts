import type { Clock } from '#shared/clock.ts'
import type { Random } from './random.ts'

/** A clock that is turned by hand; timers fire in the order of their time. */
export type VirtualClock = Clock & {
  advance(ms: number): void
  /** Ms until the next timer; undefined when there is none. */
  untilNext(): number | undefined
}

export const createVirtualClock = (start: number, random: Random): VirtualClock => {
  let now = start
  let order = 0
  const timers = new Map<number, { at: number; run: () => void }>()

  const firstDue = (limit: number) => {
    let found: number | undefined
    for (const [id, { at }] of timers) if (at <= limit && (found === undefined || at < timers.get(found)!.at)) found = id
    return found
  }
  return {
    now: () => now,
    random: (bytes) => Buffer.from(Array.from({ length: bytes }, () => random.below(256))),
    after(ms, run) {
      const id = order++
      timers.set(id, { at: now + ms, run })
      return () => timers.delete(id)
    },
    advance(ms) {
      const end = now + ms
      for (let id = firstDue(end); id !== undefined; id = firstDue(end)) {
        const { at, run } = timers.get(id)!
        timers.delete(id)
        now = Math.max(now, at)
        run()
      }
      now = end
    },
    untilNext() {
      const times = [...timers.values()].map(({ at }) => at)
      return times.length === 0 ? undefined : Math.max(0, Math.min(...times) - now)
    },
  }
}
