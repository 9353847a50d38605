/**
 * Rate limit per visitor network: a bucket of `rate` hits per second that holds five seconds of it. A request is let in while
 * the bucket holds anything and may overdraw it, so that a batch larger than the bucket is not refused for ever.
 */
const burstSeconds = 5

/** More networks than this at a time: the oldest are forgotten (they get a full bucket again; the limiter fails open). */
const networkLimit = 100_000

type RateLimit = {
  /** Takes `hits` from the network's bucket; answers 0 when let in, else the seconds to wait. */
  take(network: string, hits: number, now: number): number
  /** Takes more hits of a request that was let in; may overdraw the bucket. */
  charge(network: string, hits: number): void
}

export const createRateLimit = (rate: number): RateLimit => {
  const buckets = new Map<string, { tokens: number; at: number }>()
  // A bucket holds at least the one hit that lets the next in.
  const full = Math.max(1, rate * burstSeconds)
  return {
    take(network, hits, now) {
      if (rate === 0) return 0
      const bucket = buckets.get(network) ?? { tokens: full, at: now }
      // A clock that went back refills nothing and takes nothing.
      bucket.tokens = Math.min(full, bucket.tokens + (Math.max(0, now - bucket.at) / 1000) * rate)
      bucket.at = now
      buckets.delete(network)
      if (buckets.size >= networkLimit) buckets.delete(buckets.keys().next().value!)
      buckets.set(network, bucket)
      if (bucket.tokens < 1) return Math.max(1, Math.ceil((1 - bucket.tokens) / rate))
      bucket.tokens -= hits
      return 0
    },
    charge(network, hits) {
      const bucket = buckets.get(network)
      if (bucket) bucket.tokens -= hits
    },
  }
}
