import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { root } from '../../scripts/run.ts'
import { createRandom } from '../../scripts/traffic/random.ts'
import { temporaryFolder } from '../fixtures/folder.ts'
import { expectCalm, expectNoMistake, ledgerLines, outcomesOf } from '../process/client-ledger.ts'
import { createLoad, type Load, type Site } from '../process/load.ts'
import { expectEqual } from '../process/recount.ts'
import { until } from '../process/server.ts'
import { triggerService } from '../services/functions.ts'
import { aPart, createAsking, type Part, startServers } from '../services/installation.ts'
import { expectAllRunning, mistakesOf, rage, sleep } from '../services/nemesis.ts'
import { anOpenFaas, type OpenFaas, reasonAgainstOpenFaas, withoutScaling } from './open-faas.ts'
import { faasFaults, mustStrike, partsOfFaas, scaleAll } from './victims.ts'

/**
 * Load on the whole chain, with several replicas of the stages and two triggers, while edge, gateway, provider, data path, triggers, single
 * replicas and servers die or sleep, and functions are scaled and deployed; then the client's ledger is compared with what is counted: nothing lost, nothing doubled. Settings as of
 * tests/services/nemesis.test.ts, which does the same to the servers and stages alone, and more of it.
 */
const seed = Number(process.env['NEMESIS_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
const seconds = Number(process.env['NEMESIS_SECONDS'] ?? 30)
const rate = Number(process.env['NEMESIS_RATE'] ?? 60)
const only = process.env['NEMESIS_ONLY']
const calmSeconds = 6

const sites: readonly Site[] = [
  { name: 'browsers.example', cookieless: false, share: 0.5 },
  { name: 'servers.example', cookieless: false, batch: 10, share: 0.5 },
]
const agent = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'

const tell = (text: string): void => void process.stdout.write(`nemesis: ${text}\n`)
const reason = await reasonAgainstOpenFaas()

describe.skipIf(reason !== undefined)(`the chain under a nemesis${reason === undefined ? '' : ` (${reason})`}`, () => {
  const ends: (() => unknown)[] = []
  let servers: Awaited<ReturnType<typeof startServers>>
  let faas: OpenFaas
  let secondTrigger: Part
  let home: ReturnType<typeof createAsking> & { url: string; key: string }
  let load: Load
  let ledger: string

  beforeAll(async () => {
    tell(`NEMESIS_SEED=${seed}, ${seconds} s of faults, ${rate} hits/s`)
    const folder = temporaryFolder()
    ends.push(folder.remove)
    ledger = join(folder.path, `client-${seed}.ndjson`)
    servers = await startServers({ partitions: 2 })
    ends.push(servers.close)
    // All visitors of the load are at one address here; the edge believes it that they are at others.
    const edgeConfig = join(folder.path, 'haproxy.cfg')
    const own = readFileSync(join(root, 'haproxy.cfg'), 'utf8')
    const believing = own.replace(/^ *http-request (del-header X-Forwarded-For|set-header X-Forwarded-For .*)$/gm, '')
    expect(believing).not.toBe(own)
    mkdirSync(folder.path, { recursive: true })
    writeFileSync(edgeConfig, believing)
    faas = await anOpenFaas({ folder: folder.path, env: servers.env, parts: withoutScaling, edgeConfig })
    ends.push(faas.close)
    await faas.putSecret('footfall-key', servers.keyFile)
    await faas.deploy()
    await faas.ready()
    await scaleAll(faas)
    const trigger = await aPart(triggerService({}, { ...servers.env, FOOTFALL_GATEWAY: faas.gateway }))
    secondTrigger = { ...trigger, name: 'trigger 2' }
    ends.push(() => trigger.place.end())
    home = { ...createAsking(faas.url, servers.key), url: faas.url, key: servers.key }
    for (const { name } of sites) await home.getSoon('POST', '/api/sites', { site: name })
    const hit = (site: string) => JSON.stringify({ site, url: `https://${site}/` })
    // The schedule of manage-sites makes the salt of the day. What is sent here is over before it is counted: it goes to a third site.
    await home.getSoon('POST', '/api/sites', { site: 'first.example' })
    await until(
      'a hit to be taken',
      async () => {
        const answer = await fetch(`${faas.url}/api/hit`, { method: 'POST', headers: { 'user-agent': agent }, body: hit('first.example') })
        return answer.status === 202 || undefined
      },
      60_000,
    )
    load = createLoad(home, folder.path, { seed, rate, of: sites })
    ends.push(load.close)
  }, 300_000)

  afterAll(async () => {
    for (const end of ends.reverse()) await end()
  }, 120_000)

  const settleAll = async (): Promise<void> => {
    for (const { name } of sites) await home.settled(name)
  }

  it(
    'has counted every acknowledged hit once',
    async () => {
      const random = createRandom(seed)
      const abort = new AbortController()
      const sent = load.run(abort.signal)
      await sleep(calmSeconds * 1_000)
      const begin = Date.now()
      const own = [...partsOfFaas(faas), secondTrigger]
      const behind = [servers.redis, ...servers.kafkas, ...servers.cassandras, servers.nats]
      const check = (after: string): void => expectAllRunning([...own, ...behind], after)
      const ground = { faults: faasFaults(faas, secondTrigger, behind, servers.redis), check }
      const faults = await rage(ground, { random, seconds, only, musts: mustStrike, tell }).finally(() => abort.abort())
      const healed = performance.now()
      const sinceHealed = () => `${((performance.now() - healed) / 1000).toFixed(1)} s`
      await sent
      await faas.ready()
      await settleAll()
      tell(`${faults.length} faults; all counted ${sinceHealed()} after the last was mended`)
      expect(await load.settle()).toBe(0)
      await settleAll()
      check('the end')

      const lines = ledgerLines(ledger)
      tell(`${JSON.stringify(outcomesOf(lines))}, settled ${sinceHealed()} after`)
      for (const [i, fold] of load.folds().entries()) await expectEqual(home, fold, sites[i]!.cookieless)
      expectNoMistake(lines)
      expect(
        mistakesOf(own.filter(({ name }) => name.startsWith('trigger'))),
        'what the trigger was answered that no outage explains',
      ).toEqual([])
      expectCalm(lines, { begin, rate, seconds: calmSeconds })
      expect(faults.length).toBeGreaterThan(0)
      if (only === undefined)
        expect(
          mustStrike.filter((must) => !faults.some((name) => name.startsWith(must))),
          'what this run has not done',
        ).toEqual([])
    },
    (seconds + 420) * 1_000,
  )
})
