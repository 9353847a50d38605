import { Worker } from 'node:worker_threads'
import type { Handler } from '../handler.ts'
import { connectRemote } from './remote.ts'
import type { ThreadMessage, WorkerData } from './worker.ts'

/** Starts a thread and waits until it is ready. `onDeath` is called when it ends unasked; `stop` throws what it failed with at its end. */
export const startThread = async (data: WorkerData, onDeath: (error: Error) => void) => {
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData: data })
  const remote = connectRemote(worker)
  let isReady = false
  let isStopping = false
  let failure: unknown
  worker.on('error', (error) => {
    failure = error // `exit` follows
  })
  const exited = new Promise<Error>((resolve) =>
    worker.once('exit', (code) => {
      remote.fail()
      const error = new Error(`The ${data.part} thread ended with ${code}.`, { cause: failure })
      resolve(error)
      if (isReady && !isStopping) onDeath(error)
    }),
  )
  await new Promise<void>((resolve, reject) => {
    worker.on('message', (message: ThreadMessage) => {
      if (message.kind !== 'ready') return
      isReady = true
      resolve()
    })
    void exited.then((error) => reject(failure ?? error))
  })
  const stop = async () => {
    isStopping = true
    worker.postMessage({ kind: 'stop' })
    const error = await exited
    if (failure !== undefined) throw error
  }
  return { handlerOf: remote.handlerOf, stop, worker }
}

/** A thread that is started when it is first called: questions that need its help are rare on small sites. `stop` ends it, if there is one. */
export const startLate = (start: () => ReturnType<typeof startThread>, name: string): { handle: Handler; stop(): Promise<void> } => {
  let thread: ReturnType<typeof startThread> | undefined
  return {
    async handle(request) {
      thread ??= start().catch((error) => {
        thread = undefined // the next call tries again
        throw error
      })
      const { handlerOf } = await thread
      return await handlerOf(name)(request)
    },
    async stop() {
      const started = await thread?.catch(() => undefined) // who called it was told
      await started?.stop()
    },
  }
}
