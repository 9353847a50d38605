import type { Day } from '../site/zone.ts'
import type { UnreadableReason } from './access-log.ts'
import type { SkipReason } from './access-log-page.ts'

/**
 * What became of the lines of an import: read = counted + flagged + skipped + unreadable, always. Sums only; no line is kept but a few
 * samples, which go back to whoever has sent them and nowhere else.
 */
export type ImportTally = {
  read: number
  counted: number
  /** Pages that are no person's, by the reason of their flag. */
  flagged: Record<string, number>
  skipped: Record<string, number>
  unreadable: number
  /** First and last day that has pages, in the site's zone. */
  from?: Day
  to?: Day
}

export type Sample = { line: number; reason: SkipReason | UnreadableReason; text: string }

export const sampleLimits = { perReason: 2, chars: 300 } as const

/** A record without a prototype: a reason is a reason whatever it is called. */
const counts = (from: Record<string, number> = {}): Record<string, number> => Object.assign(Object.create(null), from)

export const emptyTally = (): ImportTally => ({ read: 0, counted: 0, flagged: counts(), skipped: counts(), unreadable: 0 })

const add = (sums: Record<string, number>, reason: string, n = 1): void => {
  sums[reason] = (sums[reason] ?? 0) + n
}

const withDay = (tally: ImportTally, day: Day | undefined): void => {
  if (day === undefined) return
  tally.from = Math.min(tally.from ?? day, day)
  tally.to = Math.max(tally.to ?? day, day)
}

/** Adds the sums of one tally to another. */
export const addTally = (to: ImportTally, more: ImportTally): ImportTally => {
  to.read += more.read
  to.counted += more.counted
  to.unreadable += more.unreadable
  for (const [reason, n] of Object.entries(more.flagged)) add(to.flagged, reason, n)
  for (const [reason, n] of Object.entries(more.skipped)) add(to.skipped, reason, n)
  withDay(to, more.from)
  withDay(to, more.to)
  return to
}

/** Counts line by line, and keeps the first lines of each reason as samples. */
export const createTally = () => {
  const tally = emptyTally()
  const samples: Sample[] = []
  const sampled = counts()
  const sample = (line: number, reason: Sample['reason'], text: string): void => {
    add(sampled, reason)
    if (sampled[reason]! <= sampleLimits.perReason) samples.push({ line, reason, text: text.slice(0, sampleLimits.chars) })
  }
  return {
    tally,
    samples,
    page(flag: string | undefined, day: Day): void {
      tally.read++
      if (flag === undefined) tally.counted++
      else add(tally.flagged, flag)
      withDay(tally, day)
    },
    skip(line: number, reason: SkipReason, text: string): void {
      tally.read++
      add(tally.skipped, reason)
      if (reason !== 'blank') sample(line, reason, text)
    },
    unreadable(line: number, reason: UnreadableReason, text: string): void {
      tally.read++
      tally.unreadable++
      sample(line, reason, text)
    },
  }
}
