import type { Clock } from '../clock.ts'
import type { Handler } from '../handler.ts'
import { createLoop, type Loop, type LoopReport, type Subscription } from '../trigger/loop.ts'
import type { Stores } from '../wire.ts'
import type { FunctionName } from './routes.ts'

/** The stages of the pipeline and the topics they take, driven in this process. */
export const stageNames = ['enrich-session', 'rollup-window'] as const satisfies readonly FunctionName[]

const subscriptions: readonly Subscription[] = [
  { name: 'enrich-session', topic: 'hits', partition: 0 },
  { name: 'rollup-window', topic: 'events', partition: 0 },
]

/** Two stages linger one after the other: a click is in the numbers a twentieth of a second later at the most. */
const lingerMs = 25

export type Stages = {
  reports(): LoopReport[]
  /** Resolves when both stages have taken all that is in the log now. */
  drained(): Promise<void>
  /** Ends both loops after the call they are in. */
  stop(): Promise<void>
}

/** Runs both stages until `stop`. */
export const runStages = (
  stores: Stores,
  handlers: ReadonlyMap<string, Handler>,
  clock: Clock,
  onFailure: (report: LoopReport) => void,
): Stages => {
  const abort = new AbortController()
  const call = (name: string) => handlers.get(name)!
  const loops: Loop[] = subscriptions.map((subscription) =>
    createLoop(subscription, { log: stores.log, leases: stores.leases, clock, call }, { lingerMs, onFailure }),
  )
  const running = Promise.all(loops.map((loop) => loop.run(abort.signal)))

  const reached = (loop: Loop, end: number): Promise<void> =>
    new Promise((resolve) => {
      const look = () => ((loop.report().position ?? -1) >= end || abort.signal.aborted ? resolve() : clock.after(2, look))
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
