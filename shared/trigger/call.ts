import { Agent, request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http'
import type { Clock } from '../clock.ts'
import type { Handler } from '../handler.ts'
import { CallCut, CallLate } from './envelope.ts'

/**
 * A function at an address, as a handler: what the trigger calls, and what query-metrics asks to help it, whether a gateway or the function
 * itself listens there. Only plain http: between them lies the operator's own network.
 */

export type Caller = { handle: Handler; close(): void }

export type CallOptions = {
  /** Where the function is, such as http://127.0.0.1:8080/function/enrich-session; the path of a request is not appended. */
  url: string
  /** How long an answer may take. It is longer than whatever the function itself may take. */
  timeoutMs: number
  clock: Clock
  /** A gateway listens there: it says 502 where a function has cut the connection. */
  isGateway?: boolean
}

/**
 * Whether an answer is a gateway's word for a connection that was cut: 502 of its own or of a proxy behind it, 500 of faas-provider's. The same
 * is said when it cannot be reached at all, so who asks must see that an empty call is answered.
 */
const saysCut = (status: number, headers: IncomingHttpHeaders): boolean =>
  status === 502 || (status === 500 && headers['x-openfaas-internal'] === 'proxy')

const readBody = async (response: IncomingMessage): Promise<Buffer> => {
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

/** Throws `CallCut`, `CallLate`, or what the system says, when there is no whole answer. */
export const createCaller = ({ url, timeoutMs, clock, isGateway = false }: CallOptions): Caller => {
  const agent = new Agent({ keepAlive: true })
  const { hostname, port, pathname, search } = new URL(url)
  const target = { host: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? 80 : Number(port), path: `${pathname}${search}`, agent }

  const handle: Handler = ({ method, headers, body, signal }) =>
    new Promise((resolve, reject) => {
      const sent = Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== undefined)) as Record<string, string>
      const call = httpRequest({ ...target, method, headers: { ...sent, 'content-length': String(body.length) } })
      let isSent = false
      const cancel = clock.after(timeoutMs, () => {
        const late = `${url} has not answered within ${timeoutMs / 1000} s`
        call.destroy(isSent ? new CallLate(late) : new Error(late))
      })
      const leave = (): void => void call.destroy(new Error(`nobody waits for the answer of ${url} any more`))
      if (signal?.aborted) leave()
      signal?.addEventListener('abort', leave)
      const end = (): void => {
        cancel()
        signal?.removeEventListener('abort', leave)
      }
      const fail = (cause: Error): void => {
        end()
        const { code } = cause as NodeJS.ErrnoException
        // A kept connection that had ended before anything was written to it says nothing about the function: reused, it is no cut.
        const isCut = isSent && !call.reusedSocket && (code === 'ECONNRESET' || code === 'EPIPE')
        reject(isCut ? new CallCut(`${url} cut the connection`, { cause }) : cause)
      }
      call.on('finish', () => {
        isSent = true
      })
      call.on('error', fail)
      call.on('response', (response) => {
        readBody(response).then((whole) => {
          end()
          if (isGateway && saysCut(response.statusCode!, response.headers)) {
            reject(new CallCut(`${url} answered ${response.statusCode}: the function cut the connection, or is out of reach`))
            return
          }
          resolve({ status: response.statusCode!, headers: response.headers as Record<string, string>, body: whole })
        }, fail)
      })
      call.end(body)
    })
  return { handle, close: () => agent.destroy() }
}
