import type { HitsRecord, RecordHit } from '../hit/record.ts'
import { isOwnHost, type SiteConfig } from '../site/config.ts'

/**
 * Why a hit is flagged (data.md §15.1): it is kept and shown on demand, but no person's. The first verdict stands: the agent,
 * a rule on the address (both resolved at the edge), then the site's rules on what is stored.
 */
export const flagOf = (record: HitsRecord, hit: RecordHit, config: SiteConfig): string | undefined =>
  record.bot ?? record.net?.rule ?? siteFlag(hit, record.geo?.c, config)

/** Flags that a site's rules give by what is stored of a hit: they can be looked at anew. */
export const siteFlags: ReadonlySet<string> = new Set(['host', 'path', 'country'])

/** The first of them that a hit has, of a visitor from this country. */
export const siteFlag = (hit: Placed, country: string | undefined, config: SiteConfig): string | undefined =>
  hostFlag(hit, config) ?? ruleFlag(hit, country, config)

type Placed = Pick<RecordHit, 'host' | 'path'>

const hostFlag = ({ host }: Placed, config: SiteConfig): string | undefined =>
  host !== undefined && !isOwnHost(config, host) ? 'host' : undefined

const ruleFlag = ({ path }: Placed, country: string | undefined, { exclude }: SiteConfig): string | undefined => {
  if (path !== undefined && exclude.paths.some((pattern) => matchesPath(pattern, path))) return 'path'
  return country !== undefined && exclude.countries.includes(country) ? 'country' : undefined
}

/** A path rule is the whole path, or its beginning when it ends in `*`. */
export const matchesPath = (pattern: string, path: string): boolean =>
  pattern.endsWith('*') ? path.startsWith(pattern.slice(0, -1)) : path === pattern
