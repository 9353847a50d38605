import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'

/** One HTTP request and its whole answer. Not `fetch`, which refuses some ports and follows redirects with the key. */

export type Sent = {
  method: string
  url: URL
  headers?: Record<string, string>
  body?: string | Buffer | undefined
  timeoutMs: number
  limitBytes: number
}
export type Answer = { status: number; headers: Readonly<Record<string, string | undefined>>; text: string }

/** Rejects with the system's error (`code` ECONNREFUSED, ENOTFOUND …), ETIMEDOUT, or EMSGSIZE for an answer beyond the limit. */
export const ask = ({ method, url, headers = {}, body, timeoutMs, limitBytes }: Sent): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const send = url.protocol === 'https:' ? httpsRequest : httpRequest
    const fail = (code: string, message: string) => Object.assign(new Error(message), { code })
    const request = send(url, { method, headers, agent: false, signal: AbortSignal.timeout(timeoutMs) }, (response) => {
      const chunks: Buffer[] = []
      let bytes = 0
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length
        if (bytes > limitBytes) request.destroy(fail('EMSGSIZE', `more than ${limitBytes} bytes`))
        else chunks.push(chunk)
      })
      response.on('error', reject)
      response.on('end', () => {
        const flat = Object.fromEntries(
          Object.entries(response.headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : value]),
        )
        resolve({ status: response.statusCode ?? 0, headers: flat, text: Buffer.concat(chunks).toString('utf8') })
      })
    })
    request.on('error', (error) =>
      reject(
        error.name === 'AbortError' || error.name === 'TimeoutError' ? fail('ETIMEDOUT', `no answer in ${timeoutMs / 1000} s`) : error,
      ),
    )
    request.end(body)
  })

/** An answer that is read as it comes. Its body throws when the connection ends before it does. */
export type Opened = { status: number; headers: Readonly<Record<string, string | undefined>>; body: AsyncIterable<Uint8Array> }

/** One HTTP request whose answer may be of any length. Rejects, or ends it, when nothing came for `idleMs`. */
export const open = ({
  method,
  url,
  headers = {},
  idleMs,
}: Omit<Sent, 'body' | 'timeoutMs' | 'limitBytes'> & { idleMs: number }): Promise<Opened> =>
  new Promise((resolve, reject) => {
    const send = url.protocol === 'https:' ? httpsRequest : httpRequest
    const request = send(url, { method, headers, agent: false }, (response) =>
      resolve({ status: response.statusCode ?? 0, headers: response.headers as Opened['headers'], body: response }),
    )
    request.setTimeout(idleMs, () =>
      request.destroy(Object.assign(new Error(`nothing came for ${idleMs / 1000} s`), { code: 'ETIMEDOUT' })),
    )
    request.on('error', reject)
    request.end()
  })

/** Why there was no answer, in a word or two. */
export const reasonOf = (error: unknown): string => {
  const { code, message } = error as { code?: string; message?: string }
  return code && !message?.includes(code) ? `${code}, ${message}` : message || code || String(error)
}
