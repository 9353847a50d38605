import type { Clock } from '#shared/clock.ts'
import { FootfallError, replyOf } from '#shared/errors.ts'
import type { Handler, Reply, Request } from '#shared/handler.ts'
import { buildRecords, type ResolvedHit } from '#shared/hit/batch.ts'
import { parseHit, parseSite } from '#shared/hit/parse.ts'
import { createRateLimit } from '#shared/hit/rate.ts'
import type { RefusalReason } from '#shared/hit/record.ts'
import { createRefusals } from '#shared/hit/refusals.ts'
import type { LogWriter } from '#shared/ports/log.ts'
import type { Salts, Secrets, Sites } from '#shared/ports/sites.ts'
import { type Access, bearerOf, identify } from '#shared/site/access.ts'
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
const jsonHeaders = { 'content-type': 'application/json', 'cache-control': 'no-store', ...cors }
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
  return { status: 202, headers: { ...jsonHeaders, ...header }, body: JSON.stringify({ accepted: resolved.length, refused }) }
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
  const append = async (records: { site: string; body: string }[]): Promise<void> => {
    const byPartition = new Map<number, string[]>()
    const put = (site: string, body: string) => {
      const partition = partitionOf(site, 0)
      const bodies = byPartition.get(partition)
      if (bodies) bodies.push(body)
      else byPartition.set(partition, [body])
    }
    for (const { site, body } of records) put(site, body)
    if (refusals.size > 0) for (const record of refusals.take(clock.now())) put(record.site, JSON.stringify(record))
    await Promise.all([...byPartition].map(([partition, bodies]) => log.append('hits', partition, bodies)))
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

  const accessOf = async (request: Request): Promise<Access | undefined> => {
    if (bearerOf(request) === undefined) return undefined
    const access = await identify(request, secrets, clock.now())
    if (!access) throw new FootfallError('wrong-key')
    if (access.role === 'read') throw new FootfallError('wrong-role')
    return access
  }

  type Context = { now: number; sender: Sender; access: Access | undefined }

  /** One hit to its end: resolved, or refused and in the ledger of the site it names (of '' when that is not registered). */
  const takeHit = async (value: unknown, { now, sender, access }: Context): Promise<ResolvedHit | RefusalReason> => {
    const named = parseSite(value)
    const found = typeof named === 'string' ? undefined : sites.newest(named.site)
    const config = found instanceof Promise ? await found : found
    if (typeof named === 'string' || !config) {
      const reason = typeof named === 'string' ? named : 'unknown-site'
      refuse('', reason)
      return reason
    }
    const trusted = access !== undefined
    const parsed =
      trusted && access.site !== '' && access.site !== named.site
        ? 'needs-key'
        : parseHit(named.raw, named.site, { now, trusted, keptParams: config.params })
    const result = typeof parsed === 'string' ? parsed : await resolve(parsed, config, sender, trusted, newId)
    if (typeof result === 'string') refuse(named.site, result)
    return result
  }

  const takeAll = async (values: unknown[], context: Context): Promise<Taken> => {
    const taken: Taken = { resolved: [], refused: [] }
    for (let index = 0; index < values.length; index++) {
      const result = await takeHit(values[index], context)
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
    const held = typeof named === 'string' ? undefined : sites.newest(named.site)
    // Under attack the store is not asked: what is not at hand goes to the ledger of unknown sites.
    refuse(held && !(held instanceof Promise) ? held.site : '', reason)
  }

  const readRequest = async (request: Request, access: Access | undefined): Promise<unknown[]> => {
    const most = access ? limits.trustedHits : limits.hits
    try {
      const values = readHits(await readText(request, access ? limits.trustedBodyBytes : limits.bodyBytes))
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
    const access = await accessOf(request)
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
