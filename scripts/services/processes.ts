import { spawn } from 'node:child_process'
import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs'
import { readdir, rename, writeFile } from 'node:fs/promises'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as wait } from 'node:timers/promises'

/** Processes that outlive their starter, found again by a file. A signal goes only to the very process that was started. */

/** A pid alone may belong to somebody else by now: with when it started (clock ticks since boot) and of which boot, it is one process for ever. */
export type Identity = { pid: number; startTicks: string; boot: string }

const lookEveryMs = 25

const bootId = (): string => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()

const read = (path: string): string | undefined => {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined // the process has ended
  }
}

/** State letter and start of a process, from the fields behind its name, which may itself hold brackets and spaces. */
const statOf = (pid: number): { state: string; startTicks: string } | undefined => {
  const fields = read(`/proc/${pid}/stat`)
    ?.replace(/^.*\) /s, '')
    .split(' ')
  return fields && { state: fields[0]!, startTicks: fields[19]! }
}

/** Who `pid` is now; undefined when there is nobody. */
export const identify = (pid: number): Identity | undefined => {
  const stat = statOf(pid)
  return stat && { pid, startTicks: stat.startTicks, boot: bootId() }
}

/** How many threads of a process are left. */
const threadsOf = (pid: number): number => {
  try {
    return readdirSync(`/proc/${pid}/task`).length
  } catch {
    return 0 // the process has ended
  }
}

/**
 * Whether that very process runs (or is stopped by SIGSTOP). One that has ended and only waits to be reaped does not, once the last of
 * its threads has ended: until then the first may be a zombie while the others hold files and ports (seen with NATS under load).
 */
export const isRunning = ({ pid, startTicks, boot }: Identity): boolean => {
  const stat = statOf(pid)
  if (stat === undefined || stat.startTicks !== startTicks || boot !== bootId()) return false
  return !['Z', 'X'].includes(stat.state) || threadsOf(pid) > 1
}

/** Resident memory in bytes; undefined when the process has ended. */
export const memoryOf = ({ pid }: Identity): number | undefined => {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(read(`/proc/${pid}/status`) ?? '')?.[1]
  return kilobytes === undefined ? undefined : Number(kilobytes) * 1024
}

export type Launch = {
  command: string
  args: readonly string[]
  /** Beside our own environment. */
  env?: Readonly<Record<string, string>>
}

/** Starts a process in a session of its own, its output appended to the file `log`. Rejects when there is no such command. */
export const launch = ({ command, args, env = {} }: Launch, cwd: string, log: string): Promise<Identity> =>
  new Promise((resolve, reject) => {
    const output = openSync(log, 'a')
    const child = spawn(command, args, { cwd, env: { ...process.env, ...env }, detached: true, stdio: ['ignore', output, output] })
    closeSync(output)
    child.once('error', reject)
    child.once('spawn', () => {
      child.unref()
      const identity = identify(child.pid!)
      if (identity) resolve(identity)
      else reject(new Error(`${command} ended at once: see ${log}.`))
    })
  })

/** Sends a signal to that very process; answers whether it was there. */
export const signal = (identity: Identity, name: NodeJS.Signals): boolean => {
  if (!isRunning(identity)) return false
  try {
    process.kill(identity.pid, name)
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ESRCH') return false // ended since we looked
    throw error
  }
}

/** Waits until the process has ended; answers whether it did within `withinMs`. */
export const ended = async (identity: Identity, withinMs: number): Promise<boolean> => {
  const deadline = performance.now() + withinMs
  while (isRunning(identity)) {
    if (performance.now() > deadline) return false
    await wait(lookEveryMs)
  }
  return true
}

const killedWithinMs = 10_000

/** SIGKILL, and waits for the end. */
export const kill = async (identity: Identity): Promise<void> => {
  signal(identity, 'SIGKILL')
  if (!(await ended(identity, killedWithinMs)))
    throw new Error(`Process ${identity.pid} does not end even after SIGKILL: it hangs in the kernel (a dead disk?).`)
}

/** SIGTERM, and SIGKILL when it has not ended `withinMs` later; answers whether it ended by itself. */
export const stop = async (identity: Identity, withinMs: number): Promise<boolean> => {
  signal(identity, 'SIGTERM')
  signal(identity, 'SIGCONT') // one that was stopped with SIGSTOP would never see it
  if (await ended(identity, withinMs)) return true
  await kill(identity)
  return false
}

/** Keeps who the process is in a file. */
export const writeIdentity = (path: string, identity: Identity): Promise<void> => writeWhole(path, JSON.stringify(identity))

export const readIdentity = (path: string): Identity | undefined => {
  const text = read(path)
  return text === undefined ? undefined : (JSON.parse(text) as Identity)
}

/** What is in a folder, or anywhere below it; nothing where there is no folder. */
export const namesIn = async (folder: string, { recursive = false } = {}): Promise<string[]> => {
  try {
    return await readdir(folder, { recursive })
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
    throw error
  }
}

/** Writes a file so that a reader finds the old one or the new one, never half of it. */
export const writeWhole = async (path: string, text: string): Promise<void> => {
  await writeFile(`${path}.new`, text)
  await rename(`${path}.new`, path)
}

/** Runs `work` while no other process does so with the same file. The lock is SQLite's, which the system drops with its holder. */
export const alone = async <T>(path: string, work: () => Promise<T>): Promise<T> => {
  const lock = new DatabaseSync(path)
  try {
    lock.exec('BEGIN EXCLUSIVE')
  } catch (error) {
    lock.close()
    throw new Error(`Another process is at it already (${path} is locked): wait until it is done.`, { cause: error })
  }
  try {
    return await work()
  } finally {
    lock.close()
  }
}
