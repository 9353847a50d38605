import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { edgeService } from '../scripts/faas/edge.ts'
import { root } from '../scripts/run.ts'
import { choosePorts } from '../scripts/services/ports.ts'
import { anOpenFaas } from '../tests/faas/open-faas.ts'
import { temporaryFolder } from '../tests/fixtures/folder.ts'
import { until } from '../tests/process/server.ts'
import { createAsking, startServers } from '../tests/services/installation.ts'
import { median, print } from './figure.ts'
import { load } from './processes.ts'

/**
 * Hits through the whole chain (HAProxy, gateway, provider's HAProxy, collect-hit, Kafka) against the same chain with a handler that does nothing,
 * in turns; batches; and the direct route past the gateway. All processes and servers share this machine.
 */

const site = 'bench.example'
const path = '/api/hit'
const rounds = 3
const seconds = 10
const batch = 20

/** A function that takes the body and answers, and no more. */
const emptyHandler = `import { createServer } from 'node:http'
const server = createServer((request, response) => request.resume().on('end', () => response.writeHead(request.url === '/_/ready' ? 200 : 202, { 'content-type': 'application/json' }).end('{}')))
server.keepAliveTimeout = 120_000
server.listen(Number(process.env['FOOTFALL_PORT']), process.env['FOOTFALL_HOST'])
process.once('SIGTERM', () => process.exit(0))
`

export const benchChain = async (): Promise<void> => {
  const folder = temporaryFolder()
  const empty = join(folder.path, 'empty')
  mkdirSync(join(empty, 'functions/empty'), { recursive: true })
  writeFileSync(join(empty, 'functions/empty/main.ts'), emptyHandler)
  const servers = await startServers({ partitions: 4 })
  const faas = await anOpenFaas({ folder: folder.path, env: servers.env, roots: { empty } })
  const ends: (() => unknown)[] = []
  try {
    await faas.putSecret('footfall-key', servers.keyFile)
    await faas.deploy()
    await faas.ask('POST', '/system/functions', { service: 'empty', image: 'bench/empty:empty' })
    await faas.ready()

    /** An edge of its own: without a limit for the one address from which all comes, to another function or by another way. */
    const edge = async (name: string, options: { to?: string; direct?: string } = {}): Promise<number> => {
      const config = join(folder.path, `${name}.cfg`)
      writeFileSync(
        config,
        readFileSync(join(root, 'haproxy.cfg'), 'utf8').replaceAll('str(collect-hit)', `str(${options.to ?? 'collect-hit'})`),
      )
      const live = faas.find('data-path')!.address
      const service = edgeService({
        gateway: faas.gateway.replace('http://', ''),
        live,
        rate: 100_000_000,
        config,
        ...(options.direct !== undefined && { direct: live }),
      })
      const own = join(folder.path, name)
      mkdirSync(own, { recursive: true })
      const server = await service.start(own, await choosePorts(), { endsWithUs: true })
      ends.push(() => server.kill())
      return Number(server.address.split(':')[1])
    }
    const chain = await edge('chain')
    const emptyChain = await edge('chain-empty', { to: 'empty' })
    const direct = await edge('chain-direct', { direct: '' })

    const api = createAsking(faas.url, servers.key)
    await api.getSoon('POST', '/api/sites', { site })
    let answered = 0
    const run = async (port: number, options: { batch: number; seed: number; seconds?: number; rate?: number; connections?: number }) => {
      const result = await load({ port, path, site, connections: 64, seconds, ...options })
      if (result.failed > 0) throw new Error(`${result.failed} of ${result.sent} requests failed`)
      if (port !== emptyChain) answered += result.ok * options.batch
      return { ...result, hits: (result.ok * options.batch) / result.seconds }
    }
    const counted = async (): Promise<void> => {
      const { hours } = (await api.settled(site)) as { hours: { counted: number; flagged: Record<string, number> }[] }
      const all = hours.reduce((sum, hour) => sum + hour.counted + Object.values(hour.flagged).reduce((flagged, n) => flagged + n, 0), 0)
      if (all !== answered) throw new Error(`${answered} hits were answered 2xx, ${all} are in the ledger`)
    }
    await until(
      'the salt of the day',
      async () => (await load({ port: chain, path, site, requests: 1, connections: 1 })).ok > 0 || undefined,
      60_000,
    )
    answered += 1
    await run(chain, { batch: 1, seed: 90, seconds: 3 })
    await run(emptyChain, { batch: 1, seed: 91, seconds: 3 })
    await counted()

    const figures = { chain: [] as number[], empty: [] as number[], direct: [] as number[], batch: [] as number[] }
    for (let round = 1; round <= rounds; round++) {
      figures.empty.push((await run(emptyChain, { batch: 1, seed: round })).hits)
      figures.chain.push((await run(chain, { batch: 1, seed: round })).hits)
      await counted()
      figures.direct.push((await run(direct, { batch: 1, seed: 10 + round })).hits)
      await counted()
      figures.batch.push((await run(chain, { batch, seed: 20 + round })).hits)
      await counted()
    }
    const one = median(figures.chain)
    print({ name: 'chain-empty-hits-per-s', value: median(figures.empty), unit: 'hits/s' })
    print({
      name: 'chain-vs-empty',
      value: one,
      unit: 'hits/s',
      against: 'the same chain with an empty handler',
      ratio: one / median(figures.empty),
    })
    print({
      name: 'chain-direct-hits-per-s',
      value: median(figures.direct),
      unit: 'hits/s',
      against: 'by the gateway',
      ratio: median(figures.direct) / one,
    })
    print({ name: 'chain-batch20-hits-per-s', value: median(figures.batch), unit: 'hits/s' })
    for (const percent of [25, 50, 75]) {
      const { p50, p99 } = await run(chain, { batch: 1, seed: 30 + percent, rate: Math.floor((one * percent) / 100), connections: 64 })
      print({ name: `chain-${percent}-percent-p50`, value: p50, unit: 'ms' })
      print({ name: `chain-${percent}-percent-p99`, value: p99, unit: 'ms' })
      await counted()
    }
    const began = performance.now()
    await faas.ask('POST', '/system/scale-function/collect-hit', { serviceName: 'collect-hit', replicas: 2 })
    await faas.ready()
    print({ name: 'chain-one-replica-more', value: performance.now() - began, unit: 'ms' })
    print({ name: 'counted-equals-answered', value: answered, unit: 'hits' })
  } finally {
    for (const end of ends.reverse()) await end()
    await faas.close()
    await servers.close()
    folder.remove()
  }
}
