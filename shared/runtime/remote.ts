import type { MessagePort, Worker } from 'node:worker_threads'
import { FootfallError, replyOf } from '../errors.ts'
import type { Handler, Reply, Request } from '../handler.ts'

/**
 * A handler in another thread. Requests and replies are plain values, so they go over a message port as they are; a streamed
 * body is pulled piece by piece, so that a slow reader slows its source.
 */
type Port = Pick<Worker | MessagePort, 'postMessage' | 'on'>

type Piece = string | Uint8Array

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
  | { kind: 'piece'; id: number; piece: Piece | undefined; failed: boolean }

/** The near side: handlers by name that run behind `port`. When the thread has gone, `fail` ends all that waits. */
export const connectRemote = (port: Port) => {
  let nextId = 1
  const calls = new Map<number, (answer: Extract<Answer, { kind: 'reply' }>) => void>()
  const pulls = new Map<number, { resolve(piece: Piece | undefined): void; reject(error: FootfallError): void }>()
  let gone = false

  port.on('message', (answer: Answer) => {
    if (answer.kind === 'piece') {
      const pull = pulls.get(answer.id)
      pulls.delete(answer.id)
      if (answer.failed) pull?.reject(new FootfallError('store-unavailable', { detail: 'A stream could not be read to its end.' }))
      else pull?.resolve(answer.piece)
    } else if (answer.kind === 'reply') {
      calls.get(answer.id)?.(answer)
      calls.delete(answer.id)
    }
  })

  const pull = (id: number): Promise<Piece | undefined> =>
    new Promise((resolve, reject) => {
      if (gone) return reject(new FootfallError('stopping'))
      pulls.set(id, { resolve, reject })
      port.postMessage({ kind: 'pull', id } satisfies Call)
    })

  async function* stream(id: number): AsyncGenerator<Piece> {
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
    for (const { reject } of pulls.values()) reject(new FootfallError('stopping'))
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
  const streams = new Map<number, { source: AsyncIterator<Piece>; request: Request }>()
  const aborts = new Map<number, AbortController>()

  const tell = (error: unknown, request: Request) => {
    if (!(error instanceof FootfallError) || error.cause !== undefined || error.status === 500) onError(error, request)
  }

  const reply = (id: number, request: Request, { status, headers, body }: Reply) => {
    const isStream = typeof body === 'object' && !Buffer.isBuffer(body)
    if (isStream) streams.set(id, { source: body[Symbol.asyncIterator](), request })
    if (!aborts.has(id)) end(id) // the client went before the reply was made
    if (!isStream) aborts.delete(id)
    port.postMessage({ kind: 'reply', id, status, headers, body: isStream ? undefined : body, stream: isStream } satisfies Answer)
  }

  const call = async ({ id, name, request }: Extract<Call, { kind: 'call' }>) => {
    const abort = new AbortController()
    aborts.set(id, abort)
    const whole: Request = { ...request, body: Buffer.from(request.body), signal: abort.signal }
    try {
      reply(id, whole, await handlers.get(name)!(whole))
    } catch (error) {
      tell(error, whole)
      reply(id, whole, replyOf(error))
    }
  }

  const pull = async (id: number) => {
    const stream = streams.get(id)
    let piece: Piece | undefined
    let failed = false
    try {
      const step = await stream?.source.next()
      piece = step?.done ? undefined : step?.value
    } catch (error) {
      failed = true
      if (stream) tell(error, stream.request)
    }
    if (piece === undefined) end(id)
    port.postMessage({ kind: 'piece', id, piece, failed } satisfies Answer)
  }

  const end = (id: number) => {
    aborts.get(id)?.abort()
    aborts.delete(id)
    void streams
      .get(id)
      ?.source.return?.()
      .catch(() => undefined)
    streams.delete(id)
  }

  port.on('message', (message: Call) => {
    if (message.kind === 'call') void call(message)
    else if (message.kind === 'pull') void pull(message.id)
    else if (message.kind === 'abort') end(message.id)
  })
}
