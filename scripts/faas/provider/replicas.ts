import { existsSync, readFileSync } from 'node:fs'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { askHttp } from '../../services/ask.ts'
import { choosePorts, type Ports } from '../../services/ports.ts'
import { namesIn, readIdentity, stop } from '../../services/processes.ts'
import { type Server, serviceOf } from '../../services/service.ts'
import { type DataPath, type Slot, slots } from './data-path.ts'
import type { Deployment } from './deployment.ts'
import type { Images } from './images.ts'

/** The replicas of one function: processes that outlive the provider, found again by their folders. */

/** A function as it is wished: `revision` changes with each deployment, so that a replica of an older one is known; `index`: its backend. */
export type Wish = { deployment: Deployment; index: number; replicas: number; revision: number; createdAt: string }

export type Replica = { slot: number; revision: number; server: Server; isReady: boolean }

/** Requests that run when a replica is to end are given so long. */
const drainMs = 125_000
const startMs = 60_000
const stopMs = 30_000

const host = '127.0.0.1'

/** Beside each replica, for a provider that comes after this one. */
type Note = { revision: number; ports: Ports }

/** `changed` is called when other replicas take requests than before. */
export type ReplicaPorts = { folder: string; secrets: string; images: Images; dataPath: DataPath; changed(): Promise<void> }

export type Fleet = {
  readonly index: number
  all(): readonly Replica[]
  /** Finds replicas that were started by a provider before this one. */
  adopt(): Promise<void>
  /** Brings what runs closer to the wish, until it is as wished: new replicas first, then old ones go. Without a wish all go. Throws what keeps it from that. */
  fulfil(wish: () => Wish | undefined): Promise<void>
  /** Where those that take requests are. */
  routes(): Slot[]
}

export const createFleet = (name: string, index: number, { folder, secrets, images, dataPath, changed }: ReplicaPorts): Fleet => {
  const home = join(folder, name)
  const replicas: Replica[] = []

  const noteOf = (slot: number): string => join(home, String(slot), 'replica.json')

  /** Without a deployment it can be found, and not started. */
  const serviceFor = (deployment?: Deployment) =>
    serviceOf({
      name,
      packages: {},
      clusters: false,
      startMs,
      stopMs,
      prepare: async ({ folder: own, ports }) => {
        const launch = deployment && images.launchOf(deployment, { host, port: ports.client, folder: own, secrets })
        if (!launch)
          throw new Error(`There is no way to run ${deployment?.image} here: it is no function of Footfall and has no process (fprocess).`)
        return launch
      },
      answers: (at, port) => askHttp(at, port, '/_/ready'),
    })

  const freeSlot = (): number => {
    const slot = Array.from({ length: slots }, (_, i) => i).find((i) => !replicas.some((one) => one.slot === i))
    if (slot === undefined) throw new Error(`${name} has ${slots} replicas that do not end.`)
    return slot
  }

  const startOne = async ({ deployment, revision }: Wish, slot: number): Promise<void> => {
    const own = join(home, String(slot))
    await mkdir(own, { recursive: true })
    const ports = await choosePorts()
    await writeFile(noteOf(slot), JSON.stringify({ revision, ports } satisfies Note))
    const server = await serviceFor(deployment).start(own, ports)
    replicas.push({ slot, revision, server, isReady: true })
    // The files first: a data path that is started meanwhile reads them, one that cannot be told is told later what they say.
    await changed()
    await dataPath.admit(index, { slot, address: server.address })
  }

  const forget = (replica: Replica): void => {
    replicas.splice(replicas.indexOf(replica), 1)
  }

  const endOne = async (replica: Replica): Promise<void> => {
    replica.isReady = false
    await changed()
    await dataPath.drain(index, replica.slot, drainMs)
    await replica.server.stop()
    forget(replica)
    await rm(join(home, String(replica.slot)), { recursive: true, force: true })
  }

  /** Those that ended by themselves take no requests any more. */
  const dropEnded = async (): Promise<void> => {
    for (const replica of replicas.filter(({ server }) => !server.running())) {
      replica.isReady = false
      await changed()
      await dataPath.drain(index, replica.slot, 0)
      forget(replica)
    }
  }

  return {
    index,
    all: () => replicas,
    async adopt() {
      for (let slot = 0; slot < slots; slot++) {
        if (!existsSync(noteOf(slot))) continue
        const { revision, ports } = JSON.parse(readFileSync(noteOf(slot), 'utf8')) as Note
        const server = serviceFor().find(join(home, String(slot)), ports)
        if (server?.running()) replicas.push({ slot, revision, server, isReady: await server.healthy() })
      }
    },
    routes: () => replicas.flatMap(({ slot, server, isReady }) => (isReady ? [{ slot, address: server.address }] : [])),
    async fulfil(wish) {
      for (;;) {
        await dropEnded()
        const wished = wish()
        const current = replicas.filter(({ revision, isReady }) => isReady && revision === wished?.revision)
        const missing = (wished?.replicas ?? 0) - current.length
        if (wished && missing > 0) {
          // One after the other, as a rolling update has it: what starts takes the processor from what serves.
          await startOne(wished, freeSlot())
          continue
        }
        const surplus = current.slice(0, Math.max(0, -missing))
        // One that was found and does not serve may stand still for ever; or it was about to end, and what runs there may do so.
        const old = replicas.filter(({ isReady, revision }) => !isReady || revision !== wished?.revision)
        const [next] = [...old, ...surplus]
        if (!next) return
        await endOne(next)
      }
    },
  }
}

/** Ends all replicas that a provider has left in its folder, where there is no provider any more. */
export const endReplicas = async (folder: string): Promise<void> => {
  const paths = await namesIn(folder, { recursive: true })
  const identities = paths.filter((path) => basename(path) === 'pid').map((path) => readIdentity(join(folder, path)))
  await Promise.all(identities.map((identity) => identity && stop(identity, stopMs)))
}
