import type { Clock } from '#shared/clock.ts'
import { buildRecords, type ResolvedHit } from '#shared/hit/batch.ts'
import { parseHit, parseSite, type Raw } from '#shared/hit/parse.ts'
import type { RefusalReason } from '#shared/hit/record.ts'
import type { Salts } from '#shared/ports/sites.ts'
import type { Access } from '#shared/site/access.ts'
import type { SiteConfig } from '#shared/site/config.ts'
import type { KnownSites } from '#shared/site/known-sites.ts'
import { createKnownSalts } from '#shared/site/salt-cache.ts'
import type { Ledger } from './ledger.ts'
import { createResolver, type EdgeKnowledge, type Sender } from './resolve.ts'

/** From the values of a request to records in the log: each hit is accepted, or refused with the reason. */

/** Whose request it is and when; without `access` it is a browser's. */
export type Context = { now: number; sender: Sender; access: Access | undefined }

export type Outcome = { accepted: number; refused: { index: number; reason: RefusalReason }[] }

/** What becomes of one hit. */
type End = ResolvedHit | RefusalReason

export const createIntake = (ports: { sites: KnownSites; salts: Salts; clock: Clock; ledger: Ledger } & EdgeKnowledge) => {
  const { sites, clock, ledger } = ports
  const resolve = createResolver({ ...ports, salts: createKnownSalts(ports.salts, clock) })

  const newId = () => clock.random(16).toString('base64url')

  const counted = (site: string, end: End): End => {
    if (typeof end === 'string') ledger.count(site, end)
    return end
  }

  const takeNamed = (raw: Raw, site: string, config: SiteConfig | undefined, { now, sender, access }: Context): End | Promise<End> => {
    if (!config) return counted('', 'unknown-site')
    const trusted = access !== undefined
    if (trusted && access.site !== '' && access.site !== site) return counted(site, 'needs-key')
    const parsed = parseHit(raw, site, { now, trusted, keptParams: config.params })
    if (typeof parsed === 'string') return counted(site, parsed)
    const end = resolve(parsed, config, sender, trusted, newId)
    return end instanceof Promise ? end.then((one) => counted(site, one)) : counted(site, end)
  }

  /**
   * One hit to its end: resolved, or refused and in the ledger of the site it names (of '' when that is not registered).
   * What is at hand is not waited for: a promise per step and hit would cost as much as checking the hit.
   */
  const takeHit = (value: unknown, context: Context): End | Promise<End> => {
    const named = parseSite(value)
    if (typeof named === 'string') return counted('', named)
    const { site, raw } = named
    const config = sites.newest(site)
    return config instanceof Promise ? config.then((found) => takeNamed(raw, site, found, context)) : takeNamed(raw, site, config, context)
  }

  /** Takes the hits of one request; when it answers, the accepted ones are durable. */
  return async (values: readonly unknown[], context: Context): Promise<Outcome> => {
    const resolved: ResolvedHit[] = []
    const refused: Outcome['refused'] = []
    for (let index = 0; index < values.length; index++) {
      const taken = takeHit(values[index], context)
      const end = taken instanceof Promise ? await taken : taken
      if (typeof end === 'string') refused.push({ index, reason: end })
      else resolved.push(end)
    }
    if (resolved.length > 0) await ledger.append(buildRecords(resolved))
    return { accepted: resolved.length, refused }
  }
}
