import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { mkdir, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { hostOf, type Ports } from './ports.ts'
import { type Identity, isRunning, kill, type Launch, launch, memoryOf, readIdentity, signal, stop, writeIdentity } from './processes.ts'

/**
 * What all servers have in common: a folder (`data/`, configuration, `log`, `pid`), a start that ends when the server is healthy, and
 * a handle. Tests start servers of their own with it, in temporary folders, and hurt them; `npm run services` does so under .services/.
 */

export type StartOptions = {
  /** Which node of how many this is; both 1 when not given. Nodes of one cluster are started at the same time, with the same ports. */
  node?: number
  nodes?: number
  /** Settings of the server, by its own names; they replace ours. */
  settings?: Readonly<Record<string, unknown>>
  /** Heap of a Java server, such as `256m`. */
  heap?: string
  /** Further options of the JVM. */
  jvm?: readonly string[]
  /** A command in front of the server's that runs it in its place (`exec`): `['prlimit', '--fsize=1000000']`, `['faketime', …]`. */
  under?: readonly string[]
  /** The server is killed when this process ends, however it ends: for tests. */
  endsWithUs?: boolean
}

/** One node as its service has to prepare it. */
export type Node = { folder: string; data: string; host: string; ports: Ports; options: StartOptions }

/** Debian packages and a file of each by which one sees that it is installed. */
export type Packages = Readonly<Record<string, string>>

/** What differs between servers. */
export type Kind = {
  name: string
  packages: Packages
  /** Jars it runs from: the folder beside this file with pom.xml and jars.sha256. */
  jars?: string
  /** Three nodes are a cluster with copies; else `--nodes` means nothing to it. */
  clusters: boolean
  /** Where it listens, where that is not the loopback address of its node. */
  host?: string
  /** Setting of Footfall that names this server, and its value for the addresses of all nodes. */
  setting?: { name: string; value(addresses: readonly string[]): string }
  /** It is given this long to start, and to end after SIGTERM. */
  startMs: number
  stopMs: number
  /** Writes the configuration; answers the command line. */
  prepare(node: Node): Promise<Launch>
  /** Whether the server answers a question at its client port, within a second or so. */
  answers(host: string, port: number): Promise<boolean>
}

/** A server that was started; it may have ended since. */
export type Server = {
  readonly service: string
  readonly folder: string
  /** `host:port` for clients. */
  readonly address: string
  readonly log: string
  readonly identity: Identity
  readonly pid: number
  running(): boolean
  /** It runs and answers. */
  healthy(): Promise<boolean>
  /** Resident bytes. */
  memory(): number | undefined
  /** SIGTERM, and SIGKILL when that does not end it; answers whether it ended by itself. */
  stop(): Promise<boolean>
  /** SIGKILL; it is gone when this resolves. */
  kill(): Promise<void>
  /** SIGSTOP and SIGCONT. */
  pause(): void
  resume(): void
}

export type Service = Kind & {
  /** Starts a server in `folder`, anew or on what is there; resolves when it is healthy. Needs `install` once. */
  start(folder: string, ports: Ports, options?: StartOptions): Promise<Server>
  /** The server that was started in `folder` with `ports`, by whichever process; undefined when none ever was. */
  find(folder: string, ports: Ports, node?: number): Server | undefined
}

const lookEveryMs = 100
const tailBytes = 3_000

const handle = (kind: Kind, folder: string, host: string, ports: Ports, identity: Identity): Server => {
  const running = () => isRunning(identity)
  return {
    service: kind.name,
    folder,
    address: `${host}:${ports.client}`,
    log: join(folder, 'log'),
    identity,
    pid: identity.pid,
    running,
    healthy: async () => running() && (await kind.answers(host, ports.client)),
    memory: () => memoryOf(identity),
    stop: () => stop(identity, kind.stopMs),
    kill: () => kill(identity),
    pause: () => void signal(identity, 'SIGSTOP'),
    resume: () => void signal(identity, 'SIGCONT'),
  }
}

/** The last lines of a log, for a message. */
export const tailOf = (path: string): string => {
  const file = openSync(path, 'r')
  try {
    const { size } = fstatSync(file)
    const buffer = Buffer.alloc(Math.min(size, tailBytes))
    readSync(file, buffer, 0, buffer.length, size - buffer.length)
    return buffer.toString().split('\n').slice(-12).join('\n').trim()
  } finally {
    closeSync(file)
  }
}

const awaitHealth = async (server: Server, withinMs: number): Promise<void> => {
  const deadline = performance.now() + withinMs
  while (!(await server.healthy())) {
    const late = performance.now() > deadline
    if (late) await server.kill()
    if (!server.running())
      throw new Error(
        `${server.service} ${late ? `did not answer at ${server.address} within ${withinMs / 1000} s` : 'ended while it started'}. The end of ${server.log}:\n${tailOf(server.log)}`,
      )
    await wait(lookEveryMs)
  }
}

/** In front of the server's command: what the caller wishes, and that the kernel kills it when we end. */
const wrapped = ({ command, args, env }: Launch, { under = [], endsWithUs = false }: StartOptions): Launch => {
  const [first, ...rest] = [...(endsWithUs ? ['setpriv', '--pdeathsig', 'KILL'] : []), ...under, command, ...args]
  return { command: first!, args: rest, ...(env && { env }) }
}

const pidFile = (folder: string): string => join(folder, 'pid')

const start = async (kind: Kind, folder: string, ports: Ports, options: StartOptions): Promise<Server> => {
  const before = readIdentity(pidFile(folder))
  if (before && isRunning(before)) throw new Error(`${kind.name} already runs in ${folder} (pid ${before.pid}): stop it first.`)
  const host = kind.host ?? hostOf(options.node ?? 1)
  const data = join(folder, 'data')
  const log = join(folder, 'log')
  await mkdir(data, { recursive: true })
  // The log of the run before is kept beside the new one.
  await rename(log, `${log}.before`).catch(ignoreMissing)
  const identity = await launch(wrapped(await kind.prepare({ folder, data, host, ports, options }), options), folder, log)
  await writeIdentity(pidFile(folder), identity)
  const server = handle(kind, folder, host, ports, identity)
  await awaitHealth(server, kind.startMs)
  return server
}

const ignoreMissing = (error: unknown): void => {
  if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
}

/** A service from what is particular to it. */
export const serviceOf = (kind: Kind): Service => ({
  ...kind,
  start: (folder, ports, options = {}) => start(kind, folder, ports, options),
  find: (folder, ports, node = 1) => {
    const identity = readIdentity(pidFile(folder))
    return identity && handle(kind, folder, kind.host ?? hostOf(node), ports, identity)
  },
})
