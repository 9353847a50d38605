import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createHandler as createCollect, type Ports } from '#functions/collect-hit/handler.ts'
import { createHandler as createEnrich } from '#functions/enrich-session/handler.ts'
import { createHandler as createSites } from '#functions/manage-sites/handler.ts'
import { importKeysMs } from '#functions/manage-sites/schedule.ts'
import { createHandler as createQuery } from '#functions/query-metrics/handler.ts'
import { createHandler as createRollup } from '#functions/rollup-window/handler.ts'
import { FootfallError } from '#shared/errors.ts'
import type { Handler, Reply, Request } from '#shared/handler.ts'
import { createCidrs } from '#shared/hit/address.ts'
import { createAgents } from '#shared/hit/device.ts'
import type { HitsRecord } from '#shared/hit/record.ts'
import { hashOf, type Role } from '#shared/site/access.ts'
import { createKnownSites } from '#shared/site/known-sites.ts'
import { createLoop } from '#shared/trigger/loop.ts'
import { type Stores, wire } from '#shared/wire.ts'
import { createRequests, site, siteOptions } from '../fixtures/access-log.ts'
import { formats, renderLog } from '../fixtures/access-log-formats.ts'
import { answersOf, truthOf } from '../fixtures/access-log-truth.ts'
import { aSiteConfig, day, hour, minute } from '../fixtures/hit.ts'
import { createRandom } from '../model/random.ts'
import { createVirtualClock, type VirtualClock } from '../model/virtual-clock.ts'

/** `/api/import`: who may, where it stands, what it answers, and that nothing counts twice whichever call fails. */

const now = Date.parse('2026-11-20T12:00:00Z')
const firefox = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'
const source = 'a-source-of-lines'
const combined = formats.find(({ name }) => name === 'Apache combined')!

let clock: VirtualClock
let stores: Stores
let own: string
beforeEach(async () => {
  clock = createVirtualClock(now, createRandom(1))
  stores = await wire(':memory:', 'all', clock)
  await stores.sites.put(
    aSiteConfig({
      site,
      zones: [{ tz: siteOptions.timezone, from: 0 }],
      params: siteOptions.params,
      exclude: { ...siteOptions.exclude, countries: ['FR'] },
    }),
  )
  await stores.sites.put(aSiteConfig({ site: 'other.example' }))
  own = await aKey('own', site)
})
afterEach(() => stores.close())

const aKey = async (role: Role, forSite = ''): Promise<string> => {
  const key = `ff_${role}_${clock.random(32).toString('base64url')}`
  await stores.secrets.put({ hash: hashOf(key), kind: 'key', role, site: forSite, label: '', created: 0, until: 0 })
  return key
}

const aCollect = (ports: Partial<Ports> = {}): Handler =>
  createCollect(
    {
      ...stores,
      clock,
      agents: createAgents(),
      places: (address) => (address === '203.0.113.99' ? { c: 'FR' } : address === '203.0.113.98' ? { c: 'DE' } : {}),
      isTrustedProxy: createCidrs([]),
      ...ports,
    },
    { rate: 0 },
  ).handle

type Sent = { key?: string; params?: Record<string, string>; headers?: Record<string, string>; collect?: Handler }
const aRequest = (method: string, body: string | Buffer, { key = own, params = {}, headers = {} }: Sent = {}): Request => ({
  method,
  path: '/api/import',
  query: new URLSearchParams(params).toString(),
  headers: { ...(key === '' ? {} : { authorization: `Bearer ${key}` }), ...headers },
  body: Buffer.from(body),
  address: '127.0.0.1',
})
const told = (reply: Reply) => JSON.parse(String(reply.body))
const post = async (line: number, body: string | Buffer, sent: Sent = {}) => {
  const params = { site, source, line: String(line), ...sent.params }
  const reply = await (sent.collect ?? aCollect())(aRequest('POST', body, { ...sent, params }))
  return { status: reply.status, ...told(reply) }
}
const list = async (sent: Sent = {}) => {
  const reply = await aCollect()(aRequest('GET', '', { ...sent, params: { site, ...sent.params } }))
  return { status: reply.status, ...told(reply) }
}

type Line = { address?: string; t?: number; path?: string; agent?: string; status?: number; referrer?: string }
const aLine = ({ address = '203.0.113.7', t = now - day, path = '/', agent = firefox, status = 200, referrer = '-' }: Line = {}) => {
  const time = new Date(t).toISOString().slice(0, 19)
  return `${address} - - [${time}Z] "GET ${path} HTTP/1.1" ${status} 1 "${referrer}" "${agent}"\n`
}

const records = async (): Promise<HitsRecord[]> =>
  (await stores.log.read('hits', 0, 0, { records: 10_000, bytes: 1e9, waitMs: 0 }))
    .map(({ body }) => JSON.parse(body))
    .filter((one) => 'ev' in one)

/** Both stages over the stores, until they have taken everything. */
const drain = async (): Promise<void> => {
  const handlers: Record<string, Handler> = {
    'enrich-session': createEnrich({ ...stores, clock }),
    'rollup-window': createRollup({ ...stores, clock }),
  }
  const call = (name: string) => handlers[name]!
  for (const [name, topic] of [
    ['enrich-session', 'hits'],
    ['rollup-window', 'events'],
  ] as const) {
    const loop = createLoop(
      { name, topic, partition: 0 },
      { log: stores.log, leases: { hold: async () => true, release: async () => undefined }, clock, call },
    )
    const { end } = await stores.log.ends(topic, 0)
    while ((loop.report().position ?? -1) < end) {
      await loop.step(undefined, 0)
      if (loop.report().error) throw new Error(loop.report().error)
    }
  }
}

const query = async (body: unknown) => {
  const handle = createQuery({ ...stores, hits: stores.log, sites: createKnownSites(stores.sites, clock), clock })
  return told(await handle({ ...aRequest('POST', JSON.stringify(body)), path: '/api/v2/query' }))
}
const ledger = async () => {
  const handle = createQuery({ ...stores, hits: stores.log, sites: createKnownSites(stores.sites, clock), clock })
  const { hours, balanced } = told(await handle({ ...aRequest('GET', '', { params: { site } }), path: '/api/ledger' }))
  const sum = (name: string) => hours.reduce((total: number, one: Record<string, number>) => total + one[name]!, 0)
  return { received: sum('received'), counted: sum('counted'), repeated: sum('repeated'), balanced }
}
const numbers = async (metrics: string[]) => (await query({ site_id: site, metrics, date_range: 'all' })).results[0].metrics

describe('who may', () => {
  test.each([
    ['', '', 401, 'wrong-key'],
    ['write', '', 403, 'wrong-role'],
    ['read', '', 403, 'wrong-role'],
    ['own', 'other.example', 401, 'wrong-key'],
    ['own', '', 200, undefined],
    ['own', site, 200, undefined],
  ] as const)('%s for %j: %i', async (role, forSite, status, code) => {
    const key = role === '' ? '' : await aKey(role, forSite)
    expect(await post(1, aLine(), { key })).toMatchObject({ status, ...(code && { code }) })
  })

  test('a site that is not there is told only to who sees all', async () => {
    const params = { site: 'gone.example' }
    expect(await post(1, aLine(), { params })).toMatchObject({ status: 401, code: 'wrong-key' })
    expect(await post(1, aLine(), { params, key: await aKey('own') })).toMatchObject({ status: 404, code: 'unknown-site' })
    expect(await post(1, aLine(), { params: { site: '' }, key: await aKey('own') })).toMatchObject({ status: 404 })
  })

  test('imports may be looked at by who may read the site', async () => {
    expect(await list({ key: await aKey('read', site) })).toEqual({ status: 200, imports: [] })
    expect(await list({ key: await aKey('write', site) })).toMatchObject({ status: 403 })
    expect(await list({ key: '' })).toMatchObject({ status: 401 })
  })

  test('the page may, from itself alone', async () => {
    const session = 'a session'
    await stores.secrets.put({ hash: hashOf(session), kind: 'session', role: 'own', site, label: '', created: 0, until: now + day })
    const cookie = `ff_session=${session}`
    expect(await post(1, aLine(), { key: '', headers: { cookie } })).toMatchObject({ status: 403, code: 'cross-site' })
    expect(await post(1, aLine(), { key: '', headers: { cookie, 'sec-fetch-site': 'same-origin' } })).toMatchObject({ status: 200 })
  })
})

describe('what is no import', () => {
  test.each([
    [{ source: 'short' }, aLine(), 400, 'source'],
    [{ source: `${'x'.repeat(20)}/../` }, aLine(), 400, 'source'],
    [{ line: '0' }, aLine(), 400, 'line'],
    [{ line: '1.5' }, aLine(), 400, 'line'],
    [{ line: '9'.repeat(13) }, aLine(), 400, 'line'],
    [{ format: 'iis' }, aLine(), 400, 'format'],
    [{}, aLine().slice(0, -1), 400, 'The last line has no end'],
    [{}, 'x'.repeat(1_048_577), 413, 'too large'],
  ] as const)('%j: %#', async (params, body, status, sentence) => {
    const reply = await post(1, body, { params })
    expect(reply.status).toBe(status)
    expect(reply.error).toContain(sentence)
    expect(await records()).toEqual([])
  })

  test('another method, and a body that cannot be inflated', async () => {
    const put = await aCollect()(aRequest('PUT', ''))
    expect([put.status, put.headers?.['allow']]).toEqual([405, 'GET, POST'])
    expect(await post(1, 'nonsense', { headers: { 'content-encoding': 'gzip' } })).toMatchObject({ status: 400, code: 'bad-encoding' })
    expect(await post(1, gzipSync('\n'.repeat(2_000_000)), { headers: { 'content-encoding': 'gzip' } })).toMatchObject({ status: 413 })
  })

  test('a line of a megabyte is one line that cannot be read', async () => {
    const reply = await post(1, `${'x'.repeat(1_000_000)}\n${aLine()}`)
    expect(reply).toMatchObject({ status: 200, next: 3, read: 2, counted: 1, unreadable: 1, samples: [{ line: 1, reason: 'long' }] })
    expect(reply.samples[0].text.length).toBe(300)
  })

  test('bytes that are no text', async () => {
    const reply = await post(1, Buffer.concat([Buffer.from([0, 255, 254, 10, 128, 10]), Buffer.from(aLine())]))
    expect(reply).toMatchObject({ status: 200, next: 4, unreadable: 2, counted: 1 })
  })
})

describe('an answer', () => {
  test('says what became of each line', async () => {
    const lines = [
      aLine({ path: '/a' }),
      aLine({ path: '/a.css' }),
      aLine({ path: '/gone', status: 404 }),
      aLine({ agent: 'curl/8' }),
      aLine({ agent: '-' }),
      aLine({ address: '192.0.2.3' }),
      aLine({ address: '203.0.113.99' }),
      aLine({ path: '/admin/x' }),
      'garbage\n',
      '\n',
      aLine({ path: '/b', t: now - 3 * day }),
    ]
    expect(await post(1, gzipSync(lines.join('')), { headers: { 'content-encoding': 'gzip' } })).toEqual({
      status: 200,
      next: 12,
      read: 11,
      counted: 2,
      flagged: { library: 1, 'no-agent': 1, address: 1, country: 1, path: 1 },
      skipped: { asset: 1, error: 1, blank: 1 },
      unreadable: 1,
      days: { from: '2026-11-17', to: '2026-11-19' },
      samples: [
        { line: 2, reason: 'asset', text: expect.stringContaining('/a.css') },
        { line: 3, reason: 'error', text: expect.stringContaining('/gone') },
        { line: 9, reason: 'form', text: 'garbage' },
      ],
    })
    await drain()
    expect(await ledger()).toEqual({ received: 7, counted: 2, repeated: 0, balanced: true })
  })

  test('what is stored has no address, no agent and no line', async () => {
    await post(1, aLine({ address: '203.0.113.98', referrer: 'https://news.test/a?secret' }))
    const [record] = await records()
    expect(record).toEqual({
      v: 1,
      cfg: 1,
      site,
      sh: 0,
      vis: expect.stringMatching(/^[0-9a-f]{12}$/),
      geo: { c: 'DE' },
      dev: { br: 'Firefox', brv: '140', os: 'Linux', osv: '', type: 'Desktop' },
      ev: [{ id: 'a-source-1', t: now - day, n: 'pageview', host: site, path: '/', r: 'news.test/a', l: 1 }],
      imp: { src: source },
    })
    expect(JSON.stringify([await list(), record])).not.toMatch(/203\.0\.113|Mozilla|secret/)
  })

  test('a log that names no agent flags nobody for it', async () => {
    const common = aLine().replace(/ "-" ".*"/, '')
    expect(await post(1, common)).toMatchObject({ counted: 1, flagged: {} })
    expect(await post(2, aLine(), { params: { format: 'common' } })).toMatchObject({ counted: 1, flagged: {} })
  })

  test('the sums of an import are those of its lines', async () => {
    await post(1, aLine() + aLine({ path: '/x.png' }))
    clock.advance(hour)
    await post(3, `${aLine({ agent: '-', t: now - 5 * day })}garbage\n`)
    expect((await list()).imports).toEqual([
      {
        source,
        next: 5,
        begun: '2026-11-20T12:00:00.000Z',
        changed: '2026-11-20T13:00:00.000Z',
        read: 4,
        counted: 1,
        flagged: { 'no-agent': 1 },
        skipped: { asset: 1 },
        unreadable: 1,
        days: { from: '2026-11-15', to: '2026-11-19' },
      },
    ])
    expect((await list({ params: { source } })).imports).toHaveLength(1)
    expect((await list({ params: { source: 'another-source-of-lines' } })).imports).toEqual([])
  })
})

describe('where it stands', () => {
  test('lines are taken there and nowhere else', async () => {
    expect(await post(2, aLine())).toMatchObject({ status: 409, code: 'import-position', next: 1 })
    expect(await post(1, aLine() + aLine())).toMatchObject({ status: 200, next: 3 })
    expect(await post(1, aLine())).toMatchObject({ status: 409, next: 3 })
    expect(await post(3, '')).toMatchObject({ status: 200, next: 3, read: 0 })
    expect(await post(1, aLine(), { params: { source: 'another-source-of-lines' } })).toMatchObject({ status: 200, next: 2 })
    expect(await records()).toHaveLength(2)
  })

  test('of two at once one is taken, the other is told where to go on', async () => {
    const collect = aCollect()
    const both = await Promise.all([post(1, aLine(), { collect }), post(1, aLine() + aLine(), { collect })])
    expect(both.map(({ status, next }) => [status, next])).toEqual([
      [200, 2],
      [409, 2],
    ])
  })

  test('two processes: the position moves once, and what both have appended counts once', async () => {
    const both = await Promise.all([post(1, aLine(), { collect: aCollect() }), post(1, aLine(), { collect: aCollect() })])
    expect(both.map(({ status }) => status).sort()).toEqual([200, 409])
    await drain()
    expect(await ledger()).toMatchObject({ counted: 1, balanced: true })
  })

  test('more than a few waiting requests of a site are told to come again', async () => {
    let open = () => {}
    const held = new Promise<void>((resolve) => {
      open = resolve
    })
    const collect = aCollect({ log: { append: (...args) => held.then(() => stores.log.append(...args)) } })
    const all = Array.from({ length: 12 }, () => post(1, aLine(), { collect }))
    const refused = await Promise.race(all)
    expect(refused).toMatchObject({ status: 503, code: 'overloaded' })
    open()
    expect((await Promise.all(all)).filter(({ status }) => status === 200)).toHaveLength(1)
    expect(await post(2, aLine(), { collect })).toMatchObject({ status: 200 })
  })

  test('nothing is answered before the log has it', async () => {
    const failing = aCollect({ log: { append: () => Promise.reject(new FootfallError('disk-full')) } })
    expect(await post(1, aLine(), { collect: failing })).toMatchObject({ status: 503, code: 'disk-full' })
    expect(await list()).toEqual({ status: 200, imports: [] })
  })
})

describe('visitors', () => {
  test('are known for a day of the site, by address and agent; nobody is known beyond', async () => {
    const midnight = Date.parse('2026-11-17T23:00:00Z') // in Berlin
    const lines = [
      aLine({ t: midnight - 2 * hour }),
      aLine({ t: midnight - hour }),
      aLine({ t: midnight - hour, agent: `${firefox} x` }),
      aLine({ t: midnight + hour }),
    ]
    await post(1, lines.join(''))
    await drain()
    expect(await numbers(['visitors', 'visits', 'pageviews'])).toEqual([3, 4, 4])
  })

  test('a visit goes on over midnight, and from one request to the next', async () => {
    const midnight = Date.parse('2026-11-17T23:00:00Z')
    await post(1, aLine({ t: midnight - 5 * minute, path: '/a' }))
    clock.advance(7 * hour)
    await post(2, aLine({ t: midnight + 5 * minute, path: '/b' }))
    await drain()
    expect(await numbers(['visitors', 'visits', 'pageviews', 'visit_duration'])).toEqual([2, 1, 2, 600])
  })

  test('of a log and of the tracker are never the same', async () => {
    const collect = aCollect()
    const t = now - minute
    await stores.sites.put(aSiteConfig({ site, version: 2, identity: 'cookieless' }))
    for (let date = 20261117; date <= 20261122; date++) await stores.salts.make(date, Buffer.from(`salt of ${date}`))
    const hit = Buffer.from(JSON.stringify({ site, url: `https://${site}/` }))
    await collect({
      ...aRequest('POST', hit, { key: '', headers: { 'user-agent': firefox } }),
      path: '/api/hit',
      query: '',
      address: '203.0.113.7',
    })
    await post(1, aLine({ t }), { collect })
    await drain()
    expect(await numbers(['visitors', 'visits', 'pageviews'])).toEqual([2, 2, 2])
  })

  test('their keys go two days after their last use, and not before', async () => {
    const handle = createSites({ ...stores, clock, url: '' })
    const schedule = async () => told(await handle({ ...aRequest('POST', ''), path: '/schedule', query: '' })).imports.destroyed
    await post(1, aLine())
    clock.advance(24 * hour)
    await post(2, aLine())
    clock.advance(importKeysMs - minute)
    expect(await schedule()).toBe(0)
    clock.advance(2 * minute)
    expect(await schedule()).toBe(1)
    expect(await stores.importKeys.find(site, [20261119])).toEqual([])
    // Nobody can be tied to his earlier hash any more: he is another visitor of that day.
    await post(3, aLine())
    await drain()
    expect(await numbers(['visitors', 'pageviews'])).toEqual([2, 3])
  })
})

describe('whatever fails', () => {
  /** Every port call of an import, in turn failing before it does its work, or after it. */
  const withFailure = (failAt: number, after: boolean) => {
    let calls = 0
    const gate = <A extends unknown[], T>(call: (...args: A) => Promise<T>) => {
      return async (...args: A): Promise<T> => {
        const isDue = ++calls === failAt
        if (isDue && !after) throw new FootfallError('store-unavailable')
        const result = await call(...args)
        if (isDue) throw new FootfallError('log-unavailable')
        return result
      }
    }
    const { imports, importKeys, log } = stores
    const collect = aCollect({
      imports: { ...imports, find: gate(imports.find), advance: gate(imports.advance) },
      importKeys: { ...importKeys, find: gate(importKeys.find), use: gate(importKeys.use) },
      log: { append: gate(log.append) },
    })
    return { collect, calls: () => calls }
  }

  test('each line counts once', async () => {
    const requests = createRequests(createRandom(Number(process.env['IMPORT_SEED'] ?? 11)), {
      from: Date.parse('2026-10-23T22:00:00Z'),
      days: 3,
      visitors: 40,
    })
    const lines = renderLog(requests, combined).split(/(?<=\n)/)
    const pieces = Array.from({ length: 4 }, (_, i) => Math.floor((lines.length * i) / 4))
    const { byDay, byPage, bySource, counted } = truthOf(requests, combined)
    let total = 0
    for (let failAt = 1; total === 0; failAt++)
      for (const after of [false, true]) {
        await stores.close()
        clock = createVirtualClock(now, createRandom(failAt))
        stores = await wire(':memory:', 'all', clock)
        await stores.sites.put(
          aSiteConfig({
            site,
            zones: [{ tz: siteOptions.timezone, from: 0 }],
            params: ['q'],
            exclude: { ...siteOptions.exclude, countries: [] },
          }),
        )
        own = await aKey('own', site)
        const { collect, calls } = withFailure(failAt, after)
        let next = 1
        let failures = 0
        while (next <= lines.length) {
          const end = pieces.find((one) => one >= next) ?? lines.length
          const reply = await post(next, lines.slice(next - 1, end).join(''), { collect })
          if (reply.status === 503) failures++
          else next = reply.next
        }
        // A run in which no call fails is the last one.
        if (failures === 0) total = calls()
        await drain()
        const sums = await ledger()
        expect([sums.counted, sums.balanced], `call ${failAt}, ${after}`).toEqual([counted, true])
        expect(await answersOf(query), `call ${failAt}, ${after}`).toEqual({ byDay, byPage, bySource })
      }
    expect(total).toBeGreaterThan(15)
  })
})
