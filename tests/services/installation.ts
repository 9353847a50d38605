import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '#shared/clock.ts'
import { readConfig, servicesOf } from '#shared/config.ts'
import { migrate } from '#shared/engines/cassandra/migrate.ts'
import { type FunctionName, functionNames } from '#shared/runtime/routes.ts'
import { newKey } from '#shared/site/access.ts'
import { wireTopics } from '#shared/wire.ts'
import { migrateTopics } from '../../scripts/cli/topics.ts'
import { cassandra } from '../../scripts/services/cassandra.ts'
import { kafka } from '../../scripts/services/kafka.ts'
import { nats } from '../../scripts/services/nats.ts'
import { redis } from '../../scripts/services/redis.ts'
import type { Server as Process, Service, StartOptions } from '../../scripts/services/service.ts'
import { temporaryFolder } from '../fixtures/folder.ts'
import { patienceMs, until } from '../process/server.ts'
import { openFrontDoor } from './front-door.ts'
import { functionService, triggerService } from './functions.ts'
import { aPlace, type Disk, type Place } from './place.ts'

/** The distributed mode whole: real servers, every function and triggers as processes of their own, and a front door. */

/** Something that can be killed, paused and started again. */
export type Part = {
  name: string
  process(): Process
  /** The small disk that its data lie on, where it has one. */
  disk?: Disk | undefined
  kill(): Promise<void>
  /** On the same data, at the same address. */
  start(options?: StartOptions): Promise<void>
}

/** `service` started in a place of its own, unless it is given one. */
export const aPart = async (service: Service, nodes = 1, node = 1, place?: Place): Promise<Part & { place: Place }> => {
  const at = place ?? (await aPlace(service, nodes))
  let now = await at.start({ node, nodes })
  return {
    name: nodes === 1 ? service.name : `${service.name} ${node}`,
    place: at,
    disk: at.disk(node),
    process: () => now,
    kill: () => now.kill(),
    start: async (options = {}) => {
      now = await at.start({ node, nodes, ...options })
    },
  }
}

/** All nodes of a server, started at once. */
const allNodes = async (service: Service, nodes: number, diskMegabytes?: number) => {
  const place = await aPlace(service, nodes, { diskMegabytes })
  return Promise.all(Array.from({ length: nodes }, (_, i) => aPart(service, nodes, i + 1, place)))
}

/** `nodes`: of Kafka and Cassandra. `redisBy`: the address under which our processes are to reach the Redis at this one. */
export type ServersOptions = {
  partitions?: number
  nodes?: number
  redisBy?: (address: string) => Promise<string>
  /** Sizes of small disks, where a server is to have one. */
  diskMegabytes?: { kafka: number; cassandra: number }
}

/**
 * All servers, with tables and topics, and the key of an operator: `env` are the settings of a function. What is put into `ends` is ended by
 * `close`, the last first.
 */
export const startServers = async ({
  partitions = 3,
  nodes = 1,
  redisBy = async (address) => address,
  diskMegabytes,
}: ServersOptions = {}) => {
  const folder = temporaryFolder()
  const ends: (() => Promise<unknown> | unknown)[] = [folder.remove]
  const close = async () => {
    for (const end of ends.splice(0).reverse()) await end()
  }
  try {
    const [kafkas, cassandras, [redisPart], [natsPart]] = await Promise.all([
      allNodes(kafka, nodes, diskMegabytes?.kafka),
      allNodes(cassandra, nodes, diskMegabytes?.cassandra),
      allNodes(redis, 1),
      allNodes(nats, 1),
    ])
    const servers = [...kafkas, ...cassandras, redisPart!, natsPart!]
    for (const place of new Set(servers.map((part) => part.place))) ends.push(() => place.end())
    const addresses = (parts: readonly Part[]) => parts.map((part) => part.process().address)
    const settingOf = ({ setting }: Service, at: readonly string[]) => ({ [setting!.name]: setting!.value(at) })
    const key = newKey('own', systemClock)
    const keyFile = join(folder.path, 'key')
    mkdirSync(folder.path, { recursive: true })
    writeFileSync(keyFile, key)
    const env: Readonly<Record<string, string>> = {
      ...settingOf(kafka, addresses(kafkas)),
      ...settingOf(cassandra, addresses(cassandras)),
      ...settingOf(redis, [await redisBy(redisPart!.process().address)]),
      ...settingOf(nats, addresses([natsPart!])),
      FOOTFALL_PARTITIONS: String(partitions),
      FOOTFALL_RATE: '0',
      FOOTFALL_LOG: 'info',
    }
    const services = servicesOf(readConfig(env))
    await migrate({ ...services.cassandra, replication: nodes, clock: systemClock })
    const { close: closeTopics, ...topics } = await wireTopics(services, systemClock)
    ends.push(closeTopics)
    await migrateTopics({ ...topics, clock: systemClock, out: () => undefined }, { partitions, copies: nodes, isLost: false })
    return {
      folder: folder.path,
      ends,
      close,
      env,
      key,
      keyFile,
      /** The topics and their generations. */
      topics,
      kafkas,
      cassandras,
      redis: redisPart!,
      nats: natsPart!,
    }
  } catch (error) {
    await close()
    throw error
  }
}

/** Questions with a key to whatever answers at `url`. */
export const createAsking = (url: string, key: string) => {
  const ask = async (method: string, path: string, body?: unknown): Promise<{ status: number; body: unknown }> => {
    const reply = await fetch(url + path, {
      method,
      headers: { authorization: `Bearer ${key}` },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(patienceMs),
    })
    const text = await reply.text()
    return { status: reply.status, body: text.startsWith('{') ? JSON.parse(text) : text }
  }
  // biome-ignore lint/suspicious/noExplicitAny: what a server answers is looked at, not trusted
  const get = async (method: string, path: string, body?: unknown): Promise<any> => {
    const reply = await ask(method, path, body)
    if (reply.status >= 300) throw new Error(`${method} ${path}: ${reply.status} ${JSON.stringify(reply.body)}`)
    return reply.body
  }
  return {
    authorization: `Bearer ${key}`,
    ask,
    get,
    /** The answer of `get` as soon as there is one; for what follows a fault. */
    getSoon: (method: string, path: string, body?: unknown, withinMs = 90_000) =>
      until(`${method} ${path}`, () => get(method, path, body).catch(() => undefined), withinMs),
    settled: (site: string, withinMs = 120_000) =>
      until(
        `all hits of ${site} to be counted`,
        async () => {
          const ledger = await get('GET', `/api/ledger?site=${site}`).catch(() => undefined)
          return ledger?.pending.records === 0 ? ledger : undefined
        },
        withinMs,
      ),
  }
}

export type Installed = Awaited<ReturnType<typeof anInstallation>>

export type InstallationOptions = ServersOptions & { triggers?: number }

/** Starts everything and waits until it answers. */
export const anInstallation = async ({ triggers = 1, ...options }: InstallationOptions = {}) => {
  const servers = await startServers(options)
  const { ends, close, key } = servers
  try {
    const env = { ...servers.env, FOOTFALL_KEY_FILE: servers.keyFile, FOOTFALL_DATA: join(servers.folder, 'unused') }
    const functions = new Map<FunctionName, Part>()
    await Promise.all(
      functionNames.map(async (name) => {
        const part = await aPart(functionService(name, env))
        ends.push(() => part.place.end())
        functions.set(name, part)
      }),
    )
    const addressOf = (name: FunctionName): string => functions.get(name)!.process().address
    const urls = Object.fromEntries(functionNames.map((name) => [name, `http://${addressOf(name)}`]))
    const triggerParts = await Promise.all(Array.from({ length: triggers }, () => aPart(triggerService(urls, env))))
    for (const part of triggerParts) ends.push(() => part.place.end())
    const door = await openFrontDoor(addressOf)
    ends.push(door.close)
    return {
      ...servers,
      ...createAsking(door.url, key),
      url: door.url,
      env,
      /** Where each function is. */
      urls,
      functions,
      triggers: triggerParts,
    }
  } catch (error) {
    await close()
    throw error
  }
}
