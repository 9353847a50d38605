import { expect, test } from 'vitest'
import { type CheckOptions, checkRun } from './check.ts'
import { loadMutant } from './mutant.ts'
import { type Parts, realParts } from './parts.ts'

/** Rules of partitions and shards, broken one by one: seeds that are green with them turn red. */

const queryFile = 'functions/query-metrics/handler.ts'
const collectFile = 'functions/collect-hit/handler.ts'
const ledgerFile = 'functions/collect-hit/ledger.ts'
const resolveFile = 'functions/collect-hit/resolve.ts'
const intakeFile = 'functions/collect-hit/intake.ts'
const shardsFile = 'shared/site/shards.ts'

const collectWith = async (name: string, from: string, to: string): Promise<Parts['collect']> => {
  const through = [ledgerFile, resolveFile, intakeFile]
  return ((await loadMutant(name, collectFile, [{ file: shardsFile, from, to }], through)) as { createHandler: Parts['collect'] })
    .createHandler
}

/** Two processes of collect-hit that take turns. */
const alternating =
  (one: Parts['collect'], other: Parts['collect']): Parts['collect'] =>
  (ports, options) => {
    const both = [one(ports, options), other(ports, options)]
    let calls = 0
    return {
      handle: (request) => both[calls++ % 2]!.handle(request),
      flush: async () => void (await Promise.all(both.map(({ flush }) => flush()))),
    }
  }

const queryWith = async (name: string, from: string, to: string): Promise<Parts> => ({
  ...realParts,
  query: ((await loadMutant(name, queryFile, [{ file: queryFile, from, to }])) as { createHandler: Parts['query'] }).createHandler,
})

const mutations: Record<string, () => Promise<Parts>> = {
  'questions read the first partition of a site with shards': () =>
    queryWith(
      'first-partition',
      'const own = partitionsOf(site.site, site, await ports.generations.list())\n  const reading = await beginReading(ports, site.site',
      'const own = partitionsOf(site.site, site, await ports.generations.list()).slice(0, 1)\n  const reading = await beginReading(ports, site.site',
    ),
  "nobody's ledger is that of one partition": () => queryWith('one-ledger', 'list.flatMap(allPartsOf)', '[0]'),
  'two processes do not agree on the partition of a site': async () => ({
    ...realParts,
    collect: alternating(
      realParts.collect,
      await collectWith('other-hash', 'return (h ^ (h >>> 16)) >>> 0', 'return (h ^ (h >>> 15)) >>> 0'),
    ),
  }),
  'two processes do not agree on the shard of a visitor': async () => ({
    ...realParts,
    collect: alternating(
      realParts.collect,
      await collectWith('other-shard', ': route & ((1 << bitsAt(shards, t)) - 1)', ': (route + 1) & ((1 << bitsAt(shards, t)) - 1)'),
    ),
  }),
}

const options = (seed: number, parts?: Parts): CheckOptions => ({
  seed,
  parts,
  partitions: 2 + (seed % 2),
  hits: 60,
  failures: 0.02,
  nemesis: 0.01,
  questions: 12,
  asking: 0,
})
const most = 60

for (const [name, make] of Object.entries(mutations))
  test(name, { timeout: 240_000 }, async () => {
    const parts = await make()
    let red: { seed: number; error: unknown } | undefined
    for (let seed = 1; seed <= most && red === undefined; seed++)
      await checkRun(options(seed, parts)).catch((error: unknown) => {
        red = { seed, error }
      })
    expect(red, `no seed up to ${most} finds it`).toBeDefined()
    expect(String(red!.error)).toMatch(/should be|lacks/)
    await checkRun(options(red!.seed))
    console.info(`${name}: seed ${red!.seed}`)
  })
