import { Worker } from 'node:worker_threads'
import { type Clock, systemClock } from '../clock.ts'
import type { Config } from '../config.ts'
import { FootfallError } from '../errors.ts'
import type { Handler, Reply, Request } from '../handler.ts'
import { holdFolder, wire } from '../wire.ts'
import { ensureAdminKey } from './admin-key.ts'
import { type OpenFunction, openFunction } from './functions.ts'
import type { Logger } from './log.ts'
import { createHealth, createPublicHandler } from './public.ts'
import { connectRemote } from './remote.ts'
import type { FunctionName } from './routes.ts'
import { runStages, stageNames } from './stages.ts'
import type { ThreadMessage, WorkerData } from './worker.ts'

/** The product in one process over one data folder. */
export type Embedded = {
  /** Public paths, as the server answers them. */
  handle: Handler
  adminKey: string
  /** True when the folder had no site before. */
  isNew: boolean
  /** Ends everything in the order in which nothing is lost; may be called twice. */
  close(): Promise<void>
}

const scheduleMs = 3_600_000

/** A request from inside the process, for paths that no route leads to. */
const internal = (path: string, body = ''): Request => ({
  method: 'POST',
  path,
  query: '',
  headers: {},
  body: Buffer.from(body),
  address: '127.0.0.1',
})

/** Runs the schedule now and every hour: salts made ahead and destroyed, expired secrets dropped. */
const startSchedule = async (manage: Handler, clock: Clock, onError: (error: unknown) => void): Promise<() => void> => {
  let cancel = () => {}
  const again = () => {
    cancel = clock.after(scheduleMs, () => void manage(internal('/schedule')).catch(onError).finally(again))
  }
  await manage(internal('/schedule'))
  again()
  return () => cancel()
}

const startThread = async (data: WorkerData, onExit: (code: number) => void) => {
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData: data })
  const remote = connectRemote(worker)
  let isStopping = false
  await new Promise<void>((resolve, reject) => {
    worker.once('error', reject)
    worker.on('message', (message: ThreadMessage) => message.kind === 'ready' && resolve())
  })
  worker.on('error', () => undefined) // told by `exit`, which follows
  const exited = new Promise<void>((resolve) =>
    worker.once('exit', (code) => {
      remote.fail()
      resolve()
      if (!isStopping) onExit(code)
    }),
  )
  const stop = async () => {
    isStopping = true
    worker.postMessage({ kind: 'stop' })
    await exited
  }
  return { handlerOf: remote.handlerOf, stop, worker }
}

/**
 * Starts the product with its threads: requests, sites and the page here; the log, the stages and queries in threads of their own. `onFatal` is
 * called when a thread dies: the process must end then, a restart goes on from the log. Throws what `holdFolder` throws.
 */
export const startEmbedded = async (config: Config, logger: Logger, onFatal: (error: Error) => void): Promise<Embedded> => {
  const clock = systemClock
  const closers: (() => unknown)[] = [await holdFolder(config.data, clock)]
  let closing: Promise<void> | undefined
  const close = () => {
    closing ??= (async () => {
      for (const end of closers.reverse()) await end()
    })()
    return closing
  }
  try {
    const busName = `footfall-${process.pid}`
    const start = async (part: WorkerData['part']) => {
      const thread = await startThread({ config, part, busName }, (code) => onFatal(new Error(`The ${part} thread ended with ${code}.`)))
      closers.push(thread.stop)
      return thread
    }
    const { worker: logThread } = await start('log')
    const stores = await wire(config.data, 'edge', clock, { logThread })
    closers.push(() => stores.close())
    const adminKey = await ensureAdminKey(config.data, stores.secrets, clock)
    const isNew = (await stores.sites.list()).length === 0
    const functions = new Map<FunctionName, Handler>()
    const open = async (name: FunctionName): Promise<OpenFunction> => {
      const opened = await openFunction(name, stores, config, clock)
      functions.set(name, opened.handle)
      return opened
    }
    const manage = await open('manage-sites')
    closers.push(
      await startSchedule(manage.handle, clock, (error) => logger.error({ err: error }, 'the schedule failed and runs again in an hour')),
    )
    await start('stages')
    functions.set('query-metrics', (await start('queries')).handlerOf('query-metrics'))
    const collect = await open('collect-hit')
    closers.push(collect.end)
    await open('serve-dashboard')
    return {
      handle: createPublicHandler(
        functions,
        createHealth(stores.log, () => closing !== undefined),
      ),
      adminKey,
      isNew,
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

/**
 * The same functions in this thread alone, for commands that work on a folder no server holds. What the log holds is taken
 * in before a question is answered.
 */
export const openFunctions = async (config: Config, clock: Clock): Promise<Embedded> => {
  const closers: (() => unknown)[] = [await holdFolder(config.data, clock)]
  const close = async () => {
    for (const end of closers.splice(0).reverse()) await end()
  }
  try {
    const stores = await wire(config.data, 'all', clock)
    closers.push(() => stores.close())
    const adminKey = await ensureAdminKey(config.data, stores.secrets, clock)
    const isNew = (await stores.sites.list()).length === 0
    const functions = new Map<FunctionName, Handler>()
    const handlers = new Map<string, Handler>()
    for (const name of ['manage-sites', 'collect-hit', 'query-metrics', 'serve-dashboard'] as const) {
      const { handle, end } = await openFunction(name, stores, config, clock)
      closers.push(end)
      functions.set(name, handle)
    }
    for (const name of stageNames) handlers.set(name, (await openFunction(name, stores, config, clock)).handle)
    await functions.get('manage-sites')!(internal('/schedule'))
    let failure: string | undefined
    const stages = runStages(stores, handlers, clock, ({ error }) => {
      failure = error
    })
    closers.push(() => stages.stop())
    const answer = createPublicHandler(
      functions,
      createHealth(stores.log, () => false),
    )
    const handle = async (request: Request): Promise<Reply> => {
      await stages.drained()
      if (failure) throw new FootfallError('internal', { detail: failure })
      return answer(request)
    }
    return { handle, adminKey, isNew, close }
  } catch (error) {
    await close()
    throw error
  }
}
