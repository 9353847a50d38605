import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { type FunctionName, functionNames } from '#shared/runtime/routes.ts'
import { until } from '../tests/process/server.ts'
import { anInstallation, type Installed, type Part } from '../tests/services/installation.ts'
import { measureKafka, measureRedis } from './bare-services.ts'
import { median, print } from './figure.ts'
import { load, startBare } from './processes.ts'

/**
 * The distributed mode whole, every process and server on this machine: hits a second that are taken and counted, CPU per hit of each
 * process, and beside them the bare parts in the same run. A figure whose counts differ is not a figure.
 */

const partitions = 4
const batch = 20
const site = 'bench.example'
const seconds = 20
const rounds = 3
const path = '/api/hit'

/** Clock ticks of Linux. */
const ticksPerSecond = 100

/** CPU that a process has taken so far, µs. */
const cpuOf = (pid: number): number => {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ')
  return ((Number(fields[11]) + Number(fields[12])) * 1_000_000) / ticksPerSecond
}

/** Every process of an installation by name; several of one name are summed. */
const processesOf = (home: Installed): Map<string, number[]> => {
  const all = new Map<string, number[]>()
  const put = (name: string, part: Part) => all.set(name, [...(all.get(name) ?? []), part.process().pid])
  for (const name of functionNames) put(name, home.functions.get(name)!)
  for (const part of home.triggers) put('trigger', part)
  for (const part of home.kafkas) put('kafka', part)
  for (const part of home.cassandras) put('cassandra', part)
  put('redis', home.redis)
  put('nats', home.nats)
  return all
}

const cpuByName = (home: Installed): Map<string, number> =>
  new Map([...processesOf(home)].map(([name, pids]) => [name, pids.reduce((sum, pid) => sum + cpuOf(pid), 0)]))

const portOf = (home: Installed, name: FunctionName): number => Number(home.functions.get(name)!.process().address.split(':')[1])

/** Calls that the trigger has had answered so far, by function. */
const callsByName = async (home: Installed): Promise<Map<string, number>> => {
  const text = await (await fetch(`http://${home.triggers[0]!.process().address}/metrics`)).text()
  const calls = new Map<string, number>()
  for (const [, name, value] of text.matchAll(/^footfall_trigger_calls_total\{function="([^"]+)".*\} (\d+)$/gm))
    calls.set(name!, (calls.get(name!) ?? 0) + Number(value))
  return calls
}

/** Records that a function has not taken, as the trigger sees it. */
const lagOf = async (home: Installed, name: FunctionName): Promise<number> => {
  const text = await (await fetch(`http://${home.triggers[0]!.process().address}/metrics`)).text()
  const lags = text.matchAll(/^footfall_trigger_lag_records\{function="([^"]+)".*\} (\d+)$/gm)
  return [...lags].reduce((sum, [, of, records]) => sum + (of === name ? Number(records) : 0), 0)
}

type Cost = { cpu: number; hits: number; calls: number }

/** What a stage costs: µs of CPU for each call, and for each hit in it; from two loads, with many hits a call and with few. */
const solve = (many: Cost, few: Cost): { call: number; hit: number } => {
  const hit = (many.cpu * few.calls - few.cpu * many.calls) / (many.hits * few.calls - few.hits * many.calls)
  return { call: (few.cpu - hit * few.hits) / few.calls, hit }
}

type Sums = { counted: number; flagged: Record<string, number> }

const countedHits = async (home: Installed): Promise<number> => {
  const { hours, balanced } = (await home.settled(site)) as { hours: Sums[]; balanced: boolean }
  if (!balanced) throw new Error('the ledger is not balanced')
  return hours.reduce((sum, { counted, flagged }) => sum + counted + Object.values(flagged).reduce((all, n) => all + n, 0), 0)
}

const topPages = {
  site_id: site,
  date_range: 'day',
  metrics: ['visitors', 'pageviews'],
  dimensions: ['event:page'],
  pagination: { limit: 10 },
}

/** Asks for the top pages again and again until it is over; puts the time of each answer into `times`, and counts the others. */
const askOn = async (home: Installed, isOver: () => boolean, times: number[]): Promise<number> => {
  let refused = 0
  while (!isOver()) {
    const began = performance.now()
    const { status } = await home.ask('POST', '/api/v2/query', topPages)
    if (status === 200) times.push(performance.now() - began)
    else if (status === 503) refused++
    else throw new Error(`a question was answered ${status}`)
  }
  return refused
}

/** Bytes of all files below a folder. */
const bytesBelow = (folder: string): number =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.log'))
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0)

/** Ids of all hits of the bench are known for a day: more than the 256 MB that tests give to Redis. Full, it takes nothing, and all would wait. */
const withRoom = async (home: Installed): Promise<void> => {
  const client = new Redis(`redis://${home.redis.process().address}`)
  await client.config('SET', 'maxmemory', '6gb')
  client.disconnect()
}

export const benchPipeline = async (): Promise<void> => {
  const home = await anInstallation({ partitions })
  await withRoom(home)
  const bare = await startBare()
  let answered = 0
  const run = async (options: { seconds: number; seed: number; rate?: number; batch?: number; connections?: number }) => {
    const size = options.batch ?? batch
    const result = await load({ port: portOf(home, 'collect-hit'), path, site, connections: 32, batch: size, ...options })
    if (result.failed > 0) throw new Error(`${result.failed} of ${result.sent} requests failed`)
    answered += result.ok * size
    return (result.ok * size) / result.seconds
  }
  /** What the stages have taken for a load. */
  const costs = async (work: () => Promise<unknown>): Promise<Map<string, Cost>> => {
    const [cpu, calls, had] = [cpuByName(home), await callsByName(home), answered]
    await work()
    await countedHits(home)
    const [cpuNow, callsNow] = [cpuByName(home), await callsByName(home)]
    const of = (name: string): Cost => ({
      cpu: cpuNow.get(name)! - cpu.get(name)!,
      hits: answered - had,
      calls: callsNow.get(name)! - (calls.get(name) ?? 0),
    })
    return new Map([...callsNow.keys()].map((name) => [name, of(name)]))
  }
  try {
    await home.getSoon('POST', '/api/sites', { site })
    await home.getSoon('POST', '/api/v2/query', { site_id: site, date_range: 'day', metrics: ['visitors'] })
    await run({ seconds: 3, seed: 90 }) // warm up
    await countedHits(home)
    const rates: number[] = []
    const bares: number[] = []
    const cpus = new Map<string, number[]>()
    const kafkaFolder = home.kafkas[0]!.process().folder
    const stored = bytesBelow(kafkaFolder)
    const hadBefore = answered
    for (let round = 1; round <= rounds; round++) {
      const began = performance.now()
      const before = cpuByName(home)
      const had = answered
      await run({ seconds, seed: round })
      await countedHits(home)
      const took = (performance.now() - began) / 1000
      const hits = answered - had
      // Sustained: what was taken and counted, over the time until the last of it was counted.
      rates.push(hits / took)
      const after = cpuByName(home)
      for (const [name, cpu] of after) cpus.set(name, [...(cpus.get(name) ?? []), (cpu - before.get(name)!) / hits])
      const plain = await load({ port: bare.port, path, site, connections: 32, batch, seconds: 5, seed: round })
      bares.push((plain.ok * batch) / plain.seconds)
    }
    for (const [name, each] of cpus) print({ name: `pipeline-${name}-cpu-us`, value: median(each), unit: 'µs/hit' })
    print({ name: 'pipeline-kafka-bytes-per-hit', value: (bytesBelow(kafkaFolder) - stored) / (answered - hadBefore), unit: 'B' })
    const kafka = await measureKafka(home.kafkas[0]!.process().address, 300_000)
    const redis = await measureRedis(`redis://${home.redis.process().address}`, 300_000)
    const slowest = Math.min(median(bares), kafka, redis)
    print({ name: 'bare-http-batch20', value: median(bares), unit: 'hits/s' })
    print({ name: 'bare-kafka-produce', value: kafka, unit: 'records/s' })
    print({ name: 'bare-redis-hset', value: redis, unit: 'fields/s' })
    print({
      name: 'pipeline-batch20-hits-per-s',
      value: median(rates),
      unit: 'hits/s',
      against: 'slowest bare part',
      ratio: median(rates) / slowest,
    })

    // rollup alone: it stands still until enrich has taken a load; what Redis takes after that is for rollup.
    const rollup = home.functions.get('rollup-window')!.process()
    rollup.pause()
    const hadRollup = answered
    await run({ seconds: 10, seed: 30 })
    await until('enrich-session to take all', async () => (await lagOf(home, 'enrich-session')) === 0 || undefined, 60_000)
    const alone = cpuByName(home)
    rollup.resume()
    await countedHits(home)
    const inRedis = (cpuByName(home).get('redis')! - alone.get('redis')!) / (answered - hadRollup)
    print({ name: 'pipeline-rollup-window-in-redis-cpu-us', value: inRedis, unit: 'µs/hit' })
    print({ name: 'pipeline-rollup-cpu-us', value: median(cpus.get('rollup-window')!) + inRedis, unit: 'µs/hit, with Redis' })

    const stagesMany = await costs(() => run({ seconds, seed: 40 }))
    const stagesFew = await costs(() => run({ seconds, seed: 41, batch: 1, rate: 40, connections: 4 }))
    for (const name of ['enrich-session', 'rollup-window'] as const) {
      const { call, hit } = solve(stagesMany.get(name)!, stagesFew.get(name)!)
      print({ name: `pipeline-${name}-call-us`, value: call, unit: 'µs/call' })
      print({ name: `pipeline-${name}-hit-us`, value: hit, unit: 'µs/hit' })
    }
    const before = cpuByName(home)
    const had = answered
    const single = await run({ seconds: 10, seed: 50, batch: 1, connections: 256 })
    await countedHits(home)
    print({ name: 'pipeline-single-hits-per-s', value: single, unit: 'hits/s' })
    for (const [name, cpu] of cpuByName(home))
      print({ name: `pipeline-single-${name}-cpu-us`, value: (cpu - before.get(name)!) / (answered - had), unit: 'µs/hit' })

    const rate = Math.max(1, Math.floor(median(rates) / 2 / batch))
    let isOver = false
    const loading = run({ seconds, seed: 60, rate, connections: 8 }).finally(() => {
      isOver = true
    })
    const times: number[] = []
    const refused = await Promise.all(Array.from({ length: 16 }, () => askOn(home, () => isOver, times)))
    await loading
    const drained = performance.now()
    const counted = await countedHits(home)
    print({ name: 'pipeline-16-queries-at-half-load', value: median(times), unit: 'ms' })
    print({ name: 'pipeline-16-queries-answered', value: times.length, unit: `in ${seconds} s` })
    print({
      name: 'pipeline-16-queries-refused',
      value: refused.reduce((sum, n) => sum + n, 0) / (times.length || 1),
      unit: 'of those answered',
    })
    print({ name: 'pipeline-lag-after-half-load', value: performance.now() - drained, unit: 'ms' })
    if (counted !== answered) throw new Error(`${answered} hits were answered 2xx, ${counted} are in the ledger`)
    print({ name: 'counted-equals-answered', value: answered, unit: 'hits' })
  } finally {
    await bare.stop()
    await home.close()
  }
}
