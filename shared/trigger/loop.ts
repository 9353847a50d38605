import { type Clock, hasPassed, sleep } from '../clock.ts'
import type { Handler } from '../handler.ts'
import type { Leases } from '../ports/leases.ts'
import type { LogReader, LogRecord, Topic } from '../ports/log.ts'
import { createBisection } from './bisection.ts'
import { type Batch, type BatchAnswer, CallCut, encodeBatch } from './envelope.ts'

/**
 * One loop per partition and function: reads the log in order, hands batches to the function, and goes where the function's own
 * fence says (data.md §5). It knows ports and the envelope, never what a record means. Redelivery and a second loop on the same
 * partition are harmless; what is merely down is repeated for ever, with back-off.
 */
export type Subscription = { name: string; topic: Topic; partition: number }

export type Ports = { log: LogReader; leases: Leases; clock: Clock; call: (name: string) => Handler }

/**
 * `lingerMs`: pause after a small batch. The first record after an idle time is never delayed by it. `onFailure` gets what was thrown
 * as well: the report has only its text, and whoever must mend it needs stack and cause.
 */
export type Options = {
  lingerMs: number
  onFailure: (report: LoopReport, cause: unknown) => void
  /** Whether this loop is to run now, or somebody else's on the same partition (share.ts). */
  isOurs?: () => boolean
}

export const limits = {
  records: 2_000,
  bytes: 1_000_000,
  /** An idle partition gets a tick this often, and a busy one too. */
  tickMs: 10_000,
  /** A tick that a function wants soon comes after so long: half of the time is left for batches. */
  soonMs: 500,
  leaseMs: 30_000,
  /** A loop that has no lease looks again after so long. */
  lookMs: 1_000,
  /** A batch smaller than this is followed by a pause, so that under load batches are worth their commits. */
  fullBatch: 1_000,
  /**
   * That pause, ms. Two stages linger one after the other, so a click that follows another is in the numbers so much later twice at the most.
   * `remote`: between processes a call has its price at the gateway, at the log and at Redis (docs/openfaas.md: what it costs).
   */
  lingerMs: { inProcess: 25, remote: 100 },
  firstBackOffMs: 50,
  backOffMs: 5_000,
} as const

/**
 * What a loop tells about itself: for health, metrics and the log. `end`: of the log, when it was read last; `logTime`: append time of the
 * newest record taken, or when it was caught up last. Both are `undefined` while another loop has the partition.
 */
export type LoopReport = {
  subscription: Subscription
  position: number | undefined
  end: number | undefined
  logTime: number | undefined
  taken: number
  /** Records that were passed over without having been taken; none where the function has a fence. */
  skipped: number
  /** Calls that were answered, empty ones too. */
  calls: number
  failures: number
  error: string | undefined
}

export type Loop = {
  /** Runs until `signal` aborts; resolves when the last call has come back. */
  run(signal: AbortSignal): Promise<void>
  /** Does one step: one call of the function, or a wait for records. Tests drive a loop by it. */
  step(signal?: AbortSignal, waitMs?: number): Promise<void>
  report(): LoopReport
}

export const createLoop = (
  subscription: Subscription,
  { log, leases, clock, call }: Ports,
  { lingerMs, onFailure, isOurs = () => true }: Options = { lingerMs: 0, onFailure: () => undefined },
): Loop => {
  const { name, topic, partition } = subscription
  const holder = clock.random(8).toString('hex')
  const lease = `${name}.${partition}`
  const handler = call(name)
  let position: number | undefined
  let catchup: number | undefined
  let retry = true
  let lastTick = Number.NEGATIVE_INFINITY
  let tickMs: number = limits.tickMs
  let end: number | undefined
  let logTime: number | undefined
  let taken = 0
  let calls = 0
  let failures = 0
  let error: string | undefined
  const bisection = createBisection(limits.records)
  /** The batch that the function may have died of; the next tick will tell. */
  let suspect: { first: number; last: number } | undefined

  const batchOf = async (records: LogRecord[], from: Topic, mode: Batch['mode']): Promise<Batch> => {
    const { id: logId, end: logEnd } = await log.ends(from, partition)
    const caughtUp = records.length === 0 || records.at(-1)!.offset + 1 >= logEnd
    const time = caughtUp ? clock.now() : records.at(-1)!.time
    return { topic: from, partition, logTime: time, logId, logEnd, caughtUp, retry, mode, records }
  }

  const deliver = async (batch: Batch): Promise<BatchAnswer> => {
    const { records } = batch
    const isTick = records.length === 0 && batch.mode === ''
    if (isTick) lastTick = clock.now()
    const { status, body } = await handler(encodeBatch(name, batch)).catch((cause) => {
      if (cause instanceof CallCut && records.length > 0 && batch.mode === '')
        suspect = { first: records[0]!.offset, last: records.at(-1)!.offset }
      throw cause
    })
    if (status !== 200 && status !== 409) throw new Error(`${name} answered ${status}: ${String(body)}`)
    calls++
    if (batch.topic === topic) {
      end = batch.logEnd
      logTime = batch.logTime
      taken += records.length
    }
    const answer = JSON.parse(String(body)) as BatchAnswer
    if (isTick) tickMs = 'next' in answer && answer.soon === true ? limits.soonMs : limits.tickMs
    return answer
  }

  const follow = (answer: BatchAnswer): void => {
    retry = false
    failures = 0
    error = undefined
    if ('seek' in answer) position = answer.seek
    else if ('catchup' in answer) catchup = answer.catchup
    else if (answer.ev === undefined) position = answer.next
    else {
      catchup = answer.end ? undefined : answer.ev
      position = answer.next
    }
  }

  const read = (from: Topic, offset: number, records: number, waitMs: number, signal?: AbortSignal) =>
    log.read(from, partition, offset, { records, bytes: limits.bytes, waitMs, signal })

  const catchUp = async (from: number): Promise<void> =>
    follow(await deliver(await batchOf(await read('events', from, limits.records, 0), 'events', 'catchup')))

  /** A function that answers an empty batch lives: what it died of before lies in the batch. */
  const probe = async ({ first, last }: { first: number; last: number }): Promise<void> => {
    follow(await deliver(await batchOf([], topic, '')))
    suspect = undefined
    bisection.killed(first, last)
    // Whatever it did not live to say is asked first.
    retry = true
  }

  const takeNext = async (waitMs: number, signal?: AbortSignal): Promise<void> => {
    if (suspect) return probe(suspect)
    const due = hasPassed(clock, lastTick, tickMs)
    const records = due || position === undefined ? [] : await read(topic, position, bisection.most(), Math.min(waitMs, tickMs), signal)
    if (records.length === 0 && !due && position !== undefined) return
    const isParked = records.length > 0 && bisection.isParked(records[0]!.offset)
    const batch = await batchOf(isParked ? records.slice(0, 1) : records, topic, isParked ? 'park' : '')
    follow(await deliver(batch))
    if (position !== undefined) bisection.passed(position)
    if (lingerMs > 0 && isSmall(batch)) await sleep(clock, lingerMs, signal)
  }

  /** Whether a batch was small because there was no more: not where as much waits already, as while it is caught up. */
  const isSmall = ({ records, logEnd }: Batch): boolean => {
    const last = records.at(-1)
    return last !== undefined && records.length < limits.fullBatch && logEnd - 1 - last.offset < records.length
  }

  /** Takes the partition, or leaves it to whose it is; where it stands is asked anew then. */
  const isHeld = async (): Promise<boolean> => {
    if (isOurs() && (await leases.hold(lease, holder, limits.leaseMs))) return true
    if (position !== undefined) await leases.release(lease, holder)
    position = catchup = suspect = end = logTime = undefined
    lastTick = Number.NEGATIVE_INFINITY
    retry = true
    return false
  }

  const step = async (signal?: AbortSignal, waitMs: number = limits.tickMs): Promise<void> => {
    try {
      if (!(await isHeld())) return await sleep(clock, Math.min(waitMs, limits.lookMs), signal)
      if (catchup === undefined) await takeNext(waitMs, signal)
      else await catchUp(catchup)
    } catch (cause) {
      // Nothing is moved past: whatever happened, the same batch comes again, and the function first looks at what it left behind.
      retry = true
      catchup = undefined
      failures++
      error = cause instanceof Error ? cause.message : String(cause)
      onFailure(report(), cause)
      await sleep(clock, Math.min(limits.firstBackOffMs * 2 ** Math.min(failures - 1, 10), limits.backOffMs), signal)
    }
  }

  const report = (): LoopReport => ({ subscription, position, end, logTime, taken, skipped: 0, calls, failures, error })

  const run = async (signal: AbortSignal): Promise<void> => {
    while (!signal.aborted) await step(signal)
    await leases.release(lease, holder).catch(() => undefined) // it runs out by itself
  }
  return { run, step, report }
}
