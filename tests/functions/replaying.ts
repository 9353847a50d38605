import { createHandler as createManage } from '#functions/manage-sites/handler.ts'
import { createHandler as createQueries } from '#functions/query-metrics/handler.ts'
import { createHandler as createRollup } from '#functions/rollup-window/handler.ts'
import { replyOf } from '#shared/errors.ts'
import type { Reply } from '#shared/handler.ts'
import type { LifeLimits } from '#shared/rollup/life.ts'
import { hashOf, newKey } from '#shared/site/access.ts'
import type { SiteConfig } from '#shared/site/config.ts'
import { createKnownSites } from '#shared/site/known-sites.ts'
import { encodeBatch } from '#shared/trigger/envelope.ts'
import type { EventHit, Session } from '#shared/visit/event.ts'
import { wire } from '#shared/wire.ts'
import { anEvent, aSiteConfig, aTouch, hour, noon } from '../fixtures/hit.ts'
import { createRandom } from '../model/random.ts'
import { createVirtualClock } from '../model/virtual-clock.ts'

/** A site with rollup, questions and orders over stores in memory; visits are put as enrich would have written them. */
export const aReplayWorld = async (limits: Partial<LifeLimits> = {}) => {
  const clock = createVirtualClock(noon, createRandom(1))
  const stores = await wire(':memory:', 'all', clock)
  const site = aSiteConfig()
  await stores.sites.put(site)
  const key = newKey('own', clock)
  await stores.secrets.put({ hash: hashOf(key), kind: 'key', role: 'own', site: '', label: '', created: 0, until: 0 })
  const told: unknown[] = []
  const queries = createQueries({ ...stores, hits: stores.log, sites: createKnownSites(stores.sites, clock), clock })
  const manage = createManage({ ...stores, clock, url: 'https://stats.example.com' })
  const aRollup = (ports = stores) => createRollup({ ...ports, clock }, { holdMs: 0, ...limits }, (error) => told.push(error))
  let rollup = aRollup()

  const tick = async (): Promise<void> => {
    const fence = await stores.memtables.fence(0)
    const records = await stores.log.read('events', 0, fence?.next ?? 0, { records: 10_000, bytes: 1e9, waitMs: 0 })
    const facts = { topic: 'events' as const, partition: 0, logTime: clock.now(), caughtUp: true, retry: false, mode: '' as const }
    for (const some of fence && records.length > 0 ? [records, []] : [[]])
      await rollup(encodeBatch('rollup-window', { ...facts, logId: '', logEnd: (await stores.log.ends('events', 0)).end, records: some }))
  }
  const later = async (ms: number): Promise<void> => {
    clock.advance(ms)
    await tick()
  }
  let offset = 0
  const put = async (s: Partial<Session>, h: Partial<EventHit>[] = [{}]): Promise<void> => {
    const at = offset++
    const hits = h.map((hit) => ({ t: s.start ?? noon, ...hit }))
    const session = { id: `0-${at.toString(36)}-0`, pv: h.length, ev: h.length, last: hits.at(-1)!.t, ...s }
    const event = anEvent({
      at,
      lt: clock.now(),
      n: { hour: noon - (noon % hour), received: 1, counted: 1 },
      x: [aTouch({ s: session, h: hits })],
    })
    await stores.log.append('events', 0, [JSON.stringify(event)])
    await tick()
  }

  const read = (reply: Reply) => ({ status: reply.status, body: reply.body ? JSON.parse(String(reply.body)) : undefined })
  const send = async (handle: typeof manage, method: string, path: string, query: string, body?: unknown) =>
    read(
      await handle({
        ...{ method, path, query, headers: { authorization: `Bearer ${key}` }, address: '::1' },
        body: Buffer.from(body === undefined ? '' : JSON.stringify(body)),
      }).catch((error): Reply => replyOf(error)),
    )
  const order = (body: object) => send(manage, 'POST', '/api/replays', '', { site: site.site, ...body })
  const want = (id: string, state: string) => send(manage, 'PATCH', `/api/replays/${id}`, '', { site: site.site, state })
  const list = async () => (await send(manage, 'GET', '/api/replays', `site=${site.site}`)).body.replays
  const ask = (question: object, replay?: string) =>
    send(queries, 'POST', '/api/v2/query', '', {
      site_id: site.site,
      metrics: ['visitors', 'visits', 'pageviews'],
      date_range: ['2026-06-01', '2026-06-30'],
      ...question,
      ...(replay === undefined ? {} : { include: { replay } }),
    })
  /** Answers a question as `{dimension: metrics}`. */
  const numbers = async (dimension: string, replay?: string, question: object = {}): Promise<Record<string, number[]>> => {
    const { body } = await ask({ dimensions: [dimension], ...question }, replay)
    return Object.fromEntries(body.results.map((row: { dimensions: string[]; metrics: number[] }) => [row.dimensions.join(), row.metrics]))
  }
  /** The site is set otherwise from now on. */
  const setSite = async (fields: Partial<SiteConfig>): Promise<void> => {
    const was = (await stores.sites.find(site.site))!
    await stores.sites.put({ ...was, ...fields, version: was.version + 1 })
  }
  /** Another process, with the state that there is; `ports` in the place of its own. */
  const restart = (ports: Partial<typeof stores> = {}): void => {
    rollup = aRollup({ ...stores, ...ports })
  }
  await stores.sessions.init(0, { gen: 1, topic: 'hits', next: 0, ev: 1_000_000, logTime: 0, mode: '' as const })
  await tick()
  return { clock, stores, told, tick, later, put, order, want, list, ask, numbers, setSite, restart, close: () => stores.close() }
}
export type ReplayWorld = Awaited<ReturnType<typeof aReplayWorld>>
