import { createRecent, recall } from '../recent.ts'
import { hostName, siteName } from '../site/domain.ts'
import { campaignOf } from '../visit/campaign.ts'
import type { Campaign, Props, RefusalReason, Revenue } from './record.ts'
import { languageTag, screenSize, textLimits } from './text.ts'

/**
 * A hit as it comes from outside, checked field by field against interface.md "A hit". Written by hand: it runs for every hit
 * (a schema library costs 2–5 µs here). Expected ends are values: a parsed hit, or the reason why it is refused.
 */

export const hitLimits = {
  id: 64,
  name: 120,
  url: 2_000,
  referrer: 2_000,
  title: 300,
  props: 30,
  propKey: 300,
  propText: 2_000,
  /** All properties as JSON; more does not fit a record (only a write key can send so much). */
  propsBytes: 200_000,
  user: 300,
  agent: 512,
  address: 60,
  /** A hit may have waited, or be given a time, this long ago. */
  ageMs: 72 * 3_600_000,
  engagedMs: 24 * 3_600_000,
} as const

/** What a page URL becomes: host and page, and the marks that its query string carried. */
export type PageUrl = { host: string; path: string; q?: Campaign }

export type ParsedHit = {
  site: string
  id: string | undefined
  n: string
  t: number
  url: PageUrl | undefined
  r: string | undefined
  ti: string | undefined
  p: Props | undefined
  rev: Revenue | undefined
  fg: number | undefined
  sd: number | undefined
  visitor: string | undefined
  user: string | undefined
  scr: string | undefined
  lang: string | undefined
  /** Only from a trusted sender. */
  address: string | undefined
  agent: string | undefined
}

/** What the sender's right and the site's configuration decide. */
export type ParseContext = { now: number; trusted: boolean; keptParams: readonly string[] }

const text = (value: string): string => (value.isWellFormed() ? value : value.toWellFormed())
const cut = (value: string, limit: number): string => text(value.length > limit ? value.slice(0, limit) : value)

/** Reads an optional string: absent (also null and ''), the string, or not a string at all. */
const optional = (value: unknown): string | undefined | null => {
  if (value === undefined || value === null || value === '') return undefined
  return typeof value === 'string' ? value : null
}

const decodePath = (path: string): string => {
  if (path.indexOf('%') === -1) return path
  try {
    return decodeURIComponent(path)
  } catch {
    return path // not valid UTF-8: the page keeps its encoded name
  }
}

/** A page with the parameters that its site keeps, in the order of the site's list. */
const keepParams = (path: string, params: URLSearchParams, kept: readonly string[]): string => {
  const parts = kept.filter((name) => params.has(name)).map((name) => `${name}=${params.get(name)}`)
  return parts.length === 0 ? path : cut(`${path}?${parts.join('&')}`, hitLimits.url)
}

/** An absolute http(s) URL as host, page and campaign marks; `undefined` when it is none. */
export const parsePageUrl = (url: string, keptParams: readonly string[] = []): PageUrl | undefined => {
  const parsed = URL.parse(url)
  if (!parsed || (parsed.protocol !== 'http:' && parsed.protocol !== 'https:') || parsed.hostname === '') return undefined
  // A path that cannot be decoded keeps its percent-encoding, which may be longer than what was sent.
  const path = cut(decodePath(parsed.pathname), hitLimits.url)
  const host = hostName(parsed.hostname)
  if (parsed.search === '') return { host, path }
  const params = parsed.searchParams
  return { host, path: keptParams.length === 0 ? path : keepParams(path, params, keptParams), q: campaignOf(params) }
}

/** A referrer as `host/path` without its query string; `undefined` for what is no address of a page or an app. */
export const parseReferrer = (referrer: string): string | undefined => {
  const parsed = URL.parse(cut(referrer, hitLimits.referrer))
  if (!parsed) return undefined
  const { protocol, hostname, pathname } = parsed
  if (protocol !== 'http:' && protocol !== 'https:' && protocol !== 'android-app:') return undefined
  return hostname === '' ? undefined : cut(`${hostName(hostname.toLowerCase())}${pathname || '/'}`, hitLimits.referrer)
}

const propValue = (value: unknown): string | number | boolean | undefined => {
  if (typeof value === 'string') return cut(value, hitLimits.propText)
  if (typeof value === 'boolean' || (typeof value === 'number' && Number.isFinite(value))) return value
  return undefined // null is absent, a list or object is dropped
}

const parseProps = (value: unknown, trusted: boolean): Props | undefined | RefusalReason => {
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'object' || Array.isArray(value)) return 'malformed'
  const keys = Object.keys(value)
  if (keys.length > hitLimits.props) return 'too-many'
  // Without a prototype a property named __proto__ is a property like any other.
  const props: Props = Object.create(null)
  for (const key of keys) {
    if (key.length > hitLimits.propKey) return 'too-long'
    const kept = propValue((value as Record<string, unknown>)[key])
    if (kept !== undefined) props[text(key)] = kept
  }
  return trusted && Buffer.byteLength(JSON.stringify(props)) > hitLimits.propsBytes ? 'too-long' : props
}

const amountForm = /^(-?)(\d{1,15})(?:\.(\d{1,4}))?$/
const currencies: ReadonlySet<string> = new Set(Intl.supportedValuesOf('currency'))

const parseRevenue = (value: unknown): Revenue | undefined | RefusalReason => {
  if (value === undefined || value === null) return undefined
  const { amount, currency } = value as { amount?: unknown; currency?: unknown }
  if ((typeof amount !== 'string' && typeof amount !== 'number') || typeof currency !== 'string') return 'bad-revenue'
  const parts = amountForm.exec(String(amount).slice(0, 30))
  const c = currency.slice(0, 4).toUpperCase()
  if (!parts || !currencies.has(c)) return 'bad-revenue'
  const [, sign, whole, fraction = ''] = parts
  const digits = `${whole}${fraction.padEnd(4, '0')}`.replace(/^0+(?=\d)/, '')
  return { a: digits === '0' ? '0' : `${sign}${digits}`, c }
}

const visitorForm = /^[A-Za-z0-9_.-]{8,80}$/

const parseVisitor = (value: unknown): { visitor: string | undefined } | RefusalReason => {
  const visitor = optional(value)
  if (visitor === undefined) return { visitor }
  if (visitor === null) return 'malformed'
  if (visitor.length > 80) return 'too-long'
  return visitorForm.test(visitor) ? { visitor } : 'malformed'
}

const isoForm = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d([.,]\d+)?)?(Z|[+-]\d\d(:?\d\d)?)$/i

/** ISO 8601 with its offset, as ms; NaN for everything else, which `Date.parse` would read in the server's own zone. */
export const isoTime = (time: string): number => {
  if (time.length > 40 || !isoForm.test(time)) return Number.NaN
  // Date.parse knows one form of an offset and of a fraction for certain.
  const whole = time.toUpperCase().replace(',', '.')
  return Date.parse(whole.replace(/([+-]\d\d)(?::?(\d\d))?$/, (_, hours: string, minutes = '00') => `${hours}:${minutes}`))
}

/** When a hit happened: the given time of a trusted sender, else receipt − queued; never in the future. */
const parseTime = (raw: Raw, { now, trusted }: ParseContext): number | RefusalReason => {
  const { time, queued } = raw
  if (time !== undefined && time !== null) {
    if (!trusted) return 'needs-key'
    const given = typeof time === 'number' ? time : typeof time === 'string' ? isoTime(time) : Number.NaN
    if (!Number.isFinite(given)) return 'malformed'
    if (given < now - hitLimits.ageMs) return 'too-old'
    return Math.min(Math.floor(given), now)
  }
  if (queued === undefined || queued === null) return now
  if (typeof queued !== 'number' || Number.isNaN(queued)) return 'malformed'
  return now - Math.floor(Math.min(Math.max(queued, 0), hitLimits.ageMs))
}

const bounded = (value: unknown, most: number): number | undefined =>
  typeof value === 'number' && value > 0 ? Math.round(Math.min(value, most)) : undefined

export type Raw = Record<string, unknown>
const isReason = (value: unknown): value is RefusalReason => typeof value === 'string'

/** The fields that only a write key may send. */
const parseTrusted = (raw: Raw, trusted: boolean): { address: string | undefined; agent: string | undefined } | RefusalReason => {
  const address = optional(raw['address'])
  const agent = optional(raw['agent'])
  if (address === null || agent === null) return 'malformed'
  if (!trusted && (address !== undefined || agent !== undefined)) return 'needs-key'
  if (address !== undefined && address.length > hitLimits.address) return 'too-long'
  return { address, agent: agent && cut(agent, hitLimits.agent) }
}

const parseUser = (value: unknown): { user: string | undefined } | RefusalReason => {
  const user = typeof value === 'number' ? String(value) : optional(value)
  if (user === null) return 'malformed'
  return user !== undefined && user.length > hitLimits.user ? 'too-long' : { user: user && text(user) }
}

const parseUrl = (raw: Raw, isPageview: boolean, { keptParams }: ParseContext): { url: PageUrl | undefined } | RefusalReason => {
  const given = optional(raw['url'])
  if (given === null) return 'malformed'
  if (given === undefined) return isPageview ? 'bad-url' : { url: undefined }
  if (given.length > hitLimits.url) return 'too-long'
  const url = pageOf(given, keptParams)
  return url ? { url } : 'bad-url'
}

/**
 * Addresses of pages, referrers and languages come again and again, and reading a URL costs a microsecond: answers are remembered.
 * '' stands for "none".
 */
const remembered = { chars: 200, entries: 5_000 } as const
const pages = createRecent<PageUrl | 'none'>(remembered.entries)
const referrers = createRecent<string>(remembered.entries)
const languages = createRecent<string>(1_000)

const pageOf = (url: string, keptParams: readonly string[]): PageUrl | undefined => {
  // What a site keeps of the query differs from site to site.
  if (keptParams.length > 0) return parsePageUrl(url, keptParams)
  const page = recall(pages, url, remembered.chars, () => parsePageUrl(url) ?? 'none')
  return page === 'none' ? undefined : page
}
const referrerOf = (url: string): string | undefined =>
  recall(referrers, url, remembered.chars, () => parseReferrer(url) ?? '') || undefined
const languageOf = (tag: string): string | undefined =>
  recall(languages, tag, textLimits.languageChars, () => languageTag(tag) ?? '') || undefined

/** The site a hit names, as sites are named; whether it is registered is the caller's question. */
export const parseSite = (value: unknown): { site: string; raw: Raw } | RefusalReason => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'malformed'
  const raw = value as Raw
  if (typeof raw['site'] !== 'string') return 'malformed'
  const site = siteName(raw['site'])
  return site === undefined ? 'unknown-site' : { site, raw }
}

/** Checks one hit of a registered site. The answer is the hit or the reason of its refusal. */
export const parseHit = (raw: Raw, site: string, context: ParseContext): ParsedHit | RefusalReason => {
  const id = optional(raw['id'])
  const name = optional(raw['name'])
  const referrer = optional(raw['referrer'])
  const title = optional(raw['title'])
  if (id === null || name === null || referrer === null || title === null) return 'malformed'
  if ((id !== undefined && id.length > hitLimits.id) || (name !== undefined && name.length > hitLimits.name)) return 'too-long'
  const n = name === undefined ? 'pageview' : text(name)
  const t = parseTime(raw, context)
  if (isReason(t)) return t
  const url = parseUrl(raw, n === 'pageview', context)
  if (isReason(url)) return url
  const p = parseProps(raw['props'], context.trusted)
  if (isReason(p)) return p
  const rev = parseRevenue(raw['revenue'])
  if (isReason(rev)) return rev
  const visitor = parseVisitor(raw['visitor'])
  if (isReason(visitor)) return visitor
  const user = parseUser(raw['user'])
  if (isReason(user)) return user
  const trusted = parseTrusted(raw, context.trusted)
  if (isReason(trusted)) return trusted
  const isEngagement = n === 'engagement'
  return {
    site,
    id: id && text(id),
    n,
    t,
    url: url.url,
    r: referrer && referrerOf(referrer),
    ti: title && cut(title, hitLimits.title),
    p,
    rev,
    fg: isEngagement ? bounded(raw['engaged'], hitLimits.engagedMs) : undefined,
    sd: isEngagement ? bounded(raw['scroll'], 100) : undefined,
    visitor: visitor.visitor,
    user: user.user,
    scr: typeof raw['screen'] === 'string' ? screenSize(raw['screen']) : undefined,
    lang: typeof raw['language'] === 'string' ? languageOf(raw['language']) : undefined,
    address: trusted.address,
    agent: trusted.agent,
  }
}
