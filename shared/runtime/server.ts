import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { FootfallError, replyOf } from '../errors.ts'
import type { Handler, Reply, Request, Stream } from '../handler.ts'

/**
 * A handler over HTTP. Plain node:http with callbacks: wrapping requests costs more than everything else a hit needs (measured).
 * It knows bodies, limits, streams and draining, and nothing of what a path means.
 */
export type ServeOptions = {
  handler: Handler
  host: string
  port: number
  /** Largest body of a path, bytes, for a request with an Authorization header or without; a larger one is cut off with 413. */
  maxBodyBytes: (path: string, hasAuthorization: boolean) => number
  /** Most bytes of all bodies that are being read or answered; `limits` has the default. */
  allBodyBytes?: number
  /** How long a stream waits for its reader; `limits` has the default. */
  stallMs?: number
  onError: (error: unknown, request: { method: string; path: string }) => void
  /** A request was refused before the handler saw it. */
  onRefused?: (status: number) => void
}

export type Served = {
  port: number
  /** Takes no new connections, lets what runs end within `graceMs`, then cuts. May be called twice. */
  close(graceMs: number): Promise<void>
}

export const limits = {
  headerBytes: 16_384,
  headersMs: 10_000,
  requestMs: 30_000,
  /** How often slow ones are looked for; Node's 30 s would let them stay twice as long. */
  checkMs: 2_000,
  /** Longer than the proxy in front keeps a connection idle, else its next request meets a closing socket. */
  keepAliveMs: 75_000,
  connections: 20_000,
  /** Beyond it a request is told to come again: many bodies at once must not fill the memory. */
  allBodyBytes: 256_000_000,
  /** A reader of a stream that takes nothing for so long has gone without a word. */
  stallMs: 30_000,
  /** Of a body that is refused so much is read and dropped, for so long, before its connection is cut. */
  dropBytes: 4_194_304,
  dropMs: 2_000,
} as const

const empty = Buffer.alloc(0)
const tooLarge = replyOf(new FootfallError('too-large'))
const overloaded = replyOf(new FootfallError('overloaded'))

/**
 * A request as handlers see it. A class, so that all of them have one shape and `signal` is made only when it is asked for: an abort
 * that nobody listens to costs more than reading the request (measured).
 */
class TakenRequest implements Request {
  readonly method: string
  readonly path: string
  readonly query: string
  readonly headers: Request['headers']
  readonly body: Buffer
  readonly address: string
  readonly #response: ServerResponse

  constructor(message: IncomingMessage, response: ServerResponse, path: string, query: string, body: Buffer) {
    this.method = message.method ?? 'GET'
    this.path = path
    this.query = query
    this.headers = message.headers as Request['headers']
    this.body = body
    this.address = message.socket.remoteAddress ?? ''
    this.#response = response
  }

  /** Aborted when the response is over or its client has gone. */
  get signal(): AbortSignal {
    const abort = new AbortController()
    if (this.#response.destroyed) abort.abort()
    else this.#response.on('close', () => abort.abort())
    return abort.signal
  }
}

const splitUrl = (url: string): { path: string; query: string } => {
  const at = url.indexOf('?')
  return at === -1 ? { path: url, query: '' } : { path: url.slice(0, at), query: url.slice(at + 1) }
}

const isStream = (body: Reply['body']): body is Stream => typeof body === 'object' && !Buffer.isBuffer(body)

/** Resolves when the reader has taken what was written, or has gone; a reader that takes nothing is cut off. */
const drained = (response: ServerResponse, stallMs: number): Promise<void> =>
  new Promise((resolve) => {
    const stalled = setTimeout(() => response.destroy(), stallMs)
    const done = () => {
      clearTimeout(stalled)
      response.off('drain', done)
      response.off('close', done)
      resolve()
    }
    response.on('drain', done)
    response.on('close', done)
  })

/** Writes a stream piece by piece; a slow reader slows the source, one that has gone ends it. */
const writeStream = async (body: Stream, response: ServerResponse, stallMs: number): Promise<void> => {
  for await (const piece of body) {
    if (response.destroyed || response.writableEnded) return
    if (!response.write(piece)) await drained(response, stallMs)
  }
  response.end()
}

/** Ends a stream and its connection: it said nothing of closing when it began. */
const endStream = (response: ServerResponse): void => {
  const { socket } = response
  response.end(() => socket?.end())
}

/** What the log is told of; other errors of the catalogue tell the client enough. */
const isSurprise = (error: unknown): boolean => !(error instanceof FootfallError) || error.cause !== undefined || error.status === 500

/** Streams of events have no end of their own; any other that is ended early would look whole and not be it. */
const isEndless = ({ headers }: Reply): boolean => headers?.['content-type']?.startsWith('text/event-stream') ?? false

const send = (response: ServerResponse, { status, headers, body }: Reply, stallMs: number): Promise<void> | undefined => {
  if (response.destroyed) return undefined
  if (isStream(body)) {
    response.on('error', () => undefined) // the client has gone in the middle of the stream, which ends by that
    response.writeHead(status, headers)
    response.flushHeaders()
    return writeStream(body, response, stallMs)
  }
  const length = body === undefined ? 0 : typeof body === 'string' ? Buffer.byteLength(body) : body.length
  // A 204 has no body, so it says no length either (RFC 9110 §8.6).
  response.writeHead(status, status === 204 ? headers : { ...headers, 'content-length': length })
  response.end(body)
  return undefined
}

/**
 * The answer goes out at once, and some of the rest of the body is dropped unread: a connection that is cut while its client still sends
 * is reset, and a proxy in between then says 502 instead of what we have said.
 */
const refuseBody = (message: IncomingMessage, response: ServerResponse, { status, headers, body }: typeof tooLarge): void => {
  let dropped = 0
  const end = () => {
    clearTimeout(timer)
    message.off('data', drop)
    response.end(() => message.destroy())
  }
  const drop = ({ length }: Buffer) => {
    dropped += length
    if (dropped > limits.dropBytes) end()
  }
  const timer = setTimeout(end, limits.dropMs)
  response.writeHead(status, { ...headers, connection: 'close', 'content-length': Buffer.byteLength(body) })
  response.write(body)
  if (Number(message.headers['content-length'] ?? 0) > limits.dropBytes) return end()
  message.on('data', drop)
  message.once('end', end)
  message.once('close', end)
}

/** Starts listening; answers once the port is open. Throws `port-taken`. */
export const serve = async (options: ServeOptions): Promise<Served> => {
  const { handler, onError, onRefused, maxBodyBytes, allBodyBytes = limits.allBodyBytes, stallMs = limits.stallMs } = options
  let closing = false
  let bodyBytes = 0
  /** Streams that would go on for ever: ended when the closing begins, so that it need not wait and their readers come back at once. */
  const endless = new Set<ServerResponse>()

  const keep = (response: ServerResponse): void => {
    endless.add(response)
    response.on('close', () => endless.delete(response))
    if (closing) setImmediate(() => endStream(response))
  }

  const finish = async (request: Request, response: ServerResponse): Promise<void> => {
    let reply: Reply
    try {
      reply = await handler(request)
    } catch (error) {
      reply = replyOf(error)
      if (isSurprise(error)) onError(error, request)
    }
    if (closing) response.setHeader('connection', 'close')
    try {
      if (isStream(reply.body) && isEndless(reply)) keep(response)
      await send(response, reply, stallMs)
    } catch (error) {
      // Readers of events come back by themselves; anybody else must see that what came is not the whole.
      if (isEndless(reply)) endStream(response)
      else response.destroy()
      if (isSurprise(error)) onError(error, request)
    }
  }

  const take = (message: IncomingMessage, response: ServerResponse): void => {
    const { path, query } = splitUrl(message.url ?? '/')
    const limit = maxBodyBytes(path, message.headers.authorization !== undefined)
    let body: Buffer | undefined
    let more: Buffer[] | undefined
    let length = 0
    let refused = false
    let ended = false

    const release = () => {
      bodyBytes -= length
      length = 0
    }
    const refuse = (reply: typeof tooLarge) => {
      refused = true
      onRefused?.(reply.status)
      release()
      body = more = undefined
      refuseBody(message, response, reply)
    }
    if (Number(message.headers['content-length'] ?? 0) > limit) return refuse(tooLarge)
    message.on('data', (chunk: Buffer) => {
      if (refused) return
      length += chunk.length
      bodyBytes += chunk.length
      if (length > limit) return refuse(tooLarge)
      if (bodyBytes > allBodyBytes) return refuse(overloaded)
      if (!body) {
        body = chunk
        message.on('close', () => ended || release()) // its client has gone in the middle
      } else if (more) more.push(chunk)
      else more = [body, chunk]
    })
    message.on('end', () => {
      if (refused) return
      ended = true
      const whole = more ? Buffer.concat(more, length) : (body ?? empty)
      const finished = finish(new TakenRequest(message, response, path, query, whole), response)
      if (length > 0) void finished.finally(release)
    })
  }

  const server = createServer(
    {
      maxHeaderSize: limits.headerBytes,
      headersTimeout: limits.headersMs,
      requestTimeout: limits.requestMs,
      keepAliveTimeout: limits.keepAliveMs,
      connectionsCheckingInterval: limits.checkMs,
      joinDuplicateHeaders: true,
    },
    take,
  )
  // Node counts a connection on which nothing was ever sent as busy; browsers and proxies keep such spares.
  const sockets = new Set<Socket>()
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  server.maxConnections = limits.connections
  await listen(server, options)

  let closed: Promise<void> | undefined
  const close = (graceMs: number): Promise<void> => {
    closing = true
    closed ??= new Promise<void>((resolve) => {
      const cut = setTimeout(() => server.closeAllConnections(), graceMs)
      server.close(() => {
        clearTimeout(cut)
        resolve()
      })
      for (const response of endless) endStream(response)
      server.closeIdleConnections()
      for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy()
    })
    return closed
  }
  return { port: (server.address() as AddressInfo).port, close }
}

/** What the system says when an address cannot be listened on, as one of ours. */
const listenError = (cause: NodeJS.ErrnoException, { host, port }: ServeOptions): unknown => {
  switch (cause.code) {
    case 'EADDRINUSE':
      return new FootfallError('port-taken', { detail: `It is ${port}.`, cause })
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return new FootfallError('bad-setting', {
        detail: `FOOTFALL_HOST is ${JSON.stringify(host)}.`,
        hint: 'Set FOOTFALL_HOST to an address of this machine, such as 127.0.0.1 or 0.0.0.0.',
        cause,
      })
    case 'EACCES':
      return new FootfallError('bad-setting', {
        detail: `FOOTFALL_PORT is ${port}.`,
        hint: 'Ports below 1024 need rights; set FOOTFALL_PORT to a higher one.',
        cause,
      })
    default:
      return cause
  }
}

const listen = (server: Server, options: ServeOptions): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => reject(listenError(cause, options)))
    server.listen(options.port, options.host, () => resolve())
  })
