import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { SystemPart } from '../../scripts/faas/system.ts'
import { type Identity, isRunning, readIdentity, signal } from '../../scripts/services/processes.ts'
import type { Random } from '../../scripts/traffic/random.ts'
import type { Part } from '../services/installation.ts'
import { between, type Fault, flushing, killing, pausesMs, pausing, sleep, weights } from '../services/nemesis.ts'
import type { OpenFaas } from './open-faas.ts'

/** What a nemesis can do to Footfall on OpenFaaS: to its processes, to the servers behind it, and by the gateway's own API. */

/** Functions that hits go through. */
const functions = ['collect-hit', 'enrich-session', 'rollup-window', 'query-metrics'] as const

/** A process of OpenFaaS as something that can be killed, paused and started again. */
const partOf = (faas: OpenFaas, name: SystemPart): Part => ({
  name,
  process: () => faas.find(name)!,
  kill: () => faas.find(name)!.kill(),
  start: async () => void (await faas.startAgain(name)),
})

/** All that must run when nothing is done. */
export const partsOfFaas = (faas: OpenFaas): Part[] =>
  (['data-path', 'provider', 'gateway', 'edge', 'trigger'] as const).map((name) => partOf(faas, name))

/** The replicas of a function that run now. */
const replicasOf = (faas: OpenFaas, name: string): Identity[] => {
  const folder = join(faas.replicasFolder, name)
  const slots = existsSync(folder) ? readdirSync(folder) : []
  return slots.flatMap((slot) => readIdentity(join(folder, slot, 'pid')) ?? []).filter(isRunning)
}

const anyReplica = (faas: OpenFaas, name: string, random: Random): Identity | undefined => {
  const running = replicasOf(faas, name)
  return running.length > 0 ? random.pick(running) : undefined
}

const killingReplica = (faas: OpenFaas, name: string): Fault => ({
  name: `kill a replica of ${name}`,
  weight: weights.grave,
  async strike(random) {
    const replica = anyReplica(faas, name, random)
    if (!replica) return 'there was none'
    signal(replica, 'SIGKILL')
    await faas.ready()
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

const scaling = (faas: OpenFaas, name: string): Fault => ({
  name: `scale ${name}`,
  weight: weights.grave / 2,
  async strike(random) {
    const most = 2 + random.whole(2)
    for (const replicas of [most, 1]) {
      const { status } = await faas.ask('POST', `/system/scale-function/${name}`, { serviceName: name, replicas })
      if (status !== 202) throw new Error(`The gateway answers ${status} to scaling.`)
      await faas.ready()
    }
    return `to ${most} and back`
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

/** `servers`: those behind the functions; `redis` is one of them. */
export const faasFaults = (faas: OpenFaas, servers: readonly Part[], redis: Part): Fault[] => [
  ...partsOfFaas(faas).map(killing),
  ...servers.map(killing),
  ...partsOfFaas(faas)
    .filter(({ name }) => name !== 'trigger')
    .map((part) => pausing(part, pausesMs.function)),
  flushing(redis),
  ...functions.flatMap((name) => [killingReplica(faas, name), pausingReplica(faas, name), scaling(faas, name), deploying(faas, name)]),
]
