import type { Clock } from '#shared/clock.ts'
import { FootfallError, replyOf } from '#shared/errors.ts'
import type { Handler, Reply, Request } from '#shared/handler.ts'
import { parseSite } from '#shared/hit/parse.ts'
import { createRateLimit } from '#shared/hit/rate.ts'
import type { Generations } from '#shared/ports/generations.ts'
import type { ImportKeys, Imports } from '#shared/ports/imports.ts'
import type { LogWriter } from '#shared/ports/log.ts'
import type { Meter } from '#shared/ports/meter.ts'
import type { Salts, Secrets, Sites } from '#shared/ports/sites.ts'
import { type Access, bearerOf, identify } from '#shared/site/access.ts'
import { createKnownGenerations, writerStaleMs } from '#shared/site/generations.ts'
import { createKnownSites } from '#shared/site/known-sites.ts'
import { pixelHit, readHits, readText } from './body.ts'
import { createImport } from './import/handler.ts'
import { type Context, createIntake, type Outcome } from './intake.ts'
import { createLedger, type Ledger } from './ledger.ts'
import { errorReply, outcomeReply, pixelErrorReply, pixelReply, preflight, reasonOf, wrongMethod } from './replies.ts'
import { createSenders, type EdgeKnowledge, type Sender } from './resolve.ts'
import { createScript } from './script.ts'

/**
 * collect-hit: takes hits over HTTP, and lines of access logs, checks them, turns addresses and agents into what may be stored, and
 * appends them to the log `hits`. It answers 2xx only when the log has them. It never counts, never looks a session up, never stores
 * an address.
 */
export type Ports = {
  log: LogWriter
  generations: Generations
  sites: Sites
  salts: Salts
  secrets: Secrets
  imports: Imports
  importKeys: ImportKeys
  clock: Clock
} & EdgeKnowledge
export type Options = {
  /** Hits per second and visitor network; 0 = no limit. */
  rate: number
  /** Told of every failure that is answered here all the same (a browser must be able to read the 503), and of lost refusals. */
  onError?: (error: unknown) => void
  meter?: Meter
}

export const limits = {
  bodyBytes: 65_536,
  trustedBodyBytes: 1_048_576,
  hits: 25,
  trustedHits: 1_000,
} as const

/** The values of a request's body. Throws what `reasonOf` has a word for. */
const readValues = async (request: Request, isTrusted: boolean): Promise<unknown[]> => {
  const text = readText(request, isTrusted ? limits.trustedBodyBytes : limits.bodyBytes)
  const values = readHits(text instanceof Promise ? await text : text)
  if (values.length === 0) throw new FootfallError('empty')
  return values
}

/** Throws `wrong-key`, `wrong-role` unless the key may send hits. */
const accessOf = async (request: Request, secrets: Secrets, now: number): Promise<Access> => {
  const access = await identify(request, secrets, now)
  if (!access) throw new FootfallError('wrong-key')
  if (access.role === 'read') throw new FootfallError('wrong-role')
  return access
}

/**
 * Ports in, handler out. `flush` appends the refusals that no hit has taken along yet; call it before the log is closed.
 */
export const createHandler = (
  ports: Ports,
  { rate, onError = () => undefined, meter }: Options,
): { handle: Handler; flush(): Promise<void> } => {
  const { clock, secrets } = ports
  const senderOf = createSenders(ports.isTrustedProxy)
  const sites = createKnownSites(ports.sites, clock)
  const refusals = createLedger(ports.log, createKnownGenerations(ports.generations, clock, writerStaleMs), clock, onError)
  const ledger: Ledger = {
    ...refusals,
    count(site, reason, hits = 1) {
      meter?.hits(reason, hits)
      refusals.count(site, reason, hits)
    },
  }
  const takeHits = createIntake({ ...ports, sites, ledger })
  const rates = createRateLimit(rate)
  const script = createScript()
  const importLines = createImport({ ...ports, sites, ledger })

  /** Under attack the store is not asked: what names no site that is at hand goes to the ledger of unknown sites. */
  const countOverRate = (value: unknown): void => {
    const named = parseSite(value)
    ledger.count(typeof named === 'string' ? '' : (sites.atHand(named.site)?.site ?? ''), 'rate')
  }

  /** Lets a request in for one hit, before it is known what it holds; more hits are charged later. */
  const admit = async (sender: Sender, now: number, read: () => Promise<unknown[]> | unknown[]): Promise<void> => {
    const wait = rates.take(sender.network, 1, now)
    if (wait === 0) return
    try {
      for (const value of await read()) countOverRate(value)
    } catch {
      ledger.count('', 'rate') // whatever else is wrong with it
    }
    throw new FootfallError('rate', { retryAfterS: wait })
  }

  /** The hits of a request; one that has none stands in the ledger as a whole. */
  const readRequest = async (request: Request, access: Access | undefined): Promise<unknown[]> => {
    try {
      return await readValues(request, access !== undefined)
    } catch (error) {
      const reason = reasonOf(error)
      if (reason && (error as FootfallError).code !== 'empty') ledger.count('', reason)
      throw error
    }
  }

  const checkNumber = ({ length }: unknown[], access: Access | undefined): void => {
    if (length <= (access ? limits.trustedHits : limits.hits)) return
    ledger.count('', 'too-many', length)
    throw new FootfallError('too-many-hits', { detail: `There are ${length}.` })
  }

  const intake = async (values: readonly unknown[], context: Context): Promise<Outcome> => {
    const outcome = await takeHits(values, context)
    meter?.hits('accepted', outcome.accepted)
    return outcome
  }

  const postHits = async (request: Request): Promise<Reply> => {
    const now = clock.now()
    const access = bearerOf(request) === undefined ? undefined : await accessOf(request, secrets, now)
    const sender = senderOf(request)
    if (!access) await admit(sender, now, () => readValues(request, false))
    const values = await readRequest(request, access)
    checkNumber(values, access)
    if (!access) rates.charge(sender.network, values.length - 1)
    return outcomeReply(await intake(values, { now, sender, access }))
  }

  const getPixel = async (request: Request): Promise<Reply> => {
    const now = clock.now()
    const sender = senderOf(request)
    const values = [pixelHit(request)]
    await admit(sender, now, () => values)
    return pixelReply(await intake(values, { now, sender, access: undefined }))
  }

  /** An error of the catalogue becomes a reply, a failure is told of besides. What is unforeseen is the runtime's business. */
  const settled = async (reply: Promise<Reply>, replyTo: (error: FootfallError) => Reply): Promise<Reply> => {
    try {
      return await reply
    } catch (error) {
      if (!(error instanceof FootfallError)) throw error
      if (error.status >= 500) onError(error)
      return replyTo(error)
    }
  }

  const handle: Handler = async (request) => {
    const { path, method } = request
    if (path === '/pixel.gif') return method === 'GET' ? settled(getPixel(request), pixelErrorReply) : wrongMethod('GET')
    if (path === '/footfall.js') return script(request)
    if (path === '/api/import') return settled(importLines(request), replyOf)
    if (path !== '/api/hit') return errorReply(new FootfallError('not-found'))
    if (method === 'OPTIONS') return preflight
    return method === 'POST' ? settled(postHits(request), errorReply) : wrongMethod('POST, OPTIONS')
  }
  return { handle, flush: ledger.flush }
}
