import { readdirSync, readFileSync } from 'node:fs'
import { brotliDecompressSync, gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { createHandler } from '#functions/serve-dashboard/handler.ts'
import { aRequest } from '../site/installation.ts'

const handle = createHandler()
const get = (path: string, headers: Record<string, string> = {}, method = 'GET') => handle(aRequest({ method, path, headers }))

describe('the page', () => {
  const table: [path: string, type: string, holds: string][] = [
    ['/', 'text/html; charset=utf-8', '<title>Footfall</title>'],
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

  it.each([
    '/index.html',
    '/page',
    '/page/',
    '/page/index.html',
    '/page/../handler.ts',
    '/../package.json',
    '/page/%69con.svg',
    '/demo',
    '/constructor',
    '',
    '//',
  ])('has nothing at %j', async (path) => {
    expect(await get(path)).toMatchObject({ status: 404, headers: { 'x-content-type-options': 'nosniff' } })
  })

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

  const built = new URL('../../functions/serve-dashboard/built/', import.meta.url)
  const scripts = readdirSync(new URL('assets/', built)).filter((name) => name.endsWith('.js'))

  it('nor by the page, whose own sources write text only', () => {
    const folder = new URL('../../functions/serve-dashboard/page/', import.meta.url)
    const sources = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => /\.tsx?$/.test(name))
    expect(sources.length).toBeGreaterThan(0)
    for (const name of sources)
      expect(readFileSync(new URL(name, folder), 'utf8'), name).not.toMatch(
        /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|\.srcdoc|setHTML/,
      )
  })

  it('nor by the markup, which holds nothing inline and nothing from elsewhere', async () => {
    const html = String((await get('/')).body)
    expect(html).not.toMatch(/<script(?![^>]*\ssrc=)/)
    expect(html).not.toMatch(/\son\w+=|\sstyle=|<style|https?:\/\//)
    expect(html).toContain('name="robots" content="noindex')
  })

  it('and what the page needs is kept for good, under a name that says what is in it', async () => {
    expect(scripts.length).toBeGreaterThan(0)
    for (const name of scripts)
      expect((await get(`/page/assets/${name}`)).headers).toMatchObject({ 'cache-control': 'public, max-age=31536000, immutable' })
  })
})

describe('smaller on the way', () => {
  /** What is fetched when it is opened, and not before. */
  const opened = /^(views|goals-form|segments|renamed|use-settings|replays)-/
  const folder = new URL('../../functions/serve-dashboard/built/', import.meta.url)
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  const bytesOf = (some: typeof files) =>
    some.reduce((sum, { parentPath, name }) => sum + gzipSync(readFileSync(`${parentPath}/${name}`), { level: 9 }).length, 0)

  it('120 kB by gzip are enough for the first load, map and chart included', () => {
    const first = files.filter(({ name }) => !opened.test(name))
    expect(first.length).toBeGreaterThan(4)
    expect(bytesOf(first)).toBeLessThanOrEqual(120_000)
  })

  it('18 kB for what is opened later: explorations, goals, segments, and past days counted again', () => {
    const later = files.filter(({ name }) => opened.test(name))
    const styled = ['goals-form', 'replays', 'segments', 'views']
    expect(later.map(({ name }) => name.replace(/-.{8}\./, '.')).sort()).toEqual(
      [...styled.flatMap((name) => [`${name}.css`, `${name}.js`]), 'renamed.js', 'use-settings.js'].sort(),
    )
    expect(bytesOf(later)).toBeLessThanOrEqual(18_000)
  })

  it.each([
    ['br', 'br'],
    ['gzip, deflate, br', 'br'],
    ['br;q=0.5', 'br'],
    ['br;q=0', undefined],
    ['gzip', undefined],
    ['', undefined],
    ['brx', undefined],
  ])('who takes %j gets %s', async (sent, encoding) => {
    const [name] = readdirSync(new URL('../../functions/serve-dashboard/built/assets/', import.meta.url)).filter((one) =>
      one.endsWith('.js'),
    )
    const { headers, body } = await get(`/page/assets/${name}`, { 'accept-encoding': sent })
    expect([headers!['content-encoding'], headers!['vary']]).toEqual([encoding, 'accept-encoding'])
    const text = encoding ? brotliDecompressSync(body as Buffer) : (body as Buffer)
    expect(text.equals(readFileSync(new URL(`../../functions/serve-dashboard/built/assets/${name}`, import.meta.url)))).toBe(true)
  })
})
