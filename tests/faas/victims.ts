import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { SystemPart } from '../../scripts/faas/system.ts'
import { type Identity, isRunning, kill, readIdentity, signal } from '../../scripts/services/processes.ts'
import type { Random } from '../../scripts/traffic/random.ts'
import { until } from '../process/server.ts'
import type { Part } from '../services/installation.ts'
import { between, type Fault, flushing, killing, pausesMs, pausing, sleep, weights } from '../services/nemesis.ts'
import type { OpenFaas } from './open-faas.ts'

/** What a nemesis can do to Footfall on OpenFaaS: to its processes, to the servers behind it, and by the gateway's own API. */

/** Functions that hits go through, and how many replicas of each there are while nobody scales it: one beside another must not be seen. */
const replicas = { 'collect-hit': 2, 'enrich-session': 2, 'rollup-window': 2, 'query-metrics': 1 } as const
type Scaled = keyof typeof replicas
const functions = Object.keys(replicas) as Scaled[]

/** At least one of each comes in every run, however short. */
export const mustStrike = [
  'kill edge',
  'kill gateway',
  'kill provider',
  'kill data-path',
  'kill trigger',
  'kill a replica',
  'pause a replica',
  'scale',
  'deploy',
] as const

/** A process of OpenFaaS as something that can be killed, paused and started again. */
const partOf = (faas: OpenFaas, name: SystemPart): Part => ({
  name,
  process: () => faas.find(name)!,
  kill: () => faas.find(name)!.kill(),
  start: async () => void (await faas.startAgain(name)),
})

/** All of OpenFaaS that must run when nothing is done. */
export const partsOfFaas = (faas: OpenFaas): Part[] =>
  (['data-path', 'provider', 'gateway', 'edge', 'trigger'] as const).map((name) => partOf(faas, name))

/** The replicas of a function that run now. */
const replicasOf = (faas: OpenFaas, name: string): Identity[] => {
  const folder = join(faas.replicasFolder, name)
  const slots = existsSync(folder) ? readdirSync(folder) : []
  return slots.flatMap((slot) => readIdentity(join(folder, slot, 'pid')) ?? []).filter(isRunning)
}

/** Resolves when so many replicas run and serve; the provider may not have noticed yet that one is gone. */
const scaledTo = async (faas: OpenFaas, name: string, count: number): Promise<void> => {
  await until(`${count} replicas of ${name}`, () => replicasOf(faas, name).length === count || undefined, 60_000)
  await faas.ready()
}

const scale = async (faas: OpenFaas, name: Scaled, count: number): Promise<void> => {
  const { status } = await faas.ask('POST', `/system/scale-function/${name}`, { serviceName: name, replicas: count })
  if (status !== 202) throw new Error(`The gateway answers ${status} to scaling.`)
  await scaledTo(faas, name, count)
}

/** As many replicas as this nemesis begins with. */
export const scaleAll = async (faas: OpenFaas): Promise<void> => {
  for (const name of functions) await scale(faas, name, replicas[name])
}

const anyReplica = (faas: OpenFaas, name: string, random: Random): Identity | undefined => {
  const running = replicasOf(faas, name)
  return running.length > 0 ? random.pick(running) : undefined
}

const killingReplica = (faas: OpenFaas, name: Scaled): Fault => ({
  name: `kill a replica of ${name}`,
  weight: weights.grave,
  async strike(random) {
    const replica = anyReplica(faas, name, random)
    if (!replica) return 'there was none'
    await kill(replica)
    await scaledTo(faas, name, replicas[name])
    return undefined
  },
})

const pausingReplica = (faas: OpenFaas, name: string): Fault => ({
  name: `pause a replica of ${name}`,
  weight: weights.grave / 2,
  async strike(random) {
    const replica = anyReplica(faas, name, random)
    if (!replica) return 'there was none'
    const ms = between(random, pausesMs.function)
    signal(replica, 'SIGSTOP')
    try {
      await sleep(ms)
    } finally {
      signal(replica, 'SIGCONT')
    }
    return `${ms} ms`
  },
})

const scaling = (faas: OpenFaas, name: Scaled): Fault => ({
  name: `scale ${name}`,
  weight: weights.grave / 2,
  async strike(random) {
    const other = random.pick([1, 3, 4].filter((count) => count !== replicas[name]))
    await scale(faas, name, other)
    await scale(faas, name, replicas[name])
    return `to ${other} and back to ${replicas[name]}`
  },
})

const deploying = (faas: OpenFaas, name: string): Fault => ({
  name: `deploy ${name}`,
  weight: weights.grave,
  async strike(random) {
    await faas.deploy('stack.yml', '--filter', name, '--label', `version=${random.whole(1e6)}`)
    await faas.ready()
    return undefined
  },
})

/** `servers`: those behind the functions; `redis` is one of them. `trigger`: a second one. */
export const faasFaults = (faas: OpenFaas, trigger: Part, servers: readonly Part[], redis: Part): Fault[] => [
  ...[...partsOfFaas(faas), trigger, ...servers].map(killing),
  ...servers.map((part) => pausing(part, pausesMs.server)),
  ...partsOfFaas(faas)
    .filter(({ name }) => name !== 'trigger')
    .map((part) => pausing(part, pausesMs.function)),
  pausing(trigger, pausesMs.trigger),
  flushing(redis),
  ...functions.flatMap((name) => [killingReplica(faas, name), pausingReplica(faas, name), scaling(faas, name), deploying(faas, name)]),
]
