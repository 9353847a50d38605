import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createHandler, limits, type Ports } from '#functions/collect-hit/handler.ts'
import { refusalsMs } from '#functions/collect-hit/ledger.ts'
import { FootfallError } from '#shared/errors.ts'
import type { Reply, Request } from '#shared/handler.ts'
import { createCidrs } from '#shared/hit/address.ts'
import { clientHash, userHash } from '#shared/hit/identity.ts'
import type { HitsRecord, RefusalsRecord } from '#shared/hit/record.ts'
import { hashOf, type Role } from '#shared/site/access.ts'
import type { SiteConfig } from '#shared/site/config.ts'
import { saltDates } from '#shared/site/salts.ts'
import { type Stores, wire } from '#shared/wire.ts'
import { aHit, aSiteConfig, day, hour, noon } from '../fixtures/hit.ts'
import { createRandom } from '../model/random.ts'
import { createVirtualClock, type VirtualClock } from '../model/virtual-clock.ts'

const firefox = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'
const cookieless = 'cookieless.example'
const device = { br: 'Firefox', brv: '140', os: 'Linux', osv: '', type: 'Desktop' as const }

let clock: VirtualClock
let stores: Stores
beforeEach(async () => {
  clock = createVirtualClock(noon, createRandom(1))
  stores = await wire(':memory:', 'all', clock)
  await putSite({ site: 'example.com' })
  await putSite({ site: cookieless, identity: 'cookieless' })
  await makeSalts()
})
afterEach(() => stores.close())

const putSite = (fields: Partial<SiteConfig>) => stores.sites.put(aSiteConfig(fields))
const makeSalts = async () => {
  for (const date of saltDates(clock.now()).make) await stores.salts.make(date, Buffer.from(`salt of ${date}`))
}
const aKey = async (role: Role, site = ''): Promise<string> => {
  const key = `ff_${role}_${clock.random(32).toString('base64url')}`
  await stores.secrets.put({ hash: hashOf(key), kind: 'key', role, site, label: '', created: 0, until: 0 })
  return key
}

/** The function over the embedded stores; a test replaces the ports it is about. */
const aCollect = (ports: Partial<Ports> = {}, rate = 0, onError?: (error: unknown) => void) =>
  createHandler(
    {
      ...stores,
      clock,
      agents: (agent) => (agent.startsWith('curl') ? { device, bot: 'library' } : { device: { ...device, brv: agent.slice(0, 8) } }),
      places: (address) => (address === '192.0.2.1' ? { c: 'DE', r: 'DE-BY', ci: 'Ulm' } : {}),
      isTrustedProxy: createCidrs(['127.0.0.0/8']),
      ...ports,
    },
    { rate, onError },
  )

const aRequest = (fields: Partial<Request> = {}): Request => ({
  method: 'POST',
  path: '/api/hit',
  query: '',
  headers: { 'user-agent': firefox },
  body: Buffer.from(JSON.stringify(aHit())),
  address: '192.0.2.1',
  ...fields,
})
const bodyOf = (value: unknown) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value))

type Sent = { key?: string; headers?: Record<string, string>; address?: string; collect?: ReturnType<typeof aCollect> }
const send = (value: unknown, { key, headers = {}, address = '192.0.2.1', collect = aCollect() }: Sent = {}): Promise<Reply> => {
  const authorization: Record<string, string> = key === undefined ? {} : { authorization: `Bearer ${key}` }
  return collect.handle(aRequest({ body: bodyOf(value), headers: { 'user-agent': firefox, ...authorization, ...headers }, address }))
}
const told = ({ body }: Reply) => JSON.parse(String(body))

const bodies = async (): Promise<string[]> =>
  (await stores.log.read('hits', 0, 0, { records: 10_000, bytes: 1e9, waitMs: 0 })).map(({ body }) => body)
const appended = async (): Promise<(HitsRecord | RefusalsRecord)[]> => (await bodies()).map((body) => JSON.parse(body))
const hitRecords = async (): Promise<HitsRecord[]> => (await appended()).filter((record) => 'ev' in record)
const refusalRecords = async (): Promise<RefusalsRecord[]> => (await appended()).filter((record) => 'led' in record)

/** A log that does what a test says at each append. */
const aLog = (append: Ports['log']['append']): Pick<Ports, 'log'> => ({ log: { append } })

describe('a hit is taken', () => {
  test('answered 202 with what became of it, and readable by any page', async () => {
    const reply = await send(aHit())
    expect(reply).toMatchObject({ status: 202, headers: { 'content-type': 'application/json', 'access-control-allow-origin': '*' } })
    expect(reply.headers).not.toHaveProperty('access-control-allow-credentials')
    expect(reply.headers).not.toHaveProperty('x-footfall-refused')
    expect(told(reply)).toEqual({ accepted: 1, refused: [] })
    expect(await hitRecords()).toMatchObject([
      { v: 1, cfg: 1, site: 'example.com', ev: [{ n: 'pageview', t: noon, host: 'example.com', path: '/' }] },
    ])
  })

  test.each(['application/json', 'text/plain;charset=UTF-8', 'application/x-www-form-urlencoded', ''])(
    'as JSON whatever the content type says: %j',
    async (type) => {
      expect((await send(aHit(), { headers: { 'content-type': type } })).status).toBe(202)
    },
  )

  test('the site is compared without www., port and case', async () => {
    expect((await send(aHit({ site: 'WWW.Example.com:443' }))).status).toBe(202)
    expect((await hitRecords())[0]!.site).toBe('example.com')
  })

  test('an id is made where none was sent, and is unique', async () => {
    await send({ hits: [aHit(), aHit(), aHit({ id: 'mine' })] })
    const ids = (await hitRecords()).flatMap(({ ev }) => ev.map(({ id }) => id))
    expect(new Set(ids).size).toBe(3)
    expect(ids).toContain('mine')
    for (const id of ids.filter((one) => one !== 'mine')) expect(Buffer.from(id, 'base64url').length).toBeGreaterThanOrEqual(12)
  })

  test('a hit carries the version of the site that is in force', async () => {
    const collect = aCollect()
    await send(aHit(), { collect })
    await putSite({ version: 2, params: ['page'] })
    clock.advance(1_000)
    await send(aHit({ url: 'https://example.com/?page=2' }), { collect })
    expect((await hitRecords()).map(({ cfg, ev }) => [cfg, ev[0]!.path])).toEqual([
      [1, '/'],
      [2, '/?page=2'],
    ])
  })
})

describe('nothing is answered before the log has it', () => {
  test('the answer waits for the append', async () => {
    let open = () => {}
    const held = new Promise<void>((resolve) => {
      open = resolve
    })
    let answered = false
    const reply = send(aHit(), { collect: aCollect(aLog(async () => held.then(() => 0))) }).finally(() => {
      answered = true
    })
    for (let i = 0; i < 20; i++) await new Promise(setImmediate)
    expect(answered).toBe(false)
    open()
    expect((await reply).status).toBe(202)
  })

  test.each(['log-unavailable', 'disk-full'] as const)('%s: 503, come again; whether it is in the log nobody says', async (code) => {
    const reply = await send(aHit(), {
      collect: aCollect(
        aLog(async () => {
          throw new FootfallError(code)
        }),
      ),
    })
    expect(reply).toMatchObject({ status: 503, headers: { 'retry-after': '1', 'access-control-allow-origin': '*' } })
    expect(told(reply)).toMatchObject({ code })
    expect(told(reply)).not.toHaveProperty('accepted')
  })

  test('a failure that is answered is told of, with its cause; a refusal is not', async () => {
    const cause = new Error('no space')
    const errors: unknown[] = []
    const full = aLog(async () => {
      throw new FootfallError('disk-full', { cause })
    })
    const collect = aCollect(full, 1, (error) => errors.push(error))
    await send(aHit(), { collect })
    await collect.handle(aRequest({ method: 'GET', path: '/pixel.gif', query: 'site=example.com&url=https%3A%2F%2Fexample.com%2F' }))
    await send('{', { collect })
    for (let i = 0; i < 9; i++) await send(aHit({ url: 'none' }), { collect })
    expect(errors).toMatchObject([
      { code: 'disk-full', cause },
      { code: 'disk-full', cause },
    ])
    clock.advance(refusalsMs)
    await new Promise(setImmediate)
    expect(errors, 'refusals that are lost').toHaveLength(3)
  })

  test('refusals of a flush with unknown outcome are not added again', async () => {
    let fails = true
    const written: string[] = []
    const collect = aCollect(
      aLog(async (_topic, _partition, all) => {
        if (fails) throw new FootfallError('log-unavailable')
        written.push(...all)
        return 0
      }),
    )
    expect((await send({ hits: [aHit({ url: 'none' }), aHit()] }, { collect })).status).toBe(503)
    fails = false
    await send(aHit(), { collect })
    await collect.flush()
    expect(written).toHaveLength(1)
  })

  test('what is unforeseen is thrown: the runtime answers it', async () => {
    const broken = aLog(async () => {
      throw new Error('a bug')
    })
    await expect(send(aHit(), { collect: aCollect(broken) })).rejects.toThrow('a bug')
  })
})

describe('many hits', () => {
  const many = (n: number) => ({ hits: Array.from({ length: n }, (_, i) => aHit({ id: `${i}` })) })

  test('25 from a browser, 1,000 with a write key', async () => {
    const key = await aKey('write')
    expect(told(await send(many(25)))).toEqual({ accepted: 25, refused: [] })
    const trusted = { hits: many(1_000).hits.map((hit) => ({ ...hit, visitor: 'visitor-1' })) }
    expect(told(await send(trusted, { key }))).toEqual({ accepted: 1_000, refused: [] })
  })

  test('more are refused as a whole, and stand in the ledger', async () => {
    const collect = aCollect()
    const reply = await send(many(26), { collect })
    expect([reply.status, told(reply).code]).toEqual([400, 'too-many-hits'])
    expect((await send(many(1_001), { key: await aKey('write'), collect })).status).toBe(400)
    await collect.flush()
    expect(await refusalRecords()).toMatchObject([{ site: '', led: { 'too-many': 26 + 1_001 } }])
    expect(await hitRecords()).toEqual([])
  })

  test('each hit has its own end, told by its index', async () => {
    const reply = await send({
      hits: [aHit(), aHit({ site: 'nobody.example' }), aHit({ url: 'none' }), 7, aHit({ name: 'x'.repeat(121) }), aHit()],
    })
    expect(reply).toMatchObject({ status: 202, headers: { 'x-footfall-refused': 'unknown-site, bad-url, malformed, too-long' } })
    expect(told(reply)).toEqual({
      accepted: 2,
      refused: [
        { index: 1, reason: 'unknown-site' },
        { index: 2, reason: 'bad-url' },
        { index: 3, reason: 'malformed' },
        { index: 4, reason: 'too-long' },
      ],
    })
  })

  test('records of one site and one visitor, at most 100 hits and 256 kB, in time order, all in one append', async () => {
    const key = await aKey('write')
    const hits = Array.from({ length: 300 }, (_, i) =>
      aHit({
        site: i % 3 === 0 ? cookieless : 'example.com',
        visitor: 'visitor-1',
        address: '192.0.2.9',
        time: noon - ((i * 7_919) % 1_000),
        props: { i },
      }),
    )
    const appends: number[] = []
    const collect = aCollect({
      log: {
        append: (topic, partition, all) => {
          appends.push(all.length)
          return stores.log.append(topic, partition, all)
        },
      },
    })
    await send({ hits }, { key, collect })
    const records = await hitRecords()
    expect(records.flatMap(({ ev }) => ev)).toHaveLength(300)
    for (const { site, vis, ev } of records) {
      expect(ev.length).toBeLessThanOrEqual(100)
      expect(ev.map(({ t }) => t)).toEqual(ev.map(({ t }) => t).sort((a, b) => a - b))
      for (const { p } of ev) expect(hits[Number(p!['i'])]!['site']).toBe(site)
      expect(vis).toMatch(/^[0-9a-f]{12}$/)
    }
    for (const body of await bodies()) expect(Buffer.byteLength(body)).toBeLessThan(257_000)
    expect(appends).toHaveLength(1)
  })
})

describe('requests that are none', () => {
  test.each<[string, number, string, string | Buffer]>([
    ['no JSON', 400, 'not-json', 'no json'],
    ['nothing', 400, 'not-json', ''],
    ['half of it', 400, 'not-json', '{"site":'],
    ['no hits', 400, 'empty', '{"hits":[]}'],
  ])('%s', async (_what, status, code, body) => {
    const reply = await aCollect().handle(aRequest({ body: Buffer.from(body) }))
    expect([reply.status, told(reply).code]).toEqual([status, code])
    expect(Object.keys(told(reply)).sort()).toEqual(['code', 'error', 'hint'])
    expect(reply.headers).toMatchObject({ 'access-control-allow-origin': '*', 'x-footfall-refused': 'malformed' })
  })

  test.each<[string, unknown]>([
    ['null', null],
    ['a number', 7],
    ['a list', [aHit()]],
    ['hits that are no list', { hits: {} }],
  ])('%s is one malformed hit', async (_what, value) => {
    expect(told(await send(value))).toEqual({ accepted: 0, refused: [{ index: 0, reason: 'malformed' }] })
  })

  test('every hit of an unknown site: 404', async () => {
    const reply = await send({ hits: [aHit({ site: 'nobody.example' }), aHit({ site: 'a b' })] })
    expect([reply.status, told(reply).code, reply.headers!['x-footfall-refused']]).toEqual([404, 'unknown-site', 'unknown-site'])
    expect((await send({ hits: [aHit({ site: 'nobody.example' }), aHit()] })).status).toBe(202)
  })

  test('the reason stands in a header wherever a request is refused as a whole', async () => {
    const reasonOf = async (value: unknown, sent?: Sent) => (await send(value, sent)).headers!['x-footfall-refused']
    expect(await reasonOf('{')).toBe('malformed')
    expect(await reasonOf(aHit(), { headers: { 'content-encoding': 'br' } })).toBe('malformed')
    expect(await reasonOf({ hits: Array.from({ length: 26 }, () => aHit()) })).toBe('too-many')
    expect(await reasonOf(' '.repeat(limits.bodyBytes + 1))).toBe('too-long')
    expect(await reasonOf(aHit({ site: 'nobody.example' }))).toBe('unknown-site')
    const collect = aCollect({}, 1)
    for (let i = 0; i < 5; i++) expect(await reasonOf(aHit(), { collect })).toBeUndefined()
    expect(await reasonOf(aHit(), { collect })).toBe('rate')
  })

  test('a removed site is none', async () => {
    await putSite({ version: 2, removed: true })
    expect((await send(aHit())).status).toBe(404)
  })

  test('other paths and methods', async () => {
    const ask = (fields: Partial<Request>) => aCollect().handle(aRequest(fields))
    const status = async (fields: Partial<Request>) => (await ask(fields)).status
    expect((await ask({ method: 'GET' })).headers).toMatchObject({ allow: 'POST, OPTIONS', 'access-control-allow-origin': '*' })
    expect((await ask({ path: '/pixel.gif', method: 'POST' })).headers).toMatchObject({ allow: 'GET' })
    expect(await status({ method: 'GET' })).toBe(405)
    expect(await status({ method: 'PUT' })).toBe(405)
    expect(await status({ path: '/pixel.gif', method: 'POST' })).toBe(405)
    expect(await status({ path: '/api/hits' })).toBe(404)
    expect(await status({ path: '/' })).toBe(404)
  })

  test('a store that is down is 503, not an unknown site', async () => {
    const down = async () => {
      throw new Error('no store')
    }
    const reply = await send(aHit(), { collect: aCollect({ sites: { ...stores.sites, find: down } }) })
    expect([reply.status, told(reply).code, reply.headers!['retry-after']]).toEqual([503, 'store-unavailable', '1'])
  })
})

describe('CORS', () => {
  test('a preflight is answered and may be kept', async () => {
    const reply = await aCollect().handle(aRequest({ method: 'OPTIONS', body: Buffer.alloc(0) }))
    expect(reply).toMatchObject({
      status: 204,
      headers: { 'access-control-allow-origin': '*', 'access-control-allow-methods': 'POST', 'access-control-max-age': '86400' },
    })
    expect(reply.headers!['access-control-allow-headers']).toMatch(/content-type.*authorization/)
    expect(reply.headers).not.toHaveProperty('access-control-allow-credentials')
  })

  test('every answer lets the page read why', async () => {
    expect((await send(aHit({ url: 'none' }))).headers!['access-control-expose-headers']).toBe('x-footfall-refused, retry-after')
    expect((await send('{')).headers!['access-control-expose-headers']).toContain('x-footfall-refused')
  })
})

describe('the size of a body', () => {
  const padded = (bytes: number) => `${JSON.stringify(aHit({ visitor: 'visitor-1' }))}${' '.repeat(bytes)}`.slice(0, bytes)

  test('64 kB from a browser', async () => {
    expect((await send(padded(limits.bodyBytes))).status).toBe(202)
    const reply = await send(padded(limits.bodyBytes + 1))
    expect([reply.status, told(reply).code]).toEqual([413, 'too-large'])
  })

  test('1 MB with a write key', async () => {
    const key = await aKey('write')
    expect((await send(padded(limits.trustedBodyBytes), { key })).status).toBe(202)
    expect((await send(padded(limits.trustedBodyBytes + 1), { key })).status).toBe(413)
  })

  const zipped = (text: string, encoding = 'gzip') =>
    aCollect().handle(aRequest({ body: gzipSync(text), headers: { 'content-encoding': encoding } }))

  test('gzip', async () => {
    expect((await zipped(JSON.stringify(aHit()))).status).toBe(202)
    expect((await zipped(JSON.stringify(aHit()), 'x-gzip')).status).toBe(202)
    expect((await zipped(JSON.stringify(aHit()), 'GZIP')).status).toBe(202)
    expect((await hitRecords())[0]!.ev[0]!.path).toBe('/')
  })

  test('the limit is about the inflated body too: a bomb stops where the limit is', async () => {
    expect((await zipped(padded(limits.bodyBytes))).status).toBe(202)
    expect((await zipped(padded(limits.bodyBytes + 1))).status).toBe(413)
    const bomb = gzipSync(Buffer.alloc(60_000_000, ' '))
    expect(bomb.length).toBeLessThan(limits.bodyBytes)
    expect((await aCollect().handle(aRequest({ body: bomb, headers: { 'content-encoding': 'gzip' } }))).status).toBe(413)
  })

  test.each<[string, Buffer, string]>([
    ['no gzip', bodyOf(aHit()), 'gzip'],
    ['half of it', gzipSync(JSON.stringify(aHit())).subarray(0, 40), 'gzip'],
    ['another encoding', bodyOf(aHit()), 'br'],
  ])('%s: 400', async (_what, body, encoding) => {
    const reply = await aCollect().handle(aRequest({ body, headers: { 'content-encoding': encoding } }))
    expect([reply.status, told(reply).code]).toEqual([400, 'bad-encoding'])
  })

  test('what is refused by its size or form stands in the ledger', async () => {
    const collect = aCollect()
    await send(padded(limits.bodyBytes + 1), { collect })
    await send('{', { collect })
    await send('{"hits":[]}', { collect })
    await collect.flush()
    expect(await refusalRecords()).toMatchObject([{ site: '', led: { 'too-long': 1, malformed: 1 } }])
  })
})

describe('keys', () => {
  test.each(['Basic abc', 'Negotiate', 'Digest username="x"'])(
    '%s is no key of ours: a browser sends it by itself',
    async (authorization) => {
      expect((await send(aHit(), { headers: { authorization } })).status).toBe(202)
      expect(told(await send(aHit({ time: noon }), { headers: { authorization } })).refused).toEqual([{ index: 0, reason: 'needs-key' }])
    },
  )

  test.each([
    'Bearer ',
    'Bearer nonsense',
    `ff_write_${'x'.repeat(43)}`,
    `Bearer ff_write_${'x'.repeat(43)}`,
    `Bearer ff_admin_${'x'.repeat(43)}`,
  ])('%s: 401, and nothing is taken', async (authorization) => {
    const reply = await send(aHit(), { headers: { authorization } })
    expect([reply.status, told(reply).code]).toEqual([401, 'wrong-key'])
    expect(await bodies()).toEqual([])
  })

  test('a key that may only read: 403', async () => {
    const reply = await send(aHit(), { key: await aKey('read') })
    expect([reply.status, told(reply).code]).toEqual([403, 'wrong-role'])
  })

  test('a page session is no key', async () => {
    await stores.secrets.put({ hash: hashOf('session'), kind: 'session', role: 'own', site: '', label: '', created: 0, until: 0 })
    const reply = await send(aHit({ address: '192.0.2.9' }), { headers: { cookie: 'ff_session=session' } })
    expect(told(reply).refused).toEqual([{ index: 0, reason: 'needs-key' }])
  })

  test.each<[string, Record<string, unknown>]>([
    ['address', { address: '192.0.2.9' }],
    ['agent', { agent: 'Firefox' }],
    ['time', { time: noon }],
  ])('%s needs a write key', async (_field, fields) => {
    expect(told(await send(aHit(fields))).refused).toEqual([{ index: 0, reason: 'needs-key' }])
    expect(told(await send(aHit({ visitor: 'visitor-1', ...fields }), { key: await aKey('own') })).accepted).toBe(1)
  })

  test("a key of one site sends no other's hits", async () => {
    const key = await aKey('write', 'example.com')
    const reply = await send({ hits: [aHit({ visitor: 'visitor-1' }), aHit({ site: cookieless, address: '192.0.2.9' })] }, { key })
    expect(told(reply)).toEqual({ accepted: 1, refused: [{ index: 1, reason: 'needs-key' }] })
  })

  test('a hit with a key says whose it is', async () => {
    const key = await aKey('write')
    const end = async (fields: Record<string, unknown>) => told(await send(aHit(fields), { key })).refused[0]?.reason ?? 'taken'
    expect(await end({})).toBe('needs-visitor')
    expect(await end({ visitor: 'visitor-1' })).toBe('taken')
    expect(await end({ address: '192.0.2.9' })).toBe('taken')
    expect(await end({ address: 'nowhere' })).toBe('malformed')
    expect(await end({ site: cookieless, visitor: 'visitor-1' })).toBe('needs-visitor')
    expect(await end({ site: cookieless, address: '192.0.2.9' })).toBe('taken')
  })

  test('place, device and verdict are those of the visitor it names, not of the server', async () => {
    const key = await aKey('write')
    await send(aHit({ address: '192.0.2.1', agent: 'curl/8' }), { key, address: '203.0.113.7' })
    await send(aHit({ visitor: 'visitor-1' }), { key, address: '192.0.2.1', headers: { 'user-agent': 'curl/8' } })
    const [named, other] = await hitRecords()
    expect(named).toMatchObject({ geo: { c: 'DE', r: 'DE-BY', ci: 'Ulm' }, bot: 'library' })
    expect(other).toMatchObject({ dev: { br: '', type: 'Other' } })
    expect([other!.geo, other!.bot]).toEqual([undefined, undefined])
  })

  test('its time is kept, and wins over queued', async () => {
    await send(aHit({ visitor: 'visitor-1', time: noon - hour, queued: 5 }), { key: await aKey('write') })
    expect((await hitRecords())[0]!.ev[0]!.t).toBe(noon - hour)
    expect(told(await send(aHit({ visitor: 'visitor-1', time: noon - 3 * day - 1 }), { key: await aKey('write') })).refused[0].reason).toBe(
      'too-old',
    )
  })

  test('secrets that cannot be asked: 503', async () => {
    const collect = aCollect({ secrets: { ...stores.secrets, find: () => Promise.reject(new FootfallError('store-unavailable')) } })
    expect((await send(aHit(), { key: await aKey('write'), collect })).status).toBe(503)
  })
})

describe('the pixel', () => {
  const pixel = (query: string, fields: Partial<Request> = {}, collect = aCollect()) =>
    collect.handle(aRequest({ method: 'GET', path: '/pixel.gif', query, body: Buffer.alloc(0), ...fields }))

  test('a GIF of 43 bytes, never stored', async () => {
    const reply = await pixel('site=example.com&url=https%3A%2F%2Fexample.com%2Fdocs&title=Docs&queued=1000')
    expect(reply).toMatchObject({
      status: 200,
      headers: { 'content-type': 'image/gif', 'cache-control': 'no-store', 'access-control-allow-origin': '*' },
    })
    expect((reply.body as Buffer).length).toBe(43)
    expect((reply.body as Buffer).subarray(0, 6).toString()).toBe('GIF89a')
    expect((await hitRecords())[0]!.ev).toMatchObject([{ path: '/docs', ti: 'Docs', t: noon - 1_000 }])
  })

  test('the page is the Referer header where no url is named', async () => {
    const headers = { 'user-agent': firefox, referer: 'https://example.com/from-header' }
    await pixel('site=example.com', { headers })
    await pixel('site=example.com&url=https%3A%2F%2Fexample.com%2Fnamed', { headers })
    expect((await hitRecords()).map(({ ev }) => ev[0]!.path)).toEqual(['/from-header', '/named'])
  })

  test.each([
    ['site=nobody.example&url=https%3A%2F%2Fexample.com%2F', 'unknown-site'],
    ['', 'malformed'],
    ['site=example.com', 'bad-url'],
    ['site=example.com&url=none', 'bad-url'],
    [`site=example.com&url=https%3A%2F%2Fexample.com%2F&name=${'x'.repeat(121)}`, 'too-long'],
    ['site=example.com&url=https%3A%2F%2Fexample.com%2F&queued=soon', 'malformed'],
  ])('%s: 200 all the same, the reason in a header', async (query, reason) => {
    const reply = await pixel(query)
    expect([reply.status, reply.headers!['x-footfall-refused'], (reply.body as Buffer).length]).toEqual([200, reason, 43])
  })

  test('props, revenue, visitor and the fields of a key are no parameters', async () => {
    const key = await aKey('write')
    const query = 'site=example.com&url=https%3A%2F%2Fexample.com%2F&props=x&revenue=5&visitor=visitor-1&address=203.0.113.9&time=5&agent=x'
    await pixel(query, { headers: { 'user-agent': firefox, authorization: `Bearer ${key}` } })
    const [record] = await hitRecords()
    expect(record!.ev[0]).toMatchObject({ t: noon })
    expect(record!.ev[0]).not.toHaveProperty('p')
    expect(record!.geo).toEqual({ c: 'DE', r: 'DE-BY', ci: 'Ulm' })
  })

  test('a rate that is used up: 200, and so it says', async () => {
    const collect = aCollect({}, 1)
    for (let i = 0; i < 5; i++) await pixel('site=example.com&url=https%3A%2F%2Fexample.com%2F', {}, collect)
    const reply = await pixel('site=example.com&url=https%3A%2F%2Fexample.com%2F', {}, collect)
    expect([reply.status, reply.headers!['x-footfall-refused']]).toEqual([200, 'rate'])
  })

  test('a hit that could not be made durable is not told to be: 503, with the image', async () => {
    const collect = aCollect(
      aLog(async () => {
        throw new FootfallError('log-unavailable')
      }),
    )
    const reply = await pixel('site=example.com&url=https%3A%2F%2Fexample.com%2F', {}, collect)
    expect([reply.status, reply.headers!['retry-after'], (reply.body as Buffer).length]).toEqual([503, '1', 43])
  })
})

describe('refusals', () => {
  test('ride in the same append as the hits of their request', async () => {
    const appends: string[][] = []
    const collect = aCollect(
      aLog(async (_topic, _partition, all) => {
        appends.push([...all])
        return 0
      }),
    )
    await send({ hits: [aHit(), aHit({ url: 'none' }), aHit({ site: 'nobody.example' })] }, { collect })
    expect(appends).toHaveLength(1)
    expect(appends[0]!.slice(1).map((body) => JSON.parse(body))).toEqual([
      { v: 1, site: 'example.com', led: { 'bad-url': 1 }, hour: noon },
      { v: 1, site: '', led: { 'unknown-site': 1 }, hour: noon },
    ])
  })

  test('are appended by themselves after a second, summed', async () => {
    const collect = aCollect()
    for (let i = 0; i < 50; i++) await send(aHit({ site: 'nobody.example' }), { collect })
    expect(await bodies()).toEqual([])
    clock.advance(refusalsMs)
    await new Promise(setImmediate)
    expect(await refusalRecords()).toMatchObject([{ site: '', led: { 'unknown-site': 50 } }])
    await collect.flush()
    expect(await bodies()).toHaveLength(1)
  })

  test('never name a site that is not registered', async () => {
    const collect = aCollect()
    await send(aHit({ site: 'secret-name.example' }), { collect })
    await collect.flush()
    expect((await bodies()).join()).not.toContain('secret-name')
  })
})

describe('who a visitor is', () => {
  const visOf = async (hit: Record<string, unknown>, sent: Sent = {}): Promise<HitsRecord> => {
    await send(hit, sent)
    return (await hitRecords()).at(-1)!
  }

  test('by the cookie, under the key of the site; the first day comes with it', async () => {
    const record = await visOf(aHit({ visitor: 'abcdefgh.20260601' }))
    expect(record).toMatchObject({ vis: clientHash(aSiteConfig().key, 'example.com', 'abcdefgh.20260601'), fs: 20260601 })
    expect(record.vprev).toBeUndefined()
    expect((await visOf(aHit({ visitor: 'abcdefgh.20260601' }), { address: '203.0.113.9', headers: { 'user-agent': 'other' } })).vis).toBe(
      record.vis,
    )
  })

  test('without one, by address and agent under the salt of the day', async () => {
    const [mine, again, otherAddress, otherAgent] = [
      await visOf(aHit()),
      await visOf(aHit()),
      await visOf(aHit(), { address: '192.0.2.2' }),
      await visOf(aHit(), { headers: { 'user-agent': 'other' } }),
    ]
    expect(again.vis).toBe(mine.vis)
    expect(new Set([mine.vis, otherAddress.vis, otherAgent.vis]).size).toBe(3)
  })

  test('a cookieless site ignores the cookie', async () => {
    const one = await visOf(aHit({ site: cookieless, visitor: 'visitor-1' }))
    const two = await visOf(aHit({ site: cookieless, visitor: 'visitor-2' }))
    expect([one.vis, one.fs]).toEqual([two.vis, undefined])
  })

  test('the next day it is another, known as the one of yesterday', async () => {
    const evening = await visOf(aHit({ site: cookieless }))
    clock.advance(day)
    await makeSalts()
    const morning = await visOf(aHit({ site: cookieless }))
    expect(morning.vis).not.toBe(evening.vis)
    expect(morning.vprev).toBe(evening.vis)
  })

  test('a hit that waited is hashed under the salt of its own day, by the calendar of the site', async () => {
    await putSite({ site: 'tokyo.example', identity: 'cookieless', zones: [{ tz: 'Asia/Tokyo', from: 0 }] })
    const waited = async (hours: number) => (await visOf(aHit({ site: 'tokyo.example', queued: hours * hour }))).vis
    const evening = await waited(0) // 21:00 in Tokyo
    expect(await waited(20)).toBe(evening) // 01:00
    expect(await waited(22)).not.toBe(evening) // 23:00 the day before
  })

  test('a day whose salt is gone is too old, for who needs it', async () => {
    const key = await aKey('write')
    const end = async (fields: Record<string, unknown>) =>
      told(await send(aHit({ address: '192.0.2.9', ...fields }), { key })).refused[0]?.reason ?? 'taken'
    const gone = noon - 61 * hour // 2026-06-07 in UTC
    expect(await end({ site: cookieless, time: gone })).toBe('too-old')
    expect(await end({ site: cookieless, time: gone + hour })).toBe('taken')
    expect(await end({ site: 'example.com', time: gone })).toBe('too-old')
    expect(await end({ site: 'example.com', time: gone, visitor: 'visitor-1' })).toBe('taken')
  })

  test('a salt that is not made yet: 503', async () => {
    const collect = aCollect({ salts: { ...stores.salts, get: async () => undefined } })
    const reply = await send(aHit(), { collect })
    expect([reply.status, told(reply).code, reply.headers!['retry-after']]).toEqual([503, 'no-salt', '1'])
    expect((await send(aHit({ visitor: 'visitor-1' }), { collect })).status).toBe(202)
  })

  test('a signed-in person is a hash', async () => {
    expect((await visOf(aHit({ user: 'jane@example.org' }))).user).toBe(userHash(aSiteConfig().key, 'example.com', 'jane@example.org'))
  })
})

describe('whose address it is', () => {
  const vis = async (address: string, forwarded?: string) => {
    await send(aHit(), { address, headers: forwarded === undefined ? {} : { 'x-forwarded-for': forwarded } })
    return (await hitRecords()).at(-1)!.vis
  }

  test('what a trusted proxy says counts, from the right; what a stranger says does not', async () => {
    const direct = await vis('192.0.2.1')
    expect(await vis('127.0.0.1', '192.0.2.1')).toBe(direct)
    expect(await vis('127.0.0.1', '203.0.113.5, 192.0.2.1')).toBe(direct)
    expect(await vis('192.0.2.1', '203.0.113.5')).toBe(direct)
    expect(await vis('::ffff:192.0.2.1')).toBe(direct)
    expect(await vis('203.0.113.5')).not.toBe(direct)
  })

  test('a rule of the site on addresses is a verdict, taken here', async () => {
    await putSite({ version: 2, exclude: { paths: [], countries: [], addresses: ['192.0.2.0/24'] } })
    await send(aHit(), { address: '192.0.2.1' })
    await send(aHit(), { address: '198.51.100.1' })
    expect((await hitRecords()).map(({ net }) => net)).toEqual([{ rule: 'address' }, undefined])
  })
})

describe('rate', () => {
  test('a network that asks for more than its share: 429 and when to come again', async () => {
    const collect = aCollect({}, 2)
    for (let i = 0; i < 10; i++) expect((await send(aHit(), { collect, address: `192.0.2.${i}` })).status).toBe(202)
    const reply = await send({ hits: [aHit(), aHit()] }, { collect, address: '192.0.2.99' })
    expect([reply.status, told(reply).code, reply.headers!['retry-after'], reply.headers!['access-control-allow-origin']]).toEqual([
      429,
      'rate',
      '1',
      '*',
    ])
    expect((await send(aHit(), { collect, address: '198.51.100.1' })).status).toBe(202)
    clock.advance(1_000)
    expect((await send(aHit(), { collect })).status).toBe(202)
    await collect.flush()
    expect((await refusalRecords()).find(({ led }) => led.rate)).toMatchObject({ site: 'example.com', led: { rate: 2 } })
  })

  test('every hit of a batch counts', async () => {
    const collect = aCollect({}, 1)
    expect((await send({ hits: Array.from({ length: 25 }, () => aHit()) }, { collect })).status).toBe(202)
    expect((await send(aHit(), { collect })).headers!['retry-after']).toBe('21')
  })

  test('a request that is none costs one hit', async () => {
    const collect = aCollect({}, 1)
    for (let i = 0; i < 5; i++) expect((await send('{', { collect })).status).toBe(400)
    expect((await send('{', { collect })).status).toBe(429)
    expect((await send(aHit(), { collect })).status).toBe(429)
    expect((await send(' '.repeat(limits.bodyBytes + 1), { collect })).status).toBe(429)
    await collect.flush()
    expect((await refusalRecords()).map(({ site, led }) => [site, led])).toEqual([['', { malformed: 5, rate: 3 }]])
  })

  test('an IPv6 network is a /48', async () => {
    const collect = aCollect({}, 1)
    for (let i = 0; i < 5; i++) await send(aHit(), { collect, address: `2001:db8:1:${i}::1` })
    expect((await send(aHit(), { collect, address: '2001:db8:1:ffff::1' })).status).toBe(429)
    expect((await send(aHit(), { collect, address: '2001:db8:2::1' })).status).toBe(202)
  })

  test('requests with a write key are not limited', async () => {
    const collect = aCollect({}, 1)
    const key = await aKey('write')
    for (let i = 0; i < 50; i++) expect((await send(aHit({ visitor: 'visitor-1' }), { collect, key })).status).toBe(202)
  })

  test('under attack the store of sites is not asked', async () => {
    let asked = 0
    const sites = {
      ...stores.sites,
      find: (site: string) => {
        asked++
        return stores.sites.find(site)
      },
    }
    const collect = aCollect({ sites }, 1)
    for (let i = 0; i < 5; i++) await send(aHit(), { collect })
    asked = 0
    clock.advance(10)
    for (let i = 0; i < 100; i++) await send(aHit({ site: `s${i}.example` }), { collect })
    expect(asked).toBe(0)
    await collect.flush()
    expect((await refusalRecords()).map(({ site, led }) => [site, led.rate])).toEqual([['', 100]])
  })
})

test('no address, no agent, no raw url and no id of a person is appended', async () => {
  const key = await aKey('write')
  const secrets = [
    '198.51.100.77',
    '203.0.113.88',
    'SecretAgent',
    'secret-visitor',
    'secret-user',
    'secret-param',
    'secret-click',
    'secret-password',
  ]
  const hit = aHit({
    visitor: 'secret-visitor',
    user: 'secret-user',
    url: 'https://u:secret-password@example.com/?q=secret-param&gclid=secret-click',
    referrer: 'https://x.example/?r=secret-param',
  })
  await send(hit, {
    address: '198.51.100.77',
    headers: { 'user-agent': 'SecretAgent/1', 'x-forwarded-for': '203.0.113.88', cookie: 'secret-user=1' },
  })
  await send({ ...hit, site: cookieless, address: '203.0.113.88', agent: 'Firefox (SecretAgent)' }, { key, address: '198.51.100.77' })
  await send({ ...hit, url: 'secret-param' }, { address: '198.51.100.77' })
  await send(aHit(), {})
  const all = (await bodies()).join('\n')
  expect((await hitRecords()).length).toBe(3)
  for (const secret of secrets) expect(all).not.toContain(secret)
  for (const name of ['address', 'agent', 'visitor', 'user-agent', 'authorization']) expect(all).not.toContain(`"${name}"`)
})
