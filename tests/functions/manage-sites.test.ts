import { beforeEach, describe, expect, it } from 'vitest'
import { hashOf, linkMs, sessionMs } from '#shared/site/access.ts'
import { saltDates } from '#shared/site/salts.ts'
import { addDays, utcDay } from '#shared/site/zone.ts'
import { type Answer, anInstallation, type Installation } from '../site/installation.ts'

const hour = 3_600_000
const day = 24 * hour

let home: Installation
let key: string
beforeEach(async () => {
  home = await anInstallation()
  key = home.adminKey
})

const tokenOf = (answer: Answer) => new URL(String(answer.body['url'])).search

describe('who may do what', () => {
  const credentials = [
    'none',
    'wrong',
    'expired cookie',
    'write all',
    'read all',
    'own all',
    'write this',
    'read this',
    'own this',
    'own other',
    'cookie all, own page',
    'cookie all, elsewhere',
    'cookie all, no header',
    'cookie this, own page',
    'cookie other, own page',
  ] as const
  type Credential = (typeof credentials)[number]

  /** In the order of `credentials`. `this` is a.example; `gone.example` was never there. */
  const matrix: [request: string, body: unknown, expected: number[]][] = [
    //                                           none wrong exp  wA   rA   oA   wT   rT   oT   oO   cA   cAx  cA-  cT   cO
    ['GET /api/sites', undefined, /*          */ [401, 401, 401, 403, 200, 200, 403, 200, 200, 200, 200, 200, 200, 200, 200]],
    ['POST /api/sites', { site: 'new.example' }, [401, 401, 401, 403, 403, 201, 401, 401, 401, 401, 201, 403, 403, 401, 401]],
    ['GET /api/sites/a.example', undefined, /**/ [401, 401, 401, 403, 200, 200, 403, 200, 200, 401, 200, 200, 200, 200, 401]],
    ['PATCH /api/sites/a.example', {}, /*     */ [401, 401, 401, 403, 403, 200, 403, 403, 200, 401, 200, 403, 403, 200, 401]],
    ['DELETE /api/sites/a.example', undefined, [401, 401, 401, 403, 403, 204, 403, 403, 204, 401, 204, 403, 403, 204, 401]],
    ['GET /api/sites/gone.example', undefined, [401, 401, 401, 403, 404, 404, 401, 401, 401, 401, 404, 404, 404, 401, 401]],
    ['PATCH /api/sites/gone.example', {}, /*  */ [401, 401, 401, 403, 403, 404, 401, 401, 401, 401, 404, 403, 403, 401, 401]],
    ['DELETE /api/sites/gone.example', undefined, [401, 401, 401, 403, 403, 404, 401, 401, 401, 401, 404, 403, 403, 401, 401]],
    ['GET /api/replays?site=a.example', undefined, [401, 401, 401, 403, 403, 200, 403, 403, 200, 401, 200, 200, 200, 200, 401]],
    [
      'POST /api/replays',
      { site: 'a.example', from: '2026-06-01', to: '2026-06-02' },
      [401, 401, 401, 403, 403, 201, 403, 403, 201, 401, 201, 403, 403, 201, 401],
    ],
    [
      'PATCH /api/replays/none',
      { site: 'a.example', state: 'dropped' },
      [401, 401, 401, 403, 403, 404, 403, 403, 404, 401, 404, 403, 403, 404, 401],
    ],
    ['GET /api/replays?site=gone.example', undefined, [401, 401, 401, 403, 403, 404, 403, 403, 401, 401, 404, 404, 404, 401, 401]],
    ['GET /api/keys', undefined, /*           */ [401, 401, 401, 403, 403, 200, 403, 403, 200, 200, 200, 200, 200, 200, 200]],
    ['POST /api/keys', { role: 'own' }, /*    */ [401, 401, 401, 403, 403, 201, 403, 403, 401, 401, 201, 403, 403, 401, 401]],
    ['POST /api/keys', { site: 'a.example' }, [401, 401, 401, 403, 403, 201, 403, 403, 201, 401, 201, 403, 403, 201, 401]],
    ['POST /api/keys', { site: 'gone.example' }, [401, 401, 401, 403, 403, 404, 403, 403, 401, 401, 404, 403, 403, 401, 401]],
    ['DELETE /api/keys/{this}', undefined, /* */ [401, 401, 401, 403, 403, 204, 403, 403, 204, 404, 204, 403, 403, 204, 404]],
    ['DELETE /api/keys/{all}', undefined, /*  */ [401, 401, 401, 403, 403, 204, 403, 403, 404, 404, 204, 403, 403, 404, 404]],
    ['DELETE /api/keys/0123456789ab', undefined, [401, 401, 401, 403, 403, 404, 403, 403, 404, 404, 404, 403, 403, 404, 404]],
    ['POST /api/links', undefined, /*         */ [401, 401, 401, 403, 403, 201, 403, 403, 201, 201, 201, 403, 403, 201, 201]],
    ['GET /api/sign-in?token=no', undefined, /**/ [401, 401, 401, 401, 401, 401, 401, 401, 401, 401, 401, 401, 401, 401, 401]],
    ['POST /api/sign-out', undefined, /*      */ [401, 401, 401, 400, 400, 400, 400, 400, 400, 400, 204, 403, 403, 204, 204]],
    ['GET /api/me', undefined, /*             */ [401, 401, 401, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200]],
    ['constructor /api/me', undefined, /*    */ [405, 405, 405, 405, 405, 405, 405, 405, 405, 405, 405, 405, 405, 405, 405]],
    ['GET /api/nothing', undefined, /*        */ [404, 404, 404, 404, 404, 404, 404, 404, 404, 404, 404, 404, 404, 404, 404]],
    ['PUT /api/sites/a.example', undefined, /**/ [405, 405, 405, 405, 405, 405, 405, 405, 405, 405, 405, 405, 405, 405, 405]],
  ]

  const cookie = async (from: string, site?: string): Promise<Record<string, string>> => {
    const session = await home.aSession(from)
    return site === undefined ? { cookie: session } : { cookie: session, 'sec-fetch-site': site }
  }
  const sent: Record<Credential, () => Promise<{ key?: string; headers?: Record<string, string> }>> = {
    none: async () => ({}),
    wrong: async () => ({ key: `ff_own_${'A'.repeat(43)}` }),
    'expired cookie': async () => {
      const headers = await cookie(key, 'same-origin')
      home.clock.turn(sessionMs)
      return { headers }
    },
    'write all': async () => ({ key: await home.aKey('write') }),
    'read all': async () => ({ key: await home.aKey('read') }),
    'own all': async () => ({ key }),
    'write this': async () => ({ key: await home.aKey('write', 'a.example') }),
    'read this': async () => ({ key: await home.aKey('read', 'a.example') }),
    'own this': async () => ({ key: await home.aKey('own', 'a.example') }),
    'own other': async () => ({ key: await home.aKey('own', 'b.example') }),
    'cookie all, own page': async () => ({ headers: await cookie(key, 'same-origin') }),
    'cookie all, elsewhere': async () => ({ headers: await cookie(key, 'same-site') }),
    'cookie all, no header': async () => ({ headers: await cookie(key) }),
    'cookie this, own page': async () => ({ headers: await cookie(await home.aKey('own', 'a.example'), 'same-origin') }),
    'cookie other, own page': async () => ({ headers: await cookie(await home.aKey('own', 'b.example'), 'same-origin') }),
  }

  const idOf = async (site: string) => hashOf(await home.aKey('read', site)).slice(0, 12)
  it.each(matrix)('%s %j', async (request, body, expected) => {
    const got: Record<string, number> = {}
    for (const name of credentials) {
      home = await anInstallation()
      key = home.adminKey
      const who = await sent[name]()
      const what = request.replace('{this}', await idOf('a.example')).replace('{all}', await idOf(''))
      got[name] = (await home.ask(what, { ...who, body })).status
    }
    expect(got).toEqual(Object.fromEntries(credentials.map((name, i) => [name, expected[i]])))
  })

  it('says the same for a key that is missing, wrong, and for a site it cannot see, there or not', async () => {
    const other = await home.aKey('own', 'b.example')
    const answers = await Promise.all([
      home.ask('GET /api/sites/a.example'),
      home.ask('GET /api/sites/a.example', { key: 'ff_own_short' }),
      home.ask('GET /api/sites/a.example', { key: other }),
      home.ask('GET /api/sites/gone.example', { key: other }),
    ])
    for (const { status, body } of answers) expect({ status, body }).toEqual({ status: 401, body: answers[0]!.body })
  })

  it('takes a wrong key for wrong even beside a good cookie', async () => {
    const session = await home.aSession(key)
    expect((await home.ask('GET /api/me', { headers: { cookie: session, authorization: 'Bearer YTpi' } })).status).toBe(401)
  })

  it('takes a password for a proxy in front for no key: the cookie beside it holds, without one there is nothing', async () => {
    const session = await home.aSession(key)
    expect((await home.ask('GET /api/me', { headers: { cookie: session, authorization: 'Basic YTpi' } })).status).toBe(200)
    expect((await home.ask('GET /api/me', { headers: { authorization: 'Basic YTpi' } })).status).toBe(401)
  })
})

describe('sites', () => {
  it('are added with the tag that counts them, and listed', async () => {
    const added = await home.ask('POST /api/sites', { key, body: { site: 'WWW.Müller.example:443', timezone: 'europe/berlin' } })
    expect(added.status).toBe(201)
    expect(added.body).toMatchObject({
      site: 'xn--mller-kva.example',
      version: 1,
      timezone: 'Europe/Berlin',
      identity: 'cookie',
      session_timeout: 30,
      retention: 25,
      shards: 1,
    })
    expect(added.body['script']).toBe(
      '<script async src="https://stats.example.com/footfall.js" data-site="xn--mller-kva.example"></script>',
    )
    expect(JSON.stringify(added.body)).not.toContain((await home.sites.find('xn--mller-kva.example'))!.key)
    const { body } = await home.ask('GET /api/sites', { key })
    expect((body['sites'] as { site: string }[]).map(({ site }) => site)).toEqual(['a.example', 'b.example', 'xn--mller-kva.example'])
  })

  it('are listed to whoever sees them', async () => {
    const own = await home.aKey('read', 'b.example')
    expect((await home.ask('GET /api/sites', { key: own })).body['sites']).toMatchObject([{ site: 'b.example' }])
  })

  it('have secrets of their own', async () => {
    for (const site of ['c.example', 'd.example']) await home.ask('POST /api/sites', { key, body: { site } })
    const [c, d] = await Promise.all([home.sites.find('c.example'), home.sites.find('d.example')])
    expect(Buffer.from(c!.key, 'base64')).toHaveLength(32)
    expect(c!.key).not.toBe(d!.key)
  })

  it('are added once', async () => {
    expect(await home.ask('POST /api/sites', { key, body: { site: 'a.example' } })).toMatchObject({
      status: 409,
      body: { code: 'site-exists' },
    })
    const both = await Promise.all([1, 2].map(() => home.ask('POST /api/sites', { key, body: { site: 'new.example' } })))
    expect(both.map(({ status }) => status).sort()).toEqual([201, 409])
  })

  it('change by the fields that are sent; what changes nothing makes no version', async () => {
    const change = {
      session_timeout: 45,
      cut_at_midnight: true,
      hosts: ['WWW.Shop.example', 'shop.example'],
      retention: 6,
      exclude: { countries: ['de'] },
    }
    const first = await home.ask('PATCH /api/sites/a.example', { key, body: change })
    expect(first.body).toMatchObject({
      version: 2,
      session_timeout: 45,
      cut_at_midnight: true,
      cut_at_campaign: false,
      hosts: ['shop.example'],
      retention: 6,
    })
    const second = await home.ask('PATCH /api/sites/a.example', { key, body: { exclude: { paths: ['/admin'] } } })
    expect(second.body).toMatchObject({ version: 3, exclude: { paths: ['/admin'], countries: ['DE'], addresses: [] } })
    expect((await home.ask('PATCH /api/sites/a.example', { key, body: { session_timeout: 45 } })).body['version']).toBe(3)
    expect(await home.sites.at('a.example', 1)).toMatchObject({ sessionTimeoutMs: 30 * 60_000, hosts: [] })
    expect(await home.sites.at('a.example', 2)).toMatchObject({ sessionTimeoutMs: 45 * 60_000, cutAtMidnight: true })
  })

  it('answer with what may be sent again', async () => {
    const { body } = await home.ask('GET /api/sites/a.example', { key })
    const { site: _site, created: _created, changed: _changed, zones: _zones, script: _script, ...options } = body
    expect((await home.ask('PATCH /api/sites/a.example', { key, body: options })).body).toEqual(body)
  })

  it('change for one of two at a time', async () => {
    const stale = await home.ask('PATCH /api/sites/a.example', { key, body: { version: 7, bounce: 'single-page' } })
    expect(stale).toMatchObject({ status: 409, body: { code: 'conflict' } })
    const both = await Promise.all(
      [10, 20].map((minutes) => home.ask('PATCH /api/sites/a.example', { key, body: { version: 1, session_timeout: minutes } })),
    )
    expect(both.map(({ status }) => status).sort()).toEqual([200, 409])
  })

  it('change their time zone a day ahead', async () => {
    const { body } = await home.ask('PATCH /api/sites/a.example', { key, body: { timezone: 'Asia/Tokyo' } })
    expect(body).toMatchObject({
      timezone: 'Asia/Tokyo',
      zones: [
        { timezone: 'UTC', from: null },
        { timezone: 'Asia/Tokyo', from: '2026-06-12T00:00:00.000Z' },
      ],
    })
  })

  it('go when they are removed, and come back as they were', async () => {
    await home.ask('PATCH /api/sites/a.example', { key, body: { session_timeout: 45 } })
    const before = await home.sites.find('a.example')
    expect((await home.ask('DELETE /api/sites/a.example', { key })).status).toBe(204)
    expect((await home.ask('GET /api/sites/a.example', { key })).status).toBe(404)
    expect((await home.ask('DELETE /api/sites/a.example', { key })).status).toBe(404)
    expect(await home.sites.find('a.example')).toMatchObject({ removed: true, version: 3 })
    home.clock.turn(day)
    const again = await home.ask('POST /api/sites', { key, body: { site: 'a.example', identity: 'cookieless' } })
    expect(again).toMatchObject({ status: 201, body: { version: 4, session_timeout: 45, identity: 'cookieless' } })
    const after = await home.sites.find('a.example')
    expect(after).toMatchObject({ key: before!.key, created: before!.created })
    expect(after).not.toHaveProperty('removed')
  })

  it("answer a removed site's own key as they answer anybody", async () => {
    const own = await home.aKey('own', 'a.example')
    await home.ask('DELETE /api/sites/a.example', { key: own })
    expect((await home.ask('GET /api/sites/a.example', { key: own })).body['code']).toBe('wrong-key')
  })
})

describe('goals and segments of a site', () => {
  const goals = [
    { name: 'Signup', event: 'signup', props: { plan: ['pro', 'team'] } },
    { name: 'Docs', page: '/docs/**' },
    { name: 'Docs read', page: '/docs/**', scroll: 75 },
  ]
  const segments = [
    {
      name: 'Germans who sign up',
      filters: [
        ['is', 'visit:country', ['DE']],
        ['has_done', ['is', 'event:goal', ['Signup']]],
      ],
    },
  ]
  const set = (body: unknown) => home.ask('PATCH /api/sites/a.example', { key, body })

  it('are kept as they are sent, each change a version', async () => {
    expect(await set({ goals, segments })).toMatchObject({ status: 200, body: { version: 2, goals, segments } })
    expect((await set({ goals, segments })).body['version']).toBe(2)
    expect((await home.ask('GET /api/sites/a.example', { key })).body).toMatchObject({ goals, segments })
    expect(await home.sites.at('a.example', 1)).not.toHaveProperty('goals')
    expect((await set({ segments: [] })).body).toMatchObject({ version: 3, goals, segments: [] })
    expect((await set({ goals: [] })).body).toMatchObject({ version: 4, goals: [], segments: [] })
    expect(await home.sites.find('a.example')).not.toHaveProperty('goals')
  })

  it('write values of properties as texts, once each', async () => {
    const { body } = await set({ goals: [{ name: 'a', event: 'x', props: { n: [1, '1', true] } }] })
    expect(body['goals']).toEqual([{ name: 'a', event: 'x', props: { n: ['1', 'true'] } }])
    const own = (await set('{"goals":[{"name":"a","event":"x","props":{"__proto__":["y"]}}]}')).body['goals'] as { props: object }[]
    expect(Object.entries(own[0]!.props)).toEqual([['__proto__', ['y']]])
  })

  it('a goal that a segment asks for cannot go alone', async () => {
    await set({ goals, segments })
    const { status, body } = await set({ goals: goals.slice(1) })
    expect([status, body['error']]).toEqual([400, expect.stringContaining('segments[0].filters[1][1][2][0]: there is no goal "Signup"')])
    expect((await set({ goals: goals.slice(1), segments: [] })).status).toBe(200)
  })
})

describe('what cannot be understood', () => {
  const long = 'x'.repeat(301)
  const table: [body: unknown, names: string, cure: string][] = [
    ['{', 'not JSON', 'one JSON object'],
    ['[1]', 'The body is [1]', 'a JSON object'],
    ['null', 'The body is null', 'a JSON object'],
    [{ timezone: 'Mars/Olympus' }, '`timezone` is "Mars/Olympus"', 'IANA'],
    [{ timezone: '+14:30' }, '`timezone`', 'IANA'],
    [{ timezone: null }, '`timezone` is null', 'IANA'],
    [{ identity: 'none' }, '`identity` is "none"', 'cookieless'],
    [{ session_timeout: 0 }, '`session_timeout` is 0', '1 to 475'],
    [{ session_timeout: 476 }, '`session_timeout` is 476', '1 to 475'],
    [{ retention: -1 }, '`retention` is -1', '0 for ever'],
    [{ retention: 1.5 }, '`retention` is 1.5', 'whole months'],
    [{ session_timeout: 1.5 }, '`session_timeout` is 1.5', 'whole minutes'],
    [{ session_timeout: '30' }, '`session_timeout` is "30"', 'whole minutes'],
    [{ cut_at_midnight: 'yes' }, '`cut_at_midnight`', 'true or false'],
    [{ cut_at_campaign: 1 }, '`cut_at_campaign`', 'true or false'],
    [{ bounce: 'ga4' }, '`bounce`', 'single-page'],
    [{ hosts: 'example.org' }, '`hosts` is "example.org"', 'a list'],
    [{ hosts: ['ok.example', 'https://no.example/'] }, '`hosts[1]` is "https://no.example/"', 'domains'],
    [{ hosts: Array.from({ length: 101 }, (_, i) => `h${i}.example`) }, '`hosts`', 'at most 100'],
    [{ params: [''] }, '`params[0]`', 'parameters'],
    [{ params: [long] }, '`params[0]`', '1–300'],
    [{ exclude: [] }, '`exclude`', 'paths, countries and addresses'],
    [{ exclude: { paths: ['admin'] } }, '`exclude.paths[0]` is "admin"', 'begin with /'],
    [{ exclude: { paths: [`/${long}`] } }, '`exclude.paths[0]`', '300'],
    [{ exclude: { countries: ['Germany'] } }, '`exclude.countries[0]`', 'two-letter'],
    [{ exclude: { addresses: ['10.0.0.0/33'] } }, '`exclude.addresses[0]` is "10.0.0.0/33"', 'CIDRs'],
    [{ exclude: { ips: [] } }, 'no field "exclude.ips"', 'exclude.paths, exclude.countries'],
    [{ origins: ['https://example.com/path'] }, '`origins[0]`', 'origins'],
    [{ origins: ['javascript:alert(1)'] }, '`origins[0]`', 'origins'],
    [{ origins: ['*'] }, '`origins[0]` is "*"', 'origins'],
    [{ goals: { name: 'a' } }, '`goals` is {"name":"a"}', 'a list of at most 100 goals'],
    [{ goals: Array.from({ length: 101 }, (_, i) => ({ name: `${i}`, event: 'x' })) }, '`goals`', 'at most 100'],
    [{ goals: [{ event: 'x' }] }, '`goals[0].name` is missing', '1–120'],
    [{ goals: [{ name: 'x'.repeat(121), event: 'x' }] }, '`goals[0].name`', '1–120'],
    [{ goals: [{ name: ' ', event: 'x' }] }, '`goals[0].name` is " "', '1–120'],
    [
      {
        goals: [
          { name: 'a', event: 'x' },
          { name: 'a', page: '/' },
        ],
      },
      '`goals[1].name` is "a"',
      'that no other goal has',
    ],
    [{ goals: [{ name: 'a' }] }, '`goals[0]` is {"name":"a"}', '{"name","page","scroll"}'],
    [{ goals: [{ name: 'a', event: 'x', page: '/' }] }, '`goals[0]`', '{"name","event"}'],
    [{ goals: [{ name: 'a', event: 'x', scroll: 50 }] }, '`goals[0]`', '{"name","page","scroll"}'],
    [{ goals: [{ name: 'a', scroll: 50 }] }, '`goals[0]`', '{"name","page","scroll"}'],
    [{ goals: [{ name: 'a', page: 'docs' }] }, '`goals[0].page` is "docs"', 'begins with / or *'],
    [{ goals: [{ name: 'a', page: `/${long}` }] }, '`goals[0].page`', '300'],
    [{ goals: [{ name: 'a', page: `/${'*/'.repeat(11)}` }] }, '`goals[0].page`', '10 of * and **'],
    [{ goals: [{ name: 'a', page: '/', scroll: 0 }] }, '`goals[0].scroll` is 0', '1 to 100'],
    [{ goals: [{ name: 'a', page: '/', scroll: 101 }] }, '`goals[0].scroll` is 101', '1 to 100'],
    [{ goals: [{ name: 'a', event: 'engagement' }] }, '`goals[0].event` is "engagement"', 'use page and scroll'],
    [{ goals: [{ name: 'a', event: 'x', props: { plan: 'pro' } }] }, '`goals[0].props` is {"plan":"pro"}', '{"plan":["pro","team"]}'],
    [{ goals: [{ name: 'a', event: 'x', props: {} }] }, '`goals[0].props` is {}', '1–30 properties'],
    [{ goals: [{ name: 'a', event: 'x', props: { plan: [] } }] }, '`goals[0].props`', '1–100 values'],
    [{ goals: [{ name: 'a', event: 'x', prop: {} }] }, 'no field "goals.prop"', 'goals.props'],
    [{ segments: [{ name: 'a', filters: [] }] }, '`segments[0].filters` is []', 'at least one'],
    [{ segments: [{ name: 'a', filters: [['is', 'visit:os', []]] }] }, 'segments[0].filters[0][2]: expected a list', 'goals.md'],
    [
      { segments: [{ name: 'a', filters: [['is', 'segment', ['a']]] }] },
      'segments[0].filters[0][1]: a segment cannot stand in a segment',
      '',
    ],
    [{ segments: [{ name: 'a', filters: [['is', 'event:goal', ['b']]] }] }, 'segments[0].filters[0][2][0]: the site has no goals', ''],
    [{ segments: Array.from({ length: 51 }, (_, i) => ({ name: `${i}`, filters: [['is', 'event:page', ['/']]] })) }, '`segments`', '50'],
    [{ sessionTimeout: 30 }, 'no field "sessionTimeout"', 'Did you mean session_timeout?'],
    [{ key: 'mine' }, 'no field "key"', 'The fields are'],
    ['{"__proto__":{"removed":true}}', 'no field "__proto__"', 'The fields are'],
    [{ zones: [] }, 'no field "zones"', 'The fields are'],
    [{ version: 0 }, '`version` is 0', 'version'],
  ]
  it.each(table)('%j', async (body, names, cure) => {
    const { status, body: error } = await home.ask('PATCH /api/sites/a.example', { key, body })
    expect(status).toBe(400)
    expect(error['code']).toBe('bad-request')
    expect(error['error']).toContain(names)
    expect(error['hint']).toContain(cure)
    expect((await home.sites.find('a.example'))!.version).toBe(1)
  })

  it.each([
    ['POST /api/sites', {}, '`site` is missing'],
    ['POST /api/sites', { site: 'https://example.com' }, '`site` is "https://example.com"'],
    ['POST /api/sites', { site: '' }, '`site` is ""'],
    ['POST /api/sites', { site: 'c.example', version: 1 }, 'no field "version"'],
    ['POST /api/keys', { role: 'admin' }, '`role` is "admin"'],
    ['POST /api/keys', { site: 'a b' }, '`site` is "a b"'],
    ['POST /api/keys', { sites: 'a.example' }, 'no field "sites"'],
  ])('%s %j', async (request, body, names) => {
    const { status, body: error } = await home.ask(request, { key, body })
    expect([status, error['error']]).toEqual([400, expect.stringContaining(names)])
  })

  it('shows no more of a value than fits a line', async () => {
    const { body } = await home.ask('PATCH /api/sites/a.example', { key, body: { timezone: 'z'.repeat(10_000) } })
    expect(String(body['error']).length).toBeLessThan(250)
  })

  it('refuses a large body', async () => {
    const { status } = await home.ask('PATCH /api/sites/a.example', { key, body: Buffer.alloc(64 * 1024 + 1, 32) })
    expect(status).toBe(413)
  })

  it.each(['/api/sites/', '/api/sites/a/b', '/api/sites/%ff', '/api/sites/%00', '/api', '/api/keys/', '/constructor'])(
    'has nothing at %s',
    async (path) => {
      expect((await home.ask(`GET ${path}`, { key })).status).toBeOneOf([404, 405])
    },
  )
})

describe('keys', () => {
  it('are shown once and stored as a hash', async () => {
    const { status, headers, body } = await home.ask('POST /api/keys', { key, body: { site: 'A.example', role: 'own' } })
    expect(status).toBe(201)
    expect(headers['cache-control']).toBe('no-store')
    const made = String(body['key'])
    expect(made).toMatch(/^ff_own_[A-Za-z0-9_-]{43}$/)
    expect(await home.secrets.find(hashOf(made))).toMatchObject({ kind: 'key', role: 'own', site: 'a.example', until: 0 })
    const listed = await home.ask('GET /api/keys', { key: made })
    expect(listed.body['keys']).toEqual([
      { id: hashOf(made).slice(0, 12), role: 'own', site: 'a.example', begins: made.slice(0, 11), created: '2026-06-10T08:00:00.000Z' },
    ])
    expect(JSON.stringify(listed)).not.toContain(made)
    expect(JSON.stringify(listed)).not.toContain(hashOf(made))
  })

  it('are for reading unless said otherwise', async () => {
    const { body } = await home.ask('POST /api/keys', { key })
    expect(body).toMatchObject({ role: 'read', site: null })
  })

  it('end when they are revoked, with the links and sessions that came from them', async () => {
    const own = await home.aKey('own')
    const session = await home.aSession(own)
    const page = { cookie: session, 'sec-fetch-site': 'same-origin' }
    const link = tokenOf(await home.ask('POST /api/links', { headers: page }))
    const other = await home.aSession(key)
    expect((await home.ask(`DELETE /api/keys/${hashOf(own).slice(0, 12)}`, { key })).status).toBe(204)
    expect((await home.ask('GET /api/me', { key: own })).status).toBe(401)
    expect((await home.ask('GET /api/me', { headers: page })).status).toBe(401)
    expect((await home.ask(`GET /api/sign-in${link}`)).status).toBe(401)
    expect((await home.ask('GET /api/me', { headers: { cookie: other } })).status).toBe(200)
  })

  it('are not without number', async () => {
    for (let i = 0; i < 1_000; i++)
      await home.secrets.put({ hash: `h${i}`, kind: 'key', role: 'read', site: 'a.example', label: '', created: 0, until: 0 })
    expect((await home.ask('POST /api/keys', { key, body: { site: 'a.example' } })).body['error']).toContain('1000 keys')
    expect((await home.ask('POST /api/keys', { key, body: { site: 'b.example' } })).status).toBe(201)
  })
})

describe('signing in', () => {
  it('takes a link once and sets the cookie', async () => {
    const link = await home.ask('POST /api/links', { key })
    expect(link).toMatchObject({ status: 201, body: { until: '2026-06-10T09:00:00.000Z' } })
    expect(link.body['url']).toMatch(/^https:\/\/stats\.example\.com\/api\/sign-in\?token=ff_link_[A-Za-z0-9_-]{43}$/)
    const answers = await Promise.all([1, 2, 3].map(() => home.ask(`GET /api/sign-in${tokenOf(link)}`)))
    expect(answers.map(({ status }) => status).sort()).toEqual([303, 401, 401])
    const { headers } = answers.find(({ status }) => status === 303)!
    expect(headers['location']).toBe('/')
    expect(headers['set-cookie']).toMatch(
      /^ff_session=ff_session_[A-Za-z0-9_-]{43}; Path=\/; HttpOnly; SameSite=Lax; Max-Age=2592000; Secure$/,
    )
    expect(answers.find(({ status }) => status === 401)!.body).toMatchObject({
      code: 'link-used',
      hint: expect.stringContaining('footfall link'),
    })
  })

  it('sends a browser with a used link to the page, without letting it in', async () => {
    const headers = { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' }
    const link = tokenOf(await home.ask('POST /api/links', { key }))
    expect((await home.ask(`GET /api/sign-in${link}`, { headers })).headers['set-cookie']).toContain('ff_session=')
    const again = await home.ask(`GET /api/sign-in${link}`, { headers })
    expect([again.status, again.headers['location'], again.headers['set-cookie']]).toEqual([303, '/', undefined])
  })

  it('leaves Secure out where the address is http', async () => {
    home = await anInstallation({ url: 'http://localhost:8000' })
    const link = await home.ask('POST /api/links', { key: home.adminKey })
    expect((await home.ask(`GET /api/sign-in${tokenOf(link)}`)).headers['set-cookie']).not.toContain('Secure')
  })

  it('ends with the hour of the link, and with the days of the session', async () => {
    const first = tokenOf(await home.ask('POST /api/links', { key }))
    const second = tokenOf(await home.ask('POST /api/links', { key }))
    home.clock.turn(linkMs - 1)
    const signedIn = await home.ask(`GET /api/sign-in${first}`)
    const headers = { cookie: signedIn.headers['set-cookie']!.split(';')[0]! }
    home.clock.turn(1)
    expect((await home.ask(`GET /api/sign-in${second}`)).body['code']).toBe('link-used')
    home.clock.turn(sessionMs - 2)
    expect((await home.ask('GET /api/me', { headers })).status).toBe(200)
    home.clock.turn(1)
    expect((await home.ask('GET /api/me', { headers })).status).toBe(401)
  })

  it('gives the session no more than the key had', async () => {
    const own = await home.aKey('own', 'a.example')
    const headers = { cookie: await home.aSession(own) }
    expect((await home.ask('GET /api/me', { headers })).body).toEqual({ role: 'own', site: 'a.example', via: 'session' })
  })

  it('never takes a key or a session for a link', async () => {
    const session = (await home.aSession(key)).split('=')[1]!
    for (const token of [key, session, '', 'ff_link_', hashOf(key)])
      expect((await home.ask(`GET /api/sign-in?token=${token}`)).status).toBe(401)
    expect((await home.ask('GET /api/me', { key })).status).toBe(200)
    expect((await home.ask('GET /api/me', { headers: { cookie: `ff_session=${session}` } })).status).toBe(200)
    expect((await home.ask('GET /api/me', { headers: { cookie: `ff_session=${key}` } })).status).toBe(401)
  })

  it('makes a new session whatever cookie comes along', async () => {
    const fixed = await home.aSession(key)
    const link = tokenOf(await home.ask('POST /api/links', { key }))
    const { headers } = await home.ask(`GET /api/sign-in${link}`, { headers: { cookie: fixed } })
    expect(headers['set-cookie']).not.toContain(fixed)
  })

  it('ends when one signs out', async () => {
    const headers = { cookie: await home.aSession(key), 'sec-fetch-site': 'same-origin' }
    const out = await home.ask('POST /api/sign-out', { headers })
    expect(out).toMatchObject({ status: 204, headers: { 'set-cookie': expect.stringMatching(/^ff_session=; .*Max-Age=0/) } })
    expect((await home.ask('GET /api/me', { headers })).status).toBe(401)
  })
})

describe('the schedule', () => {
  const salts = () =>
    home.db
      .prepare('SELECT day FROM salt ORDER BY day')
      .all()
      .map((row) => Number(row['day']))

  it('makes salts ahead, once, and destroys them on time', async () => {
    expect((await home.ask('POST /schedule')).body['salts']).toEqual({ made: 6, destroyed: 0 })
    expect(salts()).toEqual([20260607, 20260608, 20260609, 20260610, 20260611, 20260612])
    const first = await home.salts.get(20260610)
    expect((await home.ask('POST /schedule')).body['salts']).toEqual({ made: 0, destroyed: 0 })
    expect(await home.salts.get(20260610)).toEqual(first)
    home.clock.turn(day)
    expect((await home.ask('POST /schedule')).body['salts']).toEqual({ made: 1, destroyed: 1 })
  })

  it('run each hour for ten days always has what hits need and nothing that must be gone', async () => {
    for (let i = 0; i < 240; i++) {
      await home.ask('POST /schedule')
      const now = home.clock.now()
      const held = salts()
      for (let date = utcDay(now - 12 * hour); date <= utcDay(now + 14 * hour); date = addDays(date, 1)) expect(held).toContain(date)
      expect(held).toEqual(saltDates(now).make)
      home.clock.turn(hour)
    }
  })

  it('drops what has run out', async () => {
    await home.ask('POST /api/links', { key })
    await home.aSession(key)
    home.clock.turn(sessionMs + 1)
    expect((await home.ask('POST /schedule')).body['expired']).toBe(2)
    expect(await home.secrets.list('session')).toEqual([])
    expect(await home.secrets.list('key')).toHaveLength(1)
  })

  it('makes salts that nobody could guess, other ones in each installation', async () => {
    await home.ask('POST /schedule')
    const [one, two] = await Promise.all([home.salts.get(20260610), home.salts.get(20260611)])
    expect(one).toHaveLength(32)
    expect(one).not.toEqual(two)
  })
})
