import { existsSync, readFileSync } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { servicesFolder } from './downloads.ts'
import { choosePorts, hostOf, isFree, type Ports } from './ports.ts'
import { writeWhole } from './processes.ts'
import type { Server, Service } from './service.ts'

/** The servers under .services/ that a developer works with: one set of them in a checkout, found again by the next command. */

/** `.services/<name>/state.json`. What is done goes by `nodes` and `ports`, and by the file `pid` of each node; the rest is to be read. */
type State = {
  /** Whether it should run: since `up`, until `down`. */
  wanted: boolean
  nodes: number
  ports: Ports
  servers: { node: number; pid: number; address: string; log: string }[]
}

const folderOf = ({ name }: Service): string => join(servicesFolder, name)
const nodeFolder = (service: Service, node: number): string => join(folderOf(service), `n${node}`)
const stateFile = (service: Service): string => join(folderOf(service), 'state.json')

const readState = (service: Service): State | undefined =>
  existsSync(stateFile(service)) ? (JSON.parse(readFileSync(stateFile(service), 'utf8')) as State) : undefined

const nodesOf = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1)

/** The servers of a service by node; undefined where one was never started. */
const serversOf = (service: Service, { nodes, ports }: State): (Server | undefined)[] =>
  nodesOf(nodes).map((node) => service.find(nodeFolder(service, node), ports, node))

const writeState = async (service: Service, state: Omit<State, 'servers'>): Promise<void> => {
  await mkdir(folderOf(service), { recursive: true })
  const servers = serversOf(service, { ...state, servers: [] }).flatMap((server, i) =>
    server ? [{ node: i + 1, pid: server.pid, address: server.address, log: server.log }] : [],
  )
  await writeWhole(stateFile(service), JSON.stringify({ ...state, servers }, null, 2))
}

/** Ports of before where they are free, so that settings stay as they were. */
const portsFor = async (nodes: number, before: Ports | undefined): Promise<Ports> => {
  const hosts = nodesOf(nodes).map(hostOf)
  if (before && (await isFree(before.client, hosts)) && (await isFree(before.peer, hosts))) return before
  return choosePorts(nodes)
}

/** Where a service is, or will be: decided, and written down, before anything is started. */
export type Plan = { service: Service; nodes: number; ports: Ports; running: Server[]; absent: number[]; isNew: boolean }

/** Looks at what runs of a service, and decides on the rest. `nodes` undefined: as many as there were, else one. */
export const plan = async (service: Service, nodes: number | undefined): Promise<Plan> => {
  const state = readState(service)
  const count = service.clusters ? (nodes ?? state?.nodes ?? 1) : 1
  if (state && state.nodes !== count)
    throw new Error(
      `There is a ${service.name} of ${state.nodes} ${state.nodes === 1 ? 'node' : 'nodes'} with its data. To have ${count}: \`npm run services -- down --wipe --only ${service.name}\`, then \`up\` again.`,
    )
  const servers = state ? serversOf(service, state) : []
  const running = servers.filter((server) => server?.running() === true) as Server[]
  const absent = nodesOf(count).filter((node) => servers[node - 1]?.running() !== true)
  const ports = running.length > 0 ? state!.ports : await portsFor(count, state?.ports)
  await writeState(service, { wanted: true, nodes: count, ports })
  return { service, nodes: count, ports, running, absent, isNew: state === undefined }
}

export const addressesOf = ({ nodes, ports }: Pick<Plan, 'nodes' | 'ports'>): string[] =>
  nodesOf(nodes).map((node) => `${hostOf(node)}:${ports.client}`)

/** Addresses of a service that should run; undefined when it should not. */
export const wantedAddresses = (service: Service): string[] | undefined => {
  const state = readState(service)
  return state?.wanted ? addressesOf(state) : undefined
}

/** Starts what is planned and does not run; resolves when all of it is healthy. What started stays, even when another node did not. */
export const start = async ({ service, nodes, ports, running, absent }: Plan, settings: Record<string, unknown>): Promise<void> => {
  for (const server of running)
    if (!(await server.healthy()))
      throw new Error(
        `${service.name} (pid ${server.pid}) runs at ${server.address} but does not answer. See ${server.log}, or \`down\` and \`up\` again.`,
      )
  const started = await Promise.allSettled(absent.map((node) => service.start(nodeFolder(service, node), ports, { node, nodes, settings })))
  await writeState(service, { wanted: true, nodes, ports })
  const errors = started.flatMap((one) => (one.status === 'rejected' ? [one.reason] : []))
  if (errors.length > 0) throw errors.length === 1 ? errors[0] : new AggregateError(errors, errors.map(String).join('\n'))
}

export type Stopped = { server: Server; byItself: boolean }

/** Stops the servers of a service and waits for their end; its data stays unless it is wiped. */
export const down = async (service: Service, wipe: boolean): Promise<Stopped[]> => {
  const state = readState(service)
  if (!state) return []
  const running = serversOf(service, state).filter((server) => server?.running() === true) as Server[]
  const stopped = await Promise.all(running.map(async (server) => ({ server, byItself: await server.stop() })))
  if (wipe) await rm(folderOf(service), { recursive: true })
  else await writeState(service, { ...state, wanted: false })
  return stopped
}

export type Seen = { service: string; node: number; wanted: boolean; running: boolean; healthy: boolean; server: Server | undefined }

/** How the servers of a service are; none when it was never started. */
export const look = async (service: Service): Promise<Seen[]> => {
  const state = readState(service)
  if (!state) return []
  return Promise.all(
    serversOf(service, state).map(async (server, i) => ({
      service: service.name,
      node: i + 1,
      wanted: state.wanted,
      running: server?.running() === true,
      healthy: (await server?.healthy()) === true,
      server,
    })),
  )
}
