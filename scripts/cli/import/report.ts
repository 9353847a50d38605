import { unreadableReasons } from '#shared/hit/access-log.ts'
import { type SkipReason, skipReasons } from '#shared/hit/access-log-page.ts'
import { type Sample, sampleLimits } from '#shared/hit/import-tally.ts'
import { safeText } from '../print.ts'
import type { Sums } from './send.ts'

/** What is told at the end of an import, for people. */

export type Outcome = {
  name: string
  /** Lines that were imported before this run. */
  before: number
  /** What this run has added. */
  added: Sums
  samples: readonly Sample[]
  /** The line without an end that was left. */
  unfinished: number | undefined
  isStopped: boolean
}

const minus = (now: Record<string, number>, was: Record<string, number>): Record<string, number> =>
  Object.fromEntries(
    Object.entries(now)
      .map(([reason, n]) => [reason, n - (was[reason] ?? 0)] as const)
      .filter(([, n]) => n > 0),
  )

/** What has been added between two standings. The server's own sums are asked: an answer may have been lost, its lines are not. */
export const between = (was: Sums, now: Sums, days: Sums['days']): Sums => ({
  next: now.next,
  read: now.read - was.read,
  counted: now.counted - was.counted,
  flagged: minus(now.flagged, was.flagged),
  skipped: minus(now.skipped, was.skipped),
  unreadable: now.unreadable - was.unreadable,
  days,
})

/** The span of two spans. */
const withDays = (a: Sums['days'], b: Sums['days']): Sums['days'] => {
  if (!a || !b) return a ?? b
  const [from = '', , , to = ''] = [a.from, a.to, b.from, b.to].sort()
  return { from, to }
}

const plus = (a: Record<string, number>, b: Record<string, number>): Record<string, number> => {
  const sums = { ...a }
  for (const [reason, n] of Object.entries(b)) sums[reason] = (sums[reason] ?? 0) + n
  return sums
}

/** Sums of two runs of lines, the second behind the first. */
export const together = (a: Sums, b: Sums): Sums => ({
  next: b.next,
  read: a.read + b.read,
  counted: a.counted + b.counted,
  flagged: plus(a.flagged, b.flagged),
  skipped: plus(a.skipped, b.skipped),
  unreadable: a.unreadable + b.unreadable,
  days: withDays(a.days, b.days),
})

/** The first samples of each reason. */
export const withSamples = (kept: Sample[], more: readonly Sample[]): void => {
  for (const sample of more) if (kept.filter(({ reason }) => reason === sample.reason).length < sampleLimits.perReason) kept.push(sample)
}

export const whole = (value: number): string => Math.round(value).toLocaleString('en-US')
const total = (counts: Record<string, number>): number => Object.values(counts).reduce((sum, n) => sum + n, 0)
const listed = (counts: Record<string, number>): string =>
  Object.entries(counts)
    .sort(([, a], [, b]) => b - a)
    .map(([reason, n]) => `${whole(n)} ${reason}`)
    .join(', ')
const inBrackets = (text: string): string => (text === '' ? '' : ` (${text})`)
const span = (days: Sums['days']): string => (!days ? '' : days.from === days.to ? ` on ${days.from}` : ` from ${days.from} to ${days.to}`)

const sentenceOf = (reason: Sample['reason']): string =>
  reason in skipReasons ? skipReasons[reason as SkipReason] : unreadableReasons[reason as keyof typeof unreadableReasons]

const shownChars = 120
const shown = (text: string): string => safeText(text.length > shownChars ? `${text.slice(0, shownChars)}…` : text)

const sampleLines = (samples: readonly Sample[]): string[] => {
  const reasons = [...new Set(samples.map(({ reason }) => reason))]
  return reasons.flatMap((reason) => [
    `  ${reason}: ${sentenceOf(reason)}`,
    ...samples.filter((one) => one.reason === reason).map(({ line, text }) => `    line ${line}: ${shown(text)}`),
  ])
}

/** The numbers of one log. */
export const outcomeLines = ({ name, before, added, samples, unfinished, isStopped }: Outcome): string[] => {
  const { read, counted, flagged, skipped, unreadable, days } = added
  return [
    `${name}${isStopped ? ' (stopped)' : ''}`,
    ...(before > 0 ? [`  imported before  ${whole(before)} lines`] : []),
    `  read             ${whole(read)} lines`,
    `  counted          ${whole(counted)} pageviews${span(days)}`,
    `  flagged          ${whole(total(flagged))}${inBrackets(listed(flagged))}`,
    `  skipped          ${whole(total(skipped))}${inBrackets(listed(skipped))}`,
    `  unreadable       ${whole(unreadable)}`,
    ...(unfinished === undefined ? [] : [`  left             line ${unfinished}, which has no end yet (--finished takes it)`]),
    ...(samples.length === 0 ? [] : ['', '  Samples of what was not counted:', ...sampleLines(samples)]),
  ]
}

/** The sums of several logs, in one line. */
export const totalLine = (outcomes: readonly Outcome[]): string => {
  const sum = (pick: (sums: Sums) => number) => whole(outcomes.reduce((all, { added }) => all + pick(added), 0))
  const parts = [
    `${sum(({ read }) => read)} lines read`,
    `${sum(({ counted }) => counted)} pageviews counted`,
    `${sum(({ flagged }) => total(flagged))} flagged`,
    `${sum(({ skipped }) => total(skipped))} skipped`,
    `${sum(({ unreadable }) => unreadable)} unreadable`,
  ]
  return `${outcomes.length} logs: ${parts.join(', ')}`
}
