import { describe, expect, it } from 'vitest'
import { json, type Request } from '#shared/handler.ts'
import { hashOf } from '#shared/site/access.ts'
import { aTerminal } from './terminal.ts'

describe('site', () => {
  it('add prints the script tag and nothing else on standard output', async () => {
    const { run, home, closed } = await aTerminal()
    expect(await run('site add Example.com --timezone Europe/Berlin --identity cookieless')).toEqual({
      code: 0,
      out: '<script async src="https://stats.example.com/footfall.js" data-site="example.com" data-identity="cookieless"></script>',
      err: expect.stringContaining('example.com is added: cookieless, days in Europe/Berlin'),
    })
    expect(await home.sites.find('example.com')).toMatchObject({ identity: 'cookieless' })
    expect(closed()).toBe(1)
  })

  it('list is a table, or JSON', async () => {
    const { run } = await aTerminal()
    await run('site add a-long-name.example --timezone Asia/Tokyo')
    expect((await run('site list')).out.split('\n')).toEqual([
      'site                 time zone   identity  goals  segments  added',
      'a-long-name.example  Asia/Tokyo  cookie        0         0  2026-06-10',
      'a.example            UTC         cookie        0         0  2026-06-10',
      'b.example            UTC         cookie        0         0  2026-06-10',
    ])
    const sites = JSON.parse((await run('site list --json')).out) as { site: string }[]
    expect(sites.map(({ site }) => site)).toEqual(['a-long-name.example', 'a.example', 'b.example'])
  })

  it('set changes what is given', async () => {
    const { run, home } = await aTerminal()
    const options = '--session-timeout 45 --cut-at-midnight yes --cut-at-campaign no --bounce single-page --timezone Europe/Paris'
    const lists = '--hosts shop.example,www.cdn.example --hosts third.example --params q --origins https://app.example'
    const excluded = '--exclude-paths /admin* --exclude-countries de,fr --exclude-addresses 203.0.113.0/24'
    const { code, out } = await run(`site set a.example ${options} ${lists} ${excluded}`)
    expect(code).toBe(0)
    expect(out).toContain('Europe/Paris (from 2026-06-12T00:00:00.000Z)')
    expect(await home.sites.find('a.example')).toMatchObject({
      version: 2,
      sessionTimeoutMs: 45 * 60_000,
      cutAtMidnight: true,
      cutAtCampaign: false,
      bounce: 'single-page',
      hosts: ['shop.example', 'cdn.example', 'third.example'],
      params: ['q'],
      origins: ['https://app.example'],
      exclude: { paths: ['/admin*'], countries: ['DE', 'FR'], addresses: ['203.0.113.0/24'] },
    })
    await run('site set a.example --hosts=')
    expect((await home.sites.find('a.example'))!.hosts).toEqual([])
  })

  it('set takes goals and segments as JSON, and shows them', async () => {
    const { run, home } = await aTerminal()
    const goals = [{ name: 'Signup', event: 'signup' }]
    const segments = [{ name: 'Germany', filters: [['is', 'visit:country', ['DE']]] }]
    const { code, out } = await run(`site set a.example --goals ${JSON.stringify(goals)} --segments ${JSON.stringify(segments)}`)
    expect(code).toBe(0)
    expect(out).toMatch(/^goal +Signup: {"event":"signup"}$/m)
    expect(out).toMatch(/^segment +Germany: \[\["is","visit:country",\["DE"\]\]\]$/m)
    expect(await home.sites.find('a.example')).toMatchObject({ goals, segments })
    expect((await run('site list')).out).toMatch(/^a.example .* 1 +1 +2026/m)
    const wrong = await run('site set a.example --goals [')
    expect([wrong.code, wrong.err]).toEqual([2, expect.stringContaining('--goals is no JSON.')])
  })

  it('set without options only shows', async () => {
    const { run, home } = await aTerminal()
    expect((await run('site set a.example')).out).toMatch(/^session timeout +30 min$/m)
    expect((await home.sites.find('a.example'))!.version).toBe(1)
  })

  it.each([
    ['site set a.example --session-timeout soon', '`session_timeout` is "soon"', '1 to 475'],
    ['site set a.example --timezone Mars/Olympus', '`timezone` is "Mars/Olympus"', 'IANA'],
    ['site set gone.example --bounce engaged', 'not registered', 'site add'],
    ['site add a.example', 'exists already. It is a.example', 'site set'],
    ['site add https://a.example', '`site` is "https://a.example"', 'without scheme'],
    ['site remove gone.example', 'not registered', 'site add'],
    ['site remove ..', 'not registered', 'site add'],
    ['key add --role admin', '`role` is "admin"', '"read", "write" or "own"'],
    ['key add --site gone.example', 'not registered', 'site add'],
    ['key revoke nonsense', 'No key has this id', 'key list'],
  ])('%s fails with sentence and cure', async (argv, sentence, cure) => {
    const { run, closed } = await aTerminal()
    const { code, out, err } = await run(argv)
    expect([code, out, closed()]).toEqual([1, '', 1])
    expect(err).toContain(sentence)
    expect(err).toContain(cure)
  })

  it('remove stops a site; add brings it back', async () => {
    const { run, home } = await aTerminal()
    expect((await run('site remove a.example')).code).toBe(0)
    expect(await home.sites.find('a.example')).toMatchObject({ removed: true })
    expect((await run('site list')).out).not.toContain('a.example')
    expect((await run('site add a.example')).code).toBe(0)
    expect(await home.sites.find('a.example')).toMatchObject({ version: 3 })
  })
})

describe('key', () => {
  it('add prints the key alone on the last line', async () => {
    const { run, home } = await aTerminal()
    const { code, out } = await run('key add --site a.example --role write')
    expect(code).toBe(0)
    expect(out).toMatch(/^ff_write_[A-Za-z0-9_-]{43}$/)
    expect(await home.secrets.find(hashOf(out))).toMatchObject({ role: 'write', site: 'a.example' })
  })

  it('list names no key; revoke ends one', async () => {
    const { run, home } = await aTerminal()
    const key = (await run('key add')).out
    const id = hashOf(key).slice(0, 12)
    const { out } = await run('key list')
    expect(out).toMatch(new RegExp(`^${id} +read +\\(all\\) +ff_read_....… `, 'm'))
    expect(out).not.toContain(key)
    expect((await run(`key revoke ${id}`)).code).toBe(0)
    expect(await home.secrets.find(hashOf(key))).toBeUndefined()
  })
})

it('link prints a link that signs in once', async () => {
  const { run, home } = await aTerminal()
  const { code, out } = await run('link')
  expect([code, out]).toEqual([0, expect.stringMatching(/^https:\/\/stats\.example\.com\/api\/sign-in\?token=ff_link_/)])
  const { pathname, search } = new URL(out)
  expect([(await home.ask(`GET ${pathname}${search}`)).status, (await home.ask(`GET ${pathname}${search}`)).status]).toEqual([303, 401])
})

describe('query', () => {
  const reply = {
    results: [
      { dimensions: ['/a\u001b[31mred'], metrics: [1234, { value: '12.99', currency: 'EUR' }, null] },
      { dimensions: ['日本語'], metrics: [7, { value: '-0.50', currency: 'EUR' }, 33.3] },
    ],
    meta: { as_of: '2026-06-10T08:00:00.000Z', lag_ms: 420, incomplete_since: null },
    query: { dimensions: ['event:page'], metrics: ['visitors', 'total_revenue', 'bounce_rate'] },
  }
  const asked: Request[] = []
  const terminal = () =>
    aTerminal({
      '/api/v2/query': async (request) => {
        asked.push(request)
        return json(200, reply)
      },
    })

  it('prints a table that no title can disturb, and how fresh it is', async () => {
    const { run } = await terminal()
    const { code, out, err } = await run('query {"site_id":"a.example"}')
    expect(code).toBe(0)
    expect(out.split('\n')).toEqual([
      'event:page  visitors  total_revenue  bounce_rate',
      '/a\ufffd[31mred      1234  12.99 EUR                –',
      '日本語             7  -0.50 EUR             33.3',
    ])
    expect(err).toBe('data to 2026-06-10T08:00:00.000Z, 0.4 s behind')
    expect(asked.at(-1)!.body.toString()).toBe('{"site_id":"a.example"}')
  })

  it('reads standard input and prints JSON for machines', async () => {
    const { run } = await terminal()
    const { out, err } = await run('query - --json', '{"site_id":\n"b.example"}')
    expect(JSON.parse(out)).toEqual(reply)
    expect(out).not.toContain('\u001b')
    expect(err).toBe('')
    expect(asked.at(-1)!.body.toString()).toBe('{"site_id":"b.example"}')
  })
})
