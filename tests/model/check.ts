import { FootfallError } from '#shared/errors.ts'
import type { RollupFence } from '#shared/ports/memtables.ts'
import type { ReplayOrder } from '#shared/ports/replays.ts'
import type { SiteConfig } from '#shared/site/config.ts'
import { Outage } from './gates.ts'
import { sites } from './plan.ts'
import { answer, byDimensions, type Question, randomQuestion } from './questions.ts'
import { createRandom, type Random } from './random.ts'
import type { PartRecord } from './records.ts'
import { type LedgerHour, type RawRecord, type Recount, readHits, recount } from './recount.ts'
import { changing, createOwner, settle, underReplays, withoutRules } from './replays.ts'
import { type RunOptions, run } from './run.ts'
import type { World } from './world.ts'

/** Holds one run against the independent recount: every hit, the ledger, and answers to random questions, also while it runs. */

export type CheckOptions = RunOptions & {
  questions: number /** Chance per request that a question is asked while everything runs. */
  asking: number
  /** So much time goes by at the end, step by step, and all is asked again: days are closed, what is superseded goes. */
  ages?: readonly number[]
  /** An owner orders replays, switches, undoes and drops meanwhile. */
  replays?: boolean
}

type Configs = (site: string, version: number) => SiteConfig

/** Faults of every kind, of some kinds, and none at all. */
export const faultsOf = (seed: number): Pick<RunOptions, 'failures' | 'nemesis'> => {
  const settings = [
    { failures: 0.02, nemesis: 0.01 },
    { failures: 0, nemesis: 0 },
    { failures: 0.02, nemesis: 0.01 },
    { failures: 0.12, nemesis: 0 },
    { failures: 0, nemesis: 0.04 },
  ]
  return settings[seed % settings.length]!
}

const configsOf = async (world: World): Promise<Configs> => {
  const known = new Map<string, SiteConfig>()
  for (const { site } of sites)
    for (let version = 1; version <= ((await world.stores.sites.find(site))?.version ?? 0); version++) {
      const config = await world.stores.sites.at(site, version)
      if (config) known.set(`${site} ${version}`, config)
    }
  return (site, version) => known.get(`${site} ${version}`)!
}

const differences = (got: ReturnType<typeof byDimensions>, wanted: ReturnType<typeof byDimensions>): string[] =>
  [...new Set([...wanted.keys(), ...got.keys()])].flatMap((row) => {
    const [is, should] = [JSON.stringify(got.get(row)), JSON.stringify(wanted.get(row))]
    return is === should ? [] : [`${row}: is ${is}, should be ${should}`]
  })

const ask = async (world: World, facts: Recount, question: Question, config: SiteConfig): Promise<void> =>
  compare((await world.query(question)).results, facts, question, config)

const compare = (results: Parameters<typeof byDimensions>[0], facts: Recount, question: Question, config: SiteConfig): void => {
  const wrong = differences(byDimensions(results), byDimensions(answer(facts, question, config)))
  if (wrong.length > 0) throw new Error(`${JSON.stringify(question)}\n  ${wrong.join('\n  ')}`)
}

/** The question, without what a version may say otherwise while its site is under one. */
const settledQuestion = async (world: World, question: Question): Promise<Question> =>
  (await changing(world)).has(question.site_id) ? withoutRules(question) : question

/** Where rollup stands in each partition. */
const fencesOf = async ({ stores, parts }: World): Promise<Map<number, RollupFence | undefined>> =>
  new Map(await Promise.all(parts().map(async (partition) => [partition, await stores.memtables.fence(partition)] as const)))

/**
 * Whether hits of a generation are missing while hits of a later one are there: what those repeat was decided by all that were taken, and
 * rollup may be behind in the older partitions.
 */
const lacksEarlier = (all: readonly PartRecord[], taken: readonly PartRecord[]): boolean => {
  const newest = Math.max(0, ...taken.map(({ partition }) => partition >> 12))
  const known = new Set(taken)
  return all.some((record) => record.partition >> 12 < newest && !known.has(record))
}

/** What the answers must say now: the rollup's fences tell how much of the log it has taken. */
const askWhileRunning = async (world: World, random: Random): Promise<void> => {
  const before = await fencesOf(world)
  if ([...before.values()].includes(undefined)) return
  const all = await world.hits()
  const taken = all.filter(({ partition, offset }) => offset <= before.get(partition)!.src)
  if (lacksEarlier(all, taken)) return
  const facts = recount(taken, await configsOf(world), world.horizonMs)
  const config = (await world.stores.sites.find(random.pick(sites).site))!
  const question = await settledQuestion(world, randomQuestion(random, facts, config, world.clock.now()))
  const failed = await ask(world, facts, question, config).catch((error: Error) => error)
  if (failed instanceof FootfallError && failed.retryable) return // rows are being moved or restored: it says so, and no number
  const after = await fencesOf(world)
  const stood = [...before].every(([part, fence]) => after.get(part)?.gen === fence!.gen && after.get(part)!.next === fence!.next)
  if (failed && stood && after.size === before.size)
    throw new Error(`while running, up to ${[...before].map(([part, fence]) => `${part}: ${fence!.src}`)}: ${failed.message}`)
}

/** The same while the pipeline goes on under the question: rows are flushed, dropped and closed between its reads. */
const askBeside = async (world: World, random: Random): Promise<void> => {
  const known = recount(await world.hits(), await configsOf(world), world.horizonMs)
  const config = (await world.stores.sites.find(random.pick(sites).site))!
  const question = await settledQuestion(world, randomQuestion(random, known, config, world.clock.now()))
  const answer = await world.queryBeside(question).catch((error: unknown) => {
    if (error instanceof Outage || (error instanceof FootfallError && error.retryable)) return undefined
    throw error
  })
  if (!answer || [...answer.fences.values()].includes(undefined)) return
  const { fences } = answer
  // A partition that was not asked must hold nothing of the site.
  const all = await world.hits()
  const taken = all.filter(({ partition, offset }) => offset <= (fences.get(partition)?.src ?? Number.POSITIVE_INFINITY))
  if (lacksEarlier(all, taken)) return
  try {
    compare(answer.results, recount(taken, await configsOf(world), world.horizonMs), question, config)
  } catch (cause) {
    throw new Error(`beside the pipeline, up to ${JSON.stringify([...fences])}: ${(cause as Error).message}`, { cause })
  }
}

/** What accepted events say was taken (R4: an event counts only where it says that it stands). */
const takenByEvents = async (world: World): Promise<string[]> => {
  const records = await world.events()
  const events = records
    .map(({ partition, offset, body }) => ({ partition, offset, event: JSON.parse(body) }))
    .filter(({ offset, event }) => event.at === offset)
  return events.flatMap(({ partition, event }) =>
    [...(event.ids ?? []), ...event.x.flatMap(({ h }: { h: { id: string }[] }) => h.map(({ id }) => id))].map(
      (id) => `${event.site} ${id} in ${partition} at ${event.lt}`,
    ),
  )
}

const checkHits = async (world: World, facts: Recount, ok: Set<string>, sent: Set<string>): Promise<void> => {
  const wanted = facts.taken.map(({ site, partition, id, at }) => `${site} ${id} in ${partition} at ${at}`).sort()
  const got = (await takenByEvents(world)).sort()
  const lost = wanted.filter((id) => !got.includes(id))
  const extra = got.filter((id, i) => !wanted.includes(id) || id === got[i - 1])
  if (lost.length + extra.length > 0) throw new Error(`hits not taken: ${lost}; taken though they should not: ${extra}`)
  const known = new Set(facts.taken.map(({ site, id }) => `${site} ${id}`))
  for (const id of ok) if (!known.has(id)) throw new Error(`${id} was answered 202 and is nowhere`)
  for (const id of known) if (!sent.has(id)) throw new Error(`${id} was counted and never sent`)
}

/** A visitor's hits lie in one partition of a generation, as long as his site has as many shards: else no visit of his would be whole. */
const checkPlaces = (records: readonly RawRecord[], configs: Configs): void => {
  const places = new Map<string, number>()
  for (const { partition, body } of records) {
    const record = readHits(body)
    if (!record) continue
    const spans = configs(record.site, record.cfg).shards ?? []
    for (const { t } of record.ev) {
      const name = `${partition >> 12} ${record.site} ${record.vis} ${spans.findLast(({ from }) => from <= t)?.from ?? 0}`
      const place = places.get(name) ?? partition
      if (place !== partition) throw new Error(`a hit of ${name} is in partition ${partition}, should be in ${place}`)
      places.set(name, place)
    }
  }
}

const sortedNumbers = (sums: Record<string, number>) => Object.entries(sums).sort(([a], [b]) => (a < b ? -1 : 1))
const ledgerText = ({ received, counted, flagged, refused, repeated, dead }: LedgerHour) =>
  JSON.stringify({ received, counted, flagged: sortedNumbers(flagged), refused: sortedNumbers(refused), repeated, dead })

const dateOf = (t: number) => new Date(t).toISOString().slice(0, 10)

const checkLedger = async (world: World, facts: Recount, site: string): Promise<void> => {
  const hours = facts.ledger.get(site) ?? new Map<number, LedgerHour>()
  const times = [...hours.keys(), world.clock.now()]
  const { hours: got, balanced } = await world.ledger(
    site,
    dateOf(Math.min(...times) - 86_400_000),
    dateOf(Math.max(...times) + 86_400_000),
  )
  if (!balanced) throw new Error(`the ledger of ${site} does not balance: ${JSON.stringify(got)}`)
  for (const hour of got) {
    const t = Date.parse(hour.from)
    const wanted = hours.get(t)
    if (hour.lost !== 0 || !wanted || ledgerText(hour) !== ledgerText(wanted))
      throw new Error(`the ledger of ${site} at ${hour.from} is ${JSON.stringify(hour)}, should be ${wanted && ledgerText(wanted)}`)
    hours.delete(t)
  }
  if (hours.size > 0) throw new Error(`the ledger of ${site} lacks ${JSON.stringify([...hours])}`)
}

/** The owner acts now and then while the pipeline goes on. */
const actAlong = async (world: World, random: Random): Promise<void> => {
  const owner = createOwner(world, createRandom(random.below(1e9)))
  for (let i = 0; i < 12; i++) {
    await owner.act()
    world.clock.advance(11_000)
    for (let turns = 0; turns < 60; turns++) await world.turn()
  }
}

/** All questions when orders are settled: as readers see it, and of each replay that may be previewed. */
const askReplayed = async (world: World, random: Random, questions: number): Promise<void> => {
  await settle(world)
  const raw = recount(await world.hits(), await configsOf(world), world.horizonMs)
  const configs = await configsOf(world)
  const asked = async (preview?: ReplayOrder) => {
    const { facts, unsure } = await underReplays(world, raw, configs, preview)
    const config = (await world.stores.sites.find(preview?.site ?? random.pick(sites).site))!
    const drawn = randomQuestion(random, facts, config, world.clock.now())
    const question = unsure.has(config.site) ? withoutRules(drawn) : drawn
    const include = preview ? { ...question.include, replay: preview.id } : question.include
    compare((await world.query({ ...question, ...(include ? { include } : {}) })).results, facts, question, config)
  }
  for (let i = 0; i < questions; i++) await asked()
  for (const order of await world.stores.replays.all())
    if (order.wanted === 'made' || order.wanted === 'undone') for (let i = 0; i < questions / 2; i++) await asked(order)
}

const checkAll = async (options: CheckOptions): Promise<number> => {
  const random = createRandom(options.seed ^ 0xa5c)
  const { world, ok, sent, calls } = await run(options, async (running) => {
    if (options.replays && random.chance(0.3)) await createOwner(running, createRandom(random.below(1e9))).act()
    if (random.chance(options.asking)) await askWhileRunning(running, random)
    if (random.chance(options.asking)) await askBeside(running, random)
  })
  const facts = recount(await world.hits(), await configsOf(world), world.horizonMs)
  checkPlaces(await world.hits(), await configsOf(world))
  await checkHits(world, facts, ok, sent)
  const askAll = async () => {
    if (options.replays) return await askReplayed(world, random, options.questions)
    for (const { site } of [...sites, { site: '' }])
      await checkLedger(world, recount(await world.hits(), await configsOf(world), world.horizonMs), site)
    for (let i = 0; i < options.questions; i++) {
      const config = (await world.stores.sites.find(random.pick(sites).site))!
      await ask(world, facts, randomQuestion(random, facts, config, world.clock.now()), config)
    }
  }
  if (!options.replays) await askAll()
  for (const ms of options.ages ?? []) {
    if (options.replays) await actAlong(world, random)
    await world.age(ms, options.nemesis !== undefined && options.nemesis > 0)
    await askAll()
  }
  await world.close()
  return calls
}

/** Checks one seed and answers how many port calls its run made. What goes wrong says how to play it again. */
export const checkRun = async (options: CheckOptions): Promise<number> => {
  try {
    return await checkAll(options)
  } catch (cause) {
    const { parts: _, ground: _ground, ...plain } = options
    throw new Error(`seed ${options.seed}: ${(cause as Error).message}\n  again: checkRun(${JSON.stringify(plain)})`, { cause })
  }
}
