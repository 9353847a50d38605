import type { Clock } from '#shared/clock.ts'
import { FootfallError, replyOf } from '#shared/errors.ts'
import type { Handler, Reply, Request } from '#shared/handler.ts'
import { buildRecords, type ResolvedHit } from '#shared/hit/batch.ts'
import { parseHit, parseSite, type Raw } from '#shared/hit/parse.ts'
import { createRateLimit } from '#shared/hit/rate.ts'
import type { RefusalReason } from '#shared/hit/record.ts'
import { createRefusals } from '#shared/hit/refusals.ts'
import type { LogWriter } from '#shared/ports/log.ts'
import type { Salts, Secrets, Sites } from '#shared/ports/sites.ts'
import { type Access, bearerOf, identify } from '#shared/site/access.ts'
import type { SiteConfig } from '#shared/site/config.ts'
import { createKnownSites } from '#shared/site/known-sites.ts'
import { createKnownSalts } from '#shared/site/salt-cache.ts'
import { partitionOf } from '#shared/site/shards.ts'
import { pixelHit, readHits, readText } from './body.ts'
import { createResolver, createSenders, type EdgeKnowledge, type Sender } from './resolve.ts'

/**
 * collect-hit: takes hits over HTTP, checks them, turns addresses and agents into what may be stored, and appends them to the
 * log `hits`. It answers 2xx only when the log has them. It never counts, never looks a session up, never stores an address.
 */
export type Ports = { log: LogWriter; sites: Sites; salts: Salts; secrets: Secrets; clock: Clock } & EdgeKnowledge
export type Options = { /** Hits per second and visitor network; 0 = no limit. */ rate: number }

export const limits = {
  bodyBytes: 65_536,
  trustedBodyBytes: 1_048_576,
  hits: 25,
  trustedHits: 1_000,
  /** Refusals that no hit takes along are appended after this long. */
  refusalsMs: 1_000,
} as const

const cors = { 'access-control-allow-origin': '*', 'access-control-expose-headers': 'x-footfall-refused, retry-after' }
const jsonHeaders = { 'content-type': 'application/json', 'access-control-allow-origin': '*' }
const accepted = (n: number): Reply => ({ status: 202, headers: jsonHeaders, body: `{"accepted":${n},"refused":[]}` })
const acceptedOne = accepted(1)

const preflight: Reply = {
  status: 204,
  headers: {
    'access-control-allow-origin': '*',
    'access-control-allow-methods': 'POST',
    'access-control-allow-headers': 'content-type, content-encoding, authorization',
    'access-control-max-age': '86400',
  },
}

/** A transparent GIF of one pixel, 43 bytes. */
const gif = Buffer.from('R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAICRAEAOw==', 'base64')
const gifHeaders = { 'content-type': 'image/gif', 'cache-control': 'no-store', ...cors }

type Refused = { index: number; reason: RefusalReason }
type Taken = { resolved: ResolvedHit[]; refused: Refused[] }

const reasonsOf = (refused: readonly Refused[]): string => [...new Set(refused.map(({ reason }) => reason))].join(', ')

/** An error of the catalogue as a reply a page of another origin may read. What is unforeseen is the runtime's business. */
const withCors = (error: unknown): Reply => {
  if (!(error instanceof FootfallError)) throw error
  const reply = replyOf(error)
  return { ...reply, headers: { ...reply.headers, ...cors } }
}

const answer = ({ resolved, refused }: Taken): Reply => {
  if (refused.length === 0) return resolved.length === 1 ? acceptedOne : accepted(resolved.length)
  const reasons = reasonsOf(refused)
  const header = { 'x-footfall-refused': reasons }
  if (resolved.length === 0 && reasons === 'unknown-site') {
    const reply = withCors(new FootfallError('unknown-site'))
    return { ...reply, headers: { ...reply.headers, ...header } }
  }
  return { status: 202, headers: { ...jsonHeaders, ...cors, ...header }, body: JSON.stringify({ accepted: resolved.length, refused }) }
}

/**
 * Ports in, handler out. `flush` appends the refusals that no hit has taken along yet; call it before the log is closed.
 */
export const createHandler = (ports: Ports, options: Options): { handle: Handler; flush(): Promise<void> } => {
  const { log, clock, secrets } = ports
  const senderOf = createSenders(ports.isTrustedProxy)
  const sites = createKnownSites(ports.sites, clock)
  const resolve = createResolver({ ...ports, salts: createKnownSalts(ports.salts, clock) })
  const rates = createRateLimit(options.rate)
  const refusals = createRefusals()
  let cancelFlush: (() => void) | undefined

  const newId = () => clock.random(16).toString('base64url')

  /** Appends records with the refusals summed so far, one append per partition. */
  const append = (records: { site: string; body: string }[]): Promise<unknown> => {
    const byPartition = new Map<number, string[]>()
    const put = (site: string, body: string) => {
      const partition = partitionOf(site, 0)
      const bodies = byPartition.get(partition)
      if (bodies) bodies.push(body)
      else byPartition.set(partition, [body])
    }
    for (const { site, body } of records) put(site, body)
    if (refusals.size > 0) for (const record of refusals.take(clock.now())) put(record.site, JSON.stringify(record))
    const appends = [...byPartition].map(([partition, bodies]) => log.append('hits', partition, bodies))
    return appends.length === 1 ? appends[0]! : Promise.all(appends)
  }

  const flush = async (): Promise<void> => {
    cancelFlush?.()
    cancelFlush = undefined
    if (refusals.size > 0) await append([])
  }

  const refuse = (site: string, reason: RefusalReason, hits = 1): void => {
    refusals.add(site, reason, hits)
    // An append of sums with an unknown outcome is not repeated (it could count twice); the outage itself is told to the hits.
    cancelFlush ??= clock.after(limits.refusalsMs, () => void flush().catch(() => undefined))
  }

  const accessOf = async (request: Request): Promise<Access> => {
    const access = await identify(request, secrets, clock.now())
    if (!access) throw new FootfallError('wrong-key')
    if (access.role === 'read') throw new FootfallError('wrong-role')
    return access
  }

  type Context = { now: number; sender: Sender; access: Access | undefined }
  type Result = ResolvedHit | RefusalReason

  const refused = (site: string, reason: RefusalReason): RefusalReason => {
    refuse(site, reason)
    return reason
  }

  const takeNamed = (
    raw: Raw,
    site: string,
    config: SiteConfig | undefined,
    { now, sender, access }: Context,
  ): Result | Promise<Result> => {
    if (!config) return refused('', 'unknown-site')
    const trusted = access !== undefined
    if (trusted && access.site !== '' && access.site !== site) return refused(site, 'needs-key')
    const parsed = parseHit(raw, site, { now, trusted, keptParams: config.params })
    if (typeof parsed === 'string') return refused(site, parsed)
    const settle = (result: Result) => (typeof result === 'string' ? refused(site, result) : result)
    const resolved = resolve(parsed, config, sender, trusted, newId)
    return resolved instanceof Promise ? resolved.then(settle) : settle(resolved)
  }

  /**
   * One hit to its end: resolved, or refused and in the ledger of the site it names (of '' when that is not registered).
   * What is at hand is not waited for: a promise per step and hit would cost as much as checking the hit.
   */
  const takeHit = (value: unknown, context: Context): Result | Promise<Result> => {
    const named = parseSite(value)
    if (typeof named === 'string') return refused('', named)
    const { site, raw } = named
    const config = sites.newest(site)
    return config instanceof Promise ? config.then((found) => takeNamed(raw, site, found, context)) : takeNamed(raw, site, config, context)
  }

  const takeAll = async (values: unknown[], context: Context): Promise<Taken> => {
    const taken: Taken = { resolved: [], refused: [] }
    for (let index = 0; index < values.length; index++) {
      const one = takeHit(values[index], context)
      const result = one instanceof Promise ? await one : one
      if (typeof result === 'string') taken.refused.push({ index, reason: result })
      else taken.resolved.push(result)
    }
    if (taken.resolved.length > 0) await append(buildRecords(taken.resolved))
    return taken
  }

  /** Who is asked for more than his share is told so before anything else is done with his hits. */
  const admit = (values: unknown[], sender: Sender, now: number): void => {
    const wait = rates.take(sender.network, values.length, now)
    if (wait === 0) return
    for (const value of values) refuseNamed(value, 'rate')
    throw new FootfallError('rate', { retryAfterS: wait })
  }

  const refuseNamed = (value: unknown, reason: RefusalReason): void => {
    const named = parseSite(value)
    // Under attack the store is not asked: what is not at hand goes to the ledger of unknown sites.
    refuse(typeof named === 'string' ? '' : (sites.atHand(named.site)?.site ?? ''), reason)
  }

  const readRequest = async (request: Request, access: Access | undefined): Promise<unknown[]> => {
    const most = access ? limits.trustedHits : limits.hits
    try {
      const text = readText(request, access ? limits.trustedBodyBytes : limits.bodyBytes)
      const values = readHits(text instanceof Promise ? await text : text)
      if (values.length === 0) throw new FootfallError('empty')
      if (values.length <= most) return values
      refuse('', 'too-many', values.length)
      throw new FootfallError('too-many-hits', { detail: `There are ${values.length}.` })
    } catch (error) {
      if (error instanceof FootfallError && error.code === 'too-large') refuse('', 'too-long')
      else if (error instanceof FootfallError && error.code !== 'too-many-hits' && error.code !== 'empty') refuse('', 'malformed')
      throw error
    }
  }

  const postHits = async (request: Request): Promise<Reply> => {
    const access = bearerOf(request) === undefined ? undefined : await accessOf(request)
    const values = await readRequest(request, access)
    const now = clock.now()
    const sender = senderOf(request)
    if (!access) admit(values, sender, now)
    return answer(await takeAll(values, { now, sender, access }))
  }

  /** 200 with the image whatever was refused; only when the hit could not be made durable the status says so (never a 2xx then). */
  const getPixel = async (request: Request): Promise<Reply> => {
    const now = clock.now()
    const sender = senderOf(request)
    const values = [pixelHit(request)]
    try {
      admit(values, sender, now)
      const { refused } = await takeAll(values, { now, sender, access: undefined })
      return {
        status: 200,
        headers: refused.length === 0 ? gifHeaders : { ...gifHeaders, 'x-footfall-refused': reasonsOf(refused) },
        body: gif,
      }
    } catch (error) {
      if (!(error instanceof FootfallError)) throw error
      if (error.code === 'rate') return { status: 200, headers: { ...gifHeaders, 'x-footfall-refused': 'rate' }, body: gif }
      const reply = replyOf(error)
      return { status: reply.status, headers: { ...gifHeaders, 'retry-after': reply.headers['retry-after'] ?? '1' }, body: gif }
    }
  }

  const handle: Handler = async (request) => {
    try {
      if (request.path === '/pixel.gif') {
        if (request.method === 'GET') return await getPixel(request)
        throw new FootfallError('wrong-method')
      }
      if (request.path !== '/api/hit') throw new FootfallError('not-found')
      if (request.method === 'OPTIONS') return preflight
      if (request.method !== 'POST') throw new FootfallError('wrong-method')
      return await postHits(request)
    } catch (error) {
      return withCors(error)
    }
  }
  return { handle, flush }
}
