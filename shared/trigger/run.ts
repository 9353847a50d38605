import { type Clock, sleep } from '../clock.ts'
import type { Handler } from '../handler.ts'
import type { Leases } from '../ports/leases.ts'
import type { LogKeeper, LogReader } from '../ports/log.ts'
import type { Positions } from '../ports/positions.ts'
import { createLoop, type Loop, type LoopReport, limits, type Options } from './loop.ts'
import { createSchedule, type SchedulePorts } from './schedules.ts'
import { createShare } from './share.ts'
import { createSingleLoop, type SingleOptions } from './single.ts'
import type { Wish } from './stack.ts'
import { createWatch, type Watched } from './watch.ts'

/** A trigger: a loop for each partition of each topic that a function wants, and the schedules. */
export type TriggerPorts = {
  log: LogReader
  keeper: LogKeeper
  leases: Leases
  /** Of functions that take single records. */
  positions: Positions
  clock: Clock
  call: (name: string) => Handler
  /** The partitions that there are by now, of all topics. */
  partitions(): Promise<readonly number[]>
}

export type Told = {
  onFailure: Options['onFailure']
  /** Single records were passed over. */
  onSkipped: SingleOptions['onSkipped']
  onSchedule: SchedulePorts['onFailure']
  /** Records will soon be forgotten before they were taken. */
  onAlarm: (alarm: Watched) => void
  /** How long that will be cannot be asked. */
  onWatch: (error: unknown) => void
  /** Which partitions there are cannot be asked; those that are known are driven meanwhile. */
  onPartitions: (error: unknown) => void
  /** Leases cannot be reached. */
  onLeases: (error: unknown) => void
}

export type Trigger = {
  reports(): LoopReport[]
  /** What was watched last. */
  watched(): Watched[]
  /** Ends after the calls that are under way; gives up what others may take over. */
  close(): Promise<void>
}

/** Partitions are asked for anew after so long: new ones come when the log gets other topics. None ever goes. */
const partitionsMs = 5_000

/** Starts all loops and schedules. */
export const startTrigger = (wishes: readonly Wish[], ports: TriggerPorts, told: Told): Trigger => {
  const { leases, clock, call, partitions } = ports
  const abort = new AbortController()
  const share = createShare(leases, clock, told.onLeases)
  const loops: Loop[] = []
  const looping: Promise<void>[] = []
  const driven = new Set<number>()

  const drive = (partition: number): void => {
    driven.add(partition)
    for (const { name, topic, retries } of wishes) {
      if (topic === undefined) continue
      const subscription = { name, topic, partition }
      const common = { onFailure: told.onFailure, isOurs: () => share.has(partition) }
      const loop = retries
        ? createSingleLoop(subscription, ports, { ...common, retries, onSkipped: told.onSkipped })
        : createLoop(subscription, ports, { ...common, lingerMs: limits.lingerMs.remote })
      loops.push(loop)
      looping.push(loop.run(abort.signal))
    }
  }

  const drivesAll = {
    async run(signal: AbortSignal): Promise<void> {
      while (!signal.aborted) {
        try {
          for (const partition of await partitions()) if (!driven.has(partition) && !signal.aborted) drive(partition)
        } catch (error) {
          told.onPartitions(error)
        }
        await sleep(clock, partitionsMs, signal)
      }
    },
  }
  const schedules = wishes.flatMap(({ name, schedule }) =>
    schedule === undefined ? [] : [createSchedule({ name, schedule }, { leases, clock, call, onFailure: told.onSchedule })],
  )
  const watch = createWatch(loops, ports, { onAlarm: told.onAlarm, onFailure: told.onWatch })
  const running = Promise.all([share, watch, drivesAll, ...schedules].map((one) => one.run(abort.signal)))
  return {
    reports: () => loops.map((loop) => loop.report()),
    watched: watch.last,
    async close() {
      abort.abort()
      await running
      await Promise.all(looping)
    },
  }
}
