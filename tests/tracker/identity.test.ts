import type { BrowserContext, Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { firstDayOf } from '#shared/hit/identity.ts'
import { untilIn } from '../journey/browser.ts'
import { until } from '../process/server.ts'
import { browserMissing, openWorld, waitingIn } from './world.ts'

/** Who a browser is, and whether it wants to be counted at all. */
const world = openWorld()

const open = async (context: BrowserContext, url = world.site.url): Promise<Page> => {
  const page = await context.newPage()
  await page.goto(url)
  return page
}

const cookieOf = async (context: BrowserContext) => (await context.cookies()).find(({ name }) => name === '_ff')
const daysMs = 86_400_000

describe.skipIf(browserMissing !== undefined)('the cookie', () => {
  it('is set once, for 13 months, and is the visitor of every hit', async () => {
    world.site.serve({ '/': {} })
    const context = await world.visitor()
    const page = await open(context)
    const visitor = (await world.collector.named('pageview'))[0]!.visitor!
    const cookie = (await cookieOf(context))!
    expect(cookie).toMatchObject({ value: visitor, path: '/', sameSite: 'Lax', secure: false, httpOnly: false })
    const months = (cookie.expires * 1_000 - Date.now()) / daysMs
    expect(months).toBeGreaterThan(394.9)
    expect(months).toBeLessThanOrEqual(395)
    const now = new Date()
    expect(firstDayOf(visitor)).toBe(now.getFullYear() * 10_000 + (now.getMonth() + 1) * 100 + now.getDate())
    await page.reload()
    await world.finish(page)
    expect(new Set(world.collector.counted().map((hit) => hit.visitor))).toEqual(new Set([visitor]))
    // Not renewed: 13 months are 13 months.
    expect((await cookieOf(context))!.expires).toBe(cookie.expires)
  })

  it('is for secure lines alone where the site has one', async () => {
    const context = await world.visitor({ ignoreHTTPSErrors: true })
    const page = await context.newPage()
    const secure = 'https://shop.example'
    // The browser believes the site to be https; hits go to the same origin, which the test answers.
    let sent = ''
    await page.route(`${secure}/**`, async (route) => {
      const { pathname } = new URL(route.request().url())
      if (pathname === '/api/hit') sent = route.request().postData()!
      if (pathname === '/footfall.js')
        return route.fulfill({ contentType: 'text/javascript', body: await (await fetch(`${world.collector.url()}/footfall.js`)).text() })
      return route.fulfill({ contentType: 'text/html', body: '<script async src="/footfall.js" data-site="shop.example"></script>' })
    })
    await page.goto(secure)
    await untilIn(page, 'document.cookie.includes("_ff=")')
    expect(await cookieOf(context)).toMatchObject({ secure: true, domain: '.shop.example' })
    await until('the hit', () => sent || undefined)
    expect(JSON.parse(sent)).toMatchObject({ hits: [{ name: 'pageview', url: `${secure}/` }] })
  })

  it.each([
    ['www.shop.example', '.shop.example'],
    ['a.b.shop.example', '.shop.example'],
    ['shop.example', '.shop.example'],
    ['www.shop.example.com', '.example.com'],
    ['www.shop.example.co.uk', '.example.co.uk'],
    ['127.0.0.1', '127.0.0.1'],
    ['localhost', 'localhost'],
  ])('of %s is set for %s, the widest that takes it', async (host, domain) => {
    world.site.serve({ '/': {} })
    const context = await world.visitor()
    const page = await open(context, `http://${host}:${world.site.port}`)
    const [hit] = await world.collector.named('pageview')
    const cookies = (await context.cookies()).filter(({ name }) => name === '_ff')
    expect(cookies.map((cookie) => [cookie.domain, cookie.value])).toEqual([[domain, hit!.visitor]])
    await world.finish(page)
  })

  it('is shared by the hosts of a site', async () => {
    world.site.serve({ '/': {} })
    const context = await world.visitor()
    await open(context, `http://www.shop.example:${world.site.port}`)
    await world.collector.named('pageview')
    await open(context, `http://help.shop.example:${world.site.port}`)
    const hits = await world.collector.named('pageview', 2)
    expect(new Set(hits.map(({ visitor }) => visitor)).size).toBe(1)
  })

  it('that somebody has spoilt is replaced by one that can be used', async () => {
    world.site.serve({ '/': {} })
    const context = await world.visitor()
    await context.addCookies([{ name: '_ff', value: 'short', url: world.site.url }])
    await open(context)
    expect((await world.collector.named('pageview'))[0]!.visitor).toMatch(/^[0-9a-f]{32}\.\d{8}$/)
  })

  it.each(['switched off', 'refused', 'forbidden'])('that is %s leaves hits without a visitor', async (how) => {
    world.site.serve({ '/': {} })
    const context = await world.visitor()
    const page = await context.newPage()
    if (how === 'switched off')
      await (await context.newCDPSession(page)).send('Emulation.setDocumentCookieDisabled' as never, { disabled: true } as never)
    if (how === 'refused') await page.addInitScript(`Object.defineProperty(document, 'cookie', { get: () => '', set() {} })`)
    if (how === 'forbidden')
      await page.addInitScript(`Object.defineProperty(document, 'cookie', {
        get() { throw new DOMException('no', 'SecurityError') }, set() { throw new DOMException('no', 'SecurityError') } })`)
    await page.goto(world.site.url)
    await world.finish(page)
    expect(world.collector.counted().map((hit) => [hit.name, hit.visitor])).toEqual([
      ['pageview', undefined],
      ['finish', undefined],
    ])
  })

  it('of a cookieless site is not set, and one from before is not read', async () => {
    const { site } = world
    site.serve({ '/': { tag: site.tag('data-identity="cookieless"') } })
    const context = await world.visitor()
    const page = await context.newPage()
    await page.addInitScript(`
      const { get, set } = Object.getOwnPropertyDescriptor(Document.prototype, 'cookie')
      window.touched = 0
      Object.defineProperty(document, 'cookie', { get() { touched++; return get.call(this) }, set(value) { touched++; set.call(this, value) } })`)
    await page.goto(site.url)
    await world.finish(page)
    await page.goto(`${site.url}/#footfall-off`)
    expect(await page.evaluate('touched')).toBe(0)
    expect(await context.cookies()).toEqual([])
    expect(JSON.stringify(world.collector.posts())).not.toContain('visitor')
    expect(world.collector.names()).toEqual(['pageview', 'finish'])
  })
})

describe.skipIf(browserMissing !== undefined)('who does not want to be counted', () => {
  const everything = `footfall('event'); history.pushState({}, '', '/a'); document.querySelector('a').click()`
  const body = '<a href="https://elsewhere.example/" data-footfall-event="own">x</a>'
  const script = `addEventListener('click', (event) => event.preventDefault())`

  it('says so with an address, is not counted from then on, keeps nothing, and may come back', async () => {
    world.site.serve({ '/': { body, script } })
    const context = await world.visitor()
    const page = await open(context)
    await world.collector.named('pageview')
    await page.evaluate(`location.hash = '#footfall-off'`)
    await untilIn(page, 'document.cookie === ""')
    await page.evaluate(everything)
    await page.goto(`${world.site.url}/?again`)
    await untilIn(page, 'typeof footfall === "function"')
    await page.evaluate(everything)
    expect(await cookieOf(context)).toBeUndefined()
    expect(await page.evaluate('Object.keys(localStorage)')).toEqual(['_ff_off'])
    await page.goto(`${world.site.url}/?third#footfall-on`)
    await world.collector.named('pageview', 2)
    await world.finish(page)
    expect(world.collector.counted().map(({ name, url }) => [name, new URL(url).search])).toEqual([
      ['pageview', ''],
      ['pageview', '?third'],
      ['finish', '?third'],
    ])
    expect(await page.evaluate('Object.keys(localStorage)')).toEqual([])
  })

  it('takes back also what waits to be sent', async () => {
    world.site.serve({ '/': {} })
    world.collector.willAlwaysAnswer(503)
    const page = await open(await world.visitor())
    await world.collector.posted(1)
    expect(await waitingIn(page)).toBe(1)
    await page.evaluate(`location.hash = '#footfall-off'`)
    await untilIn(page, 'localStorage.length === 1')
    expect(await page.evaluate('Object.keys(localStorage)')).toEqual(['_ff_off'])
  })

  const signals: [signal: string, init: string, respect: string, isCounted: boolean][] = [
    ['Do Not Track', `Object.defineProperty(Navigator.prototype, 'doNotTrack', { get: () => '1' })`, 'dnt', false],
    ['Do Not Track', `Object.defineProperty(Navigator.prototype, 'doNotTrack', { get: () => '1' })`, 'dnt gpc', false],
    ['Do Not Track', `Object.defineProperty(Navigator.prototype, 'doNotTrack', { get: () => '1' })`, 'gpc', true],
    ['Do Not Track', `Object.defineProperty(Navigator.prototype, 'doNotTrack', { get: () => '1' })`, '', true],
    ['no Do Not Track', `Object.defineProperty(Navigator.prototype, 'doNotTrack', { get: () => '0' })`, 'dnt gpc', true],
    ['Global Privacy Control', `Object.defineProperty(Navigator.prototype, 'globalPrivacyControl', { get: () => true })`, 'gpc', false],
    ['Global Privacy Control', `Object.defineProperty(Navigator.prototype, 'globalPrivacyControl', { get: () => true })`, '', true],
    ['no signal', '', 'dnt gpc', true],
  ]
  it.each(signals)('%s (%#), where the tag says "%3$s"', async (_signal, init, respect, isCounted) => {
    const { site, collector } = world
    site.serve({ '/': { body, script, tag: respect ? site.tag(`data-respect="${respect}"`) : site.tag() } })
    const context = await world.visitor()
    const page = await context.newPage()
    await page.addInitScript(init)
    await page.goto(site.url)
    await untilIn(page, 'typeof footfall === "function"')
    if (isCounted) {
      await world.finish(page)
      return
    }
    await page.evaluate(everything)
    await page.goto(`${site.url}/?again`)
    await untilIn(page, 'typeof footfall === "function"')
    expect([collector.posts(), await context.cookies(), await page.evaluate('Object.keys(localStorage)')]).toEqual([[], [], []])
  })
})
