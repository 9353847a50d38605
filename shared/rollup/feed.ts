import type { EventRecord } from '../visit/event.ts'

/** What the live feed says of one hit: no id, no city. */
type FeedHit = { time: number; name: string; page?: string; country?: string; source: string }

/** Hits a second and site that are worth showing. */
export const feedLimit = 20

/** Hits older than this are no news (a queue sent late, a restore). */
const newsMs = 60_000

/** The newest hits of people per site, at most `feedLimit` each, in the order they came. */
export const feedOf = (events: readonly EventRecord[], now: number): Map<string, FeedHit[]> => {
  const feed = new Map<string, FeedHit[]>()
  for (const { site, x } of events)
    for (const { s, h } of x) {
      if (s.bot !== undefined) continue
      for (const { t, n, path } of h) {
        if (n === 'engagement' || t < now - newsMs) continue
        const hits = feed.get(site) ?? []
        hits.push({ time: t, name: n, page: path, country: s.country, source: s.src })
        feed.set(site, hits)
      }
    }
  for (const [site, hits] of feed) feed.set(site, hits.slice(-feedLimit))
  return feed
}
