import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { openRaw, postText, type Raw, statuses } from './raw.ts'
import { address, agent, aTarget, expectAnswered, named, type Target } from './target.ts'

/** Requests that no client should send, byte by byte. */

let target: Target
/** Connections that only begin a request: they must be cut off, whatever else goes on. Looked at last, for it takes its time. */
const slow: Raw[] = []
/** Node looks at its limits of 10 s for the head and 30 s for the whole only every 30 s. */
const slowMs = 75_000

beforeAll(async () => {
  target = await aTarget()
  const { port } = target.server
  for (const text of ['P', 'POST /api/hit HTTP/1.1\r\nHost: localhost\r\nX-A', postText('{"site":"localhost"').slice(0, -5)]) {
    const raw = await openRaw(port)
    raw.write(text)
    slow.push(raw)
  }
})
afterEach(() => target.expectUnharmed())
afterAll(() => target.end())

const body = (path: string) => `{"site":"localhost","url":"http://localhost${path}"}`
const sent = [`X-Forwarded-For: ${address}`, `User-Agent: ${agent}`]

/** Sends bytes on a connection of their own; answers the codes of all answers. Either they end the connection, or we do. */
const talk = async (text: string | Buffer, withinMs = 2_000): Promise<{ codes: number[]; closed: boolean; got: string }> => {
  const raw = await openRaw(target.server.port)
  raw.write(text)
  await raw.receives('\r\n\r\n', withinMs)
  const closed = await raw.closes(100)
  raw.end()
  return { codes: statuses(raw.got()), closed, got: raw.got() }
}

/** 2xx or 4xx, or not a word and the end: never 5xx, never silence on an open connection. */
const expectHandled = ({ codes, closed }: { codes: number[]; closed: boolean }, what: string): void => {
  for (const code of codes) expect([1, 2, 3, 4], `${what}: ${code}`).toContain(Math.floor(code / 100))
  expect(codes.length > 0 || closed, `${what}: no answer and no end`).toBe(true)
}

describe('requests that say two things at once', () => {
  const post = (headers: string[], rest: string) => `POST /api/hit HTTP/1.1\r\nHost: localhost\r\n${headers.join('\r\n')}\r\n\r\n${rest}`
  const hit = body('/smuggled')
  const chunked = `${hit.length.toString(16)}\r\n${hit}\r\n0\r\n\r\n`
  const cases: [what: string, text: string][] = [
    ['two lengths', post([`Content-Length: ${hit.length}`, 'Content-Length: 3'], hit)],
    ['two lengths in one', post([`Content-Length: ${hit.length}, 3`], hit)],
    ['length and chunks', post([`Content-Length: ${hit.length}`, 'Transfer-Encoding: chunked'], chunked)],
    ['chunks and length', post(['Transfer-Encoding: chunked', 'Content-Length: 3'], chunked)],
    ['chunks that are not last', post(['Transfer-Encoding: chunked, identity'], chunked)],
    ['chunks by another name', post(['Transfer-Encoding: xchunked'], chunked)],
    ['chunks behind a space', post(['Transfer-Encoding : chunked'], chunked)],
    ['a negative length', post(['Content-Length: -1'], hit)],
    ['a length in hex', post(['Content-Length: 0x10'], hit)],
    ['a length with a sign', post([`Content-Length: +${hit.length}`], hit)],
    ['an endless length', post(['Content-Length: 99999999999999999999999'], hit)],
    ['a chunk of a wrong size', post(['Transfer-Encoding: chunked'], `zz\r\n${hit}\r\n0\r\n\r\n`)],
    ['a chunk of an endless size', post(['Transfer-Encoding: chunked'], `fffffffffffffffff\r\n${hit}`)],
    ['a folded header', post(['X-Folded: a\r\n b', `Content-Length: ${hit.length}`], hit)],
    ['a bare line feed', post([`Content-Length: ${hit.length}`], hit).replaceAll('\r\n', '\n')],
    ['a bare carriage return', post([`X-A: b\rX-C: d`, `Content-Length: ${hit.length}`], hit)],
    ['a NUL in a header', post(['X-A: a\u0000b', `Content-Length: ${hit.length}`], hit)],
    ['a header without a name', post([': value', `Content-Length: ${hit.length}`], hit)],
    ['a header without a colon', post(['Nothing', `Content-Length: ${hit.length}`], hit)],
  ]
  it.each(cases)('%s', async (what, text) => {
    const answer = await talk(text)
    expectHandled(answer, what)
    expect(answer.codes.length, `${what}: one request, ${answer.codes}`).toBeLessThanOrEqual(1)
    if (answer.codes[0] !== 202) expect(answer.closed, 'nothing behind it is read').toBe(true)
  })

  it('a length that is too short leaves the rest to be no request', async () => {
    const answer = await talk(post(['Content-Length: 5'], hit))
    expect(answer.codes.every((code) => code === 400)).toBe(true)
    expect(answer.closed).toBe(true)
  })
})

describe('requests of another kind', () => {
  const cases: [what: string, text: string | Buffer][] = [
    ['HTTP/0.9', 'GET /\r\n\r\n'],
    ['HTTP/1.0', 'GET / HTTP/1.0\r\n\r\n'],
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['HTTP/9.9', 'GET / HTTP/9.9\r\nHost: localhost\r\n\r\n'],
    ['TLS', Buffer.from('16030100c8010000c40303', 'hex')],
    ['no host', 'GET / HTTP/1.1\r\n\r\n'],
    ['an unknown method', 'FROB / HTTP/1.1\r\nHost: localhost\r\n\r\n'],
    ['TRACE', 'TRACE / HTTP/1.1\r\nHost: localhost\r\n\r\n'],
    ['CONNECT', 'CONNECT localhost:22 HTTP/1.1\r\nHost: localhost\r\n\r\n'],
    ['OPTIONS *', 'OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n'],
    ['a whole address', `GET http://127.0.0.1:1/api/sites HTTP/1.1\r\nHost: localhost\r\n\r\n`],
    ['a whole address of another kind', 'GET file:///etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n'],
    ['a path without a slash', 'GET api/hit HTTP/1.1\r\nHost: localhost\r\n\r\n'],
    ['a path of bytes', Buffer.from('474554202f80ff20485454502f312e310d0a486f73743a20780d0a0d0a', 'hex')],
    ['a websocket', 'GET /api/live/localhost HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'],
    [
      'an upgrade to HTTP/2',
      'GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n',
    ],
    ['a question first', `${postText(body('/expect'), ['Expect: 100-continue', ...sent])}`],
    ['another question', postText(body('/expect'), ['Expect: the-impossible'])],
    ['empty lines', '\r\n'.repeat(1_000)],
    ['noise', Buffer.from(Array.from({ length: 4_096 }, (_, i) => (i * 197 + 31) & 255))],
  ]
  it.each(cases)('%s', async (what, text) => {
    const answer = await talk(text)
    if (what === 'empty lines' || what === 'TLS') return // nothing has been asked yet
    expectHandled(answer, what)
  })

  it.each([16_000, 20_000, 1_000_000])('a head of %d bytes', async (bytes) => {
    const answer = await talk(`GET /health HTTP/1.1\r\nHost: localhost\r\nX-Long: ${'x'.repeat(bytes)}\r\n\r\n`)
    expect(bytes < 16_384 ? [200] : [431]).toEqual(answer.codes)
  })

  it('a head of 4,000 headers, and a path of 100 kB', async () => {
    const many = Array.from({ length: 4_000 }, (_, i) => `X-${i}: ${i}`).join('\r\n')
    expect((await talk(`GET /health HTTP/1.1\r\nHost: localhost\r\n${many}\r\n\r\n`)).codes).toEqual([431])
    expect((await talk(`GET /${'x'.repeat(100_000)} HTTP/1.1\r\nHost: localhost\r\n\r\n`)).codes).toEqual([431])
  })
})

describe('floods', () => {
  const head = 'POST /api/hit HTTP/1.1\r\nHost: localhost\r\n'

  it('a length of a terabyte is refused before a byte of it', async () => {
    const { codes, closed, got } = await talk(`${head}Content-Length: 1000000000000\r\n\r\n`)
    expect([codes, closed]).toEqual([[413], true])
    expect(got).toContain('"code":"too-large"')
  })

  it('a gigabyte in chunks is cut off early', async () => {
    const raw = await openRaw(target.server.port)
    raw.write(`${head}Transfer-Encoding: chunked\r\n\r\n`)
    const chunk = `10000\r\n${' '.repeat(65_536)}\r\n`
    let isClosed = false
    const closed = raw.closes().then((is) => {
      isClosed = is
      return is
    })
    let written = 0
    while (!isClosed && written < 2 ** 30) {
      raw.write(chunk)
      written += 65_536
      if (raw.socket.writableNeedDrain) await Promise.race([closed, new Promise((resolve) => raw.socket.once('drain', resolve))])
      else await new Promise(setImmediate)
    }
    expect(await closed).toBe(true)
    expect(raw.socket.bytesWritten).toBeLessThan(32 * 2 ** 20)
    // A reset may overtake the answer; when it comes it is this one.
    expect([[], [413]]).toContainEqual(statuses(raw.got()))
  }, 60_000)

  it('a body that ends before its length costs a connection, no more', async () => {
    const raw = await openRaw(target.server.port)
    raw.write(`${head}Content-Length: 1000\r\n\r\n${body('/lie')}`)
    raw.socket.end()
    expect(await raw.closes()).toBe(true)
    expect(statuses(raw.got()).every((code) => code === 400)).toBe(true)
  })

  it('1,000 requests at once on one connection are answered in order', async () => {
    const raw = await openRaw(target.server.port)
    const good = (i: number) => postText(`{"site":"localhost","id":"pipe-${i}","url":"http://localhost/pipe"}`, sent)
    raw.write(Array.from({ length: 1_000 }, (_, i) => (i % 2 === 0 ? good(i) : postText('{'))).join(''))
    raw.write('GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')
    expect(await raw.closes()).toBe(true)
    expect(statuses(raw.got())).toEqual([...Array.from({ length: 1_000 }, (_, i) => (i % 2 === 0 ? 202 : 400)), 200])
  }, 60_000)

  it('5,000 idle connections leave room for others', async () => {
    const all: Raw[] = []
    for (let i = 0; i < 50; i++) all.push(...(await Promise.all(Array.from({ length: 100 }, () => openRaw(target.server.port)))))
    await target.expectUnharmed()
    for (const raw of all.slice(0, 20)) raw.write(postText(body('/woken')))
    for (const raw of all.slice(0, 20)) expect(await raw.receives('"accepted":1')).toBe(true)
    for (const raw of all) raw.end()
  }, 60_000)
})

describe('headers that lie', () => {
  const odd = [
    'garbage',
    '1.2.3.4, garbage',
    '999.999.999.999',
    '::1',
    '::ffff:1.2.3.4',
    '[::1]:80',
    '127.0.0.1, 127.0.0.1',
    ',,,,',
    ' ',
    '-',
    '1.2.3.4:99999',
    'for=1.2.3.4',
    "'; --",
    '%0d%0aX: y',
    '\u001b[2J',
    '1.2.3.4\t',
    '\u00ff\u00fe',
    '1.2.3.4,'.repeat(1_500),
  ]
  it.each(named(odd))('X-Forwarded-For: %s', async (_, value) => {
    const { codes } = await talk(postText(body('/forwarded'), [`X-Forwarded-For: ${value}`, `User-Agent: ${agent}`]))
    expect([202, 400]).toContain(codes[0])
  })

  it.each([
    'User-Agent',
    'Referer',
    'Content-Type',
    'Host',
    'Origin',
    'X-Call-Id',
    'Cookie',
    'Accept-Language',
    'Authorization',
    'Content-Encoding',
  ])('%s of any shape', async (name) => {
    for (const value of [
      '',
      'x'.repeat(10_000),
      '\u001b[31m',
      '\u00e2\u0080\u00a8',
      '\'"<>',
      '__proto__',
      'Bearer',
      'Bearer x',
      'Bearer ff_own_',
      '(a+)+$',
      'Mozilla/5.0 '.repeat(800),
    ]) {
      const { codes } = await talk(postText(body('/headers'), [`${name}: ${value}`]))
      expect([202, 400, 401], `${name}: ${value.slice(0, 40)}`).toContain(codes[0])
    }
  })

  it('the same header twice is one', async () => {
    expect((await talk(postText(body('/twice'), ['Host: a.example', ...sent, ...sent]))).codes).toHaveLength(1)
    const keyed = postText(body('/twice'), ['Authorization: Bearer x', `Authorization: Bearer ${target.server.key}`])
    expect((await talk(keyed)).codes).toEqual([401])
  })

  it('no other origin is told to come with its cookies', async () => {
    const reply = await fetch(`${target.server.url}/api/sites`, { headers: { origin: 'https://evil.example', cookie: 'ff_session=x' } })
    expect([reply.status, reply.headers.get('access-control-allow-origin')]).toEqual([401, null])
    const preflight = await fetch(`${target.server.url}/api/hit`, { method: 'OPTIONS', headers: { origin: 'https://evil.example' } })
    expect(preflight.headers.get('access-control-allow-credentials')).toBeNull()
  })
})

describe('the pixel', () => {
  const queries = [
    '',
    '?',
    '?site',
    '?site=&url=',
    '?site=localhost&url=%',
    '?site=localhost&url=%ff',
    '?site=localhost&site=x',
    '?__proto__=x&site=localhost',
    '?site=localhost&queued=1e999&engaged=NaN&scroll=-1',
    `?site=localhost&url=http://localhost/${'x'.repeat(9_000)}`,
    '?site=localhost&url=http://localhost/&title=%0d%0aX:%20y',
    `?${'a=b&'.repeat(2_000)}`,
    '?props=%7B%7D&revenue=1&visitor=x&site=localhost',
  ]
  it.each(named(queries))('%s', async (_, query) => {
    const reply = await fetch(`${target.server.url}/pixel.gif${query}`, { headers: { 'user-agent': agent, 'x-forwarded-for': address } })
    expect([reply.status, (await reply.arrayBuffer()).byteLength]).toEqual([200, 43])
  })
})

describe('slow clients', () => {
  it(
    'that never end their request are cut off',
    async () => {
      for (const raw of slow) {
        expect(await raw.closes(slowMs)).toBe(true)
        expect([[], [408], [400]]).toContainEqual(statuses(raw.got()))
      }
    },
    slowMs + 10_000,
  )

  it('an answer of an error has the shape of all errors', async () => {
    expect(expectAnswered(await target.post('{'), 'not json')).toBe('not-json')
  })
})
