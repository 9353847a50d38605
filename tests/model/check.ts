import { FootfallError } from '#shared/errors.ts'
import type { SiteConfig } from '#shared/site/config.ts'
import { Outage } from './gates.ts'
import { sites } from './plan.ts'
import { answer, byDimensions, type Question, randomQuestion } from './questions.ts'
import { createRandom, type Random } from './random.ts'
import { type LedgerHour, type Recount, recount } from './recount.ts'
import { type RunOptions, run } from './run.ts'
import type { World } from './world.ts'

/** Holds one run against the independent recount: every hit, the ledger, and answers to random questions, also while it runs. */

export type CheckOptions = RunOptions & {
  questions: number /** Chance per request that a question is asked while everything runs. */
  asking: number
  /** So much time goes by at the end, step by step, and all is asked again: days are closed, what is superseded goes. */
  ages?: readonly number[]
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
    for (const version of [1, 2]) {
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

/** What the answers must say now: the rollup's fence tells how much of the log it has taken. */
const askWhileRunning = async (world: World, random: Random): Promise<void> => {
  const before = await world.stores.memtables.fence(0)
  if (!before) return
  const taken = (await world.hits()).filter(({ offset }) => offset <= before.src)
  const facts = recount(taken, await configsOf(world))
  const config = (await world.stores.sites.find(random.pick(sites).site))!
  const question = randomQuestion(random, facts, config, world.clock.now())
  const failed = await ask(world, facts, question, config).catch((error: Error) => error)
  if (failed instanceof FootfallError && failed.retryable) return // rows are being moved or restored: it says so, and no number
  const after = await world.stores.memtables.fence(0)
  const stood = after?.gen === before.gen && after.next === before.next
  if (failed && stood) throw new Error(`while running, up to ${before.src}: ${failed.message}`)
}

/** The same while the pipeline goes on under the question: rows are flushed, dropped and closed between its reads. */
const askBeside = async (world: World, random: Random): Promise<void> => {
  const known = recount(await world.hits(), await configsOf(world))
  const config = (await world.stores.sites.find(random.pick(sites).site))!
  const question = randomQuestion(random, known, config, world.clock.now())
  const answer = await world.queryBeside(question).catch((error: unknown) => {
    if (error instanceof Outage || (error instanceof FootfallError && error.retryable)) return undefined
    throw error
  })
  if (!answer?.fence) return
  const { src } = answer.fence
  const taken = (await world.hits()).filter(({ offset }) => offset <= src)
  try {
    compare(answer.results, recount(taken, await configsOf(world)), question, config)
  } catch (cause) {
    throw new Error(`beside the pipeline, up to ${src}: ${(cause as Error).message}`, { cause })
  }
}

/** What accepted events say was taken (R4: an event counts only where it says that it stands). */
const takenByEvents = async (world: World): Promise<string[]> => {
  const records = await world.events()
  const events = records.map(({ offset, body }) => ({ offset, event: JSON.parse(body) })).filter(({ offset, event }) => event.at === offset)
  return events.flatMap(({ event }) =>
    [...(event.ids ?? []), ...event.x.flatMap(({ h }: { h: { id: string }[] }) => h.map(({ id }) => id))].map(
      (id) => `${event.site} ${id} ${event.lt}`,
    ),
  )
}

const checkHits = async (world: World, facts: Recount, ok: Set<string>, sent: Set<string>): Promise<void> => {
  const wanted = facts.taken.map(({ site, id, at }) => `${site} ${id} ${at}`).sort()
  const got = (await takenByEvents(world)).sort()
  const lost = wanted.filter((id) => !got.includes(id))
  const extra = got.filter((id, i) => !wanted.includes(id) || id === got[i - 1])
  if (lost.length + extra.length > 0) throw new Error(`hits not taken: ${lost}; taken though they should not: ${extra}`)
  const known = new Set(facts.taken.map(({ site, id }) => `${site} ${id}`))
  for (const id of ok) if (!known.has(id)) throw new Error(`${id} was answered 202 and is nowhere`)
  for (const id of known) if (!sent.has(id)) throw new Error(`${id} was counted and never sent`)
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

const checkAll = async (options: CheckOptions): Promise<number> => {
  const random = createRandom(options.seed ^ 0xa5c)
  const { world, ok, sent, calls } = await run(options, async (running) => {
    if (random.chance(options.asking)) await askWhileRunning(running, random)
    if (random.chance(options.asking)) await askBeside(running, random)
  })
  const facts = recount(await world.hits(), await configsOf(world))
  await checkHits(world, facts, ok, sent)
  const askAll = async () => {
    for (const { site } of [...sites, { site: '' }]) await checkLedger(world, recount(await world.hits(), await configsOf(world)), site)
    for (let i = 0; i < options.questions; i++) {
      const config = (await world.stores.sites.find(random.pick(sites).site))!
      await ask(world, facts, randomQuestion(random, facts, config, world.clock.now()), config)
    }
  }
  await askAll()
  for (const ms of options.ages ?? []) {
    await world.age(ms, options.nemesis !== undefined && options.nemesis > 0)
    await askAll()
  }
  world.close()
  return calls
}

/** Checks one seed and answers how many port calls its run made. What goes wrong says how to play it again. */
export const checkRun = async (options: CheckOptions): Promise<number> => {
  try {
    return await checkAll(options)
  } catch (cause) {
    const { parts: _, ...plain } = options
    throw new Error(`seed ${options.seed}: ${(cause as Error).message}\n  again: checkRun(${JSON.stringify(plain)})`, { cause })
  }
}
