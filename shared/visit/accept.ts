import { FootfallError } from '../errors.ts'
import type { LogRecord } from '../ports/log.ts'
import { type EventRecord, eventVersion } from './event.ts'

/**
 * Rule R4: everyone who reads `events` accepts a record only if it stands at the offset `at` that its writer meant. A misplaced
 * record was computed beside the accepted prefix, nobody takes it. Bytes that are no event have no `at` and are misplaced too.
 */
const parse = (body: string): EventRecord | undefined => {
  try {
    return JSON.parse(body) ?? undefined
  } catch {
    return undefined // no event, so it stands nowhere
  }
}

/** How many records an event says were lost; content that is damaged says nothing and stops nobody. */
const lostOf = ({ n }: { n?: Partial<EventRecord['n']> | null }): number => (Number.isSafeInteger(n?.lost) ? n!.lost! : 0)

/** A later version may say what nobody here knows: it waits for who does, instead of being guessed at. */
const checkVersion = ({ v }: { v: number }, offset: number): void => {
  if (Number.isSafeInteger(v) && v > eventVersion)
    throw new FootfallError('partition-stopped', {
      detail: `Event ${offset} is of version ${v}, and this process reads up to ${eventVersion}.`,
      hint: 'Deploy this function in the version that wrote it (docs/operations.md, upgrade); nothing is skipped meanwhile.',
    })
}

/**
 * The accepted events among `records`, in order. `lastSrc` is the greatest hits offset taken before (`undefined` = unknown, the
 * first one sets it). Accepted offsets are consecutive, with a gap only where an event says how much was lost;
 * anything else throws `partition-stopped`.
 */
export const acceptEvents = (records: readonly LogRecord[], lastSrc: number | undefined): { offset: number; event: EventRecord }[] => {
  const accepted: { offset: number; event: EventRecord }[] = []
  let last = lastSrc
  for (const { offset, body } of records) {
    const event = parse(body)
    if (event?.at !== offset) continue
    checkVersion(event, offset)
    if (last !== undefined && event.src !== last + Math.max(1, lostOf(event)))
      throw new FootfallError('partition-stopped', { detail: `Event ${offset} is about hit record ${event.src}, after ${last}.` })
    last = event.src
    accepted.push({ offset, event })
  }
  return accepted
}
