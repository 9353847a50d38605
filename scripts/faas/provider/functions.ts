import { existsSync, readFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { writeWhole } from '../../services/processes.ts'
import { type DataPathPlace, type Route, writeDataPath } from './data-path.ts'
import { type Deployment, most, refusalOf, scaleOf } from './deployment.ts'
import { createFleet, type Fleet, type ReplicaPorts, type Wish } from './replicas.ts'

/**
 * The functions that were deployed: what is wished is kept in a file, and one worker per function brings what runs closer to it, again and again.
 */

/** `status` is what the API answers. */
export class Refused extends Error {
  readonly status: number

  constructor(status: number, text: string) {
    super(text)
    this.status = status
  }
}

/** How many replicas take requests, how many of these are of the newest deployment, and how many there are, those that end too. */
export type Seen = Wish & { available: number; updated: number; running: number }

const lookEveryMs = 1_000

export const createFunctions = (
  ports: Omit<ReplicaPorts, 'changed'> & { place: DataPathPlace },
  onError: (name: string, error: unknown) => void,
) => {
  const file = join(ports.folder, 'functions.json')
  const wishes = new Map<string, Wish>(existsSync(file) ? Object.entries(JSON.parse(readFileSync(file, 'utf8'))) : [])
  const fleets = new Map<string, Fleet>()
  const busy = new Map<string, Promise<void>>()
  let lastRevision = Math.max(0, ...[...wishes.values()].map(({ revision }) => revision))

  const save = async (): Promise<void> => {
    await mkdir(ports.folder, { recursive: true })
    await writeWhole(file, JSON.stringify(Object.fromEntries(wishes), null, 2))
  }

  const wishOf = (name: string): Wish => {
    const wish = wishes.get(name)
    if (!wish) throw new Refused(404, `No such function: ${name}`)
    return wish
  }

  const fleetOf = (name: string): Fleet => {
    const known = fleets.get(name)
    if (known) return known
    const fleet = createFleet(name, wishOf(name).index, { ...ports, changed: writeFiles })
    fleets.set(name, fleet)
    return fleet
  }

  const routes = (): Route[] => [...wishes].map(([name, { index }]) => ({ name, index, slots: fleets.get(name)?.routes() ?? [] }))

  /** Writes one after the other: each has what is there when it begins. */
  let written: Promise<void> = Promise.resolve()
  const writeFiles = (): Promise<void> => {
    written = written.catch(() => undefined).then(() => writeDataPath(ports.place, routes()))
    return written
  }

  /** A backend of which no function's replicas are left. */
  const freeIndex = (): number => {
    const taken = new Set([...[...wishes.values()].map(({ index }) => index), ...[...fleets.values()].map(({ index }) => index)])
    const index = Array.from({ length: most.functions }, (_, i) => i).find((i) => !taken.has(i))
    if (index === undefined)
      throw new Refused(400, `There are ${most.functions} functions already, or some that still end: remove one, or wait.`)
    return index
  }

  /** One at a time for each function; what is wished meanwhile is seen by the one that runs. */
  const work = (name: string): Promise<void> => {
    const running = busy.get(name)
    if (running) return running
    const fleet = fleetOf(name)
    const done = fleet
      .fulfil(() => wishes.get(name))
      .catch((error: unknown) => onError(name, error))
      .finally(() => {
        busy.delete(name)
        if (!wishes.has(name) && fleet.all().length === 0) fleets.delete(name)
      })
    busy.set(name, done)
    return done
  }

  const tell = (dataPath: Promise<void>): Promise<void> => dataPath.catch((error: unknown) => onError('data-path', error))
  /** The data path may be away, or be started anew: then it is told all of it, as soon as it is there. */
  const follow = (): Promise<void> => tell(ports.dataPath.follow(routes))

  /** Processes end by themselves too, and starts fail. */
  const look = async (): Promise<void> => {
    await follow()
    for (const name of fleets.keys()) void work(name)
  }
  let looked: Promise<void> | undefined
  const looking = setInterval(() => {
    looked ??= look().finally(() => {
      looked = undefined
    })
  }, lookEveryMs)

  const seen = (name: string): Seen => {
    const wish = wishOf(name)
    const all = fleetOf(name).all()
    const ready = all.filter(({ isReady }) => isReady)
    const updated = ready.filter(({ revision }) => revision === wish.revision)
    return { ...wish, available: ready.length, updated: updated.length, running: all.length }
  }

  const check = (deployment: Deployment): void => {
    const refusal = refusalOf(deployment)
    if (refusal !== undefined) throw new Refused(400, `${deployment.service}: ${refusal}`)
  }

  return {
    /** Takes up what was wished before this process began. */
    async begin(): Promise<void> {
      await Promise.all([...wishes.keys()].map((name) => fleetOf(name).adopt()))
      await writeFiles()
      await follow()
      for (const name of wishes.keys()) void work(name)
    },
    all: (): Seen[] => [...wishes.keys()].map(seen),
    one: seen,
    replicas: (name: string) => {
      wishOf(name)
      return fleetOf(name).all()
    },
    async deploy(deployment: Deployment, isUpdate: boolean): Promise<void> {
      const name = deployment.service
      const before = wishes.get(name)
      if (isUpdate) wishOf(name)
      check(deployment)
      const { min, max } = scaleOf(deployment)
      const replicas = Math.min(max, Math.max(min, before?.replicas ?? min))
      const index = before?.index ?? fleets.get(name)?.index ?? freeIndex()
      wishes.set(name, { deployment, index, replicas, revision: ++lastRevision, createdAt: new Date().toISOString() })
      await save()
      await writeFiles()
      if (!before) await tell(ports.dataPath.name(name, index))
      void work(name)
    },
    async scale(name: string, replicas: number): Promise<void> {
      const wish = wishOf(name)
      if (replicas < 1 || replicas > most.replicas) throw new Refused(400, `The open edition has 1 to ${most.replicas} replicas.`)
      wishes.set(name, { ...wish, replicas })
      await save()
      void work(name)
    },
    async remove(name: string): Promise<void> {
      wishOf(name)
      wishes.delete(name)
      await save()
      await writeFiles()
      await tell(ports.dataPath.name(name, undefined))
      void work(name)
    },
    /** Begins nothing any more; what runs goes on. */
    async end(): Promise<void> {
      clearInterval(looking)
      await looked
      await Promise.all(busy.values())
    },
  }
}
export type Functions = ReturnType<typeof createFunctions>
