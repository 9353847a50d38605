import type { RefusalReason, RefusalsRecord } from './record.ts'

/**
 * Refusals, summed per site until the next append takes them along (data.md §15.2): under attack they cost one small record
 * per site and flush. What was taken and whose append has an unknown outcome is not added again.
 */
type Refusals = {
  add(site: string, reason: RefusalReason, hits?: number): void
  /** Takes all sums as records, oldest site first; nothing stays behind. */
  take(now: number): RefusalsRecord[]
  readonly size: number
}

const hourMs = 3_600_000

/** Sums are kept for at most this many sites at a time, the rest goes under site '' (only registered sites are ever named). */
const siteLimit = 10_000

export const createRefusals = (): Refusals => {
  const sums = new Map<string, Map<RefusalReason, number>>()
  return {
    add(site, reason, hits = 1) {
      const name = sums.has(site) || sums.size < siteLimit ? site : ''
      const reasons = sums.get(name) ?? new Map<RefusalReason, number>()
      reasons.set(reason, (reasons.get(reason) ?? 0) + hits)
      sums.set(name, reasons)
    },
    take(now) {
      const hour = Math.floor(now / hourMs) * hourMs
      const records = [...sums].map(([site, reasons]): RefusalsRecord => ({ v: 1, site, led: Object.fromEntries(reasons), hour }))
      sums.clear()
      return records
    },
    get size() {
      return sums.size
    },
  }
}
