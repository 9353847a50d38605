import { FootfallError } from '#shared/errors.ts'
import {
  changeCures,
  changeSchema,
  changeSite,
  newSite,
  newSiteCures,
  newSiteSchema,
  removeSite,
  restoreSite,
  type SiteOptions,
  siteView,
} from '#shared/site/change.ts'
import type { SiteConfig } from '#shared/site/config.ts'
import { siteName } from '#shared/site/domain.ts'
import { readFields, readJson } from '#shared/site/fields.ts'
import { answer, type Call, permit, permitAny, type Step, siteOf } from './call.ts'

/** A path's site; what is no domain names no site that could exist. */
const named = ({ name }: Call): string => siteName(name) ?? name

export const listSites: Step = async (call) => {
  const access = permitAny(call, 'read')
  const all = await call.ports.sites.list()
  const seen = access.site === '' ? all : all.filter(({ site }) => site === access.site)
  return answer(200, { sites: seen.map((config) => siteView(config, call.ports.url)) })
}

export const showSite: Step = async (call) => {
  const access = permit(call, named(call), 'read')
  return answer(200, siteView(await siteOf(call, access, named(call)), call.ports.url))
}

const firstOrRestored = (before: SiteConfig | undefined, site: string, options: SiteOptions, { now, ports }: Call): SiteConfig => {
  if (before && !before.removed) throw new FootfallError('site-exists', { detail: `It is ${site}.` })
  if (before) return restoreSite(before, options, now)
  return newSite(site, options, { now, key: ports.clock.random(32).toString('base64') })
}

export const addSite: Step = async (call) => {
  permit(call, '', 'all')
  const { site, ...options } = readFields(newSiteSchema, newSiteCures, readJson(call.request.body))
  const config = firstOrRestored(await call.ports.sites.find(site), site, options, call)
  if ((await call.ports.sites.put(config)) === 'stale') throw new FootfallError('site-exists', { detail: `It is ${site}.` })
  return answer(201, siteView(config, call.ports.url))
}

/** Writes the version that follows the one that was read; of two callers who read the same one, the second is told. */
const putNext = async (call: Call, config: SiteConfig): Promise<void> => {
  if ((await call.ports.sites.put(config)) === 'stale') throw new FootfallError('conflict')
}

export const setSite: Step = async (call) => {
  const access = permit(call, named(call), 'own')
  const { version, ...options } = readFields(changeSchema, changeCures, readJson(call.request.body))
  const before = await siteOf(call, access, named(call))
  if (version !== undefined && version !== before.version)
    throw new FootfallError('conflict', { detail: `It is at version ${before.version}, not ${version}.` })
  const changed = changeSite(before, options, call.now)
  if (changed) await putNext(call, changed)
  return answer(200, siteView(changed ?? before, call.ports.url))
}

export const dropSite: Step = async (call) => {
  const access = permit(call, named(call), 'own')
  await putNext(call, removeSite(await siteOf(call, access, named(call)), call.now))
  return { status: 204 }
}
