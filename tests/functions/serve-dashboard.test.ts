import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { createHandler } from '#functions/serve-dashboard/handler.ts'
import { aRequest } from '../site/installation.ts'

const handle = createHandler()
const get = (path: string, headers: Record<string, string> = {}, method = 'GET') => handle(aRequest({ method, path, headers }))

describe('the page', () => {
  const table: [path: string, type: string, holds: string][] = [
    ['/', 'text/html; charset=utf-8', '<title>Footfall</title>'],
    ['/page/page.css', 'text/css; charset=utf-8', 'color-scheme'],
    ['/page/page.js', 'text/javascript; charset=utf-8', '/api/v2/query'],
    ['/page/icon.svg', 'image/svg+xml', '<svg'],
    ['/favicon.ico', 'image/svg+xml', '<svg'],
    ['/robots.txt', 'text/plain; charset=utf-8', 'Disallow: /'],
  ]
  it.each(table)('%s', async (path, type, holds) => {
    const { status, headers, body } = await get(path)
    expect([status, headers!['content-type'], headers!['cache-control']]).toEqual([200, type, 'no-cache'])
    expect(String(body)).toContain(holds)
    expect(headers!['etag']).toMatch(/^"[\w-]{22}"$/)
  })

  it.each(['/index.html', '/page', '/page/', '/page/../handler.ts', '/../package.json', '/page/%70age.js', '/constructor', '', '//'])(
    'has nothing at %j',
    async (path) => {
      expect(await get(path)).toMatchObject({ status: 404, headers: { 'x-content-type-options': 'nosniff' } })
    },
  )

  it.each([
    ['POST', 405],
    ['DELETE', 405],
    ['OPTIONS', 405],
    ['HEAD', 200],
  ])('%s answers %i', async (method, status) => {
    expect((await get('/', {}, method)).status).toBe(status)
  })

  it('is not sent again to whoever has it', async () => {
    const etag = (await get('/')).headers!['etag']!
    for (const sent of [etag, `W/${etag}`, `"other", ${etag}`, '*'])
      expect(await get('/', { 'if-none-match': sent })).toMatchObject({ status: 304, headers: { etag } })
    expect((await get('/', { 'if-none-match': '"other"' })).status).toBe(200)
    expect((await get('/', { 'if-none-match': '' })).status).toBe(200)
  })
})

describe('what was sent by visitors cannot act', () => {
  it('by policy', async () => {
    const headers = (await get('/')).headers!
    const policy = headers['content-security-policy']!
    expect(policy).not.toMatch(/unsafe|\*|https?:|data:|blob:/)
    expect(policy).toContain("default-src 'none'")
    expect(policy).toContain("frame-ancestors 'none'")
    expect(headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'x-robots-tag': 'noindex, nofollow',
    })
  })

  const read = (name: string) => readFileSync(new URL(`../../functions/serve-dashboard/page/${name}`, import.meta.url), 'utf8')

  it('nor by the script, which writes text only', () => {
    expect(read('page.js')).not.toMatch(/innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|\.srcdoc/)
  })

  it('nor by the markup, which holds nothing inline and nothing from elsewhere', () => {
    const html = read('index.html')
    expect(html).not.toMatch(/<script(?![^>]*\ssrc=)/)
    expect(html).not.toMatch(/\son\w+=|\sstyle=|<style|https?:\/\//)
    expect(html).toContain('name="robots" content="noindex')
  })
})
