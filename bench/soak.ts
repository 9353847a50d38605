import { print } from './figure.ts'
import { countedHits, drain, load, residentMb, startFootfall } from './processes.ts'

/** Resident memory over five million hits at full load: a sample after each half million, with everything counted. */
const steps = 10
const stepHits = 500_000

export const benchSoak = async (): Promise<void> => {
  const footfall = await startFootfall()
  let answered = 0
  const samples: number[] = []
  try {
    for (let step = 1; step <= steps; step++) {
      const { ok, failed } = await load({
        port: footfall.port,
        path: '/api/hit',
        connections: 256,
        seconds: 600,
        requests: stepHits,
        seed: step,
      })
      if (failed > 0) throw new Error(`${failed} requests failed`)
      answered += ok
      await drain(footfall)
      samples.push(residentMb(footfall.pid))
      print({ name: `memory-after-${answered}-hits`, value: samples.at(-1)!, unit: 'MB' })
    }
    const { counted } = await countedHits(footfall)
    if (counted !== answered) throw new Error(`${answered} were answered, ${counted} counted`)
    // The first sample has heaps that are still growing into their limits.
    print({
      name: 'memory-growth',
      value: samples.at(-1)!,
      unit: 'MB',
      against: 'memory after a fifth',
      ratio: samples.at(-1)! / samples[1]!,
    })
  } finally {
    await footfall.stop()
  }
}
