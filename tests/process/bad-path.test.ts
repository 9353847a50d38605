import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type Answered, aTarget, named, read, type Target } from './target.ts'

/** Paths that lead nowhere, and what is inside and must not be reached from outside. */

let target: Target
beforeAll(async () => {
  target = await aTarget()
})
afterEach(() => target.expectUnharmed())
afterAll(() => target.end())

const ask = async (body: string, path: string, method: string): Promise<Answered> =>
  read(
    await fetch(target.server.url + path, {
      method,
      body: method === 'GET' || method === 'HEAD' ? undefined : body,
      headers: { authorization: `Bearer ${target.server.key}` },
      signal: AbortSignal.timeout(30_000),
    }),
  )

describe('other reading paths', () => {
  const odd = [
    '',
    '%',
    '%E0%A4%A',
    '..',
    '../..',
    '__proto__',
    'constructor',
    '%00',
    '%2e%2e%2f',
    'x'.repeat(5_000),
    'localhost%00',
    "'",
    '%0d%0a',
    '?',
    '&',
    '[object Object]',
  ]
  it.each(named(odd))('of a site called %s', async (_, name) => {
    for (const path of [`/api/sites/${name}`, `/api/ledger?site=${name}`, `/api/keys/${name}`, `/api/live/${name}`]) {
      const { status } = await ask('', path, 'GET')
      expect([200, 400, 401, 404, 405], path).toContain(status)
    }
    for (const range of ['from', 'to'])
      expect((await ask('', `/api/ledger?site=localhost&${range}=${name}`, 'GET')).status).toBeLessThan(500)
    const { status } = await ask('', `/api/sign-in?token=${name}`, 'GET')
    expect(status).toBe(401)
  })

  it('changes of any shape', async () => {
    for (const body of [
      '',
      '{',
      'null',
      '[]',
      '{"site":1}',
      '{"site":"../x"}',
      '{"site":"a b"}',
      `{"site":"${'a.'.repeat(200)}"}`,
      '{"site":"__proto__.example","timezone":"Mars/Base"}',
      '{"site":"x.example","__proto__":{"role":"own"}}',
      '['.repeat(10_000),
    ])
      for (const [path, method] of [
        ['/api/sites', 'POST'],
        ['/api/sites/localhost', 'PATCH'],
        ['/api/keys', 'POST'],
      ] as const) {
        const { status, text } = await ask(body, path, method)
        expect([200, 201, 400, 401, 404, 409], `${method} ${path} ${body.slice(0, 60)}: ${text.slice(0, 100)}`).toContain(status)
      }
  })
})

describe('what is inside is not outside', () => {
  const hidden = [
    '/function/collect-hit',
    '/function/enrich-session',
    '/function/rollup-window',
    '/function',
    '/async-function/enrich-session',
    '/schedule',
    '/schedule/',
    '/_/health',
    '/_/ready',
    '/_',
    '/system/functions',
    '/system/info',
    '/metrics',
    '/enrich-session',
    '/rollup-window',
    '/debug',
    '/storybook',
    '/.git/config',
    '/.env',
    '/package.json',
    '/admin.key',
    '/data/admin.key',
    '/node_modules/pino/package.json',
    '/page/../../../package.json',
    '/page/%2e%2e/%2e%2e/handler.ts',
    '/page/..%2f..%2fhandler.ts',
    '/page//etc/passwd',
    '/page/',
    '//etc/passwd',
    '/__proto__',
    '/constructor',
    '/toString',
    '/hasOwnProperty',
    '/api',
    '/api/',
    '/api/__proto__',
    '/api/schedule',
    '/api/hit/',
    '/api//hit',
    '/API/HIT',
    '/api/hit%2f',
    '/api/v2',
    '/api/v2/',
    '/api/v1/stats',
    '/%',
    '/%00',
    '/page/page.css/',
  ]
  it.each(named(hidden))('%s', async (_, path) => {
    for (const method of ['GET', 'POST'] as const)
      for (const headers of [{}, { authorization: `Bearer ${target.server.key}` }] as Record<string, string>[]) {
        const reply = await fetch(target.server.url + path, { method, headers, body: method === 'POST' ? '{}' : undefined })
        const text = await reply.text()
        expect([404, 405], `${method} ${path}: ${reply.status} ${text.slice(0, 100)}`).toContain(reply.status)
      }
    expect((await ask('', path, 'GET')).status).toBe(404)
  })

  it.each(['PUT', 'PATCH', 'DELETE', 'HEAD', 'GET'])('%s of a hit', async (method) => {
    expect((await ask('{}', '/api/hit', method)).status).toBe(405)
  })
})
