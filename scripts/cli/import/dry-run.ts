import { type LogFormat, readLogLine } from '#shared/hit/access-log.ts'
import { createAgents } from '#shared/hit/device.ts'
import { createTally } from '#shared/hit/import-tally.ts'
import { isoDay, utcDay } from '#shared/site/zone.ts'
import type { World } from '../command.ts'
import { type Piece, readLines } from './lines.ts'
import type { Log } from './log-file.ts'
import type { Progress } from './progress.ts'
import type { Outcome } from './report.ts'

/**
 * What an import would come to, told by the same code the server has, without asking it: nothing is sent, nothing is kept. The rules
 * of a site (further hosts, what it excludes, its days) are not known here.
 */
export const dryRun = async (
  log: Log,
  { site, format, isFinished }: { site: string; format: LogFormat; isFinished: boolean },
  { world, progress, signal }: { world: World; progress: Progress; signal: AbortSignal },
): Promise<Outcome> => {
  const { bytes, position } = log.open()
  const reader = readLines(bytes, isFinished)
  const agents = createAgents()
  const rules = { site, hosts: [], params: [] }
  const { tally, samples, ...count } = createTally()

  const take = (piece: Piece): void => {
    const text = piece.bytes.toString('utf8')
    let line = piece.line
    for (let from = 0; from < text.length; line++) {
      const end = text.indexOf('\n', from)
      const lineText = text.slice(from, end)
      const verdict = readLogLine(lineText, format, rules, world.clock.now())
      if ('skipped' in verdict) count.skip(line, verdict.skipped, lineText)
      else if ('unreadable' in verdict) count.unreadable(line, verdict.unreadable, lineText)
      else count.page(verdict.agent === undefined ? undefined : agents(verdict.agent).bot, utcDay(verdict.t))
      from = end + 1
    }
  }

  let next = 1
  let isStopped = false
  for await (const piece of reader.pieces) {
    take(piece)
    next = piece.line + piece.lines
    progress.show({ name: log.name, lines: next - 1, done: position(), size: log.size })
    isStopped = signal.aborted
    if (isStopped) break
  }
  const { from, to, ...sums } = tally
  const days = from === undefined || to === undefined ? null : { from: isoDay(from), to: isoDay(to) }
  const added = { ...sums, next, days }
  return { name: log.name, before: 0, added, samples, unfinished: isStopped ? undefined : reader.unfinished()?.line, isStopped }
}
