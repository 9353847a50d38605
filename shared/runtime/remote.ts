import type { MessagePort, Worker } from 'node:worker_threads'
import { FootfallError, replyOf } from '../errors.ts'
import type { Handler, Reply, Request } from '../handler.ts'

/**
 * A handler in another thread. Requests and replies are plain values, so they go over a message port as they are; a streamed
 * body is pulled piece by piece, so that a slow reader slows its source.
 */
type Port = Pick<Worker | MessagePort, 'postMessage' | 'on'>

type Call =
  | { kind: 'call'; id: number; name: string; request: Omit<Request, 'signal'> }
  | { kind: 'pull'; id: number }
  | { kind: 'abort'; id: number }
type Answer =
  | {
      kind: 'reply'
      id: number
      status: number
      headers: Record<string, string> | undefined
      body: string | Uint8Array | undefined
      stream: boolean
    }
  | { kind: 'piece'; id: number; piece: string | undefined }

/** The near side: handlers by name that run behind `port`. When the thread has gone, `fail` ends all that waits. */
export const connectRemote = (port: Port) => {
  let nextId = 1
  const calls = new Map<number, (answer: Extract<Answer, { kind: 'reply' }>) => void>()
  const pulls = new Map<number, (piece: string | undefined) => void>()
  let gone = false

  port.on('message', (answer: Answer) => {
    if (answer.kind === 'piece') {
      pulls.get(answer.id)?.(answer.piece)
      pulls.delete(answer.id)
    } else if (answer.kind === 'reply') {
      calls.get(answer.id)?.(answer)
      calls.delete(answer.id)
    }
  })

  const pull = (id: number): Promise<string | undefined> =>
    new Promise((resolve) => {
      if (gone) return resolve(undefined)
      pulls.set(id, resolve)
      port.postMessage({ kind: 'pull', id } satisfies Call)
    })

  async function* stream(id: number): AsyncGenerator<string> {
    try {
      for (let piece = await pull(id); piece !== undefined; piece = await pull(id)) yield piece
    } finally {
      if (!gone) port.postMessage({ kind: 'abort', id } satisfies Call)
    }
  }

  const handlerOf =
    (name: string): Handler =>
    ({ signal, ...request }) =>
      new Promise<Reply>((resolve, reject) => {
        if (gone) return reject(new FootfallError('stopping'))
        const id = nextId++
        const onAbort = () => port.postMessage({ kind: 'abort', id } satisfies Call)
        calls.set(id, ({ status, headers, body, stream: isStream }) => {
          if (!isStream) signal?.removeEventListener('abort', onAbort)
          resolve({ status, headers, body: isStream ? stream(id) : body instanceof Uint8Array ? Buffer.from(body) : body })
        })
        port.postMessage({ kind: 'call', id, name, request } satisfies Call)
        if (signal?.aborted) onAbort()
        else signal?.addEventListener('abort', onAbort)
      })

  const fail = () => {
    gone = true
    const { status, headers, body } = replyOf(new FootfallError('stopping'))
    for (const [id, answer] of calls) answer({ kind: 'reply', id, status, headers, body, stream: false })
    for (const piece of pulls.values()) piece(undefined)
    calls.clear()
    pulls.clear()
  }
  return { handlerOf, fail }
}

/** The far side: answers calls from `port` with the handlers it has. */
export const answerRemote = (
  port: Port,
  handlers: ReadonlyMap<string, Handler>,
  onError: (error: unknown, request: Request) => void,
): void => {
  const streams = new Map<number, AsyncIterator<string>>()
  const aborts = new Map<number, AbortController>()

  const reply = (id: number, { status, headers, body }: Reply) => {
    const isStream = typeof body === 'object' && !Buffer.isBuffer(body)
    if (isStream) streams.set(id, body[Symbol.asyncIterator]())
    if (!aborts.has(id)) end(id) // the client went before the reply was made
    if (!isStream) aborts.delete(id)
    port.postMessage({ kind: 'reply', id, status, headers, body: isStream ? undefined : body, stream: isStream } satisfies Answer)
  }

  const call = async ({ id, name, request }: Extract<Call, { kind: 'call' }>) => {
    const abort = new AbortController()
    aborts.set(id, abort)
    const whole: Request = { ...request, body: Buffer.from(request.body), signal: abort.signal }
    try {
      reply(id, await handlers.get(name)!(whole))
    } catch (error) {
      if (!(error instanceof FootfallError) || error.cause !== undefined || error.status === 500) onError(error, whole)
      reply(id, replyOf(error))
    }
  }

  const pull = async (id: number) => {
    let piece: string | undefined
    try {
      const step = await streams.get(id)?.next()
      piece = step?.done ? undefined : step?.value
    } catch {
      piece = undefined // a stream that fails ends; its source has said why where it failed
    }
    if (piece === undefined) end(id)
    port.postMessage({ kind: 'piece', id, piece } satisfies Answer)
  }

  const end = (id: number) => {
    aborts.get(id)?.abort()
    aborts.delete(id)
    void streams
      .get(id)
      ?.return?.()
      .catch(() => undefined)
    streams.delete(id)
  }

  port.on('message', (message: Call) => {
    if (message.kind === 'call') void call(message)
    else if (message.kind === 'pull') void pull(message.id)
    else if (message.kind === 'abort') end(message.id)
  })
}
