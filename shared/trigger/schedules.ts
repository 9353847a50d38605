import { type Clock, sleep } from '../clock.ts'
import type { Handler } from '../handler.ts'
import type { Leases } from '../ports/leases.ts'
import { dueAfter } from './stack.ts'

/**
 * Calls functions when they are due (cron-connector's request: POST, no body). Of several triggers the one that takes the lease of a due
 * time calls; nobody else does, so one that dies then leaves that time out. Leases that cannot be reached are asked again. A scheduled function derives its work from what is
 * stored, so a time more or less does no harm.
 */
export type Scheduled = { name: string; schedule: string }

export type SchedulePorts = {
  leases: Leases
  clock: Clock
  call: (name: string) => Handler
  /** Told of each call that failed. */
  onFailure: (name: string, error: unknown) => void
}

/** A due time is remembered this long: longer than clocks of triggers differ. */
const rememberMs = 3_600_000
/** The next due time is looked for at least so often: a clock may be set. */
const lookMs = 60_000
/** A failed call is repeated until the next one is due, after a pause that grows: a function may be deployed later than its trigger. */
const pauseMs = { first: 5_000, most: 60_000 } as const

export const createSchedule = ({ name, schedule }: Scheduled, { leases, clock, call, onFailure }: SchedulePorts) => {
  const holder = clock.random(8).toString('hex')

  const callOnce = async (): Promise<void> => {
    const { status, body } = await call(name)({
      method: 'POST',
      path: '/',
      query: '',
      headers: { 'x-topic': 'cron-function', 'x-connector': 'cron-connector' },
      body: Buffer.alloc(0),
      address: '127.0.0.1',
    })
    if (status >= 300) throw new Error(`${name} answered ${status}: ${String(body)}`)
  }

  /** Asks for the lease and calls until the answer is good or another has the lease, or until the time after it has come. */
  const run = async (due: number, next: number, signal: AbortSignal): Promise<void> => {
    for (let pause: number = pauseMs.first; !signal.aborted; pause = Math.min(2 * pause, pauseMs.most))
      try {
        if (await leases.hold(`schedule.${name}.${due}`, holder, rememberMs)) await callOnce()
        return
      } catch (error) {
        onFailure(name, error)
        if (clock.now() + pause >= next) return
        await sleep(clock, pause, signal)
      }
  }

  return {
    /** Runs until `signal` aborts: once at the start, so that what was missed is made good, then at each due time. */
    async run(signal: AbortSignal): Promise<void> {
      let due = dueAfter(schedule, clock.now())
      await run(0, due, signal)
      while (!signal.aborted) {
        const wait = due - clock.now()
        if (wait > 0) {
          await sleep(clock, Math.min(wait, lookMs), signal)
          continue
        }
        const next = dueAfter(schedule, Math.max(due, clock.now()))
        await run(due, next, signal)
        due = next
      }
    },
  }
}
