import { afterAll, beforeAll, expect, test } from 'vitest'
import { createHandler as createCollect } from '#functions/collect-hit/handler.ts'
import { createHandler as createEnrich } from '#functions/enrich-session/handler.ts'
import { createHandler as createQuery } from '#functions/query-metrics/handler.ts'
import { createHandler as createRollup } from '#functions/rollup-window/handler.ts'
import type { Handler, Reply } from '#shared/handler.ts'
import type { HitsRecord } from '#shared/hit/record.ts'
import type { LogWriter, Topic } from '#shared/ports/log.ts'
import { hashOf } from '#shared/site/access.ts'
import { createKnownSites } from '#shared/site/known-sites.ts'
import { createLoop, type Loop } from '#shared/trigger/loop.ts'
import type { EventRecord } from '#shared/visit/event.ts'
import { wire } from '#shared/wire.ts'
import { aSiteConfig, minute, noon } from './fixtures/hit.ts'
import { createRandom } from './model/random.ts'
import { createVirtualClock } from './model/virtual-clock.ts'

/**
 * The story of one hit, from the browser to a number on the page, and what happens when things go wrong on the way.
 * It is the best place to begin reading: each chapter goes one step further, with the real functions over an embedded store in memory.
 * (How the product is put together for this tour stands at the end of the file.)
 */
let product: Product
beforeAll(async () => {
  product = await openProduct()
})
afterAll(() => product.close())

const hit = { site: 'example.com', id: 'hit-0001-of-the-tour', url: 'https://example.com/docs?utm_source=news', visitor: 'jane.20260610' }

test('1. A browser sends a hit; collect-hit answers 202 when the log has it, not before', async () => {
  const { holdLog, send } = product
  const release = holdLog()
  const answer = send(hit)
  expect(await Promise.race([answer, aMoment('still waiting')])).toBe('still waiting')

  release()
  expect(await answer).toMatchObject({ status: 202, body: '{"accepted":1,"refused":[]}' })
})

test('2. What is durable is a record: who it was is a hash, where and with what is resolved, the address is nowhere', async () => {
  const [body] = await product.log('hits')
  const record = JSON.parse(body!) as HitsRecord

  expect(record).toMatchObject({
    v: 1,
    site: 'example.com',
    cfg: 1,
    vis: expect.stringMatching(/^[0-9a-f]{12}$/),
    fs: 20260610,
    geo: { c: 'DE' },
  })
  expect(record.ev).toEqual([{ id: 'hit-0001-of-the-tour', t: noon, n: 'pageview', host: 'example.com', path: '/docs', q: { us: 'news' } }])
  for (const secret of ['192.0.2.7', 'Firefox/140', 'jane', 'utm_source']) expect(body).not.toContain(secret)
})

test('3. enrich-session gives it to a visit, and appends one event for the record before it commits its own state', async () => {
  await product.enrich()
  const [event] = (await product.log('events')).map((body) => JSON.parse(body) as EventRecord)

  expect(event).toMatchObject({ src: 0, at: 0, site: 'example.com', n: { received: 1, counted: 1 } })
  expect(event!.x).toMatchObject([
    { opened: 1, s: { start: noon, pv: 1, entry: '/docs', src: 'news', country: 'DE', new: 1 }, h: [{ path: '/docs', day: 20260610 }] },
  ])
  expect(await product.fences()).toMatchObject({ enrich: { next: 1, ev: 1 }, rollup: undefined })
})

test('4. rollup-window folds the event into rows of the day and of the ledger, in one commit with its fence', async () => {
  await product.rollup()
  expect(await product.fences()).toMatchObject({ rollup: { next: 1, src: 0 } })
})

test('5. The owner asks, and the number is there', async () => {
  expect(await product.ask({ metrics: ['visitors', 'visits', 'pageviews'] })).toEqual([{ dimensions: [], metrics: [1, 1, 1] }])
  expect(await product.ask({ metrics: ['visitors'], dimensions: ['visit:source'] })).toEqual([{ dimensions: ['news'], metrics: [1] }])
})

test('6. The ledger adds up: what was received is what was counted', async () => {
  expect(await product.ledger()).toMatchObject({ received: 1, counted: 1, repeated: 0, dead: 0, lost: 0 })
})

test('7. The answer was lost on the way, so the browser sends the hit again: answered 202, and not counted twice', async () => {
  expect((await product.send(hit)).status).toBe(202)
  await product.run()

  expect(await product.ask({ metrics: ['visitors', 'pageviews'] })).toEqual([{ dimensions: [], metrics: [1, 1] }])
  expect(await product.ledger()).toMatchObject({ received: 2, counted: 1, repeated: 1 })
})

test('8. A hit that cannot be taken is refused with a word, and the same word stands in the ledger', async () => {
  const reply = await product.send({ ...hit, id: 'too-long', name: 'x'.repeat(121) })
  expect(reply).toMatchObject({ status: 202, headers: { 'x-footfall-refused': 'too-long' } })
  product.clock.advance(1_000) // refusals are summed for a second
  await product.run()

  expect(await product.ledger()).toMatchObject({ received: 3, counted: 1, repeated: 1, refused: { 'too-long': 1 } })
})

test('9. A robot is flagged, not dropped: out of the numbers, in the ledger, and shown on demand', async () => {
  await product.send({ site: 'example.com', url: 'https://example.com/' }, { agent: 'curl/8' })
  await product.run()

  expect(await product.ask({ metrics: ['visitors'] })).toEqual([{ dimensions: [], metrics: [1] }])
  expect(await product.ask({ metrics: ['visitors'], include: { bots: true } })).toEqual([{ dimensions: [], metrics: [2] }])
  expect(await product.ledger()).toMatchObject({ received: 4, counted: 1, flagged: { library: 1 } })
})

test('10. A hit comes late, from before the first one: it is the same visit, which now begins with it', async () => {
  product.clock.advance(20 * minute)
  await product.send({ ...hit, id: 'from-the-offline-queue', url: 'https://example.com/welcome', queued: 30 * minute })
  await product.run()

  expect(await product.ask({ metrics: ['visits', 'pageviews'] })).toEqual([{ dimensions: [], metrics: [1, 2] }])
  expect(await product.ask({ metrics: ['visits'], dimensions: ['visit:entry_page'] })).toEqual([{ dimensions: ['/welcome'], metrics: [1] }])
})

test('11. A function dies between its append and its commit: the next one takes what was appended and computes only the rest', async () => {
  await product.send({ ...hit, id: 'before-the-crash', url: 'https://example.com/pricing' })
  const fence = await product.crashBeforeCommit()
  expect(await product.fences()).toMatchObject({ enrich: fence }) // the event is in the log, the state is not moved

  await product.send({ ...hit, id: 'after-the-crash', url: 'https://example.com/pricing' })
  await product.run()
  expect(await product.ask({ metrics: ['visits', 'pageviews'] })).toEqual([{ dimensions: [], metrics: [1, 4] }])
})

test('12. A zombie writes its results once more: they do not stand where they say, so nobody takes them', async () => {
  const events = await product.log('events')
  await product.append('events', events.slice(-3))
  await product.send({ ...hit, id: 'beside-the-zombie', url: 'https://example.com/pricing' })
  await product.run()

  expect(await product.ask({ metrics: ['visits', 'pageviews'] })).toEqual([{ dimensions: [], metrics: [1, 5] }])
  expect(await product.ledger()).toMatchObject({
    received: 8,
    counted: 5,
    flagged: { library: 1 },
    repeated: 1,
    refused: { 'too-long': 1 },
  })
})

test('13. All state is lost: it is only a cache of the log, and is folded from it again, to the same numbers', async () => {
  const before = [await product.ledger(), await product.ask({ metrics: ['visitors', 'visits', 'pageviews', 'visit_duration'] })]
  product.loseState()
  await product.run()
  expect([await product.ledger(), await product.ask({ metrics: ['visitors', 'visits', 'pageviews', 'visit_duration'] })]).toEqual(before)

  await product.send(hit) // the visit and the ids are known again: a repeat is still a repeat
  await product.run()
  expect(await product.ledger()).toMatchObject({ received: 9, counted: 5, repeated: 2 })
})

// ——— The product of this tour ———————————————————————————————————————————————————————————————————————————————————————————————————————————

type Product = Awaited<ReturnType<typeof openProduct>>

const aMoment = async (then: string): Promise<string> => {
  for (let i = 0; i < 10; i++) await new Promise(setImmediate)
  return then
}

async function openProduct() {
  const clock = createVirtualClock(noon, createRandom(1))
  const stores = await wire(':memory:', 'all', clock)
  const key = `ff_read_${'k'.repeat(43)}`
  await stores.sites.put(aSiteConfig())
  await stores.secrets.put({ hash: hashOf(key), kind: 'key', role: 'read', site: '', label: '', created: 0, until: 0 })
  for (const date of [20260609, 20260610]) await stores.salts.make(date, clock.random(16))

  // The log as collect-hit sees it: a disk that can be made to wait.
  let disk = Promise.resolve()
  const log: LogWriter = { append: (...args) => disk.then(() => stores.log.append(...args)) }
  const holdLog = () => {
    let release = () => {}
    disk = new Promise((resolve) => {
      release = resolve
    })
    return release
  }

  const device = { br: 'Firefox', brv: '140', os: 'Linux', osv: '', type: 'Desktop' as const }
  const agents = (agent: string) => (agent.startsWith('curl') ? { device, bot: 'library' } : { device })
  const collect = createCollect({ ...stores, log, clock, agents, places: () => ({ c: 'DE' }), isTrustedProxy: () => false }, { rate: 0 })
  const query = createQuery({ ...stores, hits: stores.log, sites: createKnownSites(stores.sites, clock), clock })

  /** The trigger: one loop per stage, which goes where the stage's own fence says. */
  const loopOf = (name: string, topic: Topic, handler: Handler) =>
    createLoop({ name, topic, partition: 0 }, { log: stores.log, leases: stores.leases, clock, call: () => handler })
  let enrichLoop = loopOf('enrich-session', 'hits', createEnrich({ ...stores, clock }))
  let rollupLoop = loopOf('rollup-window', 'events', createRollup({ ...stores, clock }))
  const drain = async (loop: Loop, topic: Topic) => {
    for (let i = 0; i < 20; i++) {
      await loop.step(undefined, 0)
      if (loop.report().position === (await stores.log.ends(topic, 0)).end) return
    }
    throw new Error(`not done: ${JSON.stringify(loop.report())}`)
  }

  const send = (value: unknown, { agent = 'Mozilla/5.0 Firefox/140' } = {}): Promise<Reply> =>
    collect.handle({
      method: 'POST',
      path: '/api/hit',
      query: '',
      headers: { 'user-agent': agent },
      body: Buffer.from(JSON.stringify(value)),
      address: '192.0.2.7',
    })
  const get = async (method: string, path: string, queryString: string, body: unknown) => {
    const reply = await query({
      method,
      path,
      query: queryString,
      headers: { authorization: `Bearer ${key}` },
      body: Buffer.from(JSON.stringify(body)),
      address: '',
    })
    return JSON.parse(String(reply.body))
  }

  const product = {
    clock,
    send,
    holdLog,
    append: (topic: Topic, bodies: string[]) => stores.log.append(topic, 0, bodies),
    log: async (topic: Topic): Promise<string[]> =>
      (await stores.log.read(topic, 0, 0, { records: 1_000, bytes: 1e9, waitMs: 0 })).map(({ body }) => body),
    fences: async () => ({ enrich: (await stores.sessions.load(0, [], [], [])).fence, rollup: await stores.memtables.fence(0) }),
    enrich: () => drain(enrichLoop, 'hits'),
    rollup: () => drain(rollupLoop, 'events'),
    /** What a second later would have been done by itself. */
    run: async () => {
      await collect.flush()
      await product.enrich()
      await product.rollup()
    },
    ask: async (question: Record<string, unknown>): Promise<unknown> =>
      (await get('POST', '/api/v2/query', '', { site_id: 'example.com', date_range: 'day', ...question })).results,
    ledger: async (): Promise<Record<string, unknown>> => {
      const { hours, balanced } = await get('GET', '/api/ledger', 'site=example.com&from=2026-06-10&to=2026-06-10', {})
      expect(balanced).toBe(true)
      return hours[0]
    },
    /** enrich-session appends its event, and is killed. A new process begins. */
    crashBeforeCommit: async () => {
      const { enrich: fence } = await product.fences()
      clock.advance(minute) // the lease of the one before runs out
      const sessions = { ...stores.sessions, commit: () => new Promise<never>(() => undefined) }
      const dying = loopOf('enrich-session', 'hits', createEnrich({ ...stores, sessions, clock }))
      const { end } = await stores.log.ends('events', 0)
      void dying.step(undefined, 0).then(() => dying.step(undefined, 0))
      while ((await stores.log.ends('events', 0)).end === end) await new Promise(setImmediate)
      clock.advance(minute) // and its own
      enrichLoop = loopOf('enrich-session', 'hits', createEnrich({ ...stores, clock }))
      return fence!
    },
    loseState: () => {
      for (const table of ['enrich_fence', 'sess', 'ids', 'imp', 'rollup_fence', 'block', 'memtable', 'sealed', 'seen', 'minute'])
        stores.files.state.exec(`DELETE FROM ${table}`)
      clock.advance(minute)
      enrichLoop = loopOf('enrich-session', 'hits', createEnrich({ ...stores, clock }))
      rollupLoop = loopOf('rollup-window', 'events', createRollup({ ...stores, clock }))
    },
    close: () => stores.close(),
  }
  return product
}
