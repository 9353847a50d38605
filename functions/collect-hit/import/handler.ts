import type { Clock } from '#shared/clock.ts'
import { FootfallError, replyOf } from '#shared/errors.ts'
import { json, type Reply, type Request } from '#shared/handler.ts'
import { type LogFormat, logFormats } from '#shared/hit/access-log.ts'
import { addTally, emptyTally } from '#shared/hit/import-tally.ts'
import type { Import, ImportKeys, Imports } from '#shared/ports/imports.ts'
import type { Secrets } from '#shared/ports/sites.ts'
import { allow, allowChange, identify, type Need } from '#shared/site/access.ts'
import type { SiteConfig } from '#shared/site/config.ts'
import { siteName } from '#shared/site/domain.ts'
import type { KnownSites } from '#shared/site/known-sites.ts'
import { isoDay } from '#shared/site/zone.ts'
import { readText } from '../body.ts'
import type { Ledger } from '../ledger.ts'
import type { EdgeKnowledge } from '../resolve.ts'
import { createVisitorKeys } from './keys.ts'
import { createLines } from './lines.ts'
import { createTurns } from './turns.ts'

/**
 * `/api/import`: lines of an access log, in their order (data.md §14). A request names its source and the number of its first line; it
 * is taken only where the import stands, and answered when its hits are durable. The position is moved after that: whatever
 * happens in between, the lines come again and enrich's fence knows them.
 */
export type Ports = {
  imports: Imports
  importKeys: ImportKeys
  secrets: Secrets
  sites: KnownSites
  ledger: Ledger
  clock: Clock
} & EdgeKnowledge

export const importLimits = {
  /** Bytes of the lines of one request, also after inflating. */
  bodyBytes: 1_048_576,
  /** Imports that are listed. */
  listed: 1_000,
  /** Lines of one source; beyond it numbers would no longer be exact, some day. */
  lines: 2 ** 40,
} as const

const noStore = { 'cache-control': 'no-store' }

const bad = (detail: string, hint: string) => new FootfallError('bad-request', { detail, hint })

const sourceForm = /^[A-Za-z0-9_-]{16,64}$/
const lineForm = /^[1-9]\d{0,12}$/

const sourceOf = (params: URLSearchParams): string => {
  const source = params.get('source') ?? ''
  if (sourceForm.test(source)) return source
  throw bad('`source` is missing or none.', 'Send a hash of the first line of the log, 16 to 64 characters of A–Z a–z 0–9 _ -.')
}

const lineOf = (params: URLSearchParams): number => {
  const line = lineForm.test(params.get('line') ?? '') ? Number(params.get('line')) : 0
  if (line > 0 && line < importLimits.lines) return line
  throw bad('`line` is missing or none.', 'Send the number of the first line of the body, counted from 1.')
}

const formatOf = (params: URLSearchParams): LogFormat => {
  const wanted = params.get('format') ?? 'auto'
  const format = logFormats.find((one) => one === wanted)
  if (format) return format
  throw bad('`format` is none.', `Send one of ${logFormats.join(', ')}.`)
}

/** Only whole lines are taken: half of one, and the other half with the next request, would be two that nobody can read. */
const checkEnd = (text: string): void => {
  if (text !== '' && !text.endsWith('\n'))
    throw bad('The last line has no end.', 'Send whole lines, each with a newline at its end; keep what is not finished for later.')
}

const wrongMethod = (): Reply => {
  const reply = replyOf(new FootfallError('wrong-method'))
  return { ...reply, headers: { ...reply.headers, allow: 'GET, POST' } }
}

/** A refusal that says where the import stands, so that its client finds its place. */
const standsAt = (next: number): Reply => {
  const { status, headers, body } = replyOf(new FootfallError('import-position', { detail: `It is ${next}.` }))
  return { status, headers, body: JSON.stringify({ ...JSON.parse(body), next }) }
}

const daysOf = ({ from, to }: { from?: number; to?: number }) =>
  from === undefined || to === undefined ? null : { from: isoDay(from), to: isoDay(to) }

const viewOf = ({ source, next, begun, at, tally }: Import) => {
  const { from, to, ...sums } = tally
  return { source, next, begun: new Date(begun).toISOString(), changed: new Date(at).toISOString(), ...sums, days: daysOf({ from, to }) }
}

export const createImport = (ports: Ports): ((request: Request) => Promise<Reply>) => {
  const { imports, secrets, sites, ledger, clock } = ports
  const turns = createTurns()
  const takeLines = createLines(ports, createVisitorKeys(ports.importKeys, clock))

  /** The site of a request whose access covers it with the need. */
  const siteOf = async (request: Request, params: URLSearchParams, need: Need): Promise<SiteConfig> => {
    const access = await identify(request, secrets, clock.now())
    const text = params.get('site') ?? ''
    const name = siteName(text) ?? text.slice(0, 300)
    allowChange(request, allow(access, name, need))
    const config = name === '' ? undefined : await sites.newest(name)
    if (!config) throw new FootfallError(access!.site === '' ? 'unknown-site' : 'wrong-key')
    return config
  }

  const positionOf = async (site: string, source: string): Promise<Import | undefined> => imports.find(site, source)

  const take = async (request: Request, config: SiteConfig, params: URLSearchParams): Promise<Reply> => {
    const { site } = config
    const [source, line, format] = [sourceOf(params), lineOf(params), formatOf(params)]
    const held = await positionOf(site, source)
    if (line !== (held?.next ?? 1)) return standsAt(held?.next ?? 1)
    const text = await readText(request, importLimits.bodyBytes)
    checkEnd(text)
    const now = clock.now()
    const { lines, bodies, tally, samples } = await takeLines({ config, source, line, text, format, now })
    if (bodies.length > 0) await ledger.append(bodies.map((body) => ({ site, sh: 0, body })))
    const next = line + lines
    const sums = addTally(addTally(emptyTally(), held?.tally ?? emptyTally()), tally)
    const moved = { site, source, next, begun: held?.begun ?? now, at: clock.now(), tally: sums }
    if (lines > 0 && (await imports.advance(moved, line)) === 'stale') return standsAt((await positionOf(site, source))?.next ?? 1)
    const { from, to, ...counts } = tally
    return json(200, { next, ...counts, days: daysOf({ from, to }), samples }, noStore)
  }

  const list = async (request: Request, params: URLSearchParams): Promise<Reply> => {
    const { site } = await siteOf(request, params, 'read')
    const source = params.has('source') ? sourceOf(params) : undefined
    const found = source === undefined ? await imports.list(site, importLimits.listed) : [await positionOf(site, source)]
    return json(200, { imports: found.filter((one) => one !== undefined).map(viewOf) }, noStore)
  }

  return async (request) => {
    const params = new URLSearchParams(request.query)
    if (request.method === 'GET') return list(request, params)
    if (request.method !== 'POST') return wrongMethod()
    const config = await siteOf(request, params, 'own')
    return turns(config.site, () => take(request, config, params))
  }
}
