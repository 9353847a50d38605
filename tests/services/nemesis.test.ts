import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock } from '#shared/clock.ts'
import { readConfig, servicesOf } from '#shared/config.ts'
import { openCassandra } from '#shared/engines/cassandra/store.ts'
import { openKafka } from '#shared/engines/kafka/log.ts'
import { cassandra } from '../../scripts/services/cassandra.ts'
import { kafka } from '../../scripts/services/kafka.ts'
import { nats } from '../../scripts/services/nats.ts'
import { redis } from '../../scripts/services/redis.ts'
import { createRandom } from '../../scripts/traffic/random.ts'
import { temporaryFolder } from '../fixtures/folder.ts'
import { aProxy, type Proxy as TcpProxy } from '../fixtures/proxy.ts'
import { expectCalm, expectNoMistake, ledgerLines, outcomesOf } from '../process/client-ledger.ts'
import { createLoad, type Load, type Site } from '../process/load.ts'
import { expectEqual, type Fold } from '../process/recount.ts'
import { anInstallation, type Installed } from './installation.ts'
import { expectAllRunning, faultsOf, mistakesOf, partsOf, rage } from './nemesis.ts'
import { watchCount } from './onlooker.ts'
import { reasonAgainst } from './place.ts'
import { createPoisoner, type Poisoner } from './poison.ts'

/**
 * Load on the distributed mode while anything of it dies, sleeps, forgets or is fed rubbish; then everything is mended, and the
 * client's ledger is compared with what is counted: nothing lost, nothing doubled (reliability.md, scenario 28).
 *
 * NEMESIS_SEED replays the order of the faults; NEMESIS_SECONDS (45) is how long they go on; NEMESIS_RATE (60) the hits a second;
 * NEMESIS_NODES=3 has three brokers and three nodes of Cassandra; NEMESIS_ONLY takes only faults whose name has that in it.
 */
const seed = Number(process.env['NEMESIS_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
const seconds = Number(process.env['NEMESIS_SECONDS'] ?? 45)
const rate = Number(process.env['NEMESIS_RATE'] ?? 60)
const nodes = Number(process.env['NEMESIS_NODES'] ?? 1)
const only = process.env['NEMESIS_ONLY']
const partitions = 3
/** Room for what a run of the usual length writes; a long one needs more. */
const diskMegabytes = { kafka: 200 + seconds, cassandra: 400 + seconds }
/** Load before the first fault: it must go well, or the run tests nothing. */
const calmSeconds = 8

const sites: readonly Site[] = [
  { name: 'browsers.example', cookieless: false, share: 0.25 },
  { name: 'nocookies.example', cookieless: true, share: 0.25 },
  { name: 'servers.example', cookieless: false, batch: 10, share: 0.25 },
  { name: 'shards.example', cookieless: false, share: 0.25 },
]
const sharded = 'shards.example'

const tell = (text: string): void => void process.stdout.write(`nemesis: ${text}\n`)
const reasons = await Promise.all([kafka, cassandra, redis, nats].map(reasonAgainst))

describe.skipIf(reasons.some((reason) => reason !== undefined))('the distributed mode under a nemesis', () => {
  const ends: (() => unknown)[] = []
  let home: Installed
  let proxy: TcpProxy
  let poisoner: Poisoner
  let load: Load
  let ledger: string

  /** Shards from the beginning: by the API they would begin tomorrow. */
  const shard = async (site: string): Promise<void> => {
    const { cassandra: address } = servicesOf(readConfig(home.env))
    const stores = openCassandra({ ...address, contactPoints: [...address.contactPoints], clock: systemClock })
    try {
      const config = await stores.sites.find(site)
      expect(await stores.sites.put({ ...config!, version: config!.version + 1, shards: [{ bits: 2, from: 1 }] })).toBe('done')
    } finally {
      await stores.close()
    }
  }

  beforeAll(async () => {
    tell(`NEMESIS_SEED=${seed}, ${seconds} s of faults, ${rate} hits/s, ${nodes} node${nodes === 1 ? '' : 's'}`)
    const folder = temporaryFolder()
    ends.push(folder.remove)
    ledger = join(folder.path, `client-${seed}.ndjson`)
    const redisBy = async (address: string) => {
      proxy = await aProxy(address)
      ends.push(proxy.close)
      return proxy.address
    }
    home = await anInstallation({ partitions, nodes, triggers: 2, redisBy, diskMegabytes })
    ends.push(home.close)
    if (home.kafkas.some(({ disk }) => !disk)) tell('no disk is filled: this process may not mount one (that takes root)')
    for (const { name, cookieless } of sites)
      await home.getSoon('POST', '/api/sites', { site: name, identity: cookieless ? 'cookieless' : 'cookie' })
    await shard(sharded)
    poisoner = await createPoisoner(
      home.kafkas.map((part) => part.process().address),
      partitions,
    )
    ends.push(poisoner.close)
    load = createLoad(home, folder.path, { seed, rate, of: sites })
    ends.push(load.close)
  }, 300_000)

  afterAll(async () => {
    for (const end of ends.reverse()) await end()
  }, 60_000)

  const settleAll = async (): Promise<void> => {
    for (const { name } of sites) await home.settled(name)
  }

  /** What lies in the topic of dead records, of records of hits: each of them at least once. */
  const deadHits = async (): Promise<number> => {
    const { log, close } = openKafka({ ...servicesOf(readConfig(home.env)).kafka, clock: systemClock })
    const found = new Set<string>()
    try {
      for (let partition = 0; partition < partitions; partition++) {
        let { earliest: next, end } = await log.ends('dead', partition)
        while (next < end) {
          const records = await log.read('dead', partition, next, { records: 100, bytes: 10_000_000, waitMs: 1_000 })
          for (const { body } of records) found.add(`${partition} ${JSON.parse(body).topic} ${JSON.parse(body).offset}`)
          next = (records.at(-1)?.offset ?? next - 1) + 1
        }
      }
    } finally {
      await close()
    }
    return [...found].filter((name) => name.includes(' hits ')).length
  }

  it(
    'has counted every acknowledged hit once',
    async () => {
      const random = createRandom(seed)
      const abort = new AbortController()
      const sent = load.run(abort.signal)
      const onlookers = sites.map(({ name }) => watchCount(home, name))
      ends.push(() => Promise.all(onlookers.map(({ stop }) => stop())))
      await new Promise((resolve) => setTimeout(resolve, calmSeconds * 1_000))
      const begin = Date.now()
      const check = (after: string): void => expectAllRunning(partsOf(home), after)
      const faults = await rage({ faults: faultsOf(home, proxy, poisoner), check }, { random, seconds, only, tell }).finally(() =>
        abort.abort(),
      )

      const healed = performance.now()
      const sinceHealed = () => `${((performance.now() - healed) / 1000).toFixed(1)} s`
      await sent
      await settleAll()
      tell(`${faults.length} faults; all counted ${sinceHealed()} after the last was mended`)
      expect(await load.settle()).toBe(0)
      await settleAll()
      check('the end')

      const seen = await Promise.all(onlookers.map(({ stop }) => stop()))
      const lines = ledgerLines(ledger)
      tell(`${JSON.stringify(outcomesOf(lines))}, settled ${sinceHealed()} after; ${seen.map(({ whole }) => whole)} answers looked at`)

      const folds: Fold[] = load.folds()
      for (const [i, fold] of folds.entries()) await expectEqual(home, fold, sites[i]!.cookieless)
      expect(seen.flatMap(({ wrong }) => wrong)).toEqual([])
      expectNoMistake(lines)
      expect(mistakesOf(home.triggers), 'what the triggers were answered that no outage explains').toEqual([])
      expect(await deadHits(), 'poison that was set aside with its reason').toBe(poisoner.inHits())

      expectCalm(lines, { begin, rate, seconds: calmSeconds })
      expect(faults.length).toBeGreaterThan(0)
    },
    (seconds + 420) * 1_000,
  )
})
