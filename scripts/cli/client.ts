import { readFileSync } from 'node:fs'
import type { Config } from '#shared/config.ts'
import { FootfallError, replyOf } from '#shared/errors.ts'
import type { Handler, Reply, Request } from '#shared/handler.ts'
import { adminKeyPath } from '#shared/runtime/admin-key.ts'
import { Failure, type World } from './command.ts'
import { type Answer, ask, type Opened, open, reasonOf } from './http.ts'

/**
 * How commands reach Footfall: over HTTP where a server runs, else through the same functions over the data folder, opened here.
 * FOOTFALL_URL names a server and nothing else is tried. The key is sent only to what has shown that it is Footfall.
 */

export type Client = {
  /** Where the answers come from, for people. */
  where: string
  /** The server's address; undefined where the folder is open in this process. */
  base: URL | undefined
  /** Sends a request with the key and answers the JSON of a 2xx reply; throws a Failure with the server's sentence and cure. */
  ask(method: string, path: string, body?: unknown): Promise<unknown>
  /** Sends bytes with the key and answers whatever comes back; rejects where nothing does. */
  send(method: string, path: string, bytes: Sent): Promise<Answer>
  /** What is read as it comes, of any length; throws a Failure with the server's sentence and cure where there is none. */
  download(path: string): Promise<AsyncIterable<Uint8Array>>
  close(): Promise<void>
}

/** A body, as text or bytes, and headers about it. */
export type Sent = { body?: string | Buffer; headers?: Record<string, string> }

/** Opens a download with a key. */
type Open = (path: string, key: string) => Promise<Opened>
/** Sends one request, with that key or none. */
type Send = (method: string, path: string, sent: Sent, key: string | undefined) => Promise<Answer>

const timeoutMs = 60_000
/** A server that looks through all days of a site for the few rows that are asked for says nothing meanwhile. */
const idleMs = 600_000
/** Copying a folder, or checking and opening one, takes as long as it has bytes: minutes for gigabytes. */
const longMs = 3_600_000
export const timeoutOf = (method: string, path: string): number =>
  method === 'POST' && (path === '/api/backups' || /^\/api\/restores\/[^/]+\/finish$/.test(path)) ? longMs : timeoutMs
const limitBytes = 64 * 1024 * 1024

const headersOf = ({ body, headers }: Sent, key: string | undefined): Record<string, string> => ({
  ...(body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }),
  ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
  ...headers,
})
const jsonOf = (body: unknown): Sent =>
  body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }

/** A path below a server's address, which may have a path of its own. */
export const urlOf = (base: URL, path: string): URL => new URL(base.pathname.replace(/\/$/, '') + path, base)

const httpSend =
  (base: URL): Send =>
  (method, path, sent, key) =>
    ask({
      method,
      url: urlOf(base, path),
      headers: headersOf(sent, key),
      body: sent.body,
      timeoutMs: timeoutOf(method, path),
      limitBytes,
    })

const httpOpen =
  (base: URL): Open =>
  (path, key) =>
    open({ method: 'GET', url: urlOf(base, path), headers: headersOf({}, key), idleMs })

/** The reply as the server would give it: it turns what is thrown into one. */
const replied = async (handle: Handler, request: Request): Promise<Reply> => {
  try {
    return await handle(request)
  } catch (error) {
    if (error instanceof FootfallError) return replyOf(error)
    throw error
  }
}

const requestOf = (method: string, target: string, sent: Sent, key: string | undefined): Request => {
  const [path = '', query = ''] = target.split('?')
  return {
    method,
    path,
    query,
    headers: { host: 'localhost', ...headersOf(sent, key) },
    body: Buffer.isBuffer(sent.body) ? sent.body : Buffer.from(sent.body ?? ''),
    address: '127.0.0.1',
  }
}

async function* bytesOf(body: Reply['body']): AsyncGenerator<Uint8Array> {
  if (typeof body === 'string' || Buffer.isBuffer(body)) yield Buffer.from(body)
  else if (body) for await (const piece of body) yield Buffer.from(piece as Uint8Array)
}

const textOf = async (body: AsyncIterable<Uint8Array>): Promise<string> => {
  const pieces: Uint8Array[] = []
  for await (const piece of body) pieces.push(piece)
  return Buffer.concat(pieces).toString()
}

const folderSend =
  (handle: Handler): Send =>
  async (method, target, sent, key) => {
    const { status, headers = {}, body } = await replied(handle, requestOf(method, target, sent, key))
    return { status, headers, text: await textOf(bytesOf(body)) }
  }

const folderOpen =
  (handle: Handler): Open =>
  async (path, key) => {
    const { status, headers = {}, body } = await replied(handle, requestOf('GET', path, {}, key))
    return { status, headers, body: bytesOf(body) }
  }

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // no JSON: not an answer of ours
  }
}

type ErrorBody = { error: string; code: string; hint: string }
const errorBody = (text: string): ErrorBody | undefined => {
  const value = parsed(text) as Partial<ErrorBody> | undefined
  return typeof value?.error === 'string' && typeof value.code === 'string'
    ? { error: value.error, code: value.code, hint: value.hint ?? '' }
    : undefined
}

const otherPort = 'Set FOOTFALL_PORT to the port of your server, or FOOTFALL_URL to its address; or stop the other program.'

/** The system's code of an error, such as ECONNREFUSED. */
const codeOf = (error: unknown): string => String((error as { code?: unknown } | undefined)?.code ?? '')

const notFootfall = (where: string, { status, headers }: Answer): Failure => {
  const location = headers['location']
  const hint = location ? `It sends on to ${location}. If that is your server, set FOOTFALL_URL to its address.` : otherPort
  return new Failure(`What answers at ${where} is not Footfall (HTTP ${status}, ${headers['content-type'] ?? 'no content type'}).`, hint, {
    code: 'not-footfall',
  })
}

/** The JSON of a 2xx reply; throws a Failure with the server's sentence and cure. */
export const readReply = (where: string, answer: Answer): unknown => {
  if (answer.status === 204) return undefined
  const value = parsed(answer.text)
  if (answer.status >= 200 && answer.status < 300 && value !== undefined) return value
  const error = errorBody(answer.text)
  if (!error) throw notFootfall(where, answer)
  throw new Failure(error.error, error.hint, { code: error.code })
}

type Ways = { send: Send; open: Open }
const httpWays = (base: URL): Ways => ({ send: httpSend(base), open: httpOpen(base) })
const folderWays = (handle: Handler): Ways => ({ send: folderSend(handle), open: folderOpen(handle) })

const clientOf = (where: string, base: URL | undefined, { send, open }: Ways, key: string, close: () => Promise<void>): Client => ({
  where,
  base,
  ask: async (method, path, body) => readReply(where, await send(method, path, jsonOf(body), key)),
  send: (method, path, sent) => send(method, path, sent, key),
  download: async (path) => {
    const { status, headers, body } = await open(path, key)
    if (status === 200 && !headers['content-type']?.startsWith('text/html')) return body
    // Throws in any case: it is no answer of ours, or one that refuses.
    readReply(where, { status, headers, text: status === 200 ? '' : await textOf(body) })
    throw notFootfall(where, { status, headers, text: '' })
  },
  close,
})

/** FOOTFALL_KEY, else the installation key of the data folder. */
export const keyOf = (config: Config): string => {
  if (config.key !== undefined) return config.key
  const path = adminKeyPath(config.data)
  try {
    return readFileSync(path, 'utf8').trim()
  } catch (cause) {
    const hint =
      'Set FOOTFALL_KEY to a key with the role own, or FOOTFALL_DATA to the data folder of the server, and run it as a user who may read it.'
    throw new Failure(`There is no key: ${path} cannot be read.`, hint, { code: 'no-key', cause })
  }
}

const unreachable = (where: string, cause: unknown): Failure => {
  if (codeOf(cause).startsWith('HPE_'))
    return new Failure(`What answers at ${where} does not speak HTTP.`, otherPort, { code: 'not-footfall', cause })
  const hint = 'Start it with `npm start`, or set FOOTFALL_URL to its address.'
  return new Failure(`The server at ${where} cannot be reached (${reasonOf(cause)}).`, hint, { code: 'unreachable', cause })
}

/** Asks without a key who is there: Footfall refuses with its own sentence. Throws a Failure; answers the reply for its headers. */
export const checkFootfall = async (base: URL): Promise<Answer> => {
  const where = base.href.replace(/\/$/, '')
  let answer: Answer
  try {
    answer = await httpSend(base)('GET', '/api/me', {}, undefined)
  } catch (cause) {
    throw unreachable(where, cause)
  }
  const error = errorBody(answer.text)
  if (!error) throw notFootfall(where, answer)
  if (answer.status >= 500) throw new Failure(error.error, error.hint, { code: error.code })
  return answer
}

const isRefused = (error: unknown): boolean => codeOf((error as Failure).cause) === 'ECONNREFUSED'

/** The address that commands try: FOOTFALL_URL where it is set, else this machine; undefined where no port is fixed. */
export const baseOf = (world: World): URL | undefined => {
  const { port, url } = world.config()
  if (world.env['FOOTFALL_URL']) return new URL(url)
  return port === 0 ? undefined : new URL(`http://127.0.0.1:${port}`)
}

/** A client of the server at an address that has shown that it is Footfall. */
export const clientAt = (base: URL, config: Config): Client =>
  clientOf(base.href.replace(/\/$/, ''), base, httpWays(base), keyOf(config), async () => undefined)

const overHttp = async (base: URL, config: Config): Promise<Client> => {
  await checkFootfall(base)
  return clientAt(base, config)
}

const overFolder = async (world: World): Promise<Client> => {
  const config = world.config()
  try {
    const { handle, adminKey, close } = await world.openFunctions(config)
    return clientOf(config.data, undefined, folderWays(handle), config.key ?? adminKey, close)
  } catch (error) {
    if (!(error instanceof FootfallError) || error.code !== 'folder-in-use') throw error
    const hint = 'A server on another port holds it: set FOOTFALL_PORT to its port.'
    throw new FootfallError('folder-in-use', {
      detail: `It is ${config.data}, and nothing listens on port ${config.port}.`,
      hint,
      cause: error,
    })
  }
}

/** The way to Footfall that stands open now. */
export const openClient = async (world: World): Promise<Client> => {
  const base = baseOf(world)
  if (!base) return overFolder(world)
  try {
    return await overHttp(base, world.config())
  } catch (error) {
    if (world.env['FOOTFALL_URL'] || !isRefused(error)) throw error
    return overFolder(world)
  }
}

/** Runs `work` with a client and closes it whatever happens. */
export const withClient = async <T>(world: World, work: (client: Client) => Promise<T>): Promise<T> => {
  const client = await openClient(world)
  try {
    return await work(client)
  } finally {
    await client.close()
  }
}
