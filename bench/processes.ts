import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Result, Task } from './generator.ts'

/** Starting, asking and stopping what is measured. Every process is stopped by its pid, every folder is temporary. */
const root = join(import.meta.dirname, '..')
const flags = ['--disable-warning=ExperimentalWarning', '--max-semi-space-size=64']

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })

const stop = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve()
    child.once('exit', () => resolve())
    child.kill('SIGTERM')
  })

const firstOutput = (child: ChildProcess): Promise<string> =>
  new Promise((resolve, reject) => {
    child.stdout!.once('data', (chunk: Buffer) => resolve(chunk.toString()))
    child.once('exit', (code) => reject(new Error(`ended with ${code} before it said anything`)))
  })

export const startBare = async () => {
  const child = spawn(process.execPath, [...flags, join(root, 'bench/bare.ts')], { stdio: ['ignore', 'pipe', 'inherit'] })
  const port = Number(await firstOutput(child))
  return { port, pid: child.pid!, stop: () => stop(child) }
}

export const startFootfall = (env: Record<string, string> = {}) => startOver(mkdtempSync(join(tmpdir(), 'footfall-bench-')), env)

/** `oneCore`: the server has one core, and so counts in one thread. */
const startOver = async (data: string, env: Record<string, string>, oneCore = false) => {
  const port = await freePort()
  const node = [process.execPath, ...flags, join(root, 'scripts/start.ts')]
  const [command = '', ...args] = oneCore ? ['taskset', '-c', '0', ...node] : node
  const child = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, FOOTFALL_PORT: String(port), FOOTFALL_DATA: data, FOOTFALL_LOG: 'warn', FOOTFALL_RATE: '0', ...env },
  })
  await firstOutput(child)
  const key = readFileSync(join(data, 'admin.key'), 'utf8').trim()
  // biome-ignore lint/suspicious/noExplicitAny: answers of our own API, read by the benchmarks field by field
  const ask = async (method: string, path: string, body?: unknown): Promise<any> => {
    const reply = await fetch(`http://127.0.0.1:${port}${path}`, {
      method,
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
    })
    if (!reply.ok) throw new Error(`${method} ${path}: ${reply.status} ${await reply.text()}`)
    return reply.json()
  }
  return {
    port,
    pid: child.pid!,
    data,
    key,
    ask,
    /** Stops the server and leaves the folder, for who writes into it. */
    pause: () => stop(child),
    /** Starts another server over the folder. */
    resume: (options: { oneCore?: boolean } = {}) => startOver(data, env, options.oneCore),
    async stop() {
      await stop(child)
      rmSync(data, { recursive: true, force: true })
    },
  }
}
export type Footfall = Awaited<ReturnType<typeof startFootfall>>

export const load = async (task: Partial<Task> & { port: number; path: string }): Promise<Result> => {
  const whole: Task = { connections: 64, seconds: 5, rate: 0, seed: 1, site: 'localhost', requests: 0, batch: 1, ...task }
  const child = spawn(process.execPath, [...flags, join(root, 'bench/generator.ts'), JSON.stringify(whole)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const pieces: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => pieces.push(chunk))
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
  if (code !== 0) throw new Error(`the generator ended with ${code}`)
  return JSON.parse(Buffer.concat(pieces).toString()) as Result
}

const statusMb = (pid: number, name: string): number =>
  Number(new RegExp(`${name}:\\s+(\\d+)`).exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024

/** Resident memory of a process, MB. */
export const residentMb = (pid: number): number => statusMb(pid, 'VmRSS')

/** The most that a process had resident during some work, beyond what it had before, MB. */
export const peakMb = async (pid: number, work: () => Promise<unknown>): Promise<number> => {
  // Linux: the peak begins anew.
  writeFileSync(`/proc/${pid}/clear_refs`, '5')
  const before = residentMb(pid)
  await work()
  return statusMb(pid, 'VmHWM') - before
}

/** Waits until all that was taken is counted; answers how long that took, ms. */
export const drain = async (footfall: Footfall): Promise<number> => {
  const begin = performance.now()
  for (;;) {
    const { pending } = await footfall.ask('GET', '/api/ledger?site=localhost')
    if (pending.records === 0) return performance.now() - begin
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/** Hits that the ledger of a site says were received and counted today. */
export const countedHits = async (footfall: Footfall): Promise<{ received: number; counted: number; balanced: boolean }> => {
  const { hours, balanced } = await footfall.ask('GET', '/api/ledger?site=localhost')
  const sum = (name: string) => hours.reduce((total: number, hour: Record<string, number>) => total + hour[name]!, 0)
  return { received: sum('received'), counted: sum('counted'), balanced }
}
