import { existsSync, readFileSync } from 'node:fs'
import { Redis } from 'ioredis'
import { redis } from '../../scripts/services/redis.ts'
import { type Server as Process, tailOf } from '../../scripts/services/service.ts'
import type { Random } from '../../scripts/traffic/random.ts'
import { aProxy, type Proxy as TcpProxy } from '../fixtures/proxy.ts'
import { until } from '../process/server.ts'
import { triggerService } from './functions.ts'
import type { Installed, Part } from './installation.ts'
import { aPlace, type Disk } from './place.ts'
import type { Poisoner } from './poison.ts'

/**
 * Hurts an installation, one thing after another, and mends it again each time. What, and in which order, hangs on the seed alone; when
 * something happens within the traffic does not.
 */

/** One thing that can be done; it ends when it is mended. Answers what it was, for the report. The heavier, the sooner it comes. */
export type Fault = { name: string; weight: number; strike(random: Random): Promise<string | undefined> }

/** What keeps hits and counts, and what only shows them or stands beside. */
export const weights = { grave: 4, mild: 1 } as const
const mild: readonly string[] = ['serve-dashboard', 'manage-sites', 'query-metrics', 'nats']
const weightOf = ({ name }: Part): number => (mild.includes(name) ? weights.mild : weights.grave)

export const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

/** Pauses are longer than what others wait for: 5 s for an answer, and for a trigger its seat's 20 s. */
export const pausesMs = { server: [6_000, 12_000], function: [2_000, 6_000], trigger: [21_000, 25_000] } as const
const downMs = 4_000
export const between = (random: Random, [least, most]: readonly [number, number]): number => least + random.whole(most - least)

export const killing = (part: Part): Fault => ({
  name: `kill ${part.name}`,
  weight: weightOf(part),
  async strike(random) {
    await part.kill()
    const ms = random.whole(downMs)
    await sleep(ms)
    await part.start()
    return `${ms} ms down`
  },
})

export const pausing = (part: Part, span: readonly [number, number]): Fault => ({
  name: `pause ${part.name}`,
  weight: weightOf(part) / 2,
  async strike(random) {
    const ms = between(random, span)
    part.process().pause()
    try {
      await sleep(ms)
    } finally {
      part.process().resume()
    }
    return `${ms} ms`
  },
})

export const flushing = (part: Part): Fault => ({
  name: 'empty redis',
  weight: weights.grave,
  async strike() {
    const client = new Redis(`redis://${part.process().address}`)
    await client.flushall()
    client.disconnect()
    return undefined
  },
})

const cutting = (proxy: TcpProxy): Fault => ({
  name: 'lose replies of redis',
  weight: weights.grave,
  async strike(random) {
    const cuts = 3 + random.whole(10)
    for (let i = 0; i < cuts; i++) {
      await sleep(random.whole(300))
      proxy.loseReply()
    }
    return `${cuts} times`
  },
})

/** How long a disk is full; and how long a server may take until it writes again by itself once there is room. */
const fullMs = 5_000
const recoveryMs = 3_000

/** The disk of a server is full for a while. Servers that give up then, as Kafka and Cassandra do, are started again by who made room. */
const filling = (part: Part, disk: Disk): Fault => ({
  name: `fill the disk of ${part.name}`,
  weight: weightOf(part) / 2,
  async strike() {
    disk.fill()
    await sleep(fullMs)
    const gaveUp = !part.process().running()
    disk.free()
    await sleep(recoveryMs)
    if (!gaveUp) await part.kill()
    await part.start()
    return gaveUp ? 'it had ended' : 'it was killed'
  },
})

/** Redis asked as its operator asks it. */
const command = async (part: { address: string }, name: string, ...args: string[]): Promise<unknown> => {
  const client = new Redis(`redis://${part.address}`)
  try {
    return await client.call(name, ...args)
  } finally {
    client.disconnect()
  }
}

/** A replica takes over that has not heard from its primary for so long. */
const lagMs = { least: 500, most: 4_000 } as const

/** `replica` becomes the primary, and everybody is led to it; what the other has taken meanwhile is lost. Answers for how long it lagged. */
const failOver = async (primary: Process, replica: Process, end: () => Promise<void>, proxy: TcpProxy, random: Random): Promise<number> => {
  const link = await aProxy(primary.address)
  try {
    await command(replica, 'REPLICAOF', ...link.address.split(':'))
    const isUp = async () => String(await command(replica, 'INFO', 'replication')).includes('master_link_status:up')
    await until('the replica to be up', async () => (await isUp()) || undefined)
  } finally {
    await link.close() // from now on it hears nothing
  }
  const ms = between(random, [lagMs.least, lagMs.most])
  await sleep(ms)
  await end()
  await command(replica, 'REPLICAOF', 'NO', 'ONE')
  proxy.lead(replica.address)
  return ms
}

/** Fails over to a replica that lags, and after a while back to the server that was there before, which lags then. */
const failingOver = (home: Installed, proxy: TcpProxy): Fault => ({
  name: 'fail over to a lagging replica of redis',
  weight: weights.grave,
  async strike(random) {
    const place = await aPlace(redis)
    try {
      const replica = await place.start()
      const there = await failOver(home.redis.process(), replica, () => home.redis.kill(), proxy, random)
      await home.redis.start()
      const back = await failOver(replica, home.redis.process(), () => place.end(), proxy, random)
      return `${there} ms behind, and back ${back} ms behind`
    } finally {
      await place.end()
    }
  },
})

/** A trigger that has leases of its own, in another Redis, and so drives every partition beside those whose they are. */
const doubling = (home: Installed): Fault => ({
  name: 'double the triggers',
  weight: weights.grave,
  async strike(random) {
    const ownLeases = await aPlace(redis)
    const leases = await ownLeases.start()
    const place = await aPlace(triggerService(home.urls, { ...home.env, FOOTFALL_REDIS: `redis://${leases.address}` }))
    const ms = 4_000 + random.whole(4_000)
    try {
      await place.start()
      await sleep(ms)
    } finally {
      await place.end()
      await ownLeases.end()
    }
    return `${ms} ms`
  },
})

const poisoning = (poisoner: Poisoner, topic: 'hits' | 'events'): Fault => ({
  name: `poison ${topic}`,
  weight: weights.grave,
  strike: (random) => poisoner.poison(topic, random),
})

/** Every process and server of the installation. */
export const partsOf = (home: Installed): Part[] => [
  ...home.functions.values(),
  ...home.triggers,
  home.redis,
  ...home.kafkas,
  ...home.cassandras,
  home.nats,
]

/** All that can be done to an installation. */
export const faultsOf = (home: Installed, proxy: TcpProxy, poisoner: Poisoner): Fault[] => [
  ...partsOf(home).map(killing),
  ...[home.redis, ...home.kafkas, ...home.cassandras, home.nats].map((part) => pausing(part, pausesMs.server)),
  ...[...home.functions.values()].map((part) => pausing(part, pausesMs.function)),
  ...home.triggers.map((part) => pausing(part, pausesMs.trigger)),
  flushing(home.redis),
  cutting(proxy),
  failingOver(home, proxy),
  ...partsOf(home).flatMap((part) => (part.disk ? [filling(part, part.disk)] : [])),
  doubling(home),
  poisoning(poisoner, 'hits'),
  poisoning(poisoner, 'events'),
]

/** Throws when something has ended that nobody killed. */
export const expectAllRunning = (parts: readonly Part[], after: string): void => {
  for (const part of parts)
    if (!part.process().running()) throw new Error(`${part.name} ended by itself (${after}). Its log:\n${tailOf(part.process().log)}`)
}

/** What triggers have written down of answers that are a mistake of ours: an outage is 503. Of each its last two runs are looked at. */
export const mistakesOf = (triggers: readonly Part[]): string[] =>
  triggers
    .map((part) => part.process().log)
    .flatMap((path) => [`${path}.before`, path])
    .filter((path) => existsSync(path))
    .flatMap((path) => readFileSync(path, 'utf8').split('\n'))
    // What a gateway says of a connection that was cut is an outage.
    .filter((line) => line.includes('answered 500') && !line.includes('the function cut the connection'))

const shuffled = (faults: readonly Fault[], random: Random): Fault[] => {
  const rest = [...faults]
  return faults.map(() => {
    const fault = random.weighted(rest.map((one) => [one.weight, one] as const))
    rest.splice(rest.indexOf(fault), 1)
    return fault
  })
}

const restMs = { least: 300, most: 2_000 } as const

/** What can be done, and what throws when somebody has ended whom nobody killed. */
export type Ground = { faults: readonly Fault[]; check(after: string): void }
/**
 * `only`: a part of the names of the faults that are wished; all when not given. `musts`: beginnings of names; one fault of each comes however
 * long that takes, before any other.
 */
export type NemesisOptions = {
  random: Random
  seconds: number
  only?: string | undefined
  musts?: readonly string[]
  tell(text: string): void
}

/** Begins no fault after `seconds`, but those that must come; each comes once before any comes again. Answers which there were. */
export const rage = async (
  { faults: all, check }: Ground,
  { random, seconds, only = '', musts = [], tell }: NemesisOptions,
): Promise<string[]> => {
  const begin = performance.now()
  const since = () => `${((performance.now() - begin) / 1000).toFixed(1)} s`
  const faults = all.filter(({ name }) => name.includes(only))
  const first = musts.flatMap((must) => shuffled(faults, random).find(({ name }) => name.startsWith(must)) ?? [])
  const struck: string[] = []
  let deck = [
    ...shuffled(first, random),
    ...shuffled(
      faults.filter((fault) => !first.includes(fault)),
      random,
    ),
  ]
  while (struck.length < first.length || performance.now() - begin < seconds * 1_000) {
    if (deck.length === 0) deck = shuffled(faults, random)
    const fault = deck.shift()!
    tell(`${since()} ${fault.name}`)
    const what = await fault.strike(random)
    tell(`${since()}   … mended${what === undefined ? '' : `: ${what}`}`)
    struck.push(fault.name)
    await sleep(between(random, [restMs.least, restMs.most]))
    check(fault.name)
  }
  return struck
}
