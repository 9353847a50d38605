import { hasPassed } from '#shared/clock.ts'
import type { LogReader, LogTrimmer } from '#shared/ports/log.ts'
import type { RollupFence } from '#shared/ports/memtables.ts'
import type { Meter } from '#shared/ports/meter.ts'
import type { Sessions } from '#shared/ports/sessions.ts'
import { type LifeLimits, lifeLimits } from '#shared/rollup/life.ts'
import { firstNeeded } from '#shared/visit/horizon.ts'
import { createAttempts, type OnError } from './attempts.ts'
import { type ClosePorts, createClose } from './close.ts'
import { createExpire, type ExpirePorts } from './expire.ts'
import { createFlush, type FlushPorts, stage } from './flush.ts'
import { createRemake, type Failures, type RemakePorts } from './remake.ts'
import { createReplay, type ReplayPorts } from './replay.ts'

/** The life of a day beside the taking of events: rows move from hot to cold, days are closed, what nobody needs any more goes. */
export type LifePorts = FlushPorts &
  ClosePorts &
  ExpirePorts &
  ReplayPorts &
  RemakePorts & { log: LogReader & LogTrimmer; sessions: Pick<Sessions, 'durable'> }

/** `onError` is told what of it fails: none of that stops the taking of events, and all is tried again. */
export const createLife = (ports: LifePorts, changed: Partial<LifeLimits>, onError: OnError, meter?: Meter) => {
  const { log, sessions, segments, progress, clock } = ports
  const limits: LifeLimits = { ...lifeLimits, ...changed }
  const attempts = createAttempts(onError)
  const { flushDue, report, reportReached } = createFlush(ports, limits, attempts, meter)
  const { closeDue } = createClose(ports, limits, attempts)
  const failures: Failures = new Map()
  const { replayDue } = createReplay(ports, failures, attempts)
  const { remakeDue } = createRemake(ports, limits, failures, attempts)
  const { expireDue } = createExpire(ports, limits, attempts, onError)
  const lookedAt = new Map<number, number>()
  const reportedAt = new Map<number, number>()

  const box = (ms: number = limits.boxMs): (() => boolean) => {
    const since = clock.now()
    return () => hasPassed(clock, since, ms)
  }

  /** Whether something is to be done again for a partition; it counts as done now. */
  const isDue = (doneAt: Map<number, number>, partition: number, everyMs: number): boolean => {
    if (!hasPassed(clock, doneAt.get(partition) ?? Number.NEGATIVE_INFINITY, everyMs)) return false
    doneAt.set(partition, clock.now())
    return true
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
    /** On a tick, with the fence that stands; `hasLog`: events can be trimmed. True when there is more to do soon: somebody may be waiting for a replay. */
    async run(partition: number, fence: RollupFence, logTime: number, hasLog = true): Promise<boolean> {
      attempts.begin()
      await flushDue(partition, logTime, box())
      await report(partition)
      await reportReached(partition, fence)
      await closeDue(partition, logTime, box(limits.closeBoxMs))
      await replayDue(partition, logTime, box())
      const soon = await remakeDue(partition, logTime, box(limits.closeBoxMs))
      // What goes for good goes by the clock where the log is ahead of it: one wrong time must not make years of rows old.
      const surely = Math.min(logTime, clock.now())
      await expireDue(partition, surely, box())
      await segments.dropSuperseded(partition, surely - limits.keepMs, limits.atOnce)
      if (hasLog) await trimEvents(partition)
      return soon
    },
    /** After a commit: a busy day must not wait for a tick. Whatever fails here, the commit is done and its answer is that. */
    async afterCommit(partition: number, fence: RollupFence): Promise<void> {
      if (isDue(lookedAt, partition, limits.lookMs))
        await attempts.attempt('what is due could not be flushed', () => flushDue(partition, fence.logTime, box()))
      if (isDue(reportedAt, partition, limits.reachedMs))
        await attempts.attempt('how far the state has come could not be kept', () => reportReached(partition, fence))
    },
  }
}
