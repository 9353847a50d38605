import { timeOfLine } from '#shared/hit/access-log.ts'
import type { Sample } from '#shared/hit/import-tally.ts'
import type { Client } from '../client.ts'
import type { World } from '../command.ts'
import { gathered, readLines, sourceOf, withFirstLine } from './lines.ts'
import type { Log } from './log-file.ts'
import type { Progress } from './progress.ts'
import { between, type Outcome, together, withSamples } from './report.ts'
import { createSending, Interrupted, nothingYet, StandsEarlier, standingNow, standingOf, type Target } from './send.ts'

/** Imports one log: finds where its import stands, passes over what was taken before, and sends the rest piece by piece. */

/** Bytes of one request: large enough that its fsyncs do not count, small enough that a hit of a visitor never waits for long behind it. */
const pieceBytes = 128 * 1024

export type Task = {
  site: string
  format: string
  /** A name that tells logs apart which begin alike; '' = none. */
  sourceName: string
  /** The last line needs no end. */
  isFinished: boolean
}

export type Surroundings = { client: Client; world: World; progress: Progress; signal: AbortSignal }

type Growing = Outcome & { samples: Sample[] }

/** One reading of the log from its beginning. `outcome` grows as it goes, so that something is known also when it is cut off. */
const pass = async (log: Log, task: Task, around: Surroundings, outcome: Growing): Promise<void> => {
  const { bytes, position } = log.open()
  const reader = readLines(bytes, task.isFinished)
  const { first, pieces } = await withFirstLine(reader)
  if (first === undefined) {
    outcome.unfinished = reader.unfinished()?.line
    return
  }
  const target: Target = { ...around, site: task.site, format: task.format, source: sourceOf(first, task.sourceName) }
  const was = await standingOf(target)
  outcome.before = was.next - 1
  outcome.added = nothingYet
  outcome.samples.length = 0
  const send = createSending(target, (taken) => {
    outcome.added = together(outcome.added, taken)
    withSamples(outcome.samples, taken.samples)
  })
  let next = was.next
  try {
    for await (const piece of gathered(pieces, () => next, pieceBytes)) {
      next = await send(piece)
      around.progress.show({ name: log.name, lines: next - 1, done: position(), size: log.size })
    }
    outcome.unfinished = reader.unfinished()?.line
  } finally {
    const now = await standingNow(target)
    if (now && now.next >= was.next) outcome.added = between(was, now, outcome.added.days)
  }
}

/** Imports a log to its end, or until the signal comes. */
export const importLog = async (log: Log, task: Task, around: Surroundings): Promise<Outcome> => {
  const outcome: Growing = { name: log.name, before: 0, added: nothingYet, samples: [], unfinished: undefined, isStopped: false }
  for (;;)
    try {
      await pass(log, task, around, outcome)
      return outcome
    } catch (error) {
      if (error instanceof Interrupted) return { ...outcome, isStopped: true }
      if (!(error instanceof StandsEarlier)) throw error
      // The log is read again, from where the server stands now.
    }
}

/** When a log begins, by its first line; NaN when that says no time. */
export const beginOf = async (log: Log): Promise<number> => {
  const { first, pieces } = await withFirstLine(readLines(log.open().bytes))
  for await (const _ of pieces) break // closes it
  return first === undefined ? Number.NaN : timeOfLine(Buffer.from(first, 'latin1').toString('utf8'))
}
