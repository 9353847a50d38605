import type { Clock } from '../clock.ts'
import { FootfallError, replyOf } from '../errors.ts'
import type { Handler } from '../handler.ts'
import type { FunctionMetrics } from './metrics.ts'

/** So many requests are answered at once by one process. Those beyond are told at once to come again: they would wait until nobody waits for them. */
export const mostInFlight = 1_000

/** Keeps count of the requests that run, and makes handlers that take no more than that and tell the metrics of each. */
export const createMeasure = (clock: Pick<Clock, 'now'>, most: number = mostInFlight) => {
  let running = 0
  const measured =
    (handle: Handler, { answered, refused }: Pick<FunctionMetrics, 'answered' | 'refused'>): Handler =>
    async (request) => {
      const since = clock.now()
      const tell = (status: number): void => {
        answered(request.path, status, clock.now() - since)
        if (status === 429 || status === 503) refused(status)
      }
      if (running >= most) {
        tell(503)
        throw new FootfallError('overloaded', { detail: `${most} requests are being answered.` })
      }
      running++
      try {
        const reply = await handle(request)
        tell(reply.status)
        return reply
      } catch (error) {
        tell(replyOf(error).status)
        throw error
      } finally {
        running--
      }
    }
  return { inFlight: () => running, measured }
}
