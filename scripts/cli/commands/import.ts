import { type LogFormat, logFormats } from '#shared/hit/access-log.ts'
import { siteName } from '#shared/site/domain.ts'
import { withClient } from '../client.ts'
import { type Command, Failure, siteOption, textOf, UsageError, type Values, type World } from '../command.ts'
import { dryRun } from '../import/dry-run.ts'
import { fileLog, inputLog, type Log } from '../import/log-file.ts'
import { createProgress, type Progress, terminalScreen } from '../import/progress.ts'
import { type Outcome, outcomeLines, totalLine } from '../import/report.ts'
import { beginOf, importLog } from '../import/run.ts'
import { interruption } from '../interruption.ts'

/** `footfall import`: access logs as real input, once each line, however often it is run. */

const siteOf = (values: Values): string => {
  const text = siteOption(values)
  const site = siteName(text)
  if (site) return site
  throw new UsageError(`--site is ${JSON.stringify(text)}.`, 'Name a domain without scheme and path: --site example.com.')
}

const formatOf = (values: Values): LogFormat => {
  const wanted = textOf(values, 'format') ?? 'auto'
  const format = logFormats.find((one) => one === wanted)
  if (format) return format
  throw new UsageError(`--format is ${JSON.stringify(wanted)}.`, `Give one of ${logFormats.join(', ')}.`)
}

/** The logs in the order of their time: visits that go on from one to the next are then one. */
const logsOf = async (names: readonly string[], world: World): Promise<Log[]> => {
  if (names.includes('-') && names.length > 1)
    throw new UsageError('Standard input (-) cannot be read beside files.', 'Name files, or give - alone.')
  if (names[0] === '-') return [inputLog(world)]
  const logs = names.map(fileLog)
  if (logs.length === 1) return logs
  const begins = await Promise.all(logs.map(beginOf))
  const order = (i: number) => (Number.isNaN(begins[i]) ? Number.POSITIVE_INFINITY : begins[i]!)
  return logs
    .map((log, i) => ({ log, at: order(i) }))
    .sort((a, b) => (a.at === b.at ? 0 : a.at - b.at))
    .map(({ log }) => log)
}

type Work = (log: Log, around: { progress: Progress; signal: AbortSignal }) => Promise<Outcome>

const say = (lines: readonly string[], world: World): void => {
  for (const line of lines) world.out(line)
}

/** One log after the other; what each came to is told as soon as it is done. */
const workThrough = async (logs: readonly Log[], work: Work, world: World): Promise<{ outcomes: Outcome[]; isStopped: boolean }> => {
  const { signal, end } = interruption()
  const progress = createProgress(world.clock, terminalScreen)
  const outcomes: Outcome[] = []
  try {
    for (const log of logs) {
      const outcome = await work(log, { progress, signal })
      progress.end()
      say(outcomeLines(outcome), world)
      outcomes.push(outcome)
      if (outcome.isStopped) return { outcomes, isStopped: true }
    }
  } finally {
    progress.end()
    end()
  }
  if (outcomes.length > 1) say(['', totalLine(outcomes)], world)
  return { outcomes, isStopped: false }
}

const importCommand: Command = {
  name: 'import',
  summary: 'reads access logs (Apache, Nginx, Caddy, Traefik; also gzip) into the numbers of a site, each line once',
  takes: ['FILE', '[FILE…]'],
  options: {
    site: { type: 'string', value: 'DOMAIN', help: 'the registered site they are of' },
    format: { type: 'string', value: 'FORMAT', help: 'auto (the default: each line by its looks), common, combined or json' },
    source: { type: 'string', value: 'NAME', help: 'tells logs apart that may begin with the same line, such as those of several servers' },
    finished: { type: 'boolean', help: 'take the last line also where it has no end; never for a log that is still written to' },
    'dry-run': { type: 'boolean', help: 'only read, and say what it would come to' },
  },
  more: [
    '- is standard input. Several files are taken in the order of their time; newer ones first would cut visits in two.',
    'Run it again whenever you like: it goes on behind the last line that was taken, also when the log has grown, was rotated or packed,',
    'and after any kind of interruption. Do not import days that the tracker has counted already. See docs/import.md.',
  ],
  run: async ({ values, positionals }, world) => {
    const [site, format] = [siteOf(values), formatOf(values)]
    const isFinished = values['finished'] === true
    const logs = await logsOf(positionals, world)
    if (values['dry-run'] === true) {
      const { isStopped } = await workThrough(logs, (log, around) => dryRun(log, { site, format, isFinished }, { ...around, world }), world)
      world.err("Nothing was imported. The site's own rules (hosts, exclusions) and lines imported before are not looked at; days are UTC.")
      return isStopped ? 1 : 0
    }
    const task = { site, format, isFinished, sourceName: textOf(values, 'source') ?? '' }
    return withClient(world, async (client) => {
      const { outcomes, isStopped } = await workThrough(logs, (log, around) => importLog(log, task, { ...around, client, world }), world)
      if (isStopped) throw new Failure('Stopped. What was read stays.', 'The same command goes on where this one has stopped.')
      const sums = outcomes.map(({ added }) => added)
      if (sums.every(({ read, unreadable }) => read > 0 && read === unreadable))
        throw new Failure('Not one line could be read.', 'See docs/import.md for the formats; --dry-run reads without importing.')
      return 0
    })
  },
}

export const commands: readonly Command[] = [importCommand]
