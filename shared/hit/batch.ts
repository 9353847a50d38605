import type { SiteConfig } from '../site/config.ts'
import type { ParsedHit } from './parse.ts'
import type { Device, HitsRecord, Place, RecordHit } from './record.ts'
import { recordLimits } from './record.ts'

/** A hit with everything that the edge has resolved: what must not be stored is gone from here on. */
export type ResolvedHit = {
  hit: ParsedHit
  id: string
  config: SiteConfig
  /** Shard of the site that the visitor is in. */
  sh: number
  vis: string
  vprev: string | undefined
  fs: number | undefined
  user: string | undefined
  geo: Place
  rule: string | undefined
  dev: Device
  bot: string | undefined
}

export const recordHit = ({ hit, id }: ResolvedHit): RecordHit => ({
  id,
  t: hit.t,
  n: hit.n,
  host: hit.url?.host,
  path: hit.url?.path,
  q: hit.url?.q,
  r: hit.r,
  ti: hit.ti,
  p: hit.p,
  rev: hit.rev,
  fg: hit.fg,
  sd: hit.sd,
})

export const recordOf = (first: ResolvedHit, ev: RecordHit[]): HitsRecord => {
  const { hit, config, sh, vis, vprev, fs, user, geo, rule, dev, bot } = first
  const place = geo.c === undefined && geo.r === undefined && geo.ci === undefined ? undefined : geo
  return {
    v: 1,
    cfg: config.version,
    site: hit.site,
    sh,
    vis,
    vprev,
    fs,
    user,
    geo: place,
    net: rule === undefined ? undefined : { rule },
    dev,
    bot,
    lang: hit.lang,
    scr: hit.scr,
    ev,
  }
}

/** Hits with the same answer here may share a record: all that a record says once. */
export const groupOf = (h: ResolvedHit): string =>
  [
    h.hit.site,
    h.config.version,
    h.sh,
    h.vis,
    h.vprev,
    h.fs,
    h.user,
    h.geo.c,
    h.geo.r,
    h.geo.ci,
    h.rule,
    h.bot,
    h.hit.lang,
    h.hit.scr,
    h.dev.br,
    h.dev.brv,
    h.dev.os,
    h.dev.osv,
    h.dev.type,
  ].join('\0')

/** One hit alone fits: its limits see to that. The rest of a record takes a few hundred bytes. */
const splitByLimits = (first: ResolvedHit, hits: RecordHit[]): string[] => {
  const records: string[] = []
  let from = 0
  let bytes = 0
  for (let i = 0; i < hits.length; i++) {
    const size = Buffer.byteLength(JSON.stringify(hits[i]))
    if (i > from && (i - from >= recordLimits.hits || bytes + size > recordLimits.bytes)) {
      records.push(JSON.stringify(recordOf(first, hits.slice(from, i))))
      from = i
      bytes = 0
    }
    bytes += size
  }
  records.push(JSON.stringify(recordOf(first, hits.slice(from))))
  return records
}

/** A record as it is appended: which shard of which site it belongs to, and its text. */
export type BuiltRecord = { site: string; sh: number; body: string }

/**
 * The hits of one request as `hits` records: each holds hits of one site and one visitor, in time order, within the limits.
 */
export const buildRecords = (hits: readonly ResolvedHit[]): BuiltRecord[] => {
  const [only] = hits
  if (only && hits.length === 1) return [{ site: only.hit.site, sh: only.sh, body: JSON.stringify(recordOf(only, [recordHit(only)])) }]
  const groups = new Map<string, ResolvedHit[]>()
  for (const hit of [...hits].sort((a, b) => a.hit.t - b.hit.t)) {
    const name = groupOf(hit)
    const group = groups.get(name)
    if (group) group.push(hit)
    else groups.set(name, [hit])
  }
  return [...groups.values()].flatMap((group) => {
    const { hit, sh } = group[0]!
    return splitByLimits(group[0]!, group.map(recordHit)).map((body) => ({ site: hit.site, sh, body }))
  })
}
