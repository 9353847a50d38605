import type { Hit } from './hit.ts'
import { ageLimitMs, answerLimitMs, batchLimit, byteLimit, firstPatienceMs, hitLimit, longestPatienceMs } from './limits.ts'
import { quiet, ticks } from './quiet.ts'
import { keysWith, put, remove, storage } from './storage.ts'
import { endpoint, site } from './tag.ts'

/**
 * Hits on their way. One rule: a hit is kept, here and in localStorage, until an answer about it has been read; until then it is sent
 * again, with the same id, and the server counts an id once. So an answer that nobody could read (the page was left, the line was cut)
 * costs a repeat and never a hit.
 */

/** A hit that waits: when it was made, by the wall clock and by the one that only ticks. */
export type Kept = { hit: Hit; at: number; tick: number; sent?: boolean }

/** With a character that no domain has: the hits of example.com are not those of example.com.au. */
const prefix = `_ff/${site}/`

/** Oldest first. */
let waiting: Kept[] = []
let underway = 0
let failures = 0
/** Our own back-off, and what the server asked for. */
let patientUntil = 0
let heldUntil = 0
let timer: ReturnType<typeof setTimeout> | undefined

export const stamp = (hit: Hit): Kept => ({ hit, at: Date.now(), tick: ticks() })

/**
 * How long a hit has waited. The wall clock counts the hours in which a machine slept, which the other one may leave out; where it
 * was set back, or jumps further than a hit may wait, the other one is believed.
 */
const ageOf = ({ at, tick }: Kept): number => {
  const ticked = ticks() - tick
  const passed = Date.now() - at
  return passed < ticked || passed > ageLimitMs ? ticked : passed
}

const bodyOf = (batch: readonly Kept[]): string =>
  JSON.stringify({ hits: batch.map((kept) => ({ ...kept.hit, queued: Math.round(ageOf(kept)) })) })

const isTooLong = (batch: readonly Kept[]): boolean => new Blob([bodyOf(batch)]).size > byteLimit

/** Tells the page what becomes of hits, for those who want to see it (the demo does); without a status they have just been made. */
const tell = (list: readonly Kept[], status?: number): void => {
  dispatchEvent(new CustomEvent('footfall', { detail: { hits: list.map(({ hit }) => hit), status } }))
}

const keep = (kept: Kept): void => {
  put(prefix + kept.hit.id, JSON.stringify([Date.now() - ageOf(kept), kept.hit]))
}

const forget = (list: readonly Kept[]): void => {
  waiting = waiting.filter((kept) => !list.includes(kept))
  for (const { hit } of list) remove(prefix + hit.id)
}

export const add = (kept: Kept): void => {
  if (isTooLong([kept])) return // it would be refused, and nothing behind it could ever be sent
  waiting.push(kept)
  keep(kept)
  forget(waiting.slice(0, -hitLimit))
  tell([kept])
}

/** Taken, or refused for good: then it is done. Anything else says nothing about the hits. */
const settle = (batch: readonly Kept[], answer: Response | undefined): void => {
  underway--
  for (const kept of batch) kept.sent = false
  const status = answer ? answer.status : 0
  if (status >= 200 && status < 500 && status !== 429) {
    failures = patientUntil = heldUntil = 0
    forget(batch)
    tell(batch, status)
  } else {
    patientUntil = ticks() + Math.min(firstPatienceMs * 2 ** failures++, longestPatienceMs) * (1 - Math.random() / 2)
    heldUntil = ticks() + Math.min(Number(answer?.headers.get('retry-after')) * 1_000 || 0, ageLimitMs)
  }
  flush()
}

const send = (batch: readonly Kept[], last: boolean): void => {
  const body = bodyOf(batch)
  for (const kept of batch) kept.sent = true
  // Without keepalive a request ends with its page. A beacon does not, but nobody learns what became of it: its hits stay stored, and
  // the next page asks.
  if (last && !('keepalive' in Request.prototype)) {
    navigator.sendBeacon(endpoint(), body)
    return
  }
  // Where requests cannot be given a time, the browser's own ends them.
  const signal = AbortSignal.timeout?.(answerLimitMs)
  const request = fetch(endpoint(), { method: 'POST', body, keepalive: true, signal })
  underway++
  request.catch(() => undefined).then(quiet((answer) => settle(batch, answer)))
}

/**
 * Sends the oldest hits; one request at a time, so that they arrive in order, and the next follows its answer. Only where it is the
 * `last` chance it waits for nothing but what the server has asked for.
 */
export const flush = (last = false): void => {
  clearTimeout(timer)
  const wait = Math.max(heldUntil, last ? 0 : patientUntil) - ticks()
  if (wait > 0) {
    timer = setTimeout(quiet(flush), wait)
    return
  }
  if (underway > 0 && !last) return
  forget(waiting.filter((kept) => ageOf(kept) > ageLimitMs))
  const batch = waiting.filter(({ sent }) => !sent).slice(0, batchLimit)
  while (isTooLong(batch)) batch.pop()
  if (batch[0]) send(batch, last)
}

/** The line is back: what it failed for is over. */
export const flushAgain = (): void => {
  patientUntil = 0
  flush()
}

/** The page may be gone in a moment: all that is unsettled is stored with its age as the clocks now have it, and sent. */
export const flushLast = (): void => {
  waiting.forEach(keep)
  flush(true)
}

/**
 * Takes over what pages before this one could not send; from here on this page's clocks say how old it is. What is too old goes with
 * the next flush.
 */
export const adopt = (): void =>
  keysWith(prefix).forEach(
    quiet((key) => {
      const [at, hit] = JSON.parse(storage[key]!) as [number, Hit]
      waiting.push({ hit, at, tick: ticks() - Math.max(0, Date.now() - at) })
    }),
  )

export const clear = (): void => {
  waiting = []
  keysWith(prefix).forEach(remove)
}
