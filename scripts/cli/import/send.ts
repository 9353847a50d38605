import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { sleep } from '#shared/clock.ts'
import type { Sample } from '#shared/hit/import-tally.ts'
import { type Client, readReply, type Sent } from '../client.ts'
import { Failure, type World } from '../command.ts'
import { type Answer, reasonOf } from '../http.ts'
import { type Piece, piecesFrom } from './lines.ts'

/** One import over the API: each piece is sent until the server has it, and not before it has counted most of those before. */

/** What the server says of an import. */
export type Sums = {
  next: number
  read: number
  counted: number
  flagged: Record<string, number>
  skipped: Record<string, number>
  unreadable: number
  days: { from: string; to: string } | null
}
type Taken = Sums & { samples: Sample[] }

export const nothingYet: Sums = { next: 1, read: 0, counted: 0, flagged: {}, skipped: {}, unreadable: 0, days: null }

/** The server's import stands before what is still at hand: a backup was restored meanwhile. The log must be read again. */
export class StandsEarlier extends Error {}

/** Ended by the user in the middle of waiting. */
export class Interrupted extends Error {}

export const limits = {
  /** The server may be this many records behind; then live visitors' hits wait no longer than a moment behind the import's. */
  pendingRecords: 2_000,
  pendingLookMs: 50,
  firstBackOffMs: 250,
  backOffMs: 5_000,
  /** A server that takes nothing for so long is not coming back by itself. */
  patienceMs: 5 * 60_000,
} as const

const packed = promisify(gzip)

export type Target = { client: Client; site: string; source: string; format: string; world: World; signal: AbortSignal }

const importPath = (site: string, params: Record<string, string | number>) =>
  `/api/import?${new URLSearchParams({ site, ...Object.fromEntries(Object.entries(params).map(([name, value]) => [name, String(value)])) })}`

const askStanding = ({ client, site, source }: Target) => client.send('GET', importPath(site, { source }), {})

const standingIn = ({ client }: Target, reply: Answer): Sums => {
  const { imports } = readReply(client.where, reply) as { imports: Sums[] }
  return imports[0] ?? nothingYet
}

/** Where an import stands. */
export const standingOf = async (target: Target): Promise<Sums> =>
  standingIn(target, await untilAnswered(target, () => askStanding(target)))

/** The same by a single question; undefined where it is not answered. */
export const standingNow = async (target: Target): Promise<Sums | undefined> => {
  try {
    return standingIn(target, await askStanding(target))
  } catch {
    return undefined // it only makes a report more exact
  }
}

const mayPass = ({ status }: Answer): boolean => status === 429 || status >= 500

/** The request again and again until it is answered by more than "come again". Throws the Failure of a server that never does. */
const untilAnswered = async ({ world, signal, client }: Target, request: () => Promise<Answer>): Promise<Answer> => {
  const { clock } = world
  const until = clock.now() + limits.patienceMs
  for (let failures = 0; ; failures++) {
    let obstacle: unknown
    let waitMs = Math.min(limits.firstBackOffMs * 2 ** Math.min(failures, 10), limits.backOffMs)
    try {
      const answer = await request()
      if (!mayPass(answer)) return answer
      waitMs = Math.max(waitMs, Math.min(Number(answer.headers['retry-after'] ?? 0), 60) * 1_000)
      obstacle = `HTTP ${answer.status} ${answer.text.slice(0, 200)}`
    } catch (cause) {
      obstacle = reasonOf(cause)
    }
    if (clock.now() > until)
      throw new Failure(
        `${client.where} has not taken anything for ${limits.patienceMs / 60_000} minutes (${obstacle}).`,
        'Run the same command again: it goes on there.',
      )
    if (signal.aborted) throw new Interrupted()
    await sleep(clock, waitMs, signal)
    if (signal.aborted) throw new Interrupted()
  }
}

const isFar = ({ base }: Client): boolean => base !== undefined && !['127.0.0.1', 'localhost', '[::1]'].includes(base.hostname)

const nextOf = ({ text }: Answer): number | undefined => {
  const { code, next } = JSON.parse(text) as { code?: string; next?: number }
  return code === 'import-position' ? next : undefined
}

/** Waits until the server has counted most of what it was given. A folder opened here does that by itself. */
const waitForRoom = async (target: Target): Promise<void> => {
  const { client, site, world, signal } = target
  if (!client.base) return
  for (;;) {
    const now = world.clock.now()
    const span = { site, from: new Date(now - 1_000).toISOString(), to: new Date(now).toISOString() }
    const reply = await untilAnswered(target, () => client.send('GET', `/api/ledger?${new URLSearchParams(span)}`, {}))
    const { pending } = readReply(client.where, reply) as { pending: { records: number } }
    if (pending.records <= limits.pendingRecords / 2) return
    await sleep(world.clock, limits.pendingLookMs, signal)
    if (signal.aborted) throw new Interrupted()
  }
}

/** Sends pieces in their order. `send` answers the line to go on with, and tells what became of each piece that was taken. */
export const createSending = (target: Target, onTaken: (taken: Taken) => void) => {
  const { client, site, source, format, signal } = target
  let sentHits = 0

  const post = async (piece: Piece): Promise<Answer> => {
    const path = importPath(site, { source, line: piece.line, format })
    const headers = { 'content-type': 'text/plain' }
    const sent: Sent = isFar(client)
      ? { body: await packed(piece.bytes), headers: { ...headers, 'content-encoding': 'gzip' } }
      : { body: piece.bytes, headers }
    return untilAnswered(target, () => client.send('POST', path, sent))
  }

  const send = async (piece: Piece): Promise<number> => {
    if (signal.aborted) throw new Interrupted()
    const answer = await post(piece)
    const next = answer.status === 409 ? nextOf(answer) : undefined
    if (next === undefined) {
      const taken = readReply(client.where, answer) as Taken
      onTaken(taken)
      sentHits += taken.counted + Object.values(taken.flagged).reduce((sum, n) => sum + n, 0)
      if (sentHits >= limits.pendingRecords) {
        sentHits = 0
        await waitForRoom(target)
      }
      return taken.next
    }
    // An answer that was lost, or somebody else who imports the same log: what they have taken is done.
    if (next < piece.line) throw new StandsEarlier()
    const rest = piecesFrom(piece, next)
    return rest ? send(rest) : next
  }
  return send
}
