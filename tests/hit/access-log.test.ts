import { describe, expect, test } from 'vitest'
import { lineLimit, logFormats, readLogLine, timeOfLine } from '#shared/hit/access-log.ts'
import { skipReasons } from '#shared/hit/access-log-page.ts'
import { logTime } from '#shared/hit/access-log-time.ts'
import { createRandom } from '../model/random.ts'

/** One line in, a verdict out. (Whole logs of every format against an independent count: tests/cli/import.test.ts.) */

const now = Date.parse('2026-11-01T00:00:00Z')
const rules = { site: 'example.com', hosts: ['shop.test'], params: ['q'] }
const read = (line: string, format: (typeof logFormats)[number] = 'auto') => readLogLine(line, format, rules, now)
const firefox = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'

const aLine = ({
  head = '203.0.113.7 - -',
  time = '10/Oct/2026:13:55:36 -0700',
  request = 'GET /docs HTTP/1.1',
  status = '200',
  rest = ` 2326 "-" "${firefox}"`,
} = {}) => `${head} [${time}] "${request}" ${status}${rest}`

const at = Date.parse('2026-10-10T20:55:36Z')
const aPage = {
  client: '203.0.113.7',
  address: '203.0.113.7',
  agent: firefox,
  t: at,
  url: { host: 'example.com', path: '/docs' },
  r: undefined,
}

describe('text', () => {
  test.each([
    ['combined', aLine(), {}],
    ['common carries no agent', aLine({ rest: ' 2326' }), { agent: undefined }],
    ['no size', aLine({ rest: ` - "-" "${firefox}"` }), {}],
    ['no agent was sent', aLine({ rest: ' 1 "-" "-"' }), { agent: '' }],
    ['an empty agent', aLine({ rest: ' 1 "-" ""' }), { agent: '' }],
    ['more behind it', aLine({ rest: ` 1 "-" "${firefox}" "1.2.3.4" 0.001 -` }), {}],
    ['tokens before the referrer', aLine({ rest: ` 1 0.02 "-" "${firefox}"` }), {}],
    ['a referrer without its query', aLine({ rest: ` 1 "https://www.News.test/a?b" "${firefox}"` }), { r: 'news.test/a' }],
    ['a referrer that is none', aLine({ rest: ` 1 "javascript:alert(1)" "${firefox}"` }), { r: undefined }],
    ['escapes of Apache', aLine({ rest: String.raw` 1 "-" "a \"b\" \\ \xc3\xa4"` }), { agent: 'a "b" \\ ä' }],
    ['escapes of Nginx', aLine({ rest: String.raw` 1 "-" "a \x22b\x22 \x5C"` }), { agent: 'a "b" \\' }],
    ['quotes nobody escaped', aLine({ rest: ' 1 "-" "a "b"c"' }), { agent: 'a "b"c' }],
    ['an agent of any length', aLine({ rest: ` 1 "-" "${'x'.repeat(2_000)}"` }), { agent: 'x'.repeat(512) }],
    ['IPv6', aLine({ head: '2001:DB8::0:1 - -' }), { client: '2001:db8::1', address: '2001:db8::1' }],
    ['IPv4 in IPv6', aLine({ head: '::ffff:203.0.113.7 - -' }), {}],
    ['a host name for a visitor', aLine({ head: 'Pool-7.isp.test - -' }), { client: 'pool-7.isp.test', address: '' }],
    ['a list of addresses', aLine({ head: '203.0.113.7, 10.0.0.1 - -' }), {}],
    ['a user with a name', aLine({ head: '203.0.113.7 - frank smith' }), {}],
    ['a virtual host', aLine({ head: 'example.com:443 203.0.113.7 - -' }), {}],
    ['its www', aLine({ head: 'www.Example.com 203.0.113.7 - -' }), {}],
    ['a subdomain', aLine({ head: 'docs.example.com:80 203.0.113.7 - -' }), { url: { host: 'docs.example.com', path: '/docs' } }],
    ['another host of the site', aLine({ head: 'shop.test 203.0.113.7 - -' }), { url: { host: 'shop.test', path: '/docs' } }],
    ['a host and a visitor by name', aLine({ head: 'example.com:80 pool.isp.test - -' }), { client: 'pool.isp.test', address: '' }],
    ['no host', aLine({ head: '_ 203.0.113.7 - -' }), {}],
    ['a request with the whole address', aLine({ request: 'GET http://www.example.com:80/docs HTTP/1.1' }), {}],
    ['no version', aLine({ request: 'GET /docs' }), {}],
    ['a blank in the path', aLine({ request: 'GET /a b HTTP/1.1' }), { url: { host: 'example.com', path: '/a b' } }],
    ['a lower-case method', aLine({ request: 'get /docs HTTP/1.1' }), {}],
    [
      'campaigns and kept parameters',
      aLine({ request: 'GET /s?q=x&utm_source=a&z=1 HTTP/1.1' }),
      { url: { host: 'example.com', path: '/s?q=x', q: { us: 'a' } } },
    ],
    ['a path that climbs', aLine({ request: 'GET /a/../docs HTTP/1.1' }), {}],
    ['bytes in the path', aLine({ request: String.raw`GET /\xc3\xa4 HTTP/1.1` }), { url: { host: 'example.com', path: '/ä' } }],
    ['a path called __proto__', aLine({ request: 'GET /__proto__ HTTP/1.1' }), { url: { host: 'example.com', path: '/__proto__' } }],
    ['not modified', aLine({ status: '304' }), {}],
    ['a carriage return', `${aLine()}\r`, {}],
    ['a byte order mark', `\ufeff${aLine()}`, {}],
    ['an ISO time', aLine({ time: '2026-10-10T22:55:36+02:00' }), {}],
    ['a moment ahead', aLine({ time: '01/Nov/2026:00:04:00 +0000' }), { t: now }],
  ])('%s', (_what, line, fields) => {
    expect(read(line)).toEqual({ ...aPage, ...fields })
  })

  test.each([
    ['nothing', ''],
    ['blanks', '  \t'],
    ['a comment', '#Fields: date time'],
  ])('%s is blank', (_what, line) => {
    expect(read(line)).toEqual({ skipped: 'blank' })
  })

  test.each([
    ['other-host', { head: 'elsewhere.test:443 203.0.113.7 - -' }],
    ['other-host', { request: 'GET http://elsewhere.test/ HTTP/1.1' }],
    ['other-host', { head: '198.51.100.1:80 203.0.113.7 - -' }],
    ['other-host', { head: 'notexample.com 203.0.113.7 - -' }],
    ['error', { status: '404' }],
    ['error', { status: '500' }],
    ['error', { status: '-' }],
    ['error', { status: '000' }],
    ['error', { status: '400', request: String.raw`\x16\x03\x01\x02` }],
    ['error', { status: '408', request: '-' }],
    ['redirect', { status: '301' }],
    ['redirect', { status: '307', request: 'POST / HTTP/1.1' }],
    ['method', { request: 'POST / HTTP/1.1' }],
    ['method', { request: 'HEAD / HTTP/1.1' }],
    ['method', { request: String.raw`\x16\x03\x01\x02` }],
    ['method', { request: '' }],
    ['method', { request: 'CONNECT elsewhere.test:443 HTTP/1.1', head: 'example.com 203.0.113.7 - -' }],
    ['no-page', { status: '204' }],
    ['no-page', { status: '206' }],
    ['asset', { request: 'GET /a/STYLE.CSS?v=1.2 HTTP/1.1' }],
    ['asset', { request: 'GET /favicon.ico HTTP/1.1', status: '304' }],
    ['asset', { request: 'GET /robots.txt HTTP/1.1' }],
    ['asset', { request: 'GET /.well-known/acme-challenge/x HTTP/1.1' }],
    ['asset', { request: 'GET /x.js;jsessionid=1 HTTP/1.1' }],
    ['asset', { request: 'GET /service-worker.js HTTP/1.1' }],
    ['feed', { request: 'GET /blog/feed/ HTTP/1.1' }],
    ['feed', { request: 'GET /rss?x HTTP/1.1' }],
    ['too-long', { request: `GET /${'x'.repeat(2_000)} HTTP/1.1` }],
    ['bad-url', { request: 'GET * HTTP/1.1' }],
    ['bad-url', { request: 'GET docs HTTP/1.1' }],
  ] as const)('%s: %j', (skipped, fields) => {
    expect(skipReasons).toHaveProperty(skipped)
    expect(read(aLine(fields))).toEqual({ skipped })
  })

  test.each(['/page.html', '/a.php', '/v1.2', '/x.unknownextension', '/feedback', '/css', '/a.css/'])('%s is a page', (path) => {
    const verdict = read(aLine({ request: `GET ${path} HTTP/1.1` }))
    expect(path === '/a.css/' ? verdict : Object.keys(verdict)).toEqual(path === '/a.css/' ? { skipped: 'asset' } : Object.keys(aPage))
  })

  test.each([
    ['form', 'garbage'],
    ['form', aLine().slice(0, 40)],
    ['form', aLine().slice(0, -1)],
    ['form', aLine({ status: '2000' })],
    ['form', aLine({ status: 'OK' })],
    ['form', '\u0000\u0001'],
    ['form', '{"status":200}'],
    ['form', '{"remote_addr":"203.0.113.7"}'],
    ['form', '{"remote_addr":7,"status":200}'],
    ['form', '{'],
    ['form', '{}'],
    ['address', aLine({ head: '- - -' })],
    ['address', aLine({ head: 'unix: - -' })],
    ['address', aLine({ head: 'a"b - -' })],
    ['time', aLine({ time: '10/Oct/2026:13:55:36' })],
    ['time', aLine({ time: '31/Sep/2026:13:55:36 +0000' })],
    ['time', aLine({ time: '29/Feb/2026:13:55:36 +0000' })],
    ['time', aLine({ time: '10/Okt/2026:13:55:36 +0000' })],
    ['time', aLine({ time: '10/Oct/1970:13:55:36 +0000' })],
    ['time', '{"remote_addr":"203.0.113.7","status":200}'],
    ['future', aLine({ time: '01/Nov/2026:00:06:00 +0000' })],
    ['future', aLine({ time: '01/Jan/9999:00:00:00 +0000' })],
    ['long', aLine({ rest: ` 1 "-" "${'x'.repeat(lineLimit)}"` })],
  ] as const)('%s is why it cannot be read: %j', (unreadable, line) => {
    expect(read(line)).toEqual({ unreadable })
  })
})

describe('JSON', () => {
  const nginx = { time_iso8601: '2026-10-10T22:55:36+02:00', remote_addr: '203.0.113.7', request: 'GET /docs HTTP/1.1', status: '200' }
  const json = (value: object) => read(JSON.stringify(value))

  test.each([
    ['no agent in the format', nginx, { agent: undefined }],
    ['an agent', { ...nginx, http_user_agent: firefox }, {}],
    [
      'names in another style',
      {
        TimeLocal: '10/Oct/2026:13:55:36 -0700',
        'remote-addr': '203.0.113.7',
        Method: 'GET',
        URI: '/docs',
        Status: 200,
        'User-Agent': firefox,
      },
      {},
    ],
    ['no agent was sent', { ...nginx, http_user_agent: '' }, { agent: '' }],
    ['a number since 1970', { ...nginx, time_iso8601: undefined, msec: at / 1_000, http_user_agent: firefox }, {}],
    ['@timestamp', { ...nginx, time_iso8601: undefined, '@timestamp': '2026-10-10T20:55:36.000Z', http_user_agent: firefox }, {}],
    [
      'path and arguments apart',
      { ...nginx, request: undefined, request_method: 'GET', uri: '/s', args: 'q=1&x=2' },
      { agent: undefined, url: { host: 'example.com', path: '/s?q=1' } },
    ],
    [
      '__proto__ and what is no text',
      { ...nginx, ['__proto__']: { status: 500 }, http_referer: ['x'], http_user_agent: { a: 1 } },
      { agent: undefined },
    ],
    [
      'Caddy with an old address',
      {
        ts: at / 1_000,
        status: 200,
        request: {
          remote_addr: '203.0.113.7:4711',
          method: 'GET',
          host: 'example.com',
          uri: '/docs',
          headers: { 'Client-Ip': ['1.2.3.4'], 'User-Agent': [firefox] },
        },
      },
      {},
    ],
    [
      'Caddy without the headers',
      { ts: at / 1_000, status: 200, request: { client_ip: '203.0.113.7', method: 'GET', host: 'example.com', uri: '/docs' } },
      { agent: undefined },
    ],
  ])('%s', (_what, value, fields) => {
    expect(json(value)).toEqual({ ...aPage, ...fields })
  })

  test('\\xHH, which JSON does not know', () => {
    const line = `{"time_iso8601":"2026-10-10T20:55:36Z","remote_addr":"203.0.113.7","request":"GET /docs HTTP/1.1","status":200,"http_user_agent":"\\x22\\xC3\\xA4"}`
    expect(read(line)).toEqual({ ...aPage, agent: '"ä' })
  })
})

describe('a format that is fixed', () => {
  const json = '{"time":"2026-10-10T20:55:36Z","ip":"203.0.113.7","method":"GET","uri":"/docs","status":200}'
  test.each([
    ['common', aLine(), { ...aPage, agent: undefined }],
    ['common', json, { unreadable: 'form' }],
    ['combined', aLine(), aPage],
    ['combined', aLine({ rest: ' 2326' }), { unreadable: 'form' }],
    ['combined', json, { unreadable: 'form' }],
    ['json', aLine(), { unreadable: 'form' }],
    ['json', json, { ...aPage, agent: undefined }],
  ] as const)('%s', (format, line, verdict) => {
    expect(read(line, format)).toEqual(verdict)
  })
})

describe('times', () => {
  const ten = Date.parse('2026-10-10T20:55:36Z')
  test.each([
    ['10/Oct/2026:13:55:36 -0700', ten],
    ['[10/Oct/2026:13:55:36 -0700]', ten],
    ['10/oct/2026:22:55:36 +02:00', ten],
    ['10/Oct/2026:20:55:36 Z', ten],
    ['11/Oct/2026:02:25:36.250 +0530', ten + 250],
    ['29/Feb/2024:12:00:00 +0000', Date.parse('2024-02-29T12:00:00Z')],
    ['31/Dec/2016:23:59:60 +0000', Date.parse('2017-01-01T00:00:00Z')],
    ['2026-10-10T22:55:36.5+0200', ten + 500],
    [String(ten), ten],
    [String(ten / 1_000), ten],
    [ten / 1_000, ten],
    [ten, ten],
    [ten * 1_000, ten],
    [`${ten}000000`, ten],
  ])('%j', (text, t) => {
    expect(logTime(text)).toBe(t)
  })

  test.each([
    ...['', 'x', '10/Oct/2026', '0/Oct/2026:00:00:00 +0000', '10/Oct/2026:24:00:00 +0000', '10/Oct/2026:00:60:00 +0000'],
    ...['10/Oct/2026:00:00:00 +1600', '2026-10-10T20:55:36', '2026-10-10 20:55:36Z', '1'.repeat(40), '-5', 'Infinity'],
    ...[Number.NaN, -1, 0, null, undefined, {}, true],
  ])('%j is none', (value) => {
    expect(logTime(value)).toBeNaN()
  })

  test('a line says when it was, whatever else it is', () => {
    expect(timeOfLine(aLine({ status: '404' }))).toBe(at)
    expect([timeOfLine('garbage'), timeOfLine('x'.repeat(lineLimit + 1))]).toEqual([Number.NaN, Number.NaN])
  })
})

describe('bytes of strangers', () => {
  const evil = [
    '"'.repeat(30_000),
    '\\'.repeat(30_000),
    `${'\\"'.repeat(15_000)}`,
    `${aLine().slice(0, -1)}${'\\"'.repeat(15_000)}`,
    `${aLine().slice(0, -1)}${'" '.repeat(15_000)}`,
    ' ['.repeat(15_000),
    `${' '.repeat(30_000)}[`,
    `a ${'['.repeat(30_000)}`,
    `${'1'.repeat(30_000)} - - [10/Oct/2026:13:55:36 -0700] "GET / HTTP/1.1" 200 1`,
    aLine({ request: `GET /${'?'.repeat(30_000)} HTTP/1.1` }),
    aLine({ request: `GET ${'http://'.repeat(4_000)} HTTP/1.1` }),
    aLine({ request: ` ${' HTTP/'.repeat(5_000)}` }),
    aLine({ request: `GET /${'.'.repeat(30_000)} HTTP/1.1` }),
    aLine({ rest: ` ${'1 '.repeat(15_000)}` }),
    aLine({ time: ' '.repeat(30_000) }),
    aLine({ time: `10/Oct/2026:13:55:36.${'9'.repeat(30_000)}` }),
    '{"'.repeat(15_000),
    `{"a":${'['.repeat(30_000)}`,
    `{"a":${'\\x41'.repeat(8_000)}`,
    `{"status":200,"remote_addr":"${'a.'.repeat(15_000)}"}`,
    `{"request":{"headers":{"user-agent":[[[[]]]]}},"status":200,"ip":"::1","time":{}}`,
    '{"status":1e999,"ip":"203.0.113.7","time":1e308}',
    '\u0000'.repeat(30_000),
    '\ud800'.repeat(10_000),
  ]
  test.each(evil.map((line, i) => [i, line] as const))('%i costs no more than a line may, and is told', (_i, line) => {
    const begin = performance.now()
    for (const format of logFormats) expect(read(line, format)).toBeTypeOf('object')
    // Generous: a quadratic scan of 30,000 characters takes seconds.
    expect(performance.now() - begin).toBeLessThan(1_000)
  })

  test('mixed up from the pieces of lines, nothing throws', () => {
    const random = createRandom(Number(process.env['IMPORT_SEED'] ?? 7))
    const pieces = [
      '"',
      '\\',
      '\\x',
      '\\xff',
      ' ',
      '[',
      ']',
      '{',
      '}',
      ':',
      ',',
      '-',
      '203.0.113.7',
      'GET /',
      'HTTP/1.1',
      '200',
      '\u0000',
      'é',
      '"status":200',
      '"ip":"::1"',
      '10/Oct/2026:13:55:36 -0700',
    ]
    for (let i = 0; i < 20_000; i++) {
      const line = Array.from({ length: 1 + random.below(30) }, () => random.pick(pieces)).join(random.chance(0.5) ? ' ' : '')
      expect(read(line)).toBeTypeOf('object')
    }
  })
})
