import { availableParallelism } from 'node:os'
import { parentPort, workerData } from 'node:worker_threads'
import { systemClock } from '../clock.ts'
import type { Config } from '../config.ts'
import type { Handler } from '../handler.ts'
import { wire, wireLogThread } from '../wire.ts'
import { openFunction } from './functions.ts'
import { createLogger, sparing } from './log.ts'
import { answerRemote } from './remote.ts'
import type { FunctionName } from './routes.ts'
import { runStages, stageNames } from './stages.ts'
import { startLate, startThread } from './threads.ts'

/**
 * A thread of the embedded product: `log` commits hits, `stages` drives enrich-session and rollup-window and writes state.db; `queries` answers
 * query-metrics from read-only files, so that a long question never delays a hit, and has a `helper` for each further core (at most three),
 * which is started when a question is large enough to be shared out.
 */
export type WorkerData = { config: Config; part: 'log' | 'stages' | 'queries' | 'helper'; busName: string }
/**
 * Beside calls of handlers the process asks its threads to `stop`, and a thread says that it is ready, or that
 * hits below `next` have been taken into a state that is on the disk.
 */
export type ThreadMessage = { kind: 'ready' } | { kind: 'settled'; next: number }

const { config, part, busName } = workerData as WorkerData
const port = parentPort!
const logger = createLogger(config.log, part)
const mostHelpers = 3
/** The state is put on the disk this often, so that old hits can go. */
const settleMs = 600_000

/** A helper that dies ends the thread that it helps, and with it the process, as every other one does. */
const onDeath = (error: Error): void => {
  throw error
}

const startHelpers = () =>
  Array.from({ length: Math.min(availableParallelism() - 1, mostHelpers) }, () =>
    startLate(() => startThread({ config, part: 'helper', busName }, onDeath), 'query-metrics'),
  )

/** Begins this thread's work; answers how to end it. */
const begin = async (): Promise<() => unknown> => {
  if (part === 'log')
    return wireLogThread(
      config.data,
      systemClock,
      port,
      busName,
      sparing(systemClock, 1_000, (error) => logger.error({ err: error }, 'hits could not be written; their senders are told')),
    )
  const stores = await wire(config.data, part === 'helper' ? 'queries' : part, systemClock, { busName })
  const helpers = part === 'queries' ? startHelpers() : []
  const names: readonly FunctionName[] = part === 'stages' ? stageNames : ['query-metrics']
  const handlers = new Map<string, Handler>()
  const failed = part === 'stages' ? 'stored rows could not be moved on' : 'a helper could not count its share, which is counted here'
  const onError = (error: unknown) => logger.error({ err: error }, failed)
  const options = { onError, helpers: helpers.map(({ handle }) => handle) }
  for (const name of names) handlers.set(name, (await openFunction(name, stores, config, systemClock, options)).handle)
  if (part !== 'stages') {
    answerRemote(port, handlers, (error, { path }) => logger.error({ err: error, path }, 'a request failed'))
    return async () => {
      await Promise.all(helpers.map(({ stop }) => stop()))
      stores.close()
    }
  }
  const stages = runStages(stores, handlers, systemClock, ({ subscription, failures }, cause) =>
    logger.error({ ...subscription, failures, err: cause }, 'a batch failed and is repeated'),
  )
  const settle = () => {
    try {
      const next = stores.settleState(0)
      if (next !== undefined) port.postMessage({ kind: 'settled', next } satisfies ThreadMessage)
    } catch (error) {
      logger.error({ err: error }, 'the state could not be put on the disk; old hits stay')
    }
    cancel = systemClock.after(settleMs, settle)
  }
  let cancel = systemClock.after(settleMs, settle)
  return async () => {
    cancel()
    await stages.stop()
    stores.close()
  }
}

const end = await begin()
port.on('message', async (message: { kind: string }) => {
  if (message.kind !== 'stop') return
  await end()
  port.close()
})
port.postMessage({ kind: 'ready' } satisfies ThreadMessage)
