import { hasPassed } from '#shared/clock.ts'
import type { LogReader, LogTrimmer } from '#shared/ports/log.ts'
import type { Sessions } from '#shared/ports/sessions.ts'
import { type LifeLimits, lifeLimits } from '#shared/rollup/life.ts'
import { firstNeeded } from '#shared/visit/horizon.ts'
import { createAttempts, type OnError } from './attempts.ts'
import { type ClosePorts, createClose } from './close.ts'
import { createExpire, type ExpirePorts } from './expire.ts'
import { createFlush, type FlushPorts, stage } from './flush.ts'

/** The life of a day beside the taking of events: rows move from hot to cold, days are closed, what nobody needs any more goes. */
export type LifePorts = FlushPorts & ClosePorts & ExpirePorts & { log: LogReader & LogTrimmer; sessions: Pick<Sessions, 'durable'> }

/** `onError` is told what of it fails: none of that stops the taking of events, and all is tried again. */
export const createLife = (ports: LifePorts, changed: Partial<LifeLimits>, onError: OnError) => {
  const { log, sessions, segments, progress, clock } = ports
  const limits: LifeLimits = { ...lifeLimits, ...changed }
  const attempts = createAttempts(onError)
  const { flushDue, report } = createFlush(ports, limits, attempts)
  const { closeDue } = createClose(ports, limits, attempts)
  const { expireDue } = createExpire(ports, limits, attempts, onError)
  const lookedAt = new Map<number, number>()

  const box = (ms: number = limits.boxMs): (() => boolean) => {
    const since = clock.now()
    return () => hasPassed(clock, since, ms)
  }

  /** Events that are folded into segments, that enrich has taken for good, and that its state depends on no more. */
  const trimEvents = async (partition: number): Promise<void> => {
    const mark = await progress.get(stage, partition)
    const taken = await sessions.durable(partition)
    if (!mark || !taken) return
    const { earliest } = await log.ends('events', partition)
    const upTo = Math.min(mark.next, taken.ev, await firstNeeded(log, partition), earliest + limits.trimEvents)
    if (upTo > earliest) await log.trim('events', partition, upTo)
  }

  return {
    /** On a tick. */
    async run(partition: number, logTime: number): Promise<void> {
      attempts.begin()
      await flushDue(partition, logTime, box())
      await report(partition)
      await closeDue(partition, logTime, box(limits.closeBoxMs))
      // What goes for good goes by the clock where the log is ahead of it: one wrong time must not make years of rows old.
      const surely = Math.min(logTime, clock.now())
      await expireDue(partition, surely, box())
      await segments.dropSuperseded(partition, surely - limits.keepMs, limits.atOnce)
      await trimEvents(partition)
    },
    /** After a commit: a busy day must not wait for a tick. Whatever fails here, the commit is done and its answer is that. */
    async afterCommit(partition: number, logTime: number): Promise<void> {
      if (!hasPassed(clock, lookedAt.get(partition) ?? Number.NEGATIVE_INFINITY, limits.lookMs)) return
      lookedAt.set(partition, clock.now())
      await attempts.attempt('what is due could not be flushed', () => flushDue(partition, logTime, box()))
    },
  }
}
