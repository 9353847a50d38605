import { gzipSync } from 'node:zlib'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { until } from './server.ts'
import { aTarget, expectAnswered, named, type Target } from './target.ts'

/** Bodies that nobody should send. */

let target: Target
beforeAll(async () => {
  target = await aTarget()
})
afterEach(() => target.expectUnharmed())
afterAll(() => target.end())

const hit = (fields: Record<string, unknown> = {}): string => JSON.stringify({ site: 'localhost', url: 'http://localhost/', ...fields })
const send = async (body: string | Buffer, headers?: Record<string, string>): Promise<string> =>
  expectAnswered(await target.post(body, headers), body.toString('latin1'))

const rowsOf = async (dimension: string, site = 'localhost'): Promise<Map<string, number>> => {
  await target.server.settled(site)
  const query = { site_id: site, metrics: ['events'], date_range: 'all', dimensions: [dimension], pagination: { limit: 10_000 } }
  const { results } = await target.server.get('POST', '/api/v2/query', query)
  return new Map(results.map((row: { dimensions: string[]; metrics: number[] }) => [row.dimensions[0], row.metrics[0]]))
}

describe('what is no JSON, or no hit', () => {
  const notJson: [what: string, body: string | Buffer][] = [
    ['nothing', ''],
    ['a space', ' '],
    ['a brace', '{'],
    ['a cut hit', hit().slice(0, -1)],
    ['two hits', hit() + hit()],
    ['NaN', 'NaN'],
    ['undefined', 'undefined'],
    ['single quotes', "{'site':'localhost'}"],
    ['a comment', `/* */ ${hit()}`],
    ['HTML', '<!doctype html><script>alert(1)</script>'],
    ['a form', 'site=localhost&url=http%3A%2F%2Flocalhost%2F'],
    ['all bytes', Buffer.from(Array.from({ length: 256 }, (_, i) => i))],
    ['NUL bytes', Buffer.alloc(1_000)],
    ['UTF-16', Buffer.from(hit(), 'utf16le')],
    ['a bare control character in a string', '{"site":"local\nhost"}'],
    ['10,000 opening brackets', '['.repeat(10_000)],
    ['10,000 opening objects', '{"a":'.repeat(10_000)],
  ]
  it.each(notJson)('%s', async (_, body) => {
    expect(await send(body)).toBe('not-json')
  })

  const noHit: [body: string, reason: string][] = [
    ['null', 'malformed'],
    ['true', 'malformed'],
    ['0', 'malformed'],
    ['1e999', 'malformed'],
    ['"localhost"', 'malformed'],
    ['[]', 'malformed'],
    ['{}', 'malformed'],
    ['{"hits":null}', 'malformed'],
    ['{"hits":{}}', 'malformed'],
    ['{"hits":[]}', 'empty'],
    ['{"hits":[null]}', 'malformed'],
    ['{"hits":[[]]}', 'malformed'],
    [`[${hit()}]`, 'malformed'],
    [`{"hits":[${Array.from({ length: 26 }, () => hit()).join()}]}`, 'too-many-hits'],
    [`${'['.repeat(10_000)}${']'.repeat(10_000)}`, 'malformed'],
    [`{"hits":${'['.repeat(10_000)}${']'.repeat(10_000)}}`, 'malformed'],
    [`${'{"hits":'.repeat(7_000)}0${'}'.repeat(7_000)}`, 'malformed'],
    ['{"__proto__":{"site":"localhost"}}', 'malformed'],
    ['{"site":{"toString":"localhost"},"url":"http://localhost/"}', 'malformed'],
  ]
  it.each(noHit.map(([body, reason]) => [body.slice(0, 50), reason, body]))('%s is %s', async (_, reason, body) => {
    expect(await send(body)).toBe(reason)
  })
})

describe('what is JSON, and strange', () => {
  it('the last of two equal keys counts, as JSON has it', async () => {
    expect(await send('{"site":"bystander.example","site":"localhost","url":"http://localhost/twice"}')).toBe('ok')
    expect((await rowsOf('event:page')).get('/twice')).toBe(1)
  })

  it('a byte order mark, and bytes that are no UTF-8, cost nobody anything', async () => {
    for (const bytes of [
      Buffer.from(`\ufeff${hit()}`),
      Buffer.concat([
        Buffer.from('{"site":"localhost","url":"http://localhost/","title":"'),
        Buffer.from([0xff, 0xc0, 0x80, 0xed]),
        Buffer.from('"}'),
      ]),
    ])
      await send(bytes)
  })

  const numbers = ['1e999', '-1e999', '1e-999', '123456789012345678901234567890', '-0', `0.${'1'.repeat(30_000)}`]
  it.each(named(numbers))('%s where a number is meant', async (_, number) => {
    for (const field of ['queued', 'engaged', 'scroll', 'user', 'time'])
      await send(`{"site":"localhost","url":"http://localhost/","name":"engagement","${field}":${number}}`)
    await send(`{"site":"localhost","url":"http://localhost/","props":{"n":${number}},"revenue":{"amount":${number},"currency":"EUR"}}`)
  })

  it('a flood of keys and depth inside a hit', async () => {
    const keys = Array.from({ length: 6_000 }, (_, i) => `"_${i.toString(36)}":1`).join()
    expect(await send(`{"site":"localhost","url":"http://localhost/",${keys}}`)).toBe('ok')
    expect(await send(`{"site":"localhost","url":"http://localhost/","props":{${keys}}}`)).toBe('too-many')
    expect(await send(`{"site":"localhost","url":"http://localhost/","props":{"a":${'['.repeat(9_000)}${']'.repeat(9_000)}}}`)).toBe('ok')
    expect(await send(`{"site":"localhost","url":"http://localhost/","props":${'{"a":'.repeat(9_000)}1${'}'.repeat(9_000)}}`)).toBe('ok')
  })

  it('a megabyte of keys with a key, and more than it', async () => {
    const headers = { authorization: `Bearer ${target.server.key}` }
    const keys = Array.from({ length: 120_000 }, (_, i) => `"_${i.toString(36)}":0`).join()
    expect(
      await send(
        `{"site":"localhost","url":"http://localhost/","visitor":"somebody-1",${keys.slice(0, 900_000).replace(/,[^,]*$/, '')}}`,
        headers,
      ),
    ).toBe('ok')
    expect(await send(`{"hits":[${'0,'.repeat(400_000)}0]}`, headers)).toBe('too-many-hits')
    expect(await send(' '.repeat(1_048_577), headers)).toBe('too-large')
    expect(await send(`${hit()}${' '.repeat(65_536)}`)).toBe('too-large')
  })
})

describe('fields of the wrong kind', () => {
  const fields = [
    'site',
    'id',
    'name',
    'url',
    'referrer',
    'title',
    'props',
    'revenue',
    'visitor',
    'user',
    'queued',
    'engaged',
    'scroll',
    'screen',
    'language',
    'address',
    'agent',
    'time',
  ]
  const values: unknown[] = [
    null,
    0,
    -1,
    1.5,
    true,
    false,
    [],
    {},
    [[]],
    ['x'],
    { a: {} },
    { length: 5 },
    { toString: 'x' },
    '',
    ' ',
    'null',
    '\u0000',
    '\ud800',
    '\udfff\ud800',
    '\u2028',
    '\u202e',
    '__proto__',
    'constructor',
    '<script>alert(1)</script>',
    "'; DROP TABLE hits; --",
    '{{7*7}}',
    '%00',
    '../../etc/passwd',
    '=1+1',
    'x'.repeat(60_000),
    '💥'.repeat(1_001),
  ]
  it.each(fields)('%s', async (field) => {
    for (const value of values) {
      await send(hit({ [field]: value }))
      await send(JSON.stringify({ site: 'localhost', name: 'engagement', [field]: value }))
    }
  })

  it('props and revenue of any shape', async () => {
    for (const value of values) {
      await send(hit({ props: { value } }))
      await send(hit({ revenue: { amount: value, currency: 'EUR' } }))
      await send(hit({ revenue: { amount: '1', currency: value } }))
      if (typeof value === 'string') await send(hit({ props: { [value]: 1 } }))
    }
  })

  it('addresses of pages of any shape', async () => {
    const paths = [
      '/'.repeat(1_900),
      '/%',
      '/%ff',
      '/%00',
      '/%2e%2e/%2e%2e',
      '/..%2f',
      '/\u0000',
      '/\ud800',
      '/💥',
      '/?'.repeat(500),
      '/#'.repeat(500),
      '/%0d%0aSet-Cookie:x',
      '/\\..\\',
      `/${'%41'.repeat(600)}`,
    ]
    for (const path of paths) await send(hit({ url: `http://localhost${path}` }))
    const urls = [
      'http://',
      'http:///x',
      'http://[',
      'http://[::1',
      'http://%',
      'http://a b/',
      'javascript:alert(1)',
      'data:text/html,x',
      'file:///etc/passwd',
      'http://localhost:99999/',
      'http://user:password@localhost/private',
      '//localhost/',
      '\u0000http://localhost/',
      `http://${'a.'.repeat(900)}example/`,
      `http://localhost/${'x'.repeat(10_000)}`,
    ]
    for (const url of urls) await send(hit({ url }))
    expect(await send(hit({ url: `http://localhost/${'x'.repeat(10_000)}` }))).toBe('too-long')
    expect((await rowsOf('event:page')).has('/private')).toBe(true)
    for (const page of (await rowsOf('event:page')).keys()) expect(page).not.toContain('password')
  })
})

describe('names that JavaScript keeps for itself are names like any other', () => {
  const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'valueOf', 'prototype', '__defineGetter__']

  it('as page, name, property and its value', async () => {
    const before = await rowsOf('event:name')
    for (const name of names)
      await send(
        `{"site":"localhost","name":${JSON.stringify(name)},"url":"http://localhost/own/${name}","props":{"${name}":"own ${name}"}}`,
      )
    const [pages, events] = [await rowsOf('event:page'), await rowsOf('event:name')]
    for (const name of names) {
      expect([pages.get(`/own/${name}`), events.get(name)], name).toEqual([1, (before.get(name) ?? 0) + 1])
      expect((await rowsOf(`event:props:${name}`)).get(`own ${name}`), name).toBe(1)
    }
  })

  it('as a site: unknown until it is added, then counted', async () => {
    for (const name of ['__proto__', 'constructor', 'tostring', 'valueof']) {
      const own = JSON.stringify({ site: name, url: `http://${name}/` })
      expect(await send(own)).toBe('unknown-site')
      await target.server.addSite(name)
      await until('the site to be known', async () => (await send(own)) === 'ok' || undefined) // half a second after it was added
      expect((await rowsOf('event:page', name)).get('/')).toBe(1)
    }
  })
})

describe('text that moves terminals, lines and logs', () => {
  it('comes back as it was sent, or made well-formed', async () => {
    const titles = [
      'line\u2028two',
      'para\u2029two',
      'nul\u0000byte',
      'esc\u001b[31mred',
      'bell\u0007',
      'right\u202eleft',
      'cr\r\nSet-Cookie: x',
    ]
    for (const title of titles) expect(await send(hit({ url: 'http://localhost/titles', title }))).toBe('ok')
    const rows = await rowsOf('event:title')
    for (const title of titles) expect(rows.get(title), JSON.stringify(title)).toBe(1)
    expect(await send(hit({ title: 'half \ud83d' }))).toBe('ok')
    expect((await rowsOf('event:title')).get('half \ufffd')).toBe(1)
  })
})

describe('compressed bodies', () => {
  const gzip = { 'content-encoding': 'gzip' }
  it('that are whole are read', async () => {
    expect(await send(gzipSync(hit({ id: 'zipped' })), gzip)).toBe('ok')
    expect(await send(hit(), { 'content-encoding': 'identity' })).toBe('ok')
  })

  it('that inflate a thousandfold stop at the limit', async () => {
    const bomb = gzipSync(Buffer.alloc(60_000_000, ' '))
    expect(bomb.length).toBeLessThan(65_536)
    expect(await send(bomb, gzip)).toBe('too-large')
    const keyed = gzipSync(Buffer.alloc(900_000_000, ' '), { level: 9 })
    expect(keyed.length).toBeLessThan(1_048_576)
    for (let i = 0; i < 10; i++) expect(await send(keyed, { ...gzip, authorization: `Bearer ${target.server.key}` })).toBe('too-large')
  })

  it('that are cut, wrong, twice packed or of another kind are refused', async () => {
    const whole = gzipSync(hit())
    for (const bytes of [whole.subarray(0, 12), whole.subarray(0, -6), Buffer.from(hit()), Buffer.alloc(0), Buffer.from([0x1f, 0x8b])])
      expect(['bad-encoding', 'not-json']).toContain(await send(bytes, gzip))
    expect(await send(gzipSync(whole), gzip)).toBe('not-json')
    for (const kind of ['br', 'deflate', 'zstd', 'gzip, gzip', 'x', 'GZIP-', '\u00ff'])
      expect(await send(whole, { 'content-encoding': kind }), kind).toBe('bad-encoding')
  })
})
