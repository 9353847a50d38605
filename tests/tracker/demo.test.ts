import { readdirSync, readFileSync } from 'node:fs'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { barriersIn } from '../journey/axe.ts'
import { aVisitor, browserMissing, launchBrowser } from '../journey/browser.ts'
import { aFolder, freePort, type Server, startServer } from '../process/server.ts'

/** The demo as a site: whole, usable by everybody, in both themes and at every width. */

const folder = new URL('../../functions/serve-dashboard/demo/', import.meta.url)
const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
const pages = files.filter((name) => name.endsWith('index.html')).map((name) => `/demo/${name.replace(/index\.html$/, '')}`)
const read = (path: string) => readFileSync(new URL(path.replace(/^\/demo\//, ''), folder), 'utf8')

describe('every page', () => {
  it.each(pages)('%s carries the tracker, the pixel and the way to the numbers, and points at what is there', (path) => {
    const html = read(`${path}index.html`)
    expect(html).toContain('<script async src="/footfall.js" data-site="localhost"></script>')
    expect(html).toContain('<noscript><img src="/pixel.gif?site=localhost" alt="" width="1" height="1"></noscript>')
    expect(html).toContain('<a href="/?site=localhost">')
    const own = [...html.matchAll(/(?:href|src|action)="(\/demo\/[^"]*)"/g)].map(([, target]) => target!)
    for (const target of own) expect(files, target).toContain(`${target.slice('/demo/'.length)}${target.endsWith('/') ? 'index.html' : ''}`)
  })

  it('of the single-page app is the same file, but for its title', () => {
    const app = pages.filter((path) => path.startsWith('/demo/trails/'))
    expect(app.length).toBe(5)
    const bodies = app.map((path) => read(`${path}index.html`).replace(/<title>.*<\/title>/, ''))
    expect(new Set(bodies).size).toBe(1)
    for (const path of app.filter((one) => one !== '/demo/trails/')) expect(read('trails.js')).toContain(`'${path.split('/')[3]}'`)
  })
})

describe.skipIf(browserMissing !== undefined)('in a browser', () => {
  let browser: Browser
  let server: Server
  const { path: data, remove } = aFolder()
  beforeAll(async () => {
    if (browserMissing) return
    ;[browser, server] = await Promise.all([launchBrowser(), startServer({ data, port: await freePort() })])
  })
  afterAll(async () => {
    await browser?.close()
    await server?.stop('SIGKILL')
    remove()
  })

  it.each([
    ['light', 1_440],
    ['dark', 1_440],
    ['light', 390],
    ['dark', 390],
  ] as const)('it has no barrier that axe finds, and nothing wider than the window (%s, %i)', async (colorScheme, width) => {
    const context = await aVisitor(browser, { colorScheme, viewport: { width, height: 800 } })
    const page = await context.newPage()
    for (const path of pages) {
      await page.goto(`http://localhost:${server.port}${path}`)
      await page.locator('.panel').waitFor()
      if (width < 500) await page.click('.panel summary')
      expect(await barriersIn(page), path).toEqual([])
      expect(await page.evaluate('document.documentElement.scrollWidth - innerWidth'), path).toBeLessThanOrEqual(0)
    }
    await context.close()
  })
})
