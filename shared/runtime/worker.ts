import { parentPort, workerData } from 'node:worker_threads'
import { systemClock } from '../clock.ts'
import type { Config } from '../config.ts'
import type { Handler } from '../handler.ts'
import { wire } from '../wire.ts'
import { openFunction } from './functions.ts'
import { createLogger } from './log.ts'
import { answerRemote } from './remote.ts'
import type { FunctionName } from './routes.ts'
import { runStages, type Stages, stageNames } from './stages.ts'

/**
 * A thread of the embedded product: `stages` drives enrich-session and rollup-window and writes state.db; `queries` answers
 * query-metrics from read-only files, so that a long question never delays a hit.
 */
export type WorkerData = { config: Config; part: 'stages' | 'queries'; busName: string }
/** Beside calls of handlers the process asks its threads to stop, and a thread says that it is ready or that it failed. */
export type ThreadMessage = { kind: 'ready' } | { kind: 'failed'; report: unknown } | { kind: 'stopped' }

const { config, part, busName } = workerData as WorkerData
const port = parentPort!
const logger = createLogger(config.log, part)
const names: readonly FunctionName[] = part === 'stages' ? stageNames : ['query-metrics']

const stores = await wire(config.data, part, systemClock, busName)
const handlers = new Map<string, Handler>()
for (const name of names) handlers.set(name, (await openFunction(name, stores, config, systemClock)).handle)

let stages: Stages | undefined
if (part === 'stages')
  stages = runStages(stores, handlers, systemClock, ({ subscription, failures, error }) => logger.error({ ...subscription, failures, error }, 'a batch failed and is repeated'))
else answerRemote(port, handlers, (error, { path }) => logger.error({ err: error, path }, 'a request failed'))

port.on('message', async (message: { kind: string }) => {
  if (message.kind !== 'stop') return
  await stages?.stop()
  stores.close()
  port.postMessage({ kind: 'stopped' } satisfies ThreadMessage)
  port.close()
})
port.postMessage({ kind: 'ready' } satisfies ThreadMessage)
