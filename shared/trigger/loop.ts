import { type Clock, hasPassed, sleep } from '../clock.ts'
import type { Handler } from '../handler.ts'
import type { Leases } from '../ports/leases.ts'
import type { LogReader, LogRecord, Topic } from '../ports/log.ts'
import { type Batch, type BatchAnswer, encodeBatch } from './envelope.ts'

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
export type Options = { lingerMs: number; onFailure: (report: LoopReport, cause: unknown) => void }

export const limits = {
  records: 2_000,
  bytes: 1_000_000,
  /** An idle partition gets a tick this often, and a busy one too. */
  tickMs: 10_000,
  leaseMs: 30_000,
  /** A batch smaller than this is followed by a pause, so that under load batches are worth their commits. */
  fullBatch: 1_000,
  firstBackOffMs: 50,
  backOffMs: 5_000,
} as const

/** What a loop tells about itself: for health, metrics and the log. */
export type LoopReport = { subscription: Subscription; position: number | undefined; failures: number; error: string | undefined }

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
  { lingerMs, onFailure }: Options = { lingerMs: 0, onFailure: () => undefined },
): Loop => {
  const { name, topic, partition } = subscription
  const holder = clock.random(8).toString('hex')
  const handler = call(name)
  let position: number | undefined
  let catchup: number | undefined
  let retry = true
  let lastTick = Number.NEGATIVE_INFINITY
  let failures = 0
  let error: string | undefined

  const batchOf = async (records: LogRecord[], from: Topic, mode: Batch['mode']): Promise<Batch> => {
    const { end } = await log.ends(from, partition)
    const caughtUp = records.length === 0 || records.at(-1)!.offset + 1 >= end
    const logTime = caughtUp ? clock.now() : records.at(-1)!.time
    return { topic: from, partition, logTime, logEnd: end, caughtUp, retry, mode, records }
  }

  const deliver = async (batch: Batch): Promise<BatchAnswer> => {
    if (batch.records.length === 0 && batch.mode === '') lastTick = clock.now()
    const { status, body } = await handler(encodeBatch(name, batch))
    if (status !== 200 && status !== 409) throw new Error(`${name} answered ${status}: ${String(body)}`)
    return JSON.parse(String(body))
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

  const read = (from: Topic, offset: number, waitMs: number, signal?: AbortSignal) =>
    log.read(from, partition, offset, { records: limits.records, bytes: limits.bytes, waitMs, signal })

  const catchUp = async (from: number): Promise<void> =>
    follow(await deliver(await batchOf(await read('events', from, 0), 'events', 'catchup')))

  const takeNext = async (waitMs: number, signal?: AbortSignal): Promise<void> => {
    const due = hasPassed(clock, lastTick, limits.tickMs)
    const records = due || position === undefined ? [] : await read(topic, position, waitMs, signal)
    if (records.length === 0 && !due && position !== undefined) return
    follow(await deliver(await batchOf(records, topic, '')))
    if (lingerMs > 0 && records.length > 0 && records.length < limits.fullBatch) await sleep(clock, lingerMs, signal)
  }

  const step = async (signal?: AbortSignal, waitMs: number = limits.tickMs): Promise<void> => {
    try {
      if (!(await leases.hold(`${name}.${partition}`, holder, limits.leaseMs))) return await sleep(clock, waitMs, signal)
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

  const report = (): LoopReport => ({ subscription, position, failures, error })

  const run = async (signal: AbortSignal): Promise<void> => {
    while (!signal.aborted) await step(signal)
    await leases.release(`${name}.${partition}`, holder).catch(() => undefined) // it runs out by itself
  }
  return { run, step, report }
}
