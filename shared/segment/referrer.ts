import type { SegmentHit } from './row.ts'

/**
 * Most referrers are the page before in the same visit. Those are not said again but marked (1 byte instead of the text of every page
 * once more): 1 = the host and path of the row's latest pageview before it, 2 = the same with its path percent-encoded, 0 = any other.
 */
export type Page = { host: string; path: string }

/** The page that a hit's follower may come from. */
export const pageAfter = ({ n, host, path }: SegmentHit, before: Page | undefined): Page | undefined =>
  n === 'pageview' && host !== undefined && path !== undefined ? { host, path } : before

const plain = ({ host, path }: Page): string => `${host}${path}`
const encoded = ({ host, path }: Page): string => `${host}${encodeURI(path.toWellFormed())}`

export const fromPageOf = (ref: string | undefined, page: Page | undefined): 0 | 1 | 2 => {
  if (ref === undefined || page === undefined || !ref.startsWith(page.host)) return 0
  if (ref === plain(page)) return 1
  return ref.includes('%') && ref === encoded(page) ? 2 : 0
}

export const referrerFrom = (mark: number, page: Page): string => (mark === 1 ? plain(page) : encoded(page))
