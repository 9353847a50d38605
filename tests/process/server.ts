import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** The product as its users run it: scripts/start.ts in a process of its own, on a free port, over a temporary folder. */

const root = join(import.meta.dirname, '../..')
/** Node's own flags, as `npm start` gives them. */
const startScript = (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: { start: string } }).scripts.start
const flags = startScript.split(' ').filter((word) => word.startsWith('--'))

/** Longest wait for anything at all: two busy cores are slow, a hang is endless. */
export const patienceMs = 30_000

/** Asks again and again until there is an answer. Nothing here waits for time to pass. */
export const until = async <T>(what: string, look: () => Promise<T | undefined> | T | undefined, withinMs = patienceMs): Promise<T> => {
  const ends = performance.now() + withinMs
  for (;;) {
    const found = await look()
    if (found !== undefined && found !== false) return found
    if (performance.now() > ends) throw new Error(`waited ${withinMs / 1000} s for ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const probe = createServer()
    probe.once('error', () => resolve(false))
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)))
  })

/**
 * A port below those that the system gives to clients: a client that calls a dead server's port may be given that very port for its
 * own end, talks to itself, and the server cannot come back.
 */
export const freePort = (): Promise<number> =>
  until('a free port', async () => {
    const port = 12_000 + Math.floor(Math.random() * 18_000)
    return (await isFree(port)) ? port : undefined
  })

export const aFolder = (): { path: string; remove(): void } => {
  const path = mkdtempSync(join(tmpdir(), 'footfall-process-'))
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) }
}

export type Start = { data: string; port: number; env?: Record<string, string>; uid?: number }

const environment = ({ data, port, env = {} }: Start): Record<string, string> => ({
  PATH: process.env['PATH'] ?? '',
  HOME: tmpdir(),
  FOOTFALL_PORT: String(port),
  FOOTFALL_DATA: data,
  FOOTFALL_LOG: 'warn',
  FOOTFALL_RATE: '0',
  UV_USE_IO_URING: '0', // what it writes can be watched
  ...env,
})

export type Ended = { code: number | null; signal: NodeJS.Signals | null; out: string; err: string }

/** Starts the program and gathers what it says. */
const launch = (start: Start) => {
  const { uid } = start
  const child: ChildProcess = spawn(process.execPath, [...flags, join(root, 'scripts/start.ts')], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: environment(start),
    cwd: tmpdir(),
    ...(uid === undefined ? {} : { uid, gid: uid }),
  })
  const said = { out: '', err: '' }
  child.stdout!.setEncoding('utf8').on('data', (piece: string) => {
    said.out += piece
  })
  child.stderr!.setEncoding('utf8').on('data', (piece: string) => {
    said.err += piece
  })
  const ended = new Promise<Ended>((resolve) => child.once('close', (code, signal) => resolve({ code, signal, ...said })))
  return { child, said, ended }
}

/** Runs the program where it must end by itself. */
export const runToEnd = async (start: Start): Promise<Ended> => {
  const { child, ended } = launch(start)
  const timer = setTimeout(() => child.kill('SIGKILL'), patienceMs)
  try {
    return await ended
  } finally {
    clearTimeout(timer)
  }
}

/** Starts the program and kills it after `ms`, however far it has come. */
export const killedStart = async (start: Start, ms: number): Promise<void> => {
  const { child, ended } = launch(start)
  const timer = setTimeout(() => child.kill('SIGKILL'), ms)
  await ended
  clearTimeout(timer)
}

// biome-ignore lint/suspicious/noExplicitAny: what a server answers is looked at, not trusted
type Json = any
export type Reply = { status: number; headers: Headers; body: Json }

const readBody = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** Starts the server and waits until it says that it runs. */
export const startServer = async (start: Start) => {
  const { child, said, ended } = launch(start)
  let isOver = false
  void ended.then(() => {
    isOver = true
  })
  await until('the server', () => {
    if (isOver) throw new Error(`the server ended at its start: ${said.err}`)
    return said.out.includes('Stop ') ? true : undefined
  })
  const url = `http://127.0.0.1:${start.port}`
  const key = readFileSync(join(start.data, 'admin.key'), 'utf8').trim()

  const ask = async (method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Reply> => {
    const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body)
    const reply = await fetch(url + path, {
      method,
      headers: { authorization: `Bearer ${key}`, ...headers },
      body: text,
      signal: AbortSignal.timeout(patienceMs),
      redirect: 'manual',
    })
    return { status: reply.status, headers: reply.headers, body: readBody(await reply.text()) }
  }

  /** The body of a 200 or 201; anything else is thrown. */
  const get = async (method: string, path: string, body?: unknown): Promise<Json> => {
    const reply = await ask(method, path, body)
    if (reply.status >= 300) throw new Error(`${method} ${path}: ${reply.status} ${JSON.stringify(reply.body)}`)
    return reply.body
  }

  return {
    ...start,
    url,
    key,
    pid: child.pid!,
    said,
    ended,
    isOver: () => isOver,
    ask,
    get,
    addSite: (site: string, options: Record<string, unknown> = {}) => get('POST', '/api/sites', { site, ...options }),
    /** One hit as a browser sends it, without a key. */
    hit: (hit: Record<string, unknown>, headers: Record<string, string> = {}) =>
      fetch(`${url}/api/hit`, { method: 'POST', body: JSON.stringify(hit), headers, signal: AbortSignal.timeout(patienceMs) }),
    /** The ledger of a site once all that was taken is counted. */
    settled: (site: string): Promise<Ledger> =>
      until(`all hits of ${site} to be counted`, async () => {
        const ledger = (await get('GET', `/api/ledger?site=${site}`)) as Ledger
        return ledger.pending.records === 0 ? ledger : undefined
      }),
    signal: (name: NodeJS.Signals) => child.kill(name),
    /** Ends the process with that signal and waits for its end. */
    async stop(name: NodeJS.Signals = 'SIGTERM'): Promise<Ended> {
      child.kill(name)
      return ended
    },
  }
}
export type Server = Awaited<ReturnType<typeof startServer>>

export type LedgerHour = {
  from: string
  received: number
  counted: number
  flagged: Record<string, number>
  refused: Record<string, number>
  repeated: number
  dead: number
  lost: number
}
export type Ledger = { hours: LedgerHour[]; pending: { records: number; age_ms: number }; balanced: boolean }

const add = (counts: Record<string, number>): number => Object.values(counts).reduce((sum, n) => sum + n, 0)

/** Sums of a ledger over its hours. `counted` holds the flagged too: they are kept, and left out of reports by their flag. */
export const sumsOf = ({ hours }: Ledger) => {
  const sum = (pick: (hour: LedgerHour) => number) => hours.reduce((total, hour) => total + pick(hour), 0)
  return {
    received: sum(({ received }) => received),
    counted: sum(({ counted, flagged }) => counted + add(flagged)),
    flagged: sum(({ flagged }) => add(flagged)),
    refused: sum(({ refused }) => add(refused)),
    repeated: sum(({ repeated }) => repeated),
    dead: sum(({ dead }) => dead),
    lost: sum(({ lost }) => lost),
  }
}
