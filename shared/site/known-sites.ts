import type { Clock } from '../clock.ts'
import { FootfallError } from '../errors.ts'
import type { Sites } from '../ports/sites.ts'
import { createRecent } from '../recent.ts'
import type { SiteConfig } from './config.ts'

/**
 * Site configurations held in memory, for the hot path. A configuration is asked for again after `freshMs`; while the store
 * is down the last answer stands for `staleMs` (24 h: changes are written that far ahead), then it is an outage, never "no such site".
 */
export type KnownSites = {
  /** The newest version; `undefined` for a site that is not registered (or removed). Throws `store-unavailable`. */
  newest(site: string): SiteConfig | undefined | Promise<SiteConfig | undefined>
  /** The newest version if it is held in memory, however old; never asks the store. */
  atHand(site: string): SiteConfig | undefined
  /** True when any site lists the origin. Throws `store-unavailable`. */
  isListedOrigin(origin: string): Promise<boolean>
  /** Exactly one version (they never change, so it is kept). Throws `store-unavailable`. */
  version(site: string, version: number): SiteConfig | undefined | Promise<SiteConfig | undefined>
}

const freshMs = 500
const staleMs = 24 * 3_600_000
const heldLimit = 20_000
/** The origins of all sites are read again after this long. */
const listMs = 5_000

export const createKnownSites = (sites: Sites, clock: Clock): KnownSites => {
  // Asking for many sites that do not exist must not drop what carries the others over an outage.
  const newest = createRecent<{ config: SiteConfig | undefined; at: number }>(heldLimit)
  const versions = createRecent<SiteConfig>(heldLimit)
  let listed: { origins: ReadonlySet<string>; at: number } | undefined

  const fetchNewest = async (site: string, now: number): Promise<SiteConfig | undefined> => {
    const held = newest.get(site)
    try {
      const found = await sites.find(site)
      const config = found?.removed ? undefined : found
      newest.set(site, { config, at: now })
      return config
    } catch (cause) {
      if (held && now - held.at < staleMs) return held.config
      throw new FootfallError('store-unavailable', { cause })
    }
  }

  return {
    newest(site) {
      const now = clock.now()
      const held = newest.get(site)
      return held && now - held.at < freshMs && now >= held.at ? held.config : fetchNewest(site, now)
    },
    async isListedOrigin(origin) {
      const now = clock.now()
      if (!listed || now - listed.at >= listMs || now < listed.at) {
        const all = await sites.list().catch((cause) => {
          throw new FootfallError('store-unavailable', { cause })
        })
        listed = { origins: new Set(all.flatMap(({ origins }) => origins)), at: now }
      }
      return listed.origins.has(origin)
    },
    atHand: (site) => newest.get(site)?.config,
    version(site, version) {
      const name = `${site} ${version}`
      const held = versions.get(name)
      if (held) return held
      return sites.at(site, version).then(
        (config) => {
          if (config) versions.set(name, config)
          return config
        },
        (cause) => {
          throw new FootfallError('store-unavailable', { cause })
        },
      )
    },
  }
}
