import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type FunctionName, routeOf } from '#shared/runtime/routes.ts'
import { root } from '../../scripts/run.ts'
import { isRunning, readIdentity } from '../../scripts/services/processes.ts'
import { temporaryFolder } from '../fixtures/folder.ts'
import { browserMissing } from '../journey/browser.ts'
import { journey } from '../journey/journey.ts'
import { until } from '../process/server.ts'
import { createAsking, startServers } from '../services/installation.ts'
import { anOpenFaas, type OpenFaas, reasonAgainstOpenFaas, withoutScaling } from './open-faas.ts'

/** The whole chain: HAProxy, the real gateway, functions that the real faas-cli deployed, Kafka, Redis, Cassandra, and back. */

const reason = await reasonAgainstOpenFaas()
/** The order of an upgrade (docs/operations.md): who reads a record is new before who writes it. */
const readersFirst: readonly FunctionName[] = [
  'serve-dashboard',
  'manage-sites',
  'query-metrics',
  'rollup-window',
  'enrich-session',
  'collect-hit',
]
/** Folder of the sources that take over and are taken over from: another version's, when there is one to try (built, as by `npm run setup`). */
const other = process.env['UPGRADE_WITH'] ?? root
const site = 'chain.example'
const agent = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'

describe.skipIf(reason !== undefined)(`the chain${reason === undefined ? '' : ` (${reason})`}`, () => {
  const ends: (() => unknown)[] = []
  let faas: OpenFaas
  /** Another checkout, whose images have the tag `next`, and its stack.yml. */
  let next: string
  let nextStack: string
  let api: ReturnType<typeof createAsking>

  beforeAll(async () => {
    const folder = temporaryFolder()
    ends.push(folder.remove)
    const servers = await startServers({ partitions: 2 })
    ends.push(servers.close)
    next = join(folder.path, 'next')
    nextStack = join(next, 'stack.yml')
    mkdirSync(next, { recursive: true })
    for (const part of ['functions', 'shared', 'package.json']) cpSync(join(other, part), join(next, part), { recursive: true })
    symlinkSync(join(root, 'node_modules'), join(next, 'node_modules'))
    writeFileSync(nextStack, readFileSync(join(root, 'stack.yml'), 'utf8').replace(/(image: \S+):\S+/g, '$1:next'))
    faas = await anOpenFaas({ folder: folder.path, env: servers.env, roots: { next }, parts: withoutScaling })
    ends.push(faas.close)
    await faas.putSecret('footfall-key', servers.keyFile)
    await faas.deploy()
    await faas.ready()
    api = createAsking(faas.url, servers.key)
    await api.getSoon('POST', '/api/sites', { site })
  }, 300_000)

  afterAll(async () => {
    for (const end of ends.reverse()) await end()
  }, 120_000)

  const hit = (path: string, headers: Record<string, string> = {}): Promise<Response> =>
    fetch(`${faas.url}/api/hit`, {
      method: 'POST',
      headers: { 'user-agent': agent, ...headers },
      body: JSON.stringify({ site, url: `https://${site}${path}` }),
    })

  const totals = async (): Promise<number[]> => {
    const { results } = await api.get('POST', '/api/v2/query', { site_id: site, date_range: 'day', metrics: ['pageviews', 'visitors'] })
    return results[0].metrics
  }

  it('counts a hit that came in at the edge, once the salt of the day is made', async () => {
    // The schedule of manage-sites makes it, called by the trigger through the gateway.
    await until('a hit to be taken', async () => ((await hit('/first')).status === 202 ? true : undefined), 60_000)
    await api.settled(site)
    expect(await totals()).toEqual([1, 1])
  })

  it('believes no header of a visitor about where he is', async () => {
    const before = await totals()
    for (const address of ['1.2.3.4', '5.6.7.8', '9.9.9.9'])
      expect((await hit('/forged', { 'x-forwarded-for': address, 'x-real-ip': address })).status).toBe(202)
    await api.settled(site)
    expect(await totals()).toEqual([before[0]! + 3, before[1]])
  })

  it('leads every public path where the process alone leads it, and nobody to what is inside', async () => {
    const paths = [
      '/',
      '/assets/none.js',
      '/footfall.js',
      '/pixel.gif',
      '/api/me',
      '/api/ledger',
      '/api/v2/query',
      '/api/sites',
      '/api/keys',
    ]
    const reserved = [
      '/function/collect-hit',
      '/system/functions',
      '/ui/',
      '/metrics',
      '/function/collect-hit/metrics',
      '/function/rollup-window/metrics',
      '/schedule',
      '/_/health',
      '/api/send',
      '/collect',
      '/share',
    ]
    const statusOf = async (path: string): Promise<number> => (await fetch(faas.url + path, { redirect: 'manual' })).status
    for (const path of paths) {
      expect(routeOf(path), path).toBeDefined()
      expect([200, 304, 400, 401, 404, 405], path).toContain(await statusOf(path))
    }
    for (const path of reserved) expect([path, await statusOf(path)]).toEqual([path, 404])
    expect(await (await fetch(faas.url)).text()).toContain('<title>Footfall</title>')
    expect((await fetch(`${faas.url}/health`)).status).toBe(200)
    expect((await fetch(`${faas.url}/api/sites/a%252fb`)).status).toBe(404)
  })

  it('leads query-metrics to its like, which tells a share that it does not know from one that it counts', async () => {
    const ask = (body: unknown) => fetch(`${faas.gateway}/function/query-metrics/share`, { method: 'POST', body: JSON.stringify(body) })
    const unknown = await ask({ format: 'of another version' })
    expect([unknown.status, await unknown.json()]).toEqual([501, { error: 'Shares have format 1 here.' }])
  })

  it('streams what happens, past the gateway', async () => {
    const abort = new AbortController()
    const stream = await fetch(`${faas.url}/api/live/${site}`, {
      headers: { authorization: api.authorization, accept: 'text/event-stream' },
      signal: abort.signal,
    })
    expect(stream.headers.get('content-type')).toContain('text/event-stream')
    const reader = stream.body!.pipeThrough(new TextDecoderStream()).getReader()
    let said = ''
    const heard = (async () => {
      while (!said.includes('/streamed')) said += (await reader.read()).value ?? ''
    })()
    await until('the stream to begin', async () => said.includes('event:') || undefined, 20_000)
    expect((await hit('/streamed')).status).toBe(202)
    await heard
    abort.abort()
    expect(said).toContain('event: hit')
  })

  describe.skipIf(browserMissing)(`in browsers${browserMissing ? `: ${browserMissing}` : ''}`, () => {
    beforeAll(async () => {
      await api.getSoon('POST', '/api/sites', { site: 'localhost' })
    })
    journey(() => ({ ...api, port: Number(new URL(faas.url).port) }))
  })

  it('loses no hit while two versions stand side by side, function by function, there and back', async () => {
    const before = await totals()
    /** Whether the replicas of a function, at least one, are of the checkout in this folder. */
    const runsIn = (name: string, folder: string): boolean => {
      const running = readdirSync(join(faas.replicasFolder, name))
        .flatMap((slot) => readIdentity(join(faas.replicasFolder, name, slot, 'pid')) ?? [])
        .filter(isRunning)
      const main = join(folder, 'functions', name)
      return running.length > 0 && running.every(({ pid }) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(main))
    }
    let running = true
    let sent = 0
    const statuses = new Map<number, number>()
    const load = async () => {
      while (running) {
        const { status } = await hit('/rolling').catch(() => ({ status: 0 }))
        statuses.set(status, (statuses.get(status) ?? 0) + 1)
        sent++
        // Some dozens a second: a visit of more than 10,000 hits is no person's.
        await pause(25)
      }
    }
    const loads = [load(), load()]
    const replace = async (stack: string, names: readonly FunctionName[], folder: string) => {
      for (const name of names) {
        const had = sent
        await faas.deploy(stack, '--filter', name)
        await faas.ready()
        expect([name, runsIn(name, folder)]).toEqual([name, true])
        expect(sent, `hits while ${name} was replaced`).toBeGreaterThan(had)
      }
    }
    // Of two versions each is the new one once; and those who do not keep to the order lose nothing either.
    await replace(nextStack, readersFirst, next)
    await replace('stack.yml', readersFirst.toReversed(), root)
    if (other !== root) {
      await replace(nextStack, readersFirst.toReversed(), next)
      await replace('stack.yml', readersFirst, root)
    }
    running = false
    await Promise.all(loads)
    expect(sent).toBeGreaterThan(10)
    expect(Object.fromEntries(statuses)).toEqual({ 202: sent })
    await api.settled(site)
    expect(await totals()).toEqual([before[0]! + sent, before[1]])
  }, 180_000)

  it('goes on without the control plane, and says 503 without the gateway', async () => {
    await faas.find('provider')!.kill()
    expect((await hit('/without-provider')).status).toBe(202)
    await faas.startAgain('provider')
    expect((await faas.functions()).map(({ availableReplicas }) => availableReplicas)).toEqual([1, 1, 1, 1, 1, 1])
    await faas.find('gateway')!.kill()
    const refused = await hit('/without-gateway')
    expect([refused.status, refused.headers.get('retry-after'), (await refused.json()).code]).toEqual([503, '2', 'store-unavailable'])
    await faas.startAgain('gateway')
    await until('hits to be taken again', async () => ((await hit('/again')).status === 202 ? true : undefined), 30_000)
    await api.settled(site)
  })

  it('has nothing of the gateway in what visitors see of a function that is gone', async () => {
    await faas.faas('remove', 'collect-hit')
    const gone = await until('the function to be gone', async () => {
      const answer = await hit('/gone')
      return answer.status === 202 ? undefined : answer
    })
    expect([gone.status, (await gone.json()).code]).toEqual([503, 'store-unavailable'])
    await faas.deploy()
    await faas.ready()
    expect((await hit('/back')).status).toBe(202)
  })
})
