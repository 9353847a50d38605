import type { SiteConfig } from '#shared/site/config.ts'
import { allPartsOf, openIn } from '#shared/site/generations.ts'
import { changeShards } from '#shared/site/shards.ts'
import { changeZone } from '#shared/site/zone.ts'
import { retryHorizonMs } from '#shared/visit/step.ts'
import { randomGoals } from './goals.ts'
import type { MakeGround } from './ground.ts'
import { withImport } from './imports.ts'
import type { Parts } from './parts.ts'
import { createPlan, type Planned, sites, starts } from './plan.ts'
import { createRandom, type Random } from './random.ts'
import { partitionsFor, sharded } from './shards.ts'
import { createWorld, ownKey, type World } from './world.ts'

/** One run of the model: a plan sent through a world in which things go wrong, until all is taken in. */
export type RunOptions = {
  seed: number
  hits: number
  parts?: Parts
  /** Chance that a port call fails. */
  failures?: number
  /** Chance per turn that something worse happens. */
  nemesis?: number
  nth?: { call: number; after: boolean }
  /** How many partitions the log has, and whether sites have shards; without it every third seed has several. */
  partitions?: number
  /** Moves to other topics meanwhile, of another number of partitions; or loses those it has, and then moves. */
  topics?: 'other' | 'lost' | undefined
  /** SQLite in memory, when nothing else is said. */
  ground?: MakeGround
  /** Two triggers everywhere and one visitor: whoever comes too late or knows too little is wrong at once. */
  crowded?: boolean
}

/** `ok` and `sent`: hits answered 2xx, and all that were sent, by `site id`. */
export type RunResult = { world: World; ok: Set<string>; sent: Set<string>; calls: number; seed: number }

const hour = 3_600_000

/** Now and then a site has rules that few have: visits that go on for days, a country left out. */
const varied = (random: Random, config: SiteConfig): SiteConfig => {
  const sessionTimeoutMs = random.chance(0.25) ? random.pick([2 * hour, (7 * 60 + 55) * 60_000]) : config.sessionTimeoutMs
  const exclude = random.chance(0.1) ? { ...config.exclude, countries: ['FR'] } : config.exclude
  return { ...config, sessionTimeoutMs, exclude }
}

/** A request with hits at its end that will be refused. */
const spoiled = (random: Random, { request, site }: Planned): Planned['request'] => {
  const { hits } = JSON.parse(request.body.toString('utf8'))
  const bad = [{ site, name: 'x'.repeat(121) }, { site, url: 'no address' }, { site: 'nobody.example', url: 'https://nobody.example/' }, 7]
  return { ...request, body: Buffer.from(JSON.stringify({ hits: [...hits, random.pick(bad), random.pick(bad)] })) }
}

/** Where visits may be long, often all is done there and by one visitor, so that some visits never end. */
const planOf = (random: Random, configs: readonly SiteConfig[], { hits, crowded }: RunOptions): Planned[] => {
  if (crowded)
    return createPlan(random, hits).map((planned) => ({
      ...planned,
      request: byOne(planned.request),
      afterMs: Math.min(planned.afterMs, hour),
    }))
  const long = configs.find(({ sessionTimeoutMs, identity }) => identity === 'cookie' && sessionTimeoutMs > 7 * hour)
  if (!long || random.chance(0.5)) return createPlan(random, hits)
  const plan = createPlan(random, hits * 3).filter(({ site }) => site === long.site)
  return plan.map((planned) => ({ ...planned, request: byOne(planned.request), afterMs: Math.min(planned.afterMs, 5 * hour) }))
}

const byOne = (request: Planned['request']): Planned['request'] => ({
  ...request,
  body: Buffer.from(request.body.toString('utf8').replaceAll(/"visitor-[^"]*"/g, '"visitor-1.20260101"')),
})

/** What the first version had does not stay: goals that change hold for the past at once, but engage nobody later. */
const noGoals = { goals: undefined, segments: undefined }

const isImport = ({ request }: Planned) => request.path === '/api/import'

/** Every third run has an import beside its hits. */
const hasImport = ({ seed }: RunOptions) => seed % 3 === 0

const garbage = ['', 'no record', '{"v":1,"site":"plain.example","ev":[']

const putGarbage = async ({ stores }: World, random: Random): Promise<void> => {
  const parts = allPartsOf(openIn(await stores.generations.list()))
  const part = parts[random.below(parts.length)]!
  // A topic that was deleted takes nothing, rubbish neither.
  await stores.log.append('hits', part, [random.pick(garbage)]).catch(() => undefined)
}

/** When topics are deleted, and when other ones are moved to: before which request of a plan, −1 for never. */
type Moves = { lost: number; events: boolean; isMadeAnew: boolean; begun: number; partitions: number | undefined }

const movesOf = (random: Random, requests: number, topics: RunOptions['topics']): Moves => {
  const begun = topics === undefined ? -1 : 1 + random.below(requests - 1)
  const isMadeAnew = random.chance(0.7)
  // Where there is no topic, no request is answered until other ones are moved to.
  const lost = topics === 'lost' ? Math.max(0, begun - (isMadeAnew ? random.below(6) : 0)) : -1
  const partitions = topics === 'other' ? random.pick([1, 2, 3, 4]) : undefined
  return { lost, begun, partitions, events: random.chance(0.5), isMadeAnew }
}

const sendPlan = async (
  world: World,
  configs: readonly SiteConfig[],
  options: RunOptions,
  onIdle: () => Promise<void>,
): Promise<{ ok: Set<string>; sent: Set<string> }> => {
  const random = createRandom(options.seed ^ 0x5eed)
  const hits = planOf(random, configs, options)
  const plan = hasImport(options) ? withImport(createRandom(options.seed ^ 0x1092), hits, world.clock.now(), ownKey) : hits
  const moves = movesOf(createRandom(options.seed ^ 0x709), plan.length, options.topics)
  const ok = new Set<string>()
  const zoneChange = random.chance(0.4) ? random.below(plan.length) : -1
  const shardChange = world.parts().length > 1 && random.chance(0.4) ? random.below(plan.length) : -1
  const shardSite = random.pick(configs)
  for (let i = 0; i < plan.length; i++) {
    const { afterMs, ids } = plan[i]!
    const request = random.chance(0.05) && !isImport(plan[i]!) ? spoiled(random, plan[i]!) : plan[i]!.request
    world.clock.advance(afterMs)
    if (random.chance(0.01)) await putGarbage(world, random)
    if (i === moves.lost) await world.loseTopics({ events: moves.events, isMadeAnew: moves.isMadeAnew })
    if (i === moves.begun) world.newTopics(moves.partitions)
    if (i === shardChange) {
      const config = (await world.stores.sites.find(shardSite.site))!
      const spans = changeShards(config.shards ?? [], random.pick([1, 2, 4]), world.clock.now())
      await world.putSite({ ...config, version: config.version + 1, shards: spans })
    }
    if (i === zoneChange) {
      const config = (await world.stores.sites.find(configs[0]!.site))!
      await world.putSite({
        ...config,
        version: config.version + 1,
        ...noGoals,
        ...randomGoals(createRandom(options.seed ^ 0x90a1)),
        zones: changeZone(config.zones, random.pick(['America/New_York', 'Asia/Tokyo']), world.clock.now()),
      })
    }
    for (;;) {
      let answered = false
      const reply = world.send(request).finally(() => {
        answered = true
      })
      while (!answered) await world.turn()
      const { status, body } = (await reply) ?? { status: 0, body: '' }
      if (status === 202) {
        const refused = new Set((JSON.parse(String(body)).refused as { index: number }[]).map(({ index }) => index))
        for (const [index, id] of ids.entries()) if (!refused.has(index)) ok.add(id)
        break
      }
      if (status === 200) {
        for (const id of ids) ok.add(id)
        break
      }
      world.clock.advance(random.below(5_000))
    }
    for (let turns = random.below(60); turns > 0; turns--) {
      await world.turn()
      if (options.nemesis && random.chance(options.nemesis)) await world.nemesis()
      if (options.nemesis && random.chance(0.02)) await world.snapshot()
      if (random.chance(0.01)) world.clock.advance(random.below(12_000))
    }
    await onIdle()
  }
  return { ok, sent: new Set(plan.flatMap(({ ids }) => ids)) }
}

/** Every other world knows ids for a shorter time than usual. */
const horizonFor = (seed: number): number => {
  const random = createRandom(seed ^ 0x2b1f)
  return random.chance(0.5) ? retryHorizonMs : random.pick([1, 2, 7]) * hour
}

export const run = async (options: RunOptions, onIdle: (world: World) => Promise<void> = async () => undefined): Promise<RunResult> => {
  const random = createRandom(options.seed)
  const { parts, crowded, ground } = options
  const partitions = options.partitions ?? partitionsFor(options.seed)
  const start = random.pick(starts)
  const horizonMs = horizonFor(options.seed)
  const world = await createWorld(random, start, { ...(parts && { parts }), ...(ground && { ground }), crowded, partitions, horizonMs })
  const goals = createRandom(options.seed ^ 0x90a15)
  const shards = createRandom(options.seed ^ 0x54a2d)
  const configs = sites
    .map((config) => ({ ...varied(random, config), ...randomGoals(goals) }))
    .map((config) => (partitions === 1 ? config : sharded(shards, config, start)))
  for (const config of configs) await world.putSite(config)
  world.gates.faults.probability = options.failures ?? 0
  if (options.nth) world.gates.faults.nth = options.nth
  const { ok, sent } = await sendPlan(world, configs, options, () => onIdle(world))
  const calls = world.gates.calls
  await world.drain()
  return { world, ok, sent, calls, seed: options.seed }
}
