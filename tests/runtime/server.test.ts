import { request as httpRequest } from 'node:http'
import { connect, type Socket } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { FootfallError } from '#shared/errors.ts'
import type { Handler, Request } from '#shared/handler.ts'
import { limits, type Served, type ServeOptions, serve } from '#shared/runtime/server.ts'

const open: Served[] = []
const sockets: Socket[] = []
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  await Promise.all(open.splice(0).map((served) => served.close(50)))
})

const ok: Handler = async () => ({ status: 200, body: 'ok' })
const start = async (handler: Handler, options: Partial<ServeOptions> = {}) => {
  const errors: unknown[] = []
  const served = await serve({
    handler,
    host: '127.0.0.1',
    port: 0,
    maxBodyBytes: () => 1_000,
    onError: (error) => errors.push(error),
    ...options,
  })
  open.push(served)
  return { ...served, errors, url: `http://127.0.0.1:${served.port}` }
}

/** Sends bytes as they are; answers all that comes back until the other side closes, or `until` is in it. */
const raw = (port: number, text: string, until = '\r\n\r\n'): Promise<string> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(text))
    sockets.push(socket)
    let got = ''
    const done = () => resolve(got)
    socket.on('data', (bytes) => {
      got += bytes.toString()
      if (got.includes(until)) done()
    })
    socket.on('close', done)
    socket.on('error', done)
  })
const soon = (ms = 20) => new Promise((resolve) => setTimeout(resolve, ms))

describe('a request', () => {
  test('comes as plain values', async () => {
    let seen: Request | undefined
    const { url } = await start(async (request) => {
      seen = request
      return { status: 202, headers: { 'x-a': 'b' }, body: '{}' }
    })
    const reply = await fetch(`${url}/a%20b?x=1&y=?`, { method: 'POST', body: 'ü', headers: { 'X-Mixed-Case': 'Yes' } })
    expect([reply.status, reply.headers.get('x-a'), await reply.text()]).toEqual([202, 'b', '{}'])
    expect(seen).toMatchObject({ method: 'POST', path: '/a%20b', query: 'x=1&y=?', address: '127.0.0.1' })
    expect(seen!.headers['x-mixed-case']).toBe('Yes')
    expect(seen!.body.toString()).toBe('ü')
  })

  test('repeated headers are joined: no proxy is forgotten, and of two keys none is chosen', async () => {
    let seen: Request | undefined
    const { port } = await start(async (request) => {
      seen = request
      return { status: 200, body: 'end' }
    })
    const twice = (name: string) => `${name}: one\r\n${name}: two\r\n`
    await raw(port, `GET / HTTP/1.1\r\nHost: a\r\n${twice('X-Forwarded-For')}${twice('Authorization')}Connection: close\r\n\r\n`, 'end')
    expect(seen!.headers).toMatchObject({ 'x-forwarded-for': 'one, two', authorization: 'one, two' })
  })

  test('a body in many pieces', async () => {
    const { url } = await start(async ({ body }) => ({ status: 200, body }))
    const pieces = ['a', 'bc', 'def']
    const stream = new ReadableStream({
      async pull(controller) {
        const piece = pieces.shift()
        if (piece === undefined) controller.close()
        else controller.enqueue(Buffer.from(piece))
        await soon(5)
      },
    })
    const reply = await fetch(url, { method: 'POST', body: stream, duplex: 'half' } as RequestInit)
    expect(await reply.text()).toBe('abcdef')
  })

  test('a GIF keeps its bytes, an empty reply has none, a HEAD has no body', async () => {
    const { url } = await start(async ({ path }) => (path === '/gif' ? { status: 200, body: Buffer.from([0, 200, 255]) } : { status: 204 }))
    expect([...new Uint8Array(await (await fetch(`${url}/gif`)).arrayBuffer())]).toEqual([0, 200, 255])
    expect((await fetch(url)).status).toBe(204)
    const head = await fetch(`${url}/gif`, { method: 'HEAD' })
    expect([head.headers.get('content-length'), (await head.arrayBuffer()).byteLength]).toEqual(['3', 0])
  })

  test('a 204 says no length', async () => {
    const { port } = await start(async () => ({ status: 204 }))
    expect((await raw(port, 'OPTIONS / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')).toLowerCase()).not.toContain('content-length')
  })
})

describe('errors', () => {
  test('of the catalogue are their reply; told are those with a cause behind them', async () => {
    const { url, errors } = await start(async ({ path }) => {
      throw path === '/404' ? new FootfallError('not-found') : new FootfallError('disk-full', { cause: new Error('no space') })
    })
    const missing = await fetch(`${url}/404`)
    expect([missing.status, ((await missing.json()) as { code: string }).code]).toEqual([404, 'not-found'])
    const full = await fetch(url)
    expect([full.status, full.headers.get('retry-after')]).toEqual([503, '1'])
    expect(errors).toMatchObject([{ code: 'disk-full' }])
  })

  test('that are unforeseen never show their text', async () => {
    const { url, errors } = await start(async () => {
      throw new Error('secret')
    })
    const reply = await fetch(url)
    expect([reply.status, (await reply.text()).includes('secret')]).toEqual([500, false])
    expect(errors).toMatchObject([{ message: 'secret' }])
  })

  test('a header that cannot be written costs this answer, not the process', async () => {
    const { url, errors } = await start(async () => ({ status: 200, headers: { bad: 'a\r\nb' } }))
    await expect(fetch(url)).rejects.toThrow()
    expect(errors).toHaveLength(1)
    expect((await start(ok)).port).toBeGreaterThan(0)
  })
})

describe('limits', () => {
  const post = (
    port: number,
    bytes: number,
    how: 'length' | 'chunked',
  ): Promise<{ status: number | undefined; cors: unknown; body: string }> =>
    new Promise((resolve, reject) => {
      const headers: Record<string, string> = how === 'length' ? { 'content-length': String(bytes) } : { 'transfer-encoding': 'chunked' }
      const sent = httpRequest({ port, host: '127.0.0.1', method: 'POST', headers, agent: false }, (reply) => {
        let body = ''
        reply.on('data', (piece) => (body += piece))
        reply.on('end', () => resolve({ status: reply.statusCode, cors: reply.headers['access-control-allow-origin'], body }))
        reply.on('error', reject)
      })
      sent.on('error', reject)
      sent.end(Buffer.alloc(bytes, 'x'))
    })

  test('a body at the limit is taken, one over it is cut off with 413', async () => {
    let calls = 0
    const { port } = await start(async ({ body }) => {
      calls++
      return { status: 200, body: String(body.length) }
    })
    expect((await post(port, 1_000, 'length')).body).toBe('1000')
    expect((await post(port, 1_000, 'chunked')).body).toBe('1000')
    for (const how of ['length', 'chunked'] as const) {
      const reply = await post(port, 1_001, how)
      expect([reply.status, JSON.parse(reply.body).code]).toEqual([413, 'too-large'])
    }
    expect(calls).toBe(2)
  })

  test('a length that is announced is not read first', async () => {
    const { port } = await start(ok)
    expect(await raw(port, 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 999999999\r\n\r\n')).toMatch(/^HTTP\/1.1 413/)
  })

  // The socket is destroyed while the client still sends: what it has not read of the answer is lost with the reset.
  test('a client that goes on sending still reads its 413', async () => {
    const { port } = await start(ok)
    for (let i = 0; i < 5; i++) expect((await post(port, 5_000_000, 'length').catch((error) => error.code)).status).toBe(413)
  })

  test('by path', async () => {
    const { port, url } = await start(ok, { maxBodyBytes: (path) => (path === '/big' ? 10_000 : 10) })
    expect((await post(port, 11, 'length')).status).toBe(413)
    expect((await fetch(`${url}/big?x`, { method: 'POST', body: 'x'.repeat(5_000) })).status).toBe(200)
  })

  test('the 413 of a path that is not for hits is for no other origin', async () => {
    const { port } = await start(ok)
    expect((await post(port, 1_001, 'length')).cors).toBeUndefined()
  })

  test('headers that are too many: 431', async () => {
    const { port } = await start(ok)
    expect(await raw(port, `GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(limits.headerBytes)}\r\n\r\n`)).toMatch(/^HTTP\/1.1 431/)
  })

  test.each([
    'nonsense\r\n\r\n',
    'GET / HTTP/9.9\r\n\r\n',
    'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n',
  ])('%j: 400, and on', async (text) => {
    const { port, url } = await start(ok)
    expect(await raw(port, text)).toMatch(/^HTTP\/1.1 400/)
    expect((await fetch(url)).status).toBe(200)
  })

  test('a client that goes in the middle of its body harms nobody', async () => {
    const { port, url, errors } = await start(ok)
    const socket = connect(port, '127.0.0.1', () => socket.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 500\r\n\r\nhalf'))
    sockets.push(socket)
    await soon()
    socket.destroy()
    await soon()
    expect([(await fetch(url)).status, errors]).toEqual([200, []])
  })
})

describe('all bodies together', () => {
  const halfSent = async (port: number, bytes: number) => {
    const socket = connect(port, '127.0.0.1', () =>
      socket.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${bytes + 1}\r\n\r\n${'x'.repeat(bytes)}`),
    )
    sockets.push(socket)
    await soon()
    return socket
  }

  test('are bounded: 503 while others are being read, and room again when they are over', async () => {
    const { port, url } = await start(ok, { allBodyBytes: 2_000 })
    const held = [await halfSent(port, 900), await halfSent(port, 900)]
    const post = (bytes: number) => fetch(url, { method: 'POST', body: 'x'.repeat(bytes) })
    const refused = await post(300)
    expect([refused.status, refused.headers.get('retry-after'), ((await refused.json()) as { code: string }).code]).toEqual([
      503,
      '1',
      'overloaded',
    ])
    expect((await post(200)).status).toBe(200)
    held[0]!.destroy() // in the middle
    held[1]!.write('x') // to its end
    await soon()
    for (let i = 0; i < 10; i++) expect((await post(1_000)).status).toBe(200)
    for (let i = 0; i < 10; i++) expect((await post(1_001)).status).toBe(413)
    expect((await Promise.all([post(1_000), post(1_000)])).map(({ status }) => status)).toEqual([200, 200])
  })

  test('count until they are answered', async () => {
    let answer = () => {}
    const { url } = await start(
      () =>
        new Promise((resolve) => {
          answer = () => resolve({ status: 200, body: 'ok' })
        }),
      { allBodyBytes: 1_500 },
    )
    const post = () => fetch(url, { method: 'POST', body: 'x'.repeat(1_000) })
    const first = post()
    await soon()
    expect((await post()).status).toBe(503)
    answer()
    await first
    const next = post()
    await soon()
    answer()
    expect((await next).status).toBe(200)
  })
})

describe('streams', () => {
  test('go out piece by piece, at once', async () => {
    let next = () => {}
    async function* pieces() {
      yield 'one\n'
      await new Promise<void>((resolve) => {
        next = resolve
      })
      yield 'two\n'
    }
    const { url } = await start(async () => ({ status: 200, headers: { 'content-type': 'text/event-stream' }, body: pieces() }))
    const reader = (await fetch(url)).body!.getReader()
    expect(Buffer.from((await reader.read()).value!).toString()).toBe('one\n')
    next()
    expect(Buffer.from((await reader.read()).value!).toString()).toBe('two\n')
    expect((await reader.read()).done).toBe(true)
  })

  test('a reader that leaves ends the source and its signal', async () => {
    let ended = false
    let signal: AbortSignal | undefined
    async function* endless() {
      try {
        for (;;) {
          yield 'x'.repeat(10_000)
          await soon(1)
        }
      } finally {
        ended = true
      }
    }
    const { url } = await start(async (request) => {
      signal = request.signal
      return { status: 200, body: endless() }
    })
    const abort = new AbortController()
    const reply = await fetch(url, { signal: abort.signal })
    await reply.body!.getReader().read()
    abort.abort()
    for (let i = 0; i < 100 && !ended; i++) await soon(10)
    expect([ended, signal!.aborted]).toEqual([true, true])
  })

  test('one that fails is cut, so that what came does not look whole; of events it ends', async () => {
    async function* broken() {
      yield 'x'
      throw new FootfallError('store-unavailable')
    }
    const { url } = await start(async ({ path }) => ({
      status: 200,
      headers: { 'content-type': path === '/live' ? 'text/event-stream' : 'text/csv' },
      body: broken(),
    }))
    const read = async (path: string) => (await fetch(url + path)).text().catch(() => 'cut')
    expect([await read('/export'), await read('/live')]).toEqual(['cut', 'x'])
  })

  test('a slow reader slows the source', async () => {
    let made = 0
    async function* fast() {
      for (; made < 2_000; made++) yield 'x'.repeat(50_000)
    }
    const { port } = await start(async () => ({ status: 200, body: fast() }))
    const socket = connect(port, '127.0.0.1', () => socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n'))
    sockets.push(socket)
    socket.pause()
    await soon(200)
    expect(made).toBeLessThan(1_000)
  })

  test('a reader that takes nothing for too long is cut off', async () => {
    let ended = false
    async function* fast() {
      try {
        for (;;) yield 'x'.repeat(50_000)
      } finally {
        ended = true
      }
    }
    const { port } = await start(async () => ({ status: 200, body: fast() }), { stallMs: 50 })
    const socket = connect(port, '127.0.0.1', () => socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n'))
    sockets.push(socket)
    socket.pause()
    for (let i = 0; i < 100 && !ended; i++) await soon(20)
    expect(ended).toBe(true)
  })

  test('a source that fails cuts the answer, and is told', async () => {
    async function* broken() {
      yield 'one'
      throw new Error('broken')
    }
    const { url, errors } = await start(async () => ({ status: 200, body: broken() }))
    await expect(fetch(url).then((reply) => reply.text())).rejects.toThrow()
    expect(errors).toMatchObject([{ message: 'broken' }])
  })
})

describe('begin and end', () => {
  test('a port that is taken says so', async () => {
    const { port } = await start(ok)
    await expect(serve({ handler: ok, host: '127.0.0.1', port, maxBodyBytes: () => 1, onError: () => undefined })).rejects.toMatchObject({
      code: 'port-taken',
      message: expect.stringContaining(String(port)),
    })
  })

  test('an end lets what runs end, takes nothing new, and may be asked for twice', async () => {
    let answer = () => {}
    const held = new Promise<void>((resolve) => {
      answer = resolve
    })
    const { url, close } = await start(async () => held.then(() => ({ status: 200, body: 'late' })))
    const running = fetch(url)
    await soon()
    const closing = close(5_000)
    expect(close(5_000)).toBe(closing)
    await expect(fetch(url)).rejects.toThrow()
    answer()
    const reply = await running
    expect([await reply.text(), reply.headers.get('connection')]).toEqual(['late', 'close'])
    await closing
  })

  /** A stream that goes on until its reader has gone. */
  const endless = async (request: Request, type: string) => {
    async function* pieces() {
      yield 'data: 1\n\n'
      await new Promise((resolve) => request.signal!.addEventListener('abort', resolve))
    }
    return { status: 200, headers: { 'content-type': type }, body: pieces() }
  }

  test('a stream of events is ended at once, and its connection', async () => {
    const { url, close } = await start((request) => endless(request, 'text/event-stream'))
    const reader = (await fetch(url)).body!.getReader()
    await reader.read()
    const before = Date.now()
    await close(10_000)
    expect(Date.now() - before).toBeLessThan(4_000)
    expect((await reader.read()).done).toBe(true)
  })

  test('one that begins during the end is ended too', async () => {
    let go = () => {}
    const held = new Promise<void>((resolve) => {
      go = resolve
    })
    const { url, close } = await start((request) => held.then(() => endless(request, 'text/event-stream; charset=utf-8')))
    const running = fetch(url)
    await soon()
    const before = Date.now()
    const closing = close(10_000)
    go()
    await (await running).text()
    await closing
    expect(Date.now() - before).toBeLessThan(4_000)
  })

  test('a stream that has an end is never made to look whole: it goes on, and is cut after the grace', async () => {
    const { url, close } = await start((request) => endless(request, 'text/csv'))
    const text = (await fetch(url)).text()
    const outcome = text.catch(() => 'cut')
    await soon()
    await close(50)
    expect(await outcome).toBe('cut')
  })

  test('what does not end is cut', async () => {
    const { url, close } = await start(() => new Promise(() => undefined))
    const running = fetch(url).catch(() => 'cut')
    await soon()
    await close(30)
    expect(await running).toBe('cut')
  })

  test('idle connections do not hold it up', async () => {
    const { url, close } = await start(ok)
    await (await fetch(url)).text()
    const before = Date.now()
    await close(5_000)
    expect(Date.now() - before).toBeLessThan(4_000)
  })
})
