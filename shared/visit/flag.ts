import type { HitsRecord, RecordHit } from '../hit/record.ts'
import { isOwnHost, type SiteConfig } from '../site/config.ts'

/**
 * Why a hit is flagged (data.md §15.1): it is kept and shown on demand, but no person's. The first verdict stands: the agent,
 * a rule on the address (both resolved at the edge), then the site's rules on what is stored.
 */
export const flagOf = (record: HitsRecord, hit: RecordHit, config: SiteConfig): string | undefined =>
  record.bot ?? record.net?.rule ?? hostFlag(hit, config) ?? ruleFlag(record, hit, config)

const hostFlag = ({ host }: RecordHit, config: SiteConfig): string | undefined =>
  host !== undefined && !isOwnHost(config, host) ? 'host' : undefined

const ruleFlag = ({ geo }: HitsRecord, { path }: RecordHit, { exclude }: SiteConfig): string | undefined => {
  if (path !== undefined && exclude.paths.some((pattern) => matchesPath(pattern, path))) return 'path'
  return geo?.c !== undefined && exclude.countries.includes(geo.c) ? 'country' : undefined
}

/** A path rule is the whole path, or its beginning when it ends in `*`. */
export const matchesPath = (pattern: string, path: string): boolean =>
  pattern.endsWith('*') ? path.startsWith(pattern.slice(0, -1)) : path === pattern
