import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'

/** POST requests over connections that are kept. What no complete answer came to is rejected with the system's code. */
export type Answer = { status: number; body: string }
export type Post = (body: string, headers: Readonly<Record<string, string>>) => Promise<Answer>

const answerBytes = 1_000_000

const fail = (code: string, message: string) => Object.assign(new Error(message), { code })

const readAnswer = (response: IncomingMessage, resolve: (answer: Answer) => void, reject: (error: Error) => void): void => {
  let body = ''
  response.setEncoding('utf8')
  response.on('data', (piece: string) => {
    body += piece
    if (body.length > answerBytes) response.destroy(fail('EMSGSIZE', `more than ${answerBytes} bytes`))
  })
  response.on('error', reject)
  // Cut in the middle of its body there is an `end` too, but not a whole answer.
  response.on('end', () =>
    response.complete ? resolve({ status: response.statusCode ?? 0, body }) : reject(fail('ECONNRESET', 'cut off')),
  )
  response.on('close', () => reject(fail('ECONNRESET', 'cut off')))
}

export const createPost = (url: URL, options: { connections: number; timeoutMs: number }): { post: Post; close(): void } => {
  const isTls = url.protocol === 'https:'
  const Agent = isTls ? HttpsAgent : HttpAgent
  const agent = new Agent({ keepAlive: true, maxSockets: options.connections, noDelay: true })
  const send = isTls ? httpsRequest : httpRequest
  const { hostname, port, pathname } = url
  const where = { agent, hostname: hostname.replace(/^\[(.*)\]$/, '$1'), port, path: pathname, method: 'POST' }

  const post: Post = (body, headers) =>
    new Promise((resolve, reject) => {
      const own = { ...headers, 'content-type': 'text/plain', 'content-length': String(Buffer.byteLength(body)) }
      const request = send({ ...where, headers: own, timeout: options.timeoutMs }, (response) => readAnswer(response, resolve, reject))
      request.on('timeout', () => request.destroy(fail('ETIMEDOUT', `no answer in ${options.timeoutMs / 1000} s`)))
      request.on('error', reject)
      request.end(body)
    })
  return { post, close: () => agent.destroy() }
}
