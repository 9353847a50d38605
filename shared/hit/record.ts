/**
 * The `hits` record: what collect-hit appends and enrich-session reads. One record holds hits of one site and one visitor.
 * What must not be stored (address, user agent, query strings) has been resolved before it is built; it never holds a raw body.
 */

/** A known place; ISO 3166-1 alpha-2 country, ISO 3166-2 region code, city name. Absent = unknown. */
export type Place = { c?: string; r?: string; ci?: string }

/** What the user agent says: browser, its major version, operating system, its version, kind of device. '' = unknown. */
export type Device = { br: string; brv: string; os: string; osv: string; type: DeviceType }
export type DeviceType = 'Desktop' | 'Mobile' | 'Tablet' | 'TV' | 'Other'

/** Raw campaign marks of a URL: utm source, medium, campaign, content, term, and the network a click id belongs to. */
export type Campaign = { us?: string; um?: string; uc?: string; un?: string; ut?: string; clk?: string }

/** Exact money: integer of 1/10,000 of the currency unit, as decimal digits (15 + 4 digits do not fit a double). */
export type Revenue = { a: string; c: string }

export type Props = Record<string, string | number | boolean>

/** One hit inside a record. Times are milliseconds UTC; absent = not set. */
export type RecordHit = {
  id: string
  /** When it happened, fixed once by collect-hit: receipt − queued, or the time a trusted sender gave. */
  t: number
  /** Event name; `pageview`, `engagement` or the caller's own. */
  n: string
  /** Host of the URL without port and `www.`; absent when the hit had no URL. */
  host?: string
  /** Page: percent-decoded path (and allow-listed parameters); absent when the hit had no URL. */
  path?: string
  /** Campaign marks of the URL. */
  q?: Campaign
  /** Referrer: `host/path`, lower-case host without `www.`; no query string. */
  r?: string
  ti?: string
  p?: Props
  rev?: Revenue
  /** Engagement: foreground milliseconds and greatest scroll per cent since the last hit on that page. */
  fg?: number
  sd?: number
  /** Line of an import. */
  l?: number
}

export type HitsRecord = {
  v: 1
  /** Site configuration version that was in force; enrich reads exactly this version. */
  cfg: number
  site: string
  /** Shard of the site (0 while the site is not sharded). */
  sh: number
  /** Visitor hash, 12 hex digits (48 bits). */
  vis: string
  /** The same visitor under yesterday's salt (cookieless only). */
  vprev?: string
  /** First day ever, YYYYMMDD, as carried in the cookie value. */
  fs?: number
  /** Hash of the site's own id of a signed-in person. */
  user?: string
  geo?: Place
  /** Verdict of a site rule on the address, already resolved at the edge. */
  net?: { rule?: string }
  dev: Device
  /** Why the agent is known to be no person. */
  bot?: string
  lang?: string
  scr?: string
  ev: RecordHit[]
  /** Import source these hits come from. */
  imp?: { src: string }
}

/** Refusals of one flush, summed per site; rides in the same append as the hits of that flush. Unknown sites: site ''. */
export type RefusalsRecord = { v: 1; site: string; led: Partial<Record<RefusalReason, number>>; hour: number }

/** Why a hit is refused: a closed list, the same word in answer, header, ledger, metric and log. */
export const refusalReasons = [
  'malformed',
  'unknown-site',
  'too-long',
  'too-many',
  'too-old',
  'bad-url',
  'bad-revenue',
  'needs-key',
  'needs-visitor',
  'rate',
  'over-quota',
  'erased',
] as const
export type RefusalReason = (typeof refusalReasons)[number]

/** Limits of a record (design data.md §5). */
export const recordLimits = { hits: 100, bytes: 256_000 } as const
