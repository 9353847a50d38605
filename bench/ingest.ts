import { readFileSync } from 'node:fs'
import { median, print } from './figure.ts'
import { countedHits, drain, type Footfall, load, startBare, startFootfall } from './processes.ts'
import { measureStages } from './stages.ts'

/**
 * Durable `POST /api/hit`, one hit a request, against bare node:http that reads the same body: closed runs in turn, everything drained
 * in between; then a minute at full load, then an open run at half of it. A figure whose counts differ is not a figure.
 */
const connections = 256
const rounds = 5
const roundSeconds = 6

const checkCounts = async (footfall: Footfall, answered: number): Promise<void> => {
  const { received, counted, balanced } = await countedHits(footfall)
  if (received !== answered || counted !== answered || !balanced)
    throw new Error(`${answered} hits were answered 2xx, the ledger says ${received} received, ${counted} counted, balanced: ${balanced}`)
}

const machineLoad = (): number => Number(readFileSync('/proc/loadavg', 'utf8').split(' ')[0])

export const benchIngest = async (): Promise<void> => {
  print({ name: 'machine-load-before', value: machineLoad(), unit: 'load' })
  const bare = await startBare()
  const footfall = await startFootfall()
  let answered = 0
  const path = '/api/hit'
  const run = async (options: { seconds: number; seed: number; rate?: number }) => {
    const result = await load({ port: footfall.port, path, connections, ...options })
    if (result.failed > 0) throw new Error(`${result.failed} of ${result.sent} requests failed`)
    answered += result.ok
    return result
  }
  try {
    await run({ seconds: 3, seed: 99 }) // warm up
    await load({ port: bare.port, path, connections, seconds: 3 })
    await drain(footfall)
    const ours: number[] = []
    const theirs: number[] = []
    for (let round = 1; round <= rounds; round++) {
      const a = await load({ port: bare.port, path, connections, seconds: roundSeconds, seed: round })
      const b = await run({ seconds: roundSeconds, seed: round })
      await drain(footfall)
      theirs.push(a.ok / a.seconds)
      ours.push(b.ok / b.seconds)
    }
    await checkCounts(footfall, answered)
    const ratios = ours.map((rate, i) => rate / theirs[i]!)
    print({ name: 'bare-http', value: median(theirs), unit: 'requests/s' })
    print({ name: 'ingest-embedded', value: median(ours), unit: 'hits/s', against: 'bare-http', ratio: median(ratios) })

    const full = await run({ seconds: 60, seed: 6 })
    const lag = await drain(footfall)
    print({ name: 'ingest-minute', value: full.ok / full.seconds, unit: 'hits/s' })
    print({ name: 'lag-after-minute', value: lag, unit: 'ms' })

    const half = await run({ seconds: 30, seed: 7, rate: Math.floor(median(ours) / 2) })
    await drain(footfall)
    await checkCounts(footfall, answered)
    print({ name: 'half-load-rate', value: half.ok / half.seconds, unit: 'hits/s' })
    print({ name: 'half-load-p50', value: half.p50, unit: 'ms' })
    print({ name: 'half-load-p99', value: half.p99, unit: 'ms' })
    print({ name: 'half-load-max', value: half.max, unit: 'ms' })
    print({ name: 'counted-equals-answered', value: answered, unit: 'hits' })
  } finally {
    await bare.stop()
    await footfall.stop()
  }
  for (const { name, cpuMicros } of await measureStages(100_000, 500)) print({ name: `cpu-${name}`, value: cpuMicros, unit: 'µs/hit' })
  print({ name: 'machine-load-after', value: machineLoad(), unit: 'load' })
}
