import type { Campaign } from '../hit/record.ts'
import { clickIds, type SourceKind, sources } from './sources.ts'

/** Where a visit came from: source, medium and referrer of the hit that opened it. The rule is product.md "Sources and channels". */

/** `med` is absent when a campaign names its source and no medium (GA4: `(not set)`); `ref` when there is no outside referrer. */
type Source = { src: string; med?: string; ref?: string }

/** Names of what is no source. */
export const direct = { src: '(direct)', med: '(none)' } as const

/** Longest host that is looked up (DNS); a longer one is cut. */
const sourceLimits = { hostChars: 253 } as const

type Known = { name: string; kind: SourceKind }

/**
 * The source of a hit: utm_source, else the network of a click id, else the referrer's known name, else its host, else `(direct)`.
 * `r` is `host/path`, the host in lower case without `www.`; a referrer for whose host `isOwnHost` is true is none.
 *
 * Medium: utm_medium in lower case, else what the click id implies (`cpc` where it marks ads alone), else, when no campaign names the
 * source, GA4's word for the referrer: `organic` for a search engine, `ai-assistant` for an assistant (GA4 since May 2026),
 * `referral` for everything else, social sites too; and `(none)` without one. Ours beyond GA4: `email` for the window of a webmail.
 */
export const sourceOf = (hit: { q?: Campaign; r?: string; isOwnHost: (host: string) => boolean }): Source => {
  const { q } = hit
  const host = hostOf(hit.r)
  const ref = host === '' || hit.isOwnHost(host) ? undefined : hit.r
  const referrer = ref === undefined ? direct : ofReferrer(host)
  const src = q?.us ? (named(q.us)?.name ?? q.us) : (q?.clk ?? referrer.src)
  const med = q?.um?.toLowerCase() ?? clickMedia.get(q?.clk ?? '') ?? untagged(q, referrer.med)
  return { src, ...(med !== undefined && { med }), ...(ref !== undefined && { ref }) }
}

/** What kind of site a source is, by its canonical name; undefined for a source that is on no list. */
export const kindOf = (src: string): SourceKind | undefined => kinds.get(src)

const clickMedia: ReadonlyMap<string, string> = new Map(
  clickIds.filter(([, , medium]) => medium !== '').map(([, source, medium]) => [source, medium]),
)

/** The medium when neither utm_medium nor a click id says it. */
const untagged = (q: Campaign | undefined, referrerMedium: string): string | undefined => {
  if (q?.us) return undefined
  return q?.clk ? 'referral' : referrerMedium
}

const media: Record<SourceKind, string> = {
  search: 'organic',
  ai: 'ai-assistant',
  mail: 'email',
  social: 'referral',
  video: 'referral',
  shopping: 'referral',
  other: 'referral',
}

const ofReferrer = (host: string): { src: string; med: string } => {
  const known = knownHost(host)
  return known ? { src: known.name, med: media[known.kind] } : { src: host, med: 'referral' }
}

/** Host of `host/path` or of a pasted URL: no scheme, `www.`, port or path; '' when there is none. */
const hostOf = (text: string | undefined): string => {
  if (text === undefined) return ''
  const scheme = text.indexOf('://')
  const rest = scheme === -1 ? text : text.slice(scheme + 3)
  const slash = rest.indexOf('/')
  const host = (slash === -1 ? rest : rest.slice(0, slash)).replace(/:\d{1,5}$/, '')
  return (host.startsWith('www.') ? host.slice(4) : host).slice(0, sourceLimits.hostChars)
}

// --- look-ups, built once ---

const kinds = new Map<string, SourceKind>()
/** Hosts as they stand. */
const hosts = new Map<string, Known>()
/** What stands before `.*`: the host without its public suffix. */
const stems = new Map<string, Known>()
/** utm_source spellings, folded. */
const spellings = new Map<string, Known>()

const fold = (text: string): string => text.toLowerCase().replace(/[\s_-]/g, '')

for (const kind of Object.keys(sources) as SourceKind[]) {
  for (const [name, list, more = ''] of sources[kind]) {
    const known: Known = { name, kind }
    kinds.set(name, kind)
    spellings.set(fold(name), known)
    for (const word of more.split(' ').filter(Boolean)) spellings.set(fold(word), known)
    for (const host of list.split(/\s+/)) {
      if (host.endsWith('.*')) stems.set(host.slice(0, -2), known)
      else hosts.set(host, known)
    }
  }
}
for (const [stem, known] of stems) if (!spellings.has(fold(stem))) spellings.set(fold(stem), known)

const named = (utmSource: string): Known | undefined => {
  const known = spellings.get(fold(utmSource))
  return known ?? (utmSource.includes('.') ? knownHost(hostOf(utmSource.toLowerCase())) : undefined)
}

/** Of a host and its parent domains the longest that is listed, as it stands or before its public suffix. */
const knownHost = (host: string): Known | undefined => {
  const suffix = suffixOf(host)
  for (let name = host; name.length > suffix.length; name = parentOf(name)) {
    const known = hosts.get(name) ?? (suffix === '' ? undefined : stems.get(name.slice(0, -suffix.length)))
    if (known !== undefined) return known
  }
  return undefined
}

const parentOf = (host: string): string => {
  const dot = host.indexOf('.')
  return dot === -1 ? '' : host.slice(dot + 1)
}

/** Second levels under which countries register names: `co.uk`, `com.br`, `ne.jp`. */
const secondLevels: ReadonlySet<string> = new Set('ac co com edu gen go gob gov gv mil ne net nom or org'.split(' '))

/**
 * `.com`, `.de`, `.co.uk`: where a name with `.*` may stand. '' for any other end, so that `google.click` is not Google. Good for
 * our own list, where it only has to tell brands' own domains from strangers; no substitute for the Public Suffix List.
 */
const suffixOf = (host: string): string => {
  const labels = host.split('.').slice(-3)
  const top = labels.at(-1)!
  if (labels.length < 2 || !(top.length === 2 || top === 'com' || top === 'net' || top === 'org')) return ''
  return labels.length === 3 && top.length === 2 && secondLevels.has(labels[1]!) ? `.${labels[1]}.${top}` : `.${top}`
}
