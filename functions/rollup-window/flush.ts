import { type Clock, hasPassed } from '#shared/clock.ts'
import { FootfallError } from '#shared/errors.ts'
import type { Memtables, RollupFence } from '#shared/ports/memtables.ts'
import type { Meter } from '#shared/ports/meter.ts'
import type { SealedCopy, Seals, SiteDay, Waiting } from '#shared/ports/seals.ts'
import type { Progress, Segments } from '#shared/ports/segments.ts'
import { decodeLedger, decodeRows } from '#shared/rollup/block.ts'
import { dueAt, isLedger, type LifeLimits } from '#shared/rollup/life.ts'
import { reachedMark } from '#shared/rollup/reached.ts'
import { createVisits, type Stored, storedLedger } from '#shared/rollup/stored.ts'
import { mergeRows } from '#shared/segment/merge.ts'
import type { Block, Row } from '#shared/segment/row.ts'
import { type Attempts, dayText } from './attempts.ts'
import { createPause, inTurns, type Pause, slicesOf } from './pause.ts'

/**
 * Seal and flush (data.md §9.3): F1 seal, F2 encode and store, F3 list in the manifest, F4 drop, F5 progress. Each step may be repeated, and
 * whoever finds one done goes on with the next.
 */
export type FlushPorts = { memtables: Memtables; seals: Seals; segments: Segments; progress: Progress; clock: Clock }

export const stage = 'rollup-window'

/** Throws when the blocks of a copy are not the rows that were put into it. */
const checkWhole = (copy: SealedCopy, rows: number): void => {
  if (rows === copy.rows) return
  const what = `Rows of ${copy.site}, day ${copy.day}, events ${copy.from} to ${copy.to - 1}`
  throw new FootfallError('damaged-segment', { detail: `${what}: ${rows} instead of ${copy.rows}.` })
}

/** Rows are put into columns so many at a time. */
const sliceRows = 250

const visitsOf = async (copy: SealedCopy, blocks: readonly Block[], pause: Pause): Promise<Stored> => {
  const rows: Row[] = []
  for (const block of blocks) {
    for (const row of decodeRows(block)) rows.push(row)
    await pause()
  }
  checkWhole(copy, rows.length)
  const visits = createVisits(copy)
  for (const slice of slicesOf(mergeRows(rows), sliceRows)) {
    visits.add(slice)
    await pause()
  }
  return inTurns(visits.done(), pause)
}

const ledgerOf = (copy: SealedCopy, blocks: readonly Block[]): Stored => {
  const rows = blocks.flatMap(decodeLedger)
  checkWhole(copy, rows.length)
  return storedLedger(rows, copy)
}

/** How old the oldest rows are that wait: those of a sealed copy since their seal. A copy that was flushed goes half a minute later. */
const ageOf = ({ sealed, oldest }: Waiting, now: number): number =>
  Math.max(0, ...sealed.map(({ at }) => now - at), ...(oldest === undefined ? [] : [now - oldest]))

const notFlushed = (copy: SealedCopy): string => `${dayText(copy)}, from event ${copy.from} on, could not be flushed`
const notSealed = (where: SiteDay): string => `${dayText(where)} could not be sealed`

export const createFlush = (
  { seals, segments, progress, clock }: FlushPorts,
  limits: LifeLimits,
  { attempt, inTurn }: Pick<Attempts, 'attempt' | 'inTurn'>,
  meter?: Meter,
) => {
  const flush = async (partition: number, copy: SealedCopy, logTime: number): Promise<void> => {
    const blocks = await seals.readSealed(partition, copy)
    if (!blocks) return // another has dropped it
    const pause = createPause(clock, limits.sliceMs)
    const { entry, head, chunks } = isLedger(copy) ? ledgerOf(copy, blocks) : await visitsOf(copy, blocks, pause)
    await segments.put(partition, { ...entry, level: 0, ver: 0, at: logTime }, head, chunks)
    meter?.flushed(copy.rows)
  }

  /** The next step of a sealed copy: into the manifest, and when it is there and no question needs it any more, out of the hot state. */
  const settle = async (partition: number, copy: SealedCopy, logTime: number): Promise<void> => {
    const list = await segments.list(partition, copy.site, copy.day, copy.day)
    if (!list.some(({ from, to }) => from === copy.from && to === copy.to)) await flush(partition, copy, logTime)
    if (!hasPassed(clock, copy.at, limits.holdMs)) return
    await seals.dropSealed(partition, copy)
    // Of a day that was closed meanwhile nothing is hot any more.
    const closedTo = Math.max(...list.map(({ level, to }) => (level === 1 ? to : 0)))
    if (closedTo > 0) await seals.forgetBase(partition, copy, closedTo)
  }

  /** Flushes what is due, oldest first, until `isOver`. */
  const flushDue = async (partition: number, logTime: number, isOver: () => boolean): Promise<void> => {
    const waiting = await seals.look(partition, dueAt(logTime, limits), limits.atOnce)
    const { sealed, due } = waiting
    meter?.unflushed(partition, ageOf(waiting, clock.now()))
    for (const copy of inTurn(sealed, notFlushed)) {
      if (isOver()) return
      await attempt(notFlushed(copy), () => settle(partition, copy, logTime))
    }
    for (const memtable of inTurn(due, notSealed)) if (!(await empty(partition, memtable, logTime, isOver))) return
  }

  /** Seals a memtable, copy by copy, and flushes each; false when `isOver`. A copy that fails waits for the next tick, what comes behind it does not. */
  const empty = async (partition: number, memtable: SiteDay, logTime: number, isOver: () => boolean): Promise<boolean> => {
    for (;;) {
      if (isOver()) return false
      let copy: SealedCopy | undefined
      await attempt(notSealed(memtable), async () => {
        copy = await seals.seal(partition, memtable, clock.now(), limits.flushBytes)
      })
      const sealed = copy
      if (!sealed) return true
      await attempt(notFlushed(sealed), () => settle(partition, sealed, logTime))
    }
  }

  /** Says from where a restore would begin. */
  const report = async (partition: number): Promise<void> => {
    const low = await seals.low(partition)
    const known = await progress.get(stage, partition)
    if (low && low.next > (known?.next ?? 0)) await progress.advance(stage, partition, low)
  }

  /** Says how far the state has come, so that one that falls back is known by it. */
  const reportReached = (partition: number, { next, src }: RollupFence): Promise<void> =>
    progress.advance(reachedMark, partition, { next, src })

  return { flushDue, report, reportReached }
}
