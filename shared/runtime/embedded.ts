import { type Clock, systemClock } from '../clock.ts'
import type { Config } from '../config.ts'
import { FootfallError } from '../errors.ts'
import type { Handler, Request } from '../handler.ts'
import type { LogWriter } from '../ports/log.ts'
import type { Secrets } from '../ports/sites.ts'
import { holdFolder, putRestore, type Stores, wire } from '../wire.ts'
import { ensureAdminKey } from './admin-key.ts'
import { createBackups, dropLeftovers } from './backups.ts'
import { type OpenFunction, openFunction } from './functions.ts'
import { type Logger, sparing } from './log.ts'
import { createHealth, createPublicHandler } from './public.ts'
import type { FunctionName } from './routes.ts'
import { runStages, stageNames } from './stages.ts'
import { startThread } from './threads.ts'
import type { ThreadMessage, WorkerData } from './worker.ts'

/** The product in one process over one data folder. */
export type Embedded = {
  /** Public paths, as the server answers them. */
  handle: Handler
  adminKey: string
  /** True when the folder has never had a site. */
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

/**
 * Runs the schedule now and every hour: salts made ahead and destroyed, expired secrets dropped. The answer ends it, and with it the
 * run that is under way.
 */
export const startSchedule = async (manage: Handler, clock: Clock, onError: (error: unknown) => void): Promise<() => Promise<void>> => {
  let cancel = () => {}
  let stopped = false
  let running: Promise<unknown> = Promise.resolve()
  const again = () => {
    if (stopped) return
    cancel = clock.after(scheduleMs, () => {
      running = manage(internal('/schedule')).catch(onError).finally(again)
    })
  }
  await manage(internal('/schedule')).catch((error: unknown) => {
    // Salts are made before anything of it can be kept waiting by a reader; the rest is done in an hour.
    if (!(error instanceof FootfallError) || !error.retryable) throw error
    onError(error)
  })
  again()
  return async () => {
    stopped = true
    cancel()
    await running
  }
}

/** What is open at a time: closed as a whole, in the order in which nothing is lost. */
type Opened = {
  functions: Map<FunctionName, Handler>
  log: LogWriter
  secrets: Secrets
  adminKey: string
  isNew: boolean
  close(): Promise<void>
}

/** What was opened, ended in reverse order: all of it, also when one of them fails. */
export const createClosers = () => {
  const closers: (() => unknown)[] = []
  const close = async () => {
    const errors: unknown[] = []
    for (const end of closers.splice(0).reverse())
      try {
        await end()
      } catch (error) {
        errors.push(error)
      }
    if (errors.length > 0) throw new AggregateError(errors, `Not everything could be closed: ${errors.map(String).join('; ')}`)
  }
  /** After a failed start: why it failed says more than what could not be closed by then. */
  const closeQuietly = () => close().catch(() => undefined)
  return { add: (end: () => unknown) => closers.push(end), close, closeQuietly }
}

/** A folder that has never had a site: one whose site was removed gets none again. */
const hasNoHistory = async ({ sites }: Stores): Promise<boolean> =>
  (await sites.list()).length === 0 && (await sites.find('localhost')) === undefined

/** Hits are kept this long after a state that has taken them is on the disk. */
const keepHitsMs = 72 * 3_600_000

/** Forgets hits that are old and that no crash can make necessary again. */
const trimHits = async ({ log }: Stores, next: number, clock: Clock): Promise<void> => {
  const old = await log.offsetAt('hits', 0, clock.now() - keepHitsMs)
  await log.trim('hits', 0, Math.min(next, old))
}

const openThreads = async (config: Config, clock: Clock, logger: Logger, onFatal: (error: Error) => void): Promise<Opened> => {
  const { add, close, closeQuietly } = createClosers()
  try {
    const busName = `footfall-${process.pid}`
    const start = async (part: WorkerData['part']) => {
      const thread = await startThread({ config, part, busName }, onFatal)
      add(thread.stop)
      return thread
    }
    const { worker: logThread } = await start('log')
    const stores = await wire(config.data, 'edge', clock, { logThread })
    add(() => stores.close())
    const adminKey = await ensureAdminKey(config.data, stores.secrets, clock)
    const isNew = await hasNoHistory(stores)
    const functions = new Map<FunctionName, Handler>()
    const onError = sparing(clock, 1_000, (error: unknown) => logger.error({ err: error }, 'hits cannot be taken'))
    const open = async (name: FunctionName): Promise<OpenFunction> => {
      const opened = await openFunction(name, stores, config, clock, { onError })
      functions.set(name, opened.handle)
      return opened
    }
    const manage = await open('manage-sites')
    add(await startSchedule(manage.handle, clock, (error) => logger.error({ err: error }, 'the schedule failed and runs again in an hour')))
    const stages = await start('stages')
    stages.worker.on('message', (message: ThreadMessage) => {
      if (message.kind === 'settled')
        trimHits(stores, message.next, clock).catch((error) => logger.error({ err: error }, 'old hits could not be trimmed'))
    })
    functions.set('query-metrics', (await start('queries')).handlerOf('query-metrics'))
    add((await open('collect-hit')).end)
    await open('serve-dashboard')
    return { functions, log: stores.log, secrets: stores.secrets, adminKey, isNew, close }
  } catch (error) {
    await closeQuietly()
    throw error
  }
}

/**
 * The same functions in this thread alone, for commands that work on a folder no server holds. What the log holds is taken
 * in before a question is answered.
 */
const openHere = async (config: Config, clock: Clock): Promise<Opened> => {
  const { add, close, closeQuietly } = createClosers()
  try {
    const stores = await wire(config.data, 'all', clock)
    add(() => stores.close())
    const adminKey = await ensureAdminKey(config.data, stores.secrets, clock)
    const isNew = await hasNoHistory(stores)
    const functions = new Map<FunctionName, Handler>()
    const handlers = new Map<string, Handler>()
    for (const name of ['manage-sites', 'collect-hit', 'query-metrics', 'serve-dashboard'] as const) {
      const { handle, end } = await openFunction(name, stores, config, clock)
      add(end)
      functions.set(name, handle)
    }
    for (const name of stageNames) handlers.set(name, (await openFunction(name, stores, config, clock)).handle)
    await functions.get('manage-sites')!(internal('/schedule'))
    const stages = runStages(stores, handlers, clock, () => undefined) // told by `drained` to whoever asks
    add(() => stages.stop())
    for (const [name, handle] of functions)
      functions.set(name, async (request) => {
        await stages.drained()
        return handle(request)
      })
    return { functions, log: stores.log, secrets: stores.secrets, adminKey, isNew, close }
  } catch (error) {
    await closeQuietly()
    throw error
  }
}

/**
 * Holds the folder and what is open over it, which a restore closes and opens again. `onFatal` is called when that fails: nothing would
 * answer any more, and a new start either goes on with the restore or says what is wrong.
 */
const hold = async (config: Config, clock: Clock, open: () => Promise<Opened>, onFatal: (error: Error) => void): Promise<Embedded> => {
  const release = await holdFolder(config.data, clock)
  let opened: Opened | undefined
  try {
    dropLeftovers(config.data)
    opened = await open()
    let answer: Handler | undefined
    const { adminKey, isNew } = opened

    const use = async (now: Opened) => {
      opened = now
      const backups = await createBackups({ folder: config.data, secrets: now.secrets, clock, restart })
      answer = createPublicHandler(now.functions, { health: createHealth(now.log), backups })
    }
    const reopen = async () => {
      answer = undefined
      await opened?.close()
      opened = undefined
      await putRestore(config.data, clock)
      await use(await open())
    }
    let restarting: Promise<void> | undefined
    let isClosed = false
    const restart = (): Promise<void> => {
      // A restore that was still being checked when the end began must not open the folder again behind it.
      if (isClosed) return Promise.reject(new FootfallError('stopping'))
      restarting ??= reopen()
        .catch((cause) => {
          onFatal(new Error('The data folder could not be opened again after a restore.', { cause }))
          throw cause
        })
        .finally(() => {
          restarting = undefined
        })
      return restarting
    }
    await use(opened)
    return {
      handle: (request) => answer?.(request) ?? Promise.reject(new FootfallError('stopping')),
      adminKey,
      isNew,
      async close() {
        isClosed = true
        await restarting?.catch(() => undefined) // `onFatal` was told
        answer = undefined
        try {
          await opened?.close()
        } finally {
          opened = undefined
          release()
        }
      },
    }
  } catch (error) {
    await opened?.close().catch(() => undefined) // why it did not start says more
    release()
    throw error
  }
}

/**
 * Starts the product with its threads: requests, sites and the page here; the log, the stages and queries in threads of their own.
 * `onFatal` is called when a thread dies: the process must end then, a restart goes on from the log. Throws what `holdFolder` throws.
 */
export const startEmbedded = (config: Config, logger: Logger, onFatal: (error: Error) => void): Promise<Embedded> =>
  hold(config, systemClock, () => openThreads(config, systemClock, logger, onFatal), onFatal)

/** The same functions in this thread alone, for commands that work on a folder no server holds. */
export const openFunctions = (config: Config, clock: Clock): Promise<Embedded> =>
  hold(
    config,
    clock,
    () => openHere(config, clock),
    () => undefined, // the command that restores is told, and ends
  )
