import { z } from 'zod'
import { createCidrs } from '../hit/address.ts'
import { defaults, retentionLimits, retentionOf, type SiteConfig, sessionTimeoutLimits } from './config.ts'
import { siteName } from './domain.ts'
import type { Cures } from './fields.ts'
import { checkSegments, goalCures, goalsSchema, segmentCures, segmentsSchema } from './goals.ts'
import { changeShards, shardNumbers, shardsOf } from './shards.ts'
import { changeZone, isTimeZone } from './zone.ts'

/** A site's options as its owner writes them, and how they become the next version of its configuration. */

const minuteMs = 60_000
const listLimit = 100
const textLimit = 300

/** A string that `read` understands; what it answers is kept. */
const through = (read: (text: string) => string | undefined) =>
  z
    .string()
    .max(textLimit)
    .transform((text, context) => {
      const value = read(text)
      if (value !== undefined) return value
      context.addIssue({ code: 'custom', message: 'unusable' })
      return z.NEVER
    })

const list = (entry: z.ZodType<string>) =>
  z
    .array(entry)
    .max(listLimit)
    .transform((entries) => [...new Set(entries)])

/** A zone's name in the spelling of the time zone database; aliases (Europe/Kyiv) are left as they are. */
const zoneName = (text: string): string | undefined => {
  if (!isTimeZone(text)) return undefined
  const known = new Intl.DateTimeFormat('en-US', { timeZone: text }).resolvedOptions().timeZone
  return known.toLowerCase() === text.toLowerCase() ? known : text
}

const countryCode = (text: string): string | undefined => (/^[a-z]{2}$/i.test(text) ? text.toUpperCase() : undefined)

const addressRange = (text: string): string | undefined => {
  try {
    createCidrs([text])
    return text.trim()
  } catch {
    return undefined // an Error is how createCidrs says no
  }
}

const originOf = (text: string): string | undefined => {
  const origin = URL.canParse(text) ? new URL(text).origin : ''
  return /^https?:/.test(origin) && origin === text.toLowerCase().replace(/\/$/, '') ? origin : undefined
}

const optionShape = {
  timezone: through(zoneName),
  identity: z.enum(['cookie', 'cookieless']),
  session_timeout: z
    .int()
    .min(sessionTimeoutLimits.minMs / minuteMs)
    .max(sessionTimeoutLimits.maxMs / minuteMs),
  cut_at_midnight: z.boolean(),
  cut_at_campaign: z.boolean(),
  bounce: z.enum(['engaged', 'single-page']),
  hosts: list(through(siteName)),
  params: list(z.string().min(1).max(textLimit)),
  exclude: z
    .strictObject({
      paths: list(z.string().startsWith('/').max(textLimit)),
      countries: list(through(countryCode)),
      addresses: list(through(addressRange)),
    })
    .partial(),
  origins: list(through(originOf)),
  goals: goalsSchema,
  segments: segmentsSchema,
  retention: z.int().min(0).max(retentionLimits.most),
  shards: z.int().refine((n) => shardNumbers.includes(n)),
}

/** What to send for each option. */
const optionCures = {
  '': 'a JSON object with the options of the site',
  timezone: 'an IANA time zone, such as Europe/Berlin',
  identity: '"cookie" or "cookieless"',
  session_timeout: 'whole minutes from 1 to 475',
  cut_at_midnight: 'true or false',
  cut_at_campaign: 'true or false',
  bounce: '"engaged" or "single-page"',
  hosts: 'a list of at most 100 domains, such as ["example.org"]',
  params: 'a list of at most 100 names of query parameters (1–300 characters each)',
  exclude: 'an object with the lists paths, countries and addresses',
  'exclude.paths': 'a list of at most 100 paths that begin with / (at most 300 characters each)',
  'exclude.countries': 'a list of at most 100 two-letter country codes, such as ["DE"]',
  'exclude.addresses': 'a list of at most 100 addresses or CIDRs, such as ["203.0.113.0/24"]',
  origins: 'a list of at most 100 origins, such as ["https://example.com"]',
  ...goalCures,
  ...segmentCures,
  retention: 'whole months from 1 to 1200, or 0 for ever',
  shards: '1, 2, 4, 8, 16, 32, 64, 128 or 256',
} as const satisfies Cures

export const changeSchema = z.strictObject({ ...optionShape, version: z.int().min(1) }).partial()
export const changeCures = { ...optionCures, version: 'the version that the change is made to, as it was read' } as const satisfies Cures

export const newSiteSchema = z
  .strictObject({ ...optionShape })
  .partial()
  .extend({ site: through(siteName) })
export const newSiteCures = { ...optionCures, site: 'a domain such as example.com, without scheme, port and path' } as const satisfies Cures

export type SiteOptions = Omit<z.output<typeof changeSchema>, 'version'>

/** The configuration with the options given; what is not given stays, and so does each list of `exclude`. The zone changes 24–48 h later. */
const withOptions = (config: SiteConfig, options: SiteOptions, now: number): SiteConfig => {
  const changed = changedBy(config, options, now)
  // A goal may go that a segment asks for: both are looked at together, so that what is saved can be asked.
  if (options.goals || options.segments) checkSegments(changed)
  return changed
}

const changedBy = (config: SiteConfig, options: SiteOptions, now: number): SiteConfig => ({
  ...config,
  zones: options.timezone === undefined ? config.zones : changeZone(config.zones, options.timezone, now),
  identity: options.identity ?? config.identity,
  sessionTimeoutMs: options.session_timeout === undefined ? config.sessionTimeoutMs : options.session_timeout * minuteMs,
  cutAtMidnight: options.cut_at_midnight ?? config.cutAtMidnight,
  cutAtCampaign: options.cut_at_campaign ?? config.cutAtCampaign,
  bounce: options.bounce ?? config.bounce,
  hosts: options.hosts ?? config.hosts,
  params: options.params ?? config.params,
  exclude: { ...config.exclude, ...options.exclude },
  origins: options.origins ?? config.origins,
  ...given('goals', options.goals ?? config.goals),
  ...given('segments', options.segments ?? config.segments),
  ...(options.shards === undefined ? {} : given('shards', changeShards(config.shards ?? [], options.shards, now))),
  ...(options.retention === undefined || options.retention === retentionOf(config) ? {} : { retentionMonths: options.retention }),
})

/** A list that is there only where something is in it: configurations without goals are what they were. */
const given = <K extends string, T>(name: K, list: T[] | undefined): Partial<Record<K, T[] | undefined>> =>
  list === undefined ? {} : ({ [name]: list.length === 0 ? undefined : list } as Record<K, T[] | undefined>)

/** The first version of a site. `key` is its secret, base64. */
export const newSite = (site: string, options: SiteOptions, { now, key }: { now: number; key: string }): SiteConfig => {
  const plain: SiteConfig = {
    ...defaults,
    site,
    version: 1,
    at: now,
    created: now,
    zones: [{ tz: options.timezone ?? 'UTC', from: 0 }],
    key,
    hosts: [],
    params: [],
    exclude: { paths: [], countries: [], addresses: [] },
    origins: [],
  }
  return withOptions(plain, { ...options, timezone: undefined }, now)
}

const next = (config: SiteConfig, now: number): SiteConfig => ({ ...config, version: config.version + 1, at: now })

/** The next version, or `undefined` when the options change nothing. */
export const changeSite = (config: SiteConfig, options: SiteOptions, now: number): SiteConfig | undefined => {
  const changed = withOptions(config, options, now)
  return JSON.stringify(changed) === JSON.stringify(config) ? undefined : next(changed, now)
}

/** The version that ends a site: its hits are refused from now on, its numbers and its secret stay. */
export const removeSite = (config: SiteConfig, now: number): SiteConfig => ({ ...next(config, now), removed: true })

/** A removed site again: it goes on with its old options, those given changed, so that its visitors stay the same. */
export const restoreSite = (config: SiteConfig, options: SiteOptions, now: number): SiteConfig => {
  const { removed: _gone, ...rest } = next(withOptions(config, options, now), now)
  return rest
}

const attribute = (text: string): string => text.replace(/&/g, '&amp;').replace(/"/g, '&quot;').replace(/</g, '&lt;')

/**
 * The tag that a page carries to be counted. `url` is the public address of this server. That a site is cookieless stands in the tag:
 * the script is one file for all sites, and must know before it looks at a cookie.
 */
export const scriptTag = (url: string, { site, identity }: Pick<SiteConfig, 'site' | 'identity'>): string => {
  const mark = identity === 'cookieless' ? ' data-identity="cookieless"' : ''
  return `<script async src="${attribute(url)}/footfall.js" data-site="${attribute(site)}"${mark}></script>`
}

const iso = (t: number): string => new Date(t).toISOString()

/** A site as its owner sees it: the options under the names they are set by, and no secret. */
export const siteView = (config: SiteConfig, url: string) => ({
  site: config.site,
  version: config.version,
  created: iso(config.created),
  changed: iso(config.at),
  timezone: config.zones.at(-1)!.tz,
  zones: config.zones.map(({ tz, from }, i) => ({ timezone: tz, from: i === 0 ? null : iso(from) })),
  identity: config.identity,
  session_timeout: config.sessionTimeoutMs / minuteMs,
  cut_at_midnight: config.cutAtMidnight,
  cut_at_campaign: config.cutAtCampaign,
  bounce: config.bounce,
  hosts: config.hosts,
  params: config.params,
  exclude: config.exclude,
  origins: config.origins,
  goals: config.goals ?? [],
  segments: config.segments ?? [],
  retention: retentionOf(config),
  shards: shardsOf(config),
  script: scriptTag(url, config),
})

export type SiteView = ReturnType<typeof siteView>
