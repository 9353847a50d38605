import { hasPassed, sleep } from '../clock.ts'
import { FootfallError } from '../errors.ts'
import type { Reply } from '../handler.ts'
import type { LogRecord } from '../ports/log.ts'
import type { PositionPlace, Positions } from '../ports/positions.ts'
import { CallCut, CallLate, encodeRecord } from './envelope.ts'
import { type Loop, type LoopReport, limits, type Options, type Ports, type Subscription } from './loop.ts'
import { type Retries, waitAfter } from './retries.ts'

/**
 * One loop per partition and function for functions that know nothing of Footfall: one record a call, in order, as OpenFaaS' Kafka connector
 * has it. Such a function has no fence, so the trigger keeps the position, after each record and before the next one: whoever goes on hands
 * over again at most the record that was under way. Each record is handed over at least once.
 */
export type SinglePorts = Ports & { positions: Positions }

/** Records `[from, to)` that the function has not taken, and never will. */
export type Skipped = { subscription: Subscription; from: number; to: number; why: string }

export type SingleOptions = Pick<Options, 'onFailure' | 'isOurs'> & {
  retries: Retries
  /** Told of records that are passed over: given up after their attempts, or forgotten by the log before they were taken. */
  onSkipped: (skipped: Skipped) => void
}

export const singleLimits = {
  /** Records that are read at once, and handed over one by one. */
  records: 100,
  /** The lease is prolonged so often at the most, not for each record. */
  holdMs: 1_000,
  /** A position that does not move is kept anew: Kafka forgets one that nobody has kept for seven days. */
  keepMs: 3_600_000,
} as const

/** How a call ended: taken, worth another attempt, or no use to try again. */
type Verdict = { is: 'taken' } | { is: 'failed' | 'refused'; why: string }

export const createSingleLoop = (
  subscription: Subscription,
  { log, leases, positions, clock, call }: SinglePorts,
  { retries, onFailure, onSkipped, isOurs = () => true }: SingleOptions,
): Loop => {
  const { name, topic, partition } = subscription
  const holder = clock.random(8).toString('hex')
  const lease = `${name}.${partition}`
  const handler = call(name)
  let heldAt = Number.NEGATIVE_INFINITY
  let place: PositionPlace | undefined
  let position: number | undefined
  /** The position that was kept last, and when. */
  let kept: number | undefined
  let keptAt = Number.NEGATIVE_INFINITY
  /** Records that were read and come next. */
  let next: LogRecord[] = []
  /** Attempts at the next record that have failed, and the pause since the last one. */
  let attempts = 0
  let pause = { since: 0, ms: 0 }
  let end: number | undefined
  let logTime: number | undefined
  let taken = 0
  let skipped = 0
  let calls = 0
  let failures = 0
  let error: string | undefined

  const report = (): LoopReport => ({ subscription, position, end, logTime, taken, skipped, calls, failures, error })

  const forget = (): void => {
    place = position = kept = end = logTime = undefined
    next = []
    attempts = 0
    pause = { since: 0, ms: 0 }
  }

  /** Takes the partition, or leaves it to whose it is: what that one has kept counts, and not what is known here. */
  const isHeld = async (): Promise<boolean> => {
    if (isOurs()) {
      if (!hasPassed(clock, heldAt, singleLimits.holdMs)) return true
      if (await leases.hold(lease, holder, limits.leaseMs)) {
        heldAt = clock.now()
        return true
      }
    }
    if (place) await leases.release(lease, holder)
    heldAt = Number.NEGATIVE_INFINITY
    forget()
    return false
  }

  const failed = (cause: unknown): void => {
    failures++
    error = cause instanceof Error ? cause.message : String(cause)
    onFailure(report(), cause)
  }

  const succeeded = (): void => {
    failures = 0
    error = undefined
  }

  const skip = (from: number, to: number, why: string): void => {
    skipped += to - from
    onSkipped({ subscription, from, to, why })
  }

  const moveTo = (offset: number): void => {
    position = offset
    attempts = 0
    pause = { since: 0, ms: 0 }
  }

  /** Goes on where somebody has kept to have come, or begins with the oldest record. */
  const begin = async (): Promise<void> => {
    const { id, earliest, end: logEnd } = await log.ends(topic, partition)
    place = { topic, partition, id }
    kept = await positions.read(name, place)
    keptAt = clock.now()
    if (kept !== undefined && kept > logEnd)
      throw new FootfallError('partition-stopped', {
        detail: `${name} has taken ${topic} ${partition} up to ${kept}, and the log ends at ${logEnd}: it has lost records.`,
        hint: `Once that is understood, set the offset of the group that docs/distributed.md names to ${logEnd} or below.`,
      })
    moveTo(kept ?? earliest)
  }

  const keep = async (at: PositionPlace, offset: number): Promise<void> => {
    await positions.keep(name, at, offset)
    kept = offset
    keptAt = clock.now()
    if (attempts === 0) succeeded()
  }

  /** Reads on. The ends are asked after it: records of a topic that was made anew meanwhile are not taken for those of the old one. */
  const readOn = async (at: PositionPlace, from: number, waitMs: number, signal?: AbortSignal): Promise<void> => {
    const records = await log.read(topic, partition, from, { records: singleLimits.records, bytes: limits.bytes, waitMs, signal })
    const ends = await log.ends(topic, partition)
    if (ends.id !== at.id) throw new Error(`The topic ${topic} was made anew: ${name} begins with its oldest record.`)
    succeeded()
    end = ends.end
    const first = records[0]?.offset ?? Math.max(from, ends.earliest)
    if (first > from) {
      skip(from, first, 'the log has forgotten them before they were taken')
      moveTo(first)
    }
    next = records
    if (records.length === 0) logTime = clock.now()
  }

  const verdictOf = ({ status, headers = {}, body }: Reply): Verdict => {
    if (status >= 200 && status < 300) return { is: 'taken' }
    // OpenFaaS' own parts say so by this header where the answer is theirs and not the function's.
    const isWorthIt = retries.codes.includes(status) || headers['x-openfaas-internal'] !== undefined
    return { is: isWorthIt ? 'failed' : 'refused', why: `${name} answered ${status}: ${String(body ?? '').slice(0, 200)}` }
  }

  /** Throws where the function was not reached at all. One that has the record and does not answer may do so because of it: that counts. */
  const ask = async (record: LogRecord): Promise<Verdict> => {
    try {
      const reply = await handler(encodeRecord(name, topic, partition, record))
      calls++
      return verdictOf(reply)
    } catch (cause) {
      if (cause instanceof CallCut || cause instanceof CallLate) return { is: 'failed', why: cause.message }
      throw cause
    }
  }

  /** The record is done with, one way or the other. */
  const pass = ({ offset, time }: LogRecord): void => {
    next.shift()
    moveTo(offset + 1)
    succeeded()
    logTime = next.length === 0 && end !== undefined && offset + 1 >= end ? clock.now() : time
  }

  const handOver = async (record: LogRecord): Promise<void> => {
    const verdict = await ask(record)
    if (verdict.is === 'taken') {
      taken++
      return pass(record)
    }
    attempts++
    const { why } = verdict
    if (verdict.is === 'failed' && attempts < retries.attempts) {
      pause = { since: clock.now(), ms: waitAfter(retries, attempts) }
      return failed(new Error(`${why} (attempt ${attempts} of ${retries.attempts})`))
    }
    skip(record.offset, record.offset + 1, `${why} (given up after ${attempts === 1 ? '1 attempt' : `${attempts} attempts`})`)
    pass(record)
  }

  const takeNext = async (at: PositionPlace, from: number, waitMs: number, signal?: AbortSignal): Promise<void> => {
    if (next.length === 0)
      try {
        await readOn(at, from, waitMs, signal)
      } catch (cause) {
        // Where it stands is asked anew: the topic may be another one.
        forget()
        throw cause
      }
    const [record] = next
    if (record && !signal?.aborted) await handOver(record)
  }

  const rest = (): number => (hasPassed(clock, pause.since, pause.ms) ? 0 : pause.since + pause.ms - clock.now())

  const step = async (signal?: AbortSignal, waitMs: number = limits.tickMs): Promise<void> => {
    try {
      if (!(await isHeld())) return await sleep(clock, Math.min(waitMs, limits.lookMs), signal)
      if (place === undefined || position === undefined) return await begin()
      if (position !== kept || hasPassed(clock, keptAt, singleLimits.keepMs)) return await keep(place, position)
      // In pieces, since the lease is prolonged between them.
      if (rest() > 0) return await sleep(clock, Math.min(rest(), limits.tickMs), signal)
      await takeNext(place, position, waitMs, signal)
    } catch (cause) {
      failed(cause)
      await sleep(clock, Math.min(limits.firstBackOffMs * 2 ** Math.min(failures - 1, 10), limits.backOffMs), signal)
    }
  }

  const run = async (signal: AbortSignal): Promise<void> => {
    while (!signal.aborted) await step(signal)
    // Its last record need not be handed over again by the next one; where this fails, it is.
    if (place && position !== undefined && position !== kept) await keep(place, position).catch(failed)
    await leases.release(lease, holder).catch(() => undefined) // it runs out by itself
  }
  return { run, step, report }
}
