import { describe, expect, test } from 'vitest'
import { limits as hitLimits } from '#functions/collect-hit/handler.ts'
import { FootfallError } from '#shared/errors.ts'
import type { Handler, Request } from '#shared/handler.ts'
import { createHealth, createPublicHandler } from '#shared/runtime/public.ts'
import { functionNames, maxBodyBytes, routeOf } from '#shared/runtime/routes.ts'

test.each<[string, ReturnType<typeof routeOf>]>([
  ['/api/hit', 'collect-hit'],
  ['/pixel.gif', 'collect-hit'],
  ['/api/v2/query', 'query-metrics'],
  ['/api/v2/funnel', 'query-metrics'],
  ['/api/v2/export', 'query-metrics'],
  ['/api/live/example.com', 'query-metrics'],
  ['/api/ledger', 'query-metrics'],
  ['/api/sites', 'manage-sites'],
  ['/api/sites/example.com', 'manage-sites'],
  ['/api/keys', 'manage-sites'],
  ['/api/keys/abc', 'manage-sites'],
  ['/api/links', 'manage-sites'],
  ['/api/sign-in', 'manage-sites'],
  ['/api/sign-out', 'manage-sites'],
  ['/', 'serve-dashboard'],
  ['/example.com', 'serve-dashboard'],
  ['/demo/', 'serve-dashboard'],
  ['/health', 'health'],
  ['/api/backups/id/log', 'backups'],
  ['/api/restores', 'backups'],
])('%s is answered by %s', (path, name) => {
  expect(routeOf(path)).toBe(name)
})

test.each<[string, boolean, number]>([
  ['/api/hit', true, 1_048_576],
  ['/api/hit', false, 131_072],
  ['/api/restores/restore-1/log', true, 1_048_576],
  ['/api/restored', true, 65_536],
  ['/api/v2/query', true, 65_536],
  ['/api/backups', true, 65_536],
  ['/', true, 65_536],
  ['/pixel.gif', false, 65_536],
])('%s with a key %s takes %i bytes', (path, hasAuthorization, bytes) => {
  expect(maxBodyBytes(path, hasAuthorization)).toBe(bytes)
})

test('a hit that is a little too long reaches the function, whose answer other origins may read', () => {
  expect(maxBodyBytes('/api/hit', false)).toBeGreaterThan(hitLimits.bodyBytes)
  expect(maxBodyBytes('/api/hit', true)).toBeGreaterThanOrEqual(hitLimits.trustedBodyBytes)
})

describe('kept free, 404 until then', () => {
  test.each([
    ...[
      '/collect',
      '/batch',
      '/g/collect',
      '/gtag/js',
      '/mp/collect',
      '/debug/mp/collect',
      '/v1beta/properties',
      '/api/event',
      '/api/send',
      '/api/v1/stats',
    ],
    ...['/v1/batch', '/matomo.php', '/i', '/com.snowplowanalytics.snowplow/tp2', '/api', '/api/hit/', '/api/hits', '/api/v2x'],
  ])('%s', (path) => {
    expect(routeOf(path)).toBeUndefined()
  })
})

test.each(['/function/collect-hit', '/function/enrich-session', '/schedule', '/system/functions', '/_/health'])(
  '%s is for the inside alone',
  (path) => {
    expect(routeOf(path)).toBeUndefined()
  },
)

test('a name that only begins like a reserved one is a page', () => {
  expect(['/collected', '/information', '/apiary'].map(routeOf)).toEqual(['serve-dashboard', 'serve-dashboard', 'serve-dashboard'])
})

test('log lines with a key may be as large as hits with one', () => {
  expect([maxBodyBytes('/api/import', true), maxBodyBytes('/api/import', false)]).toEqual([1_048_576, 65_536])
})

describe('the public face', () => {
  const named =
    (name: string): Handler =>
    async () => ({ status: 200, body: name })
  const handle = createPublicHandler(new Map(functionNames.map((name) => [name, named(name)])), {
    health: named('health'),
    backups: named('backups'),
  })
  const at = (path: string): Request => ({ method: 'GET', path, query: '', headers: {}, body: Buffer.alloc(0), address: '' })

  test('leads to the function', async () => {
    expect((await handle(at('/api/hit'))).body).toBe('collect-hit')
    expect((await handle(at('/health'))).body).toBe('health')
  })

  test('has nothing for what is reserved, nor for a function that is not there', async () => {
    await expect(handle(at('/collect'))).rejects.toMatchObject({ code: 'not-found', status: 404 })
    await expect(createPublicHandler(new Map(), { health: named('health'), backups: named('backups') })(at('/'))).rejects.toMatchObject({
      code: 'not-found',
    })
  })

  test.each(['/function/enrich-session', '/enrich-session', '/rollup-window'])('no path leads to a stage: %s', async (path) => {
    const reply = await handle(at(path)).catch(() => undefined)
    expect(reply?.body ?? '').not.toMatch(/enrich|rollup/)
  })

  test('health is 200 when hits can be made durable, 503 otherwise', async () => {
    const appended: unknown[] = []
    const log = {
      append: async (...args: unknown[]) => {
        appended.push(args)
        return 0
      },
    }
    expect(await createHealth(log)()).toMatchObject({ status: 200, headers: { 'cache-control': 'no-store' } })
    expect(appended).toEqual([['hits', 0, []]])
    await createHealth(log, async () => 4096)()
    expect(appended[1]).toEqual(['hits', 4096, []])
    const down = { append: () => Promise.reject(new FootfallError('disk-full')) }
    await expect(createHealth(down)()).rejects.toMatchObject({ status: 503, code: 'disk-full' })
  })
})
