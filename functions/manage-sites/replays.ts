import { z } from 'zod'
import { FootfallError } from '#shared/errors.ts'
import type { ReplayJob, ReplayOrder, ReplayRule, Wanted } from '#shared/ports/replays.ts'
import { defaultRules, replayRuleNames } from '#shared/rollup/replay.ts'
import type { SiteConfig } from '#shared/site/config.ts'
import { siteName } from '#shared/site/domain.ts'
import { type Cures, readFields, readJson } from '#shared/site/fields.ts'
import { partitionsOf } from '#shared/site/shards.ts'
import { calendarOf, isoDay, utcDay, utcOf } from '#shared/site/zone.ts'
import { answer, type Call, permit, permitAny, type Step, siteOf } from './call.ts'

/** Replays as their owner orders and leads them. What is wanted is written here; rollup-window does it and says how far it is. */

const mostDays = 400
const dayMs = 86_400_000
const idBytes = 6

const site = z.string().transform((text) => siteName(text) ?? text)

const dayForm = /^\d{4}-\d{2}-\d{2}$/
const day = z.string().transform((text, context) => {
  const at = dayForm.test(text) ? Date.parse(`${text}T00:00:00Z`) : Number.NaN
  const number = Number.isNaN(at) ? 0 : utcDay(at)
  if (number > 0 && isoDay(number) === text) return number
  context.addIssue({ code: 'custom', message: 'no date' })
  return z.NEVER
})

const rules = z
  .array(z.enum(replayRuleNames))
  .min(1)
  .transform((list) => [...new Set(list)])

const orderSchema = z.strictObject({ site, from: day, to: day, rules: rules.default([...defaultRules]) })

const orderCures = {
  '': 'a JSON object with site, from, to and rules',
  site: 'the domain of a site',
  from: 'the first day as YYYY-MM-DD',
  to: 'the last day as YYYY-MM-DD',
  rules: `a list of one or more of ${replayRuleNames.map((name) => JSON.stringify(name)).join(', ')}`,
} as const satisfies Cures

const changeSchema = z.strictObject({ site, state: z.enum(['switched', 'undone', 'dropped']) })
const changeCures = {
  '': 'a JSON object with site and state',
  site: 'the domain of a site',
  state: '"switched", "undone" or "dropped"',
} as const satisfies Cures

type State = ReplayJob['state']
type Known = { order: ReplayOrder; jobs: readonly (ReplayJob | undefined)[] }

const underWay: Readonly<Record<Exclude<Wanted, 'made' | 'dropped'>, State>> = { switched: 'switching', undone: 'undoing' }

/** What an order has come to: the partition that is least far decides. */
const stateOf = ({ order: { wanted }, jobs }: Known): State => {
  if (wanted === 'dropped') return 'dropped'
  if (wanted !== 'made') return jobs.every((job) => job?.state === wanted) ? wanted : underWay[wanted]
  if (jobs.every((job) => job?.state === 'ready')) return 'ready'
  return jobs.every((job) => job === undefined || job.state === 'waiting') ? 'waiting' : 'working'
}

const daysOf = ({ from, to }: Pick<ReplayOrder, 'from' | 'to'>): number => Math.round((utcOf(to) - utcOf(from)) / dayMs) + 1

const view = (known: Known) => {
  const { order, jobs } = known
  const found = jobs.filter((job) => job !== undefined)
  const waits = found.find(({ waitsFor }) => waitsFor !== undefined)?.waitsFor
  const error = found.find((job) => job.error !== undefined)?.error
  return {
    id: order.id,
    site: order.site,
    from: isoDay(order.from),
    to: isoDay(order.to),
    rules: order.rules,
    state: stateOf(known),
    done: { days: Math.min(...jobs.map((job) => job?.done ?? 0)), of: daysOf(order) },
    ...(waits === undefined ? {} : { waits_for: waits }),
    at: new Date(order.at).toISOString(),
    ...(error === undefined ? {} : { error }),
  }
}
export type ReplayView = ReturnType<typeof view>

const known = async ({ ports }: Call, site: SiteConfig, order: ReplayOrder): Promise<Known> => {
  const own = partitionsOf(site.site, site, await ports.generations.list())
  return { order, jobs: await Promise.all(own.map((partition) => ports.versions.job(partition, order.id))) }
}

const owned = async (call: Call, name: string): Promise<SiteConfig> => siteOf(call, permit(call, name, 'own'), name)

export const listReplays: Step = async (call) => {
  permitAny(call, 'own')
  const name = new URLSearchParams(call.request.query).get('site')
  if (name === null) throw new FootfallError('bad-request', { detail: '`site` is missing.', hint: 'Ask for ?site=example.com.' })
  const config = await owned(call, siteName(name) ?? name)
  const orders = await call.ports.replays.list(config.site)
  return answer(200, { replays: await Promise.all(orders.map(async (order) => view(await known(call, config, order)))) })
}

/** Throws unless the days are in order, not too many, and over in the site's time zone. */
const checkDays = ({ from, to }: { from: number; to: number }, config: SiteConfig, now: number): void => {
  const bad = (detail: string, hint: string) => new FootfallError('bad-request', { detail, hint })
  if (from > to) throw bad(`\`from\` is ${isoDay(from)}, after ${isoDay(to)}.`, 'Send the earlier day as `from`.')
  if (daysOf({ from, to }) > mostDays)
    throw bad(`These are ${daysOf({ from, to })} days.`, `Order at most ${mostDays} days at a time, one range after the other.`)
  const today = calendarOf(config.zones).dayAt(now).day
  if (to >= today)
    throw bad(`${isoDay(to)} is not over.`, `Send a day before ${isoDay(today)} as \`to\`: only days that are over can be made anew.`)
}

/** One order stands on the other: the newest must be settled before another is made. */
const checkOthers = async (call: Call, config: SiteConfig, orders: readonly ReplayOrder[]): Promise<void> => {
  const newest = orders.find(({ wanted }) => wanted !== 'dropped')
  if (!newest) return
  const state = stateOf(await known(call, config, newest))
  if (state === 'switched') return
  throw new FootfallError('conflict', {
    detail: `The replay ${newest.id} of this site is ${state}.`,
    hint: 'Switch to it or drop it first: PATCH /api/replays/{id}, `footfall replay switch` or `footfall replay drop`.',
  })
}

export const addReplay: Step = async (call) => {
  permitAny(call, 'own')
  const asked = readFields(orderSchema, orderCures, readJson(call.request.body))
  const config = await owned(call, asked.site)
  checkDays(asked, config, call.now)
  const orders = await call.ports.replays.list(config.site)
  await checkOthers(call, config, orders)
  const chosen: ReplayRule[] = replayRuleNames.filter((name) => asked.rules.includes(name))
  const order: ReplayOrder = {
    id: call.ports.clock.random(idBytes).toString('hex'),
    site: config.site,
    ver: (orders[0]?.ver ?? 0) + 1,
    from: asked.from,
    to: asked.to,
    rules: chosen,
    config: config.version,
    wanted: 'made',
    at: call.now,
  }
  if ((await call.ports.replays.put(order)) === 'stale') throw new FootfallError('conflict')
  return answer(201, view(await known(call, config, order)))
}

/** From which states each may be asked for. */
const before: Readonly<Record<'switched' | 'undone' | 'dropped', readonly State[]>> = {
  switched: ['ready', 'undone'],
  undone: ['switched'],
  dropped: ['waiting', 'working', 'ready', 'undone'],
}

const cures: Readonly<Record<State, string>> = {
  waiting: 'Wait until it is ready, or drop it.',
  working: 'Wait until it is ready, or drop it.',
  ready: 'Switch to it or drop it.',
  switching: 'Wait until it is switched; then it may be undone.',
  switched: 'Undo it first; then it may be dropped.',
  undoing: 'Wait until it is undone; then it may be switched to or dropped.',
  undone: 'Switch to it or drop it.',
  dropped: 'It is gone: order it again.',
}

/** Throws unless the state may follow. Going back to what stood before is only possible from the newest order. */
const checkFollows = async (call: Call, { order, jobs }: Known, state: keyof typeof before): Promise<void> => {
  const now = stateOf({ order, jobs })
  if (!before[state].includes(now)) throw new FootfallError('conflict', { detail: `The replay is ${now}.`, hint: cures[now] })
  const newer = (await call.ports.replays.list(order.site)).find(({ ver, wanted }) => ver > order.ver && wanted !== 'dropped')
  if (newer)
    throw new FootfallError('conflict', {
      detail: `The replay ${newer.id} stands on this one.`,
      hint: 'Undo and drop that one first; the newest is undone first.',
    })
}

export const setReplay: Step = async (call) => {
  permitAny(call, 'own')
  const { site: name, state } = readFields(changeSchema, changeCures, readJson(call.request.body))
  const config = await owned(call, name)
  const order = await call.ports.replays.find(config.site, call.name)
  if (!order) throw new FootfallError('not-found', { detail: 'The site has no such replay.', hint: 'GET /api/replays?site=… lists them.' })
  // The same once more is what a repeated request asks for.
  if (order.wanted === state) return answer(200, view(await known(call, config, order)))
  await checkFollows(call, await known(call, config, order), state)
  if ((await call.ports.replays.want(order.site, order.id, order.wanted, state)) === 'stale') throw new FootfallError('conflict')
  return answer(200, view(await known(call, config, { ...order, wanted: state })))
}
