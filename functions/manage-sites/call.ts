import type { Clock } from '#shared/clock.ts'
import { FootfallError } from '#shared/errors.ts'
import { json, type Reply, type Request } from '#shared/handler.ts'
import type { ImportKeys } from '#shared/ports/imports.ts'
import type { Replays, Versions } from '#shared/ports/replays.ts'
import type { Salts, Secrets, Sites } from '#shared/ports/sites.ts'
import { type Access, allow, allowChange, type Need } from '#shared/site/access.ts'
import type { SiteConfig } from '#shared/site/config.ts'
import type { GenerationList } from '#shared/site/generations.ts'

export type Ports = {
  sites: Sites
  secrets: Secrets
  salts: Salts
  importKeys: ImportKeys
  replays: Replays
  versions: Pick<Versions, 'job'>
  generations: GenerationList
  clock: Clock
  /** Public address of the installation, without a trailing slash. */
  url: string
}

/** One request on its way through the function. `name` is the last part of the path, decoded, where the route has one. */
export type Call = { request: Request; access: Access | undefined; name: string; now: number; ports: Ports }

export type Step = (call: Call) => Promise<Reply>

/** The access behind a call if it covers the site ('' = all) with the need, and the request may change something where it does. */
export const permit = ({ request, access }: Call, site: string, need: Need): Access => {
  const allowed = allow(access, site, need)
  allowChange(request, allowed)
  return allowed
}

/** The same for a path that belongs to no site: whatever the access holds for. */
export const permitAny = (call: Call, need: Need): Access => permit(call, call.access?.site ?? '', need)

/** The newest version of a site that is there. Whoever does not hold for all sites is not told whether another one exists. */
export const siteOf = async ({ ports }: Call, access: Access, site: string): Promise<SiteConfig> => {
  const config = await ports.sites.find(site)
  if (config && !config.removed) return config
  throw new FootfallError(access.site === '' ? 'unknown-site' : 'wrong-key')
}

/** A JSON answer that nobody keeps: these carry keys and settings. */
export const answer = (status: number, value: unknown): Reply => json(status, value, { 'cache-control': 'no-store' })
