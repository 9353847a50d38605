import { type Clock, sleep } from '../clock.ts'
import type { LogKeeper } from '../ports/log.ts'
import type { Loop, Subscription } from './loop.ts'

/**
 * Looks how much time is left until the log forgets what a function has not taken yet. What is forgotten unread is lost, and told in the
 * ledger; so somebody must hear of it a day before.
 */
export type Watched = { subscription: Subscription; headroomMs: number }

export const watchLimits = { everyMs: 60_000, alarmMs: 24 * 3_600_000 } as const

type Ports = { keeper: Pick<LogKeeper, 'headroom'>; clock: Clock }

type Told = { onAlarm: (alarm: Watched) => void; onFailure: (error: unknown) => void }

/** `onAlarm` is told at every look of each partition with less than `alarmMs` left, `onFailure` of those that could not be looked at. */
export const createWatch = (loops: readonly Pick<Loop, 'report'>[], { keeper, clock }: Ports, { onAlarm, onFailure }: Told) => {
  let last: Watched[] = []

  const lookAt = async ({ subscription, position }: ReturnType<Loop['report']>): Promise<Watched[]> => {
    if (position === undefined) return []
    try {
      const { ms } = await keeper.headroom(subscription.topic, subscription.partition, position)
      return ms === undefined ? [] : [{ subscription, headroomMs: ms }]
    } catch (error) {
      onFailure(error)
      return []
    }
  }

  const look = async (): Promise<void> => {
    last = (await Promise.all(loops.map((loop) => lookAt(loop.report())))).flat()
    for (const one of last) if (one.headroomMs < watchLimits.alarmMs) onAlarm(one)
  }

  return {
    last: () => last,
    async run(signal: AbortSignal): Promise<void> {
      while (!signal.aborted) {
        await sleep(clock, watchLimits.everyMs, signal)
        if (!signal.aborted) await look()
      }
    },
  }
}
