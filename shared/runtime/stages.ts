import type { Clock } from '../clock.ts'
import { FootfallError } from '../errors.ts'
import type { Handler } from '../handler.ts'
import { createLoop, type Loop, type LoopReport, limits, type Options, type Subscription } from '../trigger/loop.ts'
import type { Stores } from '../wire.ts'
import type { FunctionName } from './routes.ts'

/** The stages of the pipeline and the topics they take, driven in this process. */
export const stageNames = ['enrich-session', 'rollup-window'] as const satisfies readonly FunctionName[]

const subscriptions: readonly Subscription[] = [
  { name: 'enrich-session', topic: 'hits', partition: 0 },
  { name: 'rollup-window', topic: 'events', partition: 0 },
]

export type Stages = {
  reports(): LoopReport[]
  /**
   * Resolves when both stages have taken all that is in the log now. Rejects with what stands in the way when a stage fails again and
   * again, or at once when its partition is stopped: that ends by no waiting.
   */
  drained(): Promise<void>
  /** Ends both loops after the call they are in. */
  stop(): Promise<void>
}

/** So many failures in a row are no passing trouble any more. */
const failuresInARow = 3

const isStopped = (error: unknown): boolean => error instanceof FootfallError && error.code === 'partition-stopped'

/** Runs both stages until `stop`. */
export const runStages = (
  stores: Stores,
  handlers: ReadonlyMap<string, Handler>,
  clock: Clock,
  onFailure: Options['onFailure'],
): Stages => {
  const abort = new AbortController()
  const call = (name: string) => handlers.get(name)!
  /** What a loop has failed with last; of no meaning once its report tells no failure any more. */
  const causes = new Map<string, unknown>()
  const remember: Options['onFailure'] = (report, cause) => {
    causes.set(report.subscription.name, cause)
    onFailure(report, cause)
  }
  const loops: Loop[] = subscriptions.map((subscription) =>
    createLoop(
      subscription,
      { log: stores.log, leases: stores.leases, clock, call },
      { lingerMs: limits.lingerMs.inProcess, onFailure: remember },
    ),
  )
  const running = Promise.all(loops.map((loop) => loop.run(abort.signal)))

  const obstacleOf = ({ subscription, failures, error }: LoopReport): FootfallError | undefined => {
    const cause = causes.get(subscription.name)
    if (failures === 0 || (failures < failuresInARow && !isStopped(cause))) return undefined
    if (cause instanceof FootfallError) return cause
    return new FootfallError('internal', { detail: `${subscription.name}: ${error}`, cause })
  }

  const reached = (loop: Loop, end: number): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = () => {
        const obstacle = obstacleOf(loop.report())
        if ((loop.report().position ?? -1) >= end || abort.signal.aborted) resolve()
        else if (obstacle) reject(obstacle)
        else clock.after(2, look)
      }
      look()
    })

  return {
    reports: () => loops.map((loop) => loop.report()),
    async drained() {
      for (const [i, { topic, partition }] of subscriptions.entries())
        await reached(loops[i]!, (await stores.log.ends(topic, partition)).end)
    },
    async stop() {
      abort.abort()
      await running
    },
  }
}
