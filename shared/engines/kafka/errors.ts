import { findErrorBy } from '@platformatic/kafka'
import type { Clock } from '../../clock.ts'
import { FootfallError } from '../../errors.ts'

/** What the driver throws, as errors of ours, and a deadline for whatever is asked of it. */

const isDriverError = (error: unknown): error is Error =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' && error.code.startsWith('PLT_KFK_')

/** Whether a broker has answered with this error of Kafka's protocol, such as `OFFSET_OUT_OF_RANGE`. */
export const isAnswer = (error: unknown, apiId: string): boolean => error instanceof Error && findErrorBy(error, 'apiId', apiId) !== null

/** The newest of the errors that a driver's error is made of: the one that says what is the matter. */
const innermost = (error: Error): Error => {
  const last: unknown = error instanceof AggregateError ? error.errors.at(-1) : error.cause
  return last instanceof Error ? innermost(last) : error
}

const loginCure = 'Compare FOOTFALL_KAFKA_USER, FOOTFALL_KAFKA_PASSWORD_FILE and FOOTFALL_KAFKA_SASL with the users of the brokers.'

/** A driver's error in a few words, with Kafka's name for it where a broker has answered. */
export const wordsOf = (error: Error): string => {
  const inner = innermost(error)
  if (!('apiId' in inner) || typeof inner.apiId !== 'string') return inner.message
  const words = `${inner.apiId}: ${inner.message}`
  return inner.apiId.includes('SASL') ? `${words} ${loginCure}` : words
}

/** A driver's error as `log-unavailable`. What the driver did not throw is a bug, and stays itself. */
export const logError = (cause: unknown): unknown =>
  isDriverError(cause) ? new FootfallError('log-unavailable', { detail: `Kafka: ${wordsOf(cause)}`, cause }) : cause

/**
 * What `work` comes to, or `log-unavailable` when that takes longer than `ms`. The work goes on behind it; `late` is called then and
 * may end it.
 */
export const within = <T>(clock: Clock, ms: number, what: string, work: Promise<T>, late?: () => void): Promise<T> =>
  new Promise((resolve, reject) => {
    const cancel = clock.after(ms, () => {
      reject(new FootfallError('log-unavailable', { detail: `Kafka did not ${what} within ${ms} ms.` }))
      late?.()
    })
    work.then(resolve, (error) => reject(logError(error))).finally(cancel)
  })
