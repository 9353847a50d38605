import { readFileSync } from 'node:fs'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { createScript } from '#functions/collect-hit/script.ts'
import { aRequest } from '../site/installation.ts'

/** `GET /footfall.js`: the file that was built, small on the way, and not again to whoever has it. */
const built = readFileSync(new URL('../../functions/collect-hit/built/footfall.js', import.meta.url))
const script = createScript()
const get = (headers: Record<string, string> = {}, method = 'GET') => script(aRequest({ method, path: '/footfall.js', headers }))
const unpack = { br: brotliDecompressSync, gzip: gunzipSync } as const

describe('the tracker, over HTTP', () => {
  it.each([
    ['gzip, deflate, br', 'br'],
    ['gzip, deflate', 'gzip'],
    ['br;q=0, gzip;q=0.5', 'gzip'],
    ['BR', 'br'],
    ['br;q=0.0', undefined],
    ['brotli, gzipped', undefined],
    ['', undefined],
  ] as const)('who takes %j gets %s, twice the same', async (sent, coding) => {
    for (let i = 0; i < 2; i++) {
      const { status, headers, body } = await get({ 'accept-encoding': sent })
      expect([status, headers!['content-encoding'], headers!['vary']]).toEqual([200, coding, 'accept-encoding'])
      const plain = coding ? unpack[coding](body as Buffer) : (body as Buffer)
      expect(plain.equals(built)).toBe(true)
    }
  })

  it('may be loaded by any site, and is kept for an hour', async () => {
    expect((await get()).headers).toMatchObject({
      'access-control-allow-origin': '*',
      'cross-origin-resource-policy': 'cross-origin',
      'cache-control': 'public, max-age=3600, stale-while-revalidate=86400',
      'content-type': 'text/javascript; charset=utf-8',
    })
  })

  it('is not sent again to whoever has it', async () => {
    const etag = (await get()).headers!['etag']!
    for (const sent of [etag, `W/${etag}`, `"other", ${etag}`, '*'])
      expect(await get({ 'if-none-match': sent })).toMatchObject({ status: 304, headers: { etag } })
    expect((await get({ 'if-none-match': '"other"' })).status).toBe(200)
  })

  it.each(['POST', 'DELETE', 'OPTIONS'])('%s is refused with what may be sent', async (method) => {
    expect(await get({}, method)).toMatchObject({ status: 405, headers: { allow: 'GET, HEAD' } })
  })
})
