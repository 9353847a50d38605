import { randomBytes } from 'node:crypto'
import { createPost } from './http.ts'
import { lineOf, type Outcome, openLedger } from './ledger.ts'
import type { Plan, PlannedHit } from './plan.ts'
import { createTally, type Summary } from './tally.ts'

/**
 * Sends a plan's hits to a server at a rate. An open model: hits are due at fixed times whatever the server does; when all workers wait
 * for an answer the due ones queue, and their latency counts from when they were due. Every hit ends ok, refused or unknown.
 */
export type TrafficOptions = {
  /** Address of the server. */
  url: URL
  site: string
  plan: Plan
  /** File that every outcome is appended to. */
  ledger?: string
  /** Requests at a time. */
  workers?: number
  /** Sends as a server does: with this key, several visitors' hits in a request, each with its address, agent and time. */
  keyed?: { key: string; batch: number }
  timeoutMs?: number
}

export type Rush = {
  rate: number
  seconds: number
  /** Ends it early: nothing new is sent, what is under way ends. */
  signal?: AbortSignal
}

export type Traffic = {
  /** Sends for some seconds; may be called again and goes on with the plan. Throws `TrafficStopped`. */
  send(rush: Rush): Promise<void>
  /** Sends what is unknown again, with the same ids, until all of it is definite or `withinMs` is over; answers how many are still open. */
  settle(withinMs: number, signal?: AbortSignal): Promise<number>
  summary(): Summary
  close(): void
}

/** The server refuses the whole run: the site is not registered, or the key is wrong. */
export class TrafficStopped extends Error {
  readonly hint: string

  constructor(message: string, hint: string) {
    super(message)
    this.name = 'TrafficStopped'
    this.hint = hint
  }
}

const backOff = { firstMs: 50, mostMs: 2_000 } as const
const pumpMs = 1
/** What is due at the end may still go out this late; then it is unsent. */
const lateMs = 1_000

/** A time and 96 random bits: ids of one second lie side by side in an index, and nobody guesses one. */
const newId = (now: number): string => `${now.toString(36)}-${randomBytes(12).toString('base64url')}`

const sleep = (ms: number, signal?: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(done, ms)
    function done() {
      clearTimeout(timer)
      signal?.removeEventListener('abort', done)
      resolve()
    }
    signal?.addEventListener('abort', done)
    if (signal?.aborted) done()
  })

type Verdict = { outcome: Outcome; reason: string }
const ok: Verdict = { outcome: 'ok', reason: '' }

type Reply = { accepted?: unknown; refused?: unknown; error?: unknown; code?: unknown; hint?: unknown }
const parsed = (text: string): Reply => {
  try {
    return (JSON.parse(text) as Reply | null) ?? {}
  } catch {
    return {} // not an answer of ours
  }
}

/** What a 202 says of each hit; undefined where it is not the answer that Footfall gives. */
const verdictsOf = ({ accepted, refused }: Reply, count: number): Verdict[] | undefined => {
  if (typeof accepted !== 'number' || !Array.isArray(refused) || accepted + refused.length !== count) return undefined
  const verdicts = Array.from({ length: count }, () => ok)
  for (const { index, reason } of refused as { index: number; reason: string }[]) verdicts[index] = { outcome: 'refused', reason }
  return verdicts
}

/** What an answer means for each of its hits. Only what says so is definite. */
const judge = (status: number, body: string, count: number): Verdict[] => {
  const reply = parsed(body)
  const all = (outcome: Outcome, reason: string) => Array.from({ length: count }, (): Verdict => ({ outcome, reason }))
  if (status === 202) return verdictsOf(reply, count) ?? all('unknown', 'not an answer of Footfall')
  const code = typeof reply.code === 'string' ? reply.code : ''
  if (code === 'unknown-site' || status === 401 || status === 403) throw new TrafficStopped(String(reply.error), String(reply.hint ?? ''))
  return status >= 400 && status < 500 && code !== '' ? all('refused', code) : all('unknown', code || `HTTP ${status}`)
}

export const createTraffic = ({ url, site, plan, ledger, keyed, workers = 64, timeoutMs = 10_000 }: TrafficOptions): Traffic => {
  const { post, close } = createPost(new URL('api/hit', url.href.replace(/\/?$/, '/')), { connections: workers, timeoutMs })
  const file = openLedger(ledger)
  const tally = createTally()
  /** By id, so that a repeat of an unknown hit is one unknown hit. */
  const open = new Map<string, PlannedHit>()
  const batch = keyed?.batch ?? 1
  let unsent = 0
  let elapsedS = 0

  const bodyOf = (hit: PlannedHit): Record<string, unknown> => {
    const { visitor, screen, language, address, agent } = hit.person
    hit.id ??= newId(Date.now())
    const fields = { site, id: hit.id, ...hit.fields, visitor, screen, language }
    if (!keyed) return hit.queued > 0 ? { ...fields, queued: hit.queued } : fields
    hit.time ??= Date.now() - hit.queued
    return { ...fields, address, agent, time: hit.time }
  }

  const headersOf = ({ person }: PlannedHit): Record<string, string> =>
    keyed ? { authorization: `Bearer ${keyed.key}` } : { 'user-agent': person.agent, 'x-forwarded-for': person.address }

  const ask = async (hits: readonly PlannedHit[]): Promise<Verdict[]> => {
    const bodies = hits.map(bodyOf)
    let answer: { status: number; body: string }
    try {
      answer = await post(JSON.stringify(bodies.length === 1 ? bodies[0] : { hits: bodies }), headersOf(hits[0]!))
    } catch (cause) {
      const { code, message } = cause as { code?: string; message: string }
      return hits.map(() => ({ outcome: 'unknown', reason: code ?? message }))
    }
    return judge(answer.status, answer.body, hits.length)
  }

  /** One request to its end: sent, judged, written down. */
  const sendHits = async (hits: readonly PlannedHit[], intended: number): Promise<Verdict[]> => {
    const sent = Date.now()
    const verdicts = await ask(hits)
    const times = { intended, sent, done: Date.now() }
    file.write(hits.map((hit, i) => lineOf(hit, site, verdicts[i]!.outcome, verdicts[i]!.reason || undefined, times)))
    for (const [i, hit] of hits.entries()) {
      if (verdicts[i]!.outcome === 'unknown') open.set(hit.id!, hit)
      else open.delete(hit.id!)
    }
    return verdicts
  }

  const send = async ({ rate, seconds, signal }: Rush): Promise<void> => {
    const clockBase = Date.now() - performance.now()
    const begin = performance.now()
    const total = Math.max(1, Math.floor((rate * seconds) / batch))
    const intervalMs = (1000 * batch) / rate
    const atOf = (n: number) => begin + n * intervalMs
    let next = 0
    let busy = 0
    let failure: unknown
    let finish = () => {}
    const isOver = () => failure !== undefined || signal?.aborted || next >= total || performance.now() >= begin + seconds * 1000 + lateMs

    const work = async (): Promise<void> => {
      busy++
      while (!isOver() && atOf(next) <= performance.now()) {
        const due = atOf(next++)
        const hits = Array.from({ length: batch }, () => plan.next().hit)
        const verdicts = await sendHits(hits, clockBase + due)
        for (const { outcome, reason } of verdicts) tally.add(outcome, reason, performance.now() - due)
      }
      busy--
      if (busy === 0 && isOver()) finish()
    }
    const startWorker = () => {
      work().catch((error: unknown) => {
        failure ??= error
        busy--
        if (busy === 0) finish()
      })
    }

    await new Promise<void>((resolve) => {
      finish = resolve
      const pump = () => {
        while (!isOver() && busy < workers && atOf(next) <= performance.now()) startWorker()
        if (!isOver()) setTimeout(pump, pumpMs)
        else if (busy === 0) resolve()
      }
      pump()
    })
    elapsedS += (performance.now() - begin) / 1000
    if (!signal?.aborted) unsent += (total - next) * batch
    if (failure !== undefined) throw failure
  }

  /** Sends all that is open once more, in requests as before. */
  const sendOpen = async (): Promise<void> => {
    const all = [...open.values()]
    const groups = Array.from({ length: Math.ceil(all.length / batch) }, (_, i) => all.slice(i * batch, (i + 1) * batch))
    const worker = async () => {
      for (let group = groups.shift(); group; group = groups.shift())
        for (const { outcome, reason } of await sendHits(group, Date.now())) tally.settle(outcome, reason)
    }
    await Promise.all(Array.from({ length: Math.min(workers, groups.length) }, worker))
  }

  const settle = async (withinMs: number, signal?: AbortSignal): Promise<number> => {
    const ends = performance.now() + withinMs
    for (let pause: number = backOff.firstMs; open.size > 0 && !signal?.aborted; pause = Math.min(pause * 2, backOff.mostMs)) {
      await sendOpen()
      if (open.size === 0 || performance.now() + pause > ends) break
      await sleep(pause, signal)
    }
    return open.size
  }

  return {
    send,
    settle,
    summary: () => tally.summary(open.size, unsent, elapsedS),
    close() {
      close()
      file.close()
    },
  }
}
