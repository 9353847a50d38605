import { createHandler as createManage } from '#functions/manage-sites/handler.ts'
import type { ReplayOrder } from '#shared/ports/replays.ts'
import type { SiteConfig } from '#shared/site/config.ts'
import { underExclusions } from './exclusions.ts'
import { meets, randomGoals } from './goals.ts'
import { sites } from './plan.ts'
import type { Question } from './questions.ts'
import type { Random } from './random.ts'
import { type Recount, siteTime, sourceOf, type Visit } from './recount.ts'
import { underTimeout } from './timeouts.ts'
import { ownKey, type World } from './world.ts'

/**
 * Replays in the model: an owner who orders, switches, undoes and drops at any moment, and what visits are under the rules of the orders
 * that readers were switched to, by the recount's own words.
 */

type Configs = (site: string, version: number) => SiteConfig
type View = { id: string; state: string }

const dayMs = 86_400_000
const text = (day: number): string =>
  `${Math.floor(day / 10_000)}-${String(Math.floor(day / 100) % 100).padStart(2, '0')}-${String(day % 100).padStart(2, '0')}`
/** Most of what a run has; few days, so that there is an end to what a tick looks at. */
const rangeDays = 4

const ruleChoices = [
  ['channels'],
  ['goals'],
  ['exclusions'],
  ['session_timeout'],
  ['channels', 'exclusions', 'goals'],
  ['channels', 'exclusions', 'goals', 'session_timeout'],
]
const minuteMs = 60_000
const timeouts = [2, 10, 30, 75, 240].map((minutes) => minutes * minuteMs)

export const createOwner = (world: World, random: Random) => {
  const handle = createManage({ ...world.stores, clock: world.clock, url: 'https://stats.example.com' })
  const ask = async (method: string, path: string, query: string, body?: unknown) => {
    const headers = { authorization: `Bearer ${ownKey}` }
    const reply = await handle({
      method,
      path,
      query,
      headers,
      address: '',
      body: Buffer.from(body === undefined ? '' : JSON.stringify(body)),
    })
    return { status: reply.status, body: JSON.parse(String(reply.body)) }
  }
  const want = (site: string, { id }: View, state: string) => ask('PATCH', `/api/replays/${id}`, '', { site, state })

  /** New rules, and a referrer that is an own host from now on: it stays one, since what is not kept cannot come back. */
  const changeSite = async (was: SiteConfig): Promise<void> => {
    const hosts = random.chance(0.5) ? ['news.example.org'] : was.hosts
    const exclude = {
      ...was.exclude,
      paths: random.pick([[], ['/private*'], ['/docs', '/pricing']]),
      countries: random.pick([[], [], ['DE']]),
    }
    const others = { hosts, exclude, sessionTimeoutMs: random.pick([was.sessionTimeoutMs, ...timeouts]), cutAtCampaign: random.chance(0.5) }
    await world.putSite({ ...was, version: was.version + 1, goals: undefined, segments: undefined, ...randomGoals(random), ...others })
  }

  const order = async (site: string): Promise<void> => {
    const config = (await world.stores.sites.find(site))!
    if (random.chance(0.8)) await changeSite(config)
    const now = world.clock.now()
    const [from, to] = [now - rangeDays * dayMs, now - dayMs].map((t) => text(siteTime(config.zones, t).day))
    const rules = random.pick(ruleChoices)
    const { status, body } = await ask('POST', '/api/replays', '', { site, from, to, rules })
    // The day before is not over where a day has 25 hours.
    if (status !== 201 && !String(body.error).includes('is not over'))
      throw new Error(`an order was answered ${status} ${JSON.stringify(body)}`)
  }

  /** The next thing that the owner does, somewhere. */
  const act = async (): Promise<void> => {
    const { site } = random.pick(sites)
    const replays: View[] = (await ask('GET', '/api/replays', `site=${site}`)).body.replays
    const newest = replays.find(({ state }) => state !== 'dropped')
    if (!newest || (newest.state === 'switched' && random.chance(0.3))) return await order(site)
    if (['ready', 'undone'].includes(newest.state)) await want(site, newest, random.chance(0.8) ? 'switched' : 'dropped')
    else if (newest.state === 'switched' && random.chance(0.3)) await want(site, newest, 'undone')
    else if (['waiting', 'working'].includes(newest.state) && random.chance(0.05)) await want(site, newest, 'dropped')
  }
  return { act }
}

const jobStates = { made: 'ready', switched: 'switched', undone: 'undone', dropped: 'dropped' } as const

/** Whether a partition is done with an order, and all that came late is in its days. */
const isSettledIn = async ({ stores }: World, partition: number, { id, site, from, to, ver, wanted }: ReplayOrder): Promise<boolean> => {
  if ((await stores.versions.job(partition, id))?.state !== jobStates[wanted]) return false
  if (wanted === 'dropped') return true
  if ((await stores.versions.days(partition, site, ver)).some(({ made, due }) => made < due)) return false
  if ((await stores.segments.open(partition)).some((open) => open.site === site && open.day >= from && open.day <= to)) return false
  return (await stores.memtables.read(partition, site, from, to, { characters: 1 })).intervals.length === 0
}

const isSettled = async (world: World, order: ReplayOrder): Promise<boolean> =>
  (await Promise.all(world.parts().map((partition) => isSettledIn(world, partition, order)))).every(Boolean)

/** Runs until all orders are settled. Throws when that does not come about. */
export const settle = async (world: World): Promise<void> => {
  for (let turns = 0; turns < 20_000 * world.parts().length; turns++) {
    if (turns % 100 === 0) {
      const orders = await world.stores.replays.all()
      const settled = await Promise.all(orders.map((order) => isSettled(world, order)))
      if (settled.every(Boolean)) return
      world.clock.advance(turns % 1_000 === 0 ? 1_800_000 : 11_000)
    }
    await world.turn()
  }
  const orders = await world.stores.replays.all()
  const { versions } = world.stores
  const states = await Promise.all(
    world.parts().map(async (partition) => ({
      partition,
      jobs: await Promise.all(orders.map(async ({ id, site, wanted }) => ({ site, wanted, job: await versions.job(partition, id) }))),
      due: await versions.due(partition, 9),
    })),
  )
  throw new Error(`replays never settled: ${JSON.stringify(states)}`)
}

const under = (visit: Visit, { rules }: ReplayOrder, config: SiteConfig): Visit => ({
  ...visit,
  source: rules.includes('channels') ? sourceOf(visit.opened, config) : visit.source,
  facts: rules.includes('goals')
    ? visit.facts.map((fact) => ({ ...fact, met: (config.goals ?? []).some((goal) => meets(goal, fact.hit)) }))
    : visit.facts,
})

/** What readers see when all is settled; `unsure`: sites of which a visit lies in part outside of an order. `preview` counts as switched to. */
export const underReplays = async (
  world: World,
  facts: Recount,
  configs: Configs,
  preview?: ReplayOrder,
): Promise<{ facts: Recount; unsure: ReadonlySet<string> }> => {
  const orders = (await world.stores.replays.all()).filter(({ id, wanted }) => wanted === 'switched' || id === preview?.id)
  const unsure = new Set<string>()
  let visits = facts.visits
  for (const order of orders) {
    const config = configs(order.site, order.config)
    const isIn = ({ day }: { day: number }) => day >= order.from && day <= order.to
    const own = visits.filter((visit) => visit.site === order.site && visit.facts.some(isIn))
    if (own.some((visit) => !visit.facts.every(isIn))) unsure.add(order.site)
    const sorted = order.rules.includes('exclusions') ? underExclusions(own, config) : own
    const cut = order.rules.includes('session_timeout') ? underTimeout(sorted, config) : sorted
    visits = [...visits.filter((visit) => !own.includes(visit)), ...cut.map((visit) => under(visit, order, config))]
  }
  return { facts: { ...facts, visits }, unsure }
}

/** Sites whose readers are under some order, or on their way. */
export const changing = async (world: World): Promise<ReadonlySet<string>> => {
  const { replays, versions } = world.stores
  const found = new Set<string>()
  for (const { id, site, wanted } of await replays.all()) {
    const jobs = await Promise.all(world.parts().map((partition) => versions.job(partition, id)))
    if (wanted === 'switched' || (wanted === 'undone' && jobs.some((job) => job?.state !== 'undone'))) found.add(site)
  }
  return found
}

/** The question as far as the rules of replays do not decide it: all hits of each page, of people and others, are the same in all versions. */
export const withoutRules = (question: Question): Question => ({
  ...question,
  metrics: ['events', 'pageviews', 'visitors'],
  dimensions: question.dimensions.filter((name) => /^event:(page|name|hostname|props)/.test(name)),
  filters: [],
  include: { bots: true },
})
