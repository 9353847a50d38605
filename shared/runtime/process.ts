import { FootfallError } from '../errors.ts'
import type { Logger } from './log.ts'

/** How a process of ours ends: when it is told to, and when it cannot start. */

/**
 * Ends the process by `end` at SIGTERM or SIGINT: exit 0, or 1 with `unclean` in the log when it fails. Told twice it goes at once: what was
 * answered is durable, and where work goes on the fences say.
 */
export const endOnSignals = (logger: Logger, end: () => Promise<void>, unclean: string): void => {
  let isStopping = false
  const stop = async (signal: string): Promise<void> => {
    if (isStopping) process.exit(1)
    isStopping = true
    logger.info({ signal }, 'stopping')
    try {
      await end()
      process.exit(0)
    } catch (error) {
      logger.error({ err: error }, unclean)
      process.exit(1)
    }
  }
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void stop(signal))
}

/** Ends a process that could not start: with the cure where the error is one of the catalogue. */
export const endUnstarted = (name: string, error: unknown): never => {
  const text = error instanceof FootfallError ? `${error.message}\n  ${error.hint}` : String(error instanceof Error ? error.stack : error)
  process.stderr.write(`${name}: ${text}\n`)
  process.exit(1)
}
