import { FootfallError } from '../errors.ts'
import { type Handler, json } from '../handler.ts'
import type { LogWriter } from '../ports/log.ts'
import type { Reach } from './ready.ts'
import { type FunctionName, routeOf } from './routes.ts'

/** The public face of the functions in one process: what HAProxy does in front of the gateway. */
export const createPublicHandler = (
  functions: ReadonlyMap<FunctionName, Handler>,
  edge: { health: Handler; backups: Handler },
): Handler => {
  return (request) => {
    const route = routeOf(request.path)
    const handle = route === 'health' || route === 'backups' ? edge[route] : route && functions.get(route)
    if (!handle) return Promise.reject(new FootfallError('not-found'))
    return handle(request)
  }
}

/**
 * 200 when hits can be made durable: an append of nothing goes the whole way of a commit, writes to the disk included. `partition`: one
 * that takes hits now.
 */
export const createHealth =
  (log: LogWriter, partition: () => number | Promise<number> = () => 0): Reach =>
  async () => {
    await log.append('hits', await partition(), [])
    return json(200, { status: 'ok' }, { 'cache-control': 'no-store' })
  }
