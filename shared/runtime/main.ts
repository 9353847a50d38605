import { sleep, systemClock } from '../clock.ts'
import { readConfig } from '../config.ts'
import { FootfallError } from '../errors.ts'
import type { Handler, Reply } from '../handler.ts'
import { type Ports, wireServices } from '../wire.ts'
import { ensureKey } from './admin-key.ts'
import { needsOf, openFunction, questionsOf } from './functions.ts'
import { createLogger, sparing } from './log.ts'
import { createMeasure } from './measured.ts'
import { createMetrics } from './metrics.ts'
import { endOnSignals, endUnstarted } from './process.ts'
import { createReady, type Reach, reachedOnce } from './ready.ts'
import { type FunctionName, maxBodyBytes } from './routes.ts'
import { type Served, serve } from './server.ts'

/**
 * One function as a process of its own over the servers of the distributed mode: what a container of it runs. It answers `/_/health` as
 * soon as it listens; SIGTERM ends it after what it is doing.
 */

type Environment = Parameters<typeof readConfig>[0]

/** Requests that run get this long to end. */
const graceMs = 10_000
const retryMs = 1_000
/** After SIGTERM it serves on for so long: whoever sends requests here has to see first that it is not ready any more. */
const lingerMs = 2_000
/** Batches of the trigger and shares of questions; nobody but our own processes reaches these functions' inner paths. */
const innerBodyBytes = 16 * 2 ** 20

const isInner: ReadonlySet<FunctionName> = new Set(['enrich-session', 'rollup-window'])

const bodyLimitOf =
  (name: FunctionName): typeof maxBodyBytes =>
  (path, hasAuthorization) =>
    isInner.has(name) || path === '/share' ? innerBodyBytes : maxBodyBytes(path, hasAuthorization)

/** What a process answers beside its function: whether it lives, whether it is ready, and its metrics. Its edge leads nobody there. */
const withInner =
  (handle: Handler, ready: Reach, page: () => Promise<Reply>): Handler =>
  (request) => {
    if (request.path === '/_/health') return Promise.resolve({ status: 200, body: 'ok\n' })
    if (request.path === '/_/ready') return ready()
    if (request.path === '/metrics') return page()
    return handle(request)
  }

/** The key from the secret file is one of those that are stored, as soon as the store is there: nobody waits for it. */
const keepKey = async (key: string, { secrets }: Pick<Ports, 'secrets'>, onFailure: (error: unknown) => void): Promise<void> => {
  for (;;)
    try {
      return await ensureKey(key, secrets, systemClock)
    } catch (error) {
      if (!(error instanceof FootfallError) || !error.retryable) throw error
      onFailure(error)
      await sleep(systemClock, retryMs)
    }
}

const start = async (name: FunctionName, env: Environment): Promise<void> => {
  const config = readConfig(env)
  const logger = createLogger(config.log, name)
  const tell = (what: string) => sparing(systemClock, 1_000, (error: unknown) => logger.error({ err: error }, what))
  const { inFlight, measured } = createMeasure(systemClock)
  let isEnding = false
  const metrics = createMetrics(name, {
    clock: systemClock,
    inFlight,
    isReady: async () => (await ready()).status === 200,
    usage: needsOf[name].includes('redis') ? { memory: () => stores.usage.memory() } : undefined,
  })
  const tellBus = tell('the live feed is out of reach; numbers are not touched')
  const onBus = (error: unknown) => {
    metrics.outage('nats')
    tellBus(error)
  }
  const stores = await wireServices(config, needsOf[name], systemClock, { onBus, onOutage: metrics.outage })
  const {
    handle,
    reach = reachedOnce(questionsOf(name, stores)),
    end,
  } = await openFunction(name, stores, config, systemClock, {
    onError: tell('something could not be done and is tried again'),
    meter: metrics.meter,
  })
  const ready = createReady(() => isEnding, reach)
  const served: Served = await serve({
    handler: withInner(measured(handle, metrics), ready, metrics.page),
    host: config.host,
    port: config.port,
    maxBodyBytes: bodyLimitOf(name),
    onError: (error, { method, path }) => logger.error({ err: error, method, path }, 'a request failed'),
    onRefused: metrics.refused,
  })
  logger.info({ port: served.port }, 'the function runs')
  if (name === 'manage-sites' && config.key !== undefined)
    keepKey(config.key, stores, tell('the installation key cannot be stored yet')).catch((error: unknown) => {
      logger.fatal({ err: error }, 'the installation key cannot be used')
      process.exit(1)
    })

  const stop = async () => {
    isEnding = true
    await sleep(systemClock, lingerMs)
    await served.close(graceMs)
    await end()
    await stores.close()
  }
  endOnSignals(logger, stop, 'the end was not clean; what was answered is durable')
}

/** Runs a function with these settings until it is told to stop; one that is wrong ends it with exit 1 and the cure. */
export const runFunction = (name: FunctionName, env: Environment): Promise<void> =>
  start(name, env).catch((error: unknown) => endUnstarted(name, error))
