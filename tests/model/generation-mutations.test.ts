import { expect, test } from 'vitest'
import type { Generation } from '#shared/ports/generations.ts'
import { type CheckOptions, checkRun, faultsOf } from './check.ts'
import { loadMutant } from './mutant.ts'
import { type Parts, realParts } from './parts.ts'

/** Rules of generations, broken one by one: seeds that are green with them turn red. */

const queryFile = 'functions/query-metrics/handler.ts'
const enrichFile = 'functions/enrich-session/handler.ts'
const earlierFile = 'functions/enrich-session/earlier.ts'
const generationsFile = 'shared/site/generations.ts'
const shardsFile = 'shared/site/shards.ts'

const enrichWith = async (name: string, file: string, from: string, to: string): Promise<Parts> => {
  const through = [earlierFile, generationsFile]
  const { createHandler } = (await loadMutant(name, enrichFile, [{ file, from, to }], through)) as { createHandler: Parts['enrich'] }
  return { ...realParts, enrich: createHandler }
}

const mutations: Record<string, { topics: NonNullable<CheckOptions['topics']>; make: () => Promise<Parts> }> = {
  'what an earlier generation has taken is no repeat': {
    topics: 'other',
    make: () =>
      enrichWith(
        'no-earlier',
        earlierFile,
        'if (generationOf(partition) === 0) return loaded',
        'if (generationOf(partition) >= 0) return loaded',
      ),
  },
  'hits of a generation are taken before all of the one before': {
    topics: 'other',
    make: () => enrichWith('no-wait', earlierFile, 'if (!isWhole) throw notYet(partition)', ''),
  },
  'questions read the newest generation': {
    topics: 'other',
    make: async () => {
      const edit = { file: shardsFile, from: 'generations.toReversed()', to: 'generations.slice(-1)' }
      const { createHandler } = (await loadMutant('newest-only', queryFile, [edit], [])) as { createHandler: Parts['query'] }
      return { ...realParts, query: createHandler }
    },
  },
  'a topic that was made anew is taken for the old one': {
    topics: 'lost',
    make: () => enrichWith('any-log', generationsFile, "return own === '' || own === id", "return own === '' || id !== ''"),
  },
}

const options = (seed: number, topics: CheckOptions['topics'], parts?: Parts): CheckOptions => ({
  seed,
  parts,
  topics,
  partitions: 1 + (seed % 3),
  hits: 60,
  ...faultsOf(seed),
  questions: 12,
  asking: 0,
})
const most = 100

for (const [name, { topics, make }] of Object.entries(mutations))
  test(name, { timeout: 300_000 }, async () => {
    const parts = await make()
    let red: { seed: number; error: unknown } | undefined
    for (let seed = 1; seed <= most && red === undefined; seed++)
      await checkRun(options(seed, topics, parts)).catch((error: unknown) => {
        red = { seed, error }
      })
    expect(red, `no seed up to ${most} finds it`).toBeDefined()
    expect(String(red!.error)).toMatch(/should|lacks|nowhere|never caught up/)
    await checkRun(options(red!.seed, topics))
    console.info(`${name}: seed ${red!.seed}: ${String(red!.error).slice(0, 200)}`)
  })

test('a process that hears of no other generation loses nothing', { timeout: 300_000 }, async () => {
  const deaf: Parts['collect'] = (ports, options) => {
    let first: Promise<Generation[]> | undefined
    const list = async () => {
      first ??= Promise.resolve(ports.generations.list()).then((all) => [...all])
      return first
    }
    return realParts.collect({ ...ports, generations: { list } }, options)
  }
  /** Another process takes every other request: what the deaf one is refused is sent again. */
  const collect: Parts['collect'] = (ports, options) => {
    const both = [deaf(ports, options), realParts.collect(ports, options)]
    let calls = 0
    return {
      handle: (request) => both[calls++ % 2]!.handle(request),
      flush: async () => void (await Promise.all(both.map(({ flush }) => flush()))),
    }
  }
  for (let seed = 1; seed <= 20; seed++) await checkRun(options(seed, seed % 4 === 0 ? 'lost' : 'other', { ...realParts, collect }))
})
