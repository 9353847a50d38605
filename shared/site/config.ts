/** What a site is. Versions are insert-only; a hit pins the version that was in force when it came. */

/** A time zone (IANA name) from an instant on (ms UTC; the first one from −∞, stored as 0). */
export type ZoneSpan = { tz: string; from: number }

/** 2^bits shards from an instant on (ms UTC). */
export type ShardSpan = { bits: number; from: number }

/**
 * What the owner wants visitors to do: see a page, cause an event, or see so much of a page. `page` is a pattern: `*` stands for any
 * characters but `/`, `**` for any.
 */
export type Goal = {
  name: string
  page?: string
  event?: string
  /** Per cent of the page that must have been seen; stands beside `page`. */
  scroll?: number
  /** Every key has one of the values. */
  props?: Record<string, string[]>
}

/** Filters under a name, as a query takes them. */
export type Segment = { name: string; filters: unknown[] }

export type SiteConfig = {
  /** Domain: lower case, punycode, without `www.` and port. */
  site: string
  version: number
  /** When this version was written, ms UTC. */
  at: number
  created: number
  removed?: true
  zones: ZoneSpan[]
  identity: 'cookie' | 'cookieless'
  /** Secret of the site, base64: visitor hashes in cookie mode, user hashes. Never leaves the server. */
  key: string
  /** A new session after this gap, 1 min … 7 h 55. */
  sessionTimeoutMs: number
  cutAtMidnight: boolean
  cutAtCampaign: boolean
  /** Rule behind `bounce_rate`: GA4's (not engaged) or one pageview and nothing else. */
  bounce: 'engaged' | 'single-page'
  /** Hosts beside the domain and its subdomains whose hits are not flagged `host`. */
  hosts: string[]
  /** Query parameters that stay part of the page. */
  params: string[]
  /** Hits that match are flagged with the rule's name. */
  exclude: { paths: string[]; countries: string[]; addresses: string[] }
  /** Months that rows are kept after their day, 0 = for ever. Absent = as `retentionOf` says. */
  retentionMonths?: number
  /** Origins that may read the API with a key from a browser. */
  origins: string[]
  /** Absent in configurations that were written before there were any. */
  goals?: Goal[]
  segments?: Segment[]
  /** Into how many shards its visitors are spread; absent = one. Written a day ahead, so that every collect-hit knows it in time. */
  shards?: ShardSpan[]
}

export const defaults = {
  identity: 'cookie',
  sessionTimeoutMs: 30 * 60_000,
  cutAtMidnight: false,
  cutAtCampaign: false,
  bounce: 'engaged',
} as const

export const retentionLimits = { most: 1_200, byDefault: 25 } as const

/** Months that a site's rows are kept; 0 = for ever. */
export const retentionOf = (config: Pick<SiteConfig, 'retentionMonths'> | undefined): number =>
  config?.retentionMonths ?? retentionLimits.byDefault

export const sessionTimeoutLimits = { minMs: 60_000, maxMs: (7 * 60 + 55) * 60_000 } as const

/** True when `host` (lower case, without `www.`) belongs to the site. */
export const isOwnHost = (config: Pick<SiteConfig, 'site' | 'hosts'>, host: string): boolean =>
  host === config.site || host.endsWith(`.${config.site}`) || config.hosts.includes(host)
