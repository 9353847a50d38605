import type { Clock } from '../../clock.ts'
import type { Leases } from '../../ports/leases.ts'

/** leases within one process: whoever comes first, until the lease has run out. */
export const createLeases = (clock: Clock): Leases => {
  const held = new Map<string, { holder: string; until: number }>()
  return {
    async hold(name, holder, ttlMs) {
      const now = clock.now()
      const lease = held.get(name)
      if (lease && lease.holder !== holder && lease.until > now) return false
      held.set(name, { holder, until: now + ttlMs })
      return true
    },
    async release(name, holder) {
      if (held.get(name)?.holder === holder) held.delete(name)
    },
  }
}
