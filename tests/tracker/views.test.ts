import { readFileSync } from 'node:fs'
import type { Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { untilIn } from '../journey/browser.ts'
import { until } from '../process/server.ts'
import { browserMissing, openWorld, setHidden, told } from './world.ts'

/** Which pages are counted, and what is said about them. */
const world = openWorld()

const push = (path: string, title?: string) =>
  `history.pushState({}, '', ${JSON.stringify(path)})${title ? `; document.title = ${JSON.stringify(title)}` : ''}`

/** Pageviews alone: path, title, and the path they came from. */
const views = () =>
  world.collector
    .counted()
    .filter(({ name }) => name === 'pageview')
    .map(({ url, title, referrer }) => [new URL(url).pathname, title, referrer ? new URL(referrer).pathname : ''])

const open = async (path = '/', page?: Page): Promise<Page> => {
  const opened = page ?? (await world.page())
  await opened.goto(world.site.url + path)
  return opened
}

describe.skipIf(browserMissing !== undefined)('a page', () => {
  it('is counted at once, with what is known of it', async () => {
    const { site, collector } = world
    site.serve({ '/': { title: 'Home' } })
    const page = await open('/?utm_source=news#part')
    const [hit] = await collector.named('pageview')
    expect(hit).toEqual({
      id: expect.stringMatching(/^[0-9a-z]{8}[0-9a-f]{32}$/),
      site: 'shop.example',
      name: 'pageview',
      url: `${site.url}/?utm_source=news`,
      referrer: '',
      title: 'Home',
      screen: '1280x800',
      language: 'en-GB',
      visitor: expect.stringMatching(/^[0-9a-f]{32}\.\d{8}$/),
      queued: expect.any(Number),
    })
    expect(hit!.queued).toBeLessThan(300)
    await world.finish(page)
    expect(collector.names()).toEqual(['pageview', 'finish'])
    // No preflight, no cookie, no type that would need one.
    expect(collector.posts()[0]!.headers).toMatchObject({ 'content-type': 'text/plain;charset=UTF-8' })
    expect(collector.posts()[0]!.headers).not.toHaveProperty('cookie')
  })

  it('says where a click came from', async () => {
    world.site.serve({ '/': { body: '<a href="/next">next</a>' }, '/next': {} })
    const page = await open()
    await page.click('a')
    await world.collector.named('pageview', 2)
    await world.finish(page)
    expect(views()).toEqual([
      ['/', 'Page /', ''],
      ['/next', 'Page /next', '/'],
    ])
  })

  it('that is reloaded is counted again', async () => {
    world.site.serve({ '/': {} })
    const page = await open()
    await page.reload()
    await world.collector.named('pageview', 2)
    await world.finish(page)
    expect(views()).toHaveLength(2)
  })

  it('with two tags, or with one that runs again, is counted once', async () => {
    const { site } = world
    site.serve({ '/': { tag: site.tag() + site.tag(), body: site.tag() } })
    const page = await open()
    await page.evaluate(`new Promise((done) => {
      const again = document.createElement('script')
      again.dataset.site = 'shop.example'
      const urls = trustedTypes.createPolicy('test', { createScriptURL: (url) => url })
      again.src = urls.createScriptURL(document.querySelector('script[data-site]').src)
      again.onload = done
      document.body.append(again)
    })`)
    await page.waitForLoadState('load')
    await world.finish(page)
    expect(told(world.collector.counted())).toEqual(['pageview /', 'finish /'])
  })

  it('whose tag names no site is left alone', async () => {
    const { site, collector } = world
    site.serve({ '/': { tag: `<script src="${collector.url()}/footfall.js"></script>` } })
    const page = await open()
    await page.waitForLoadState('load')
    expect(await page.evaluate('typeof footfall')).toBe('undefined')
    expect(collector.posts()).toEqual([])
  })

  it('that is opened in the background is counted when it is first seen', async () => {
    world.site.serve({ '/': {} })
    const page = await world.page()
    await page.addInitScript(`Object.defineProperty(document, 'hidden', { configurable: true, get: () => true })`)
    await open('/', page)
    await untilIn(page, 'typeof footfall === "function"')
    await page.evaluate('footfall("early")')
    expect(world.collector.posts()).toEqual([])
    await setHidden(page, false)
    await world.collector.named('early')
    await setHidden(page, true)
    await setHidden(page, false)
    await world.finish(page)
    expect(world.collector.names()).toEqual(['pageview', 'early', 'engagement', 'finish'])
  })

  it('that is rendered ahead of a click is counted when it is shown', async () => {
    world.site.serve({ '/': {} })
    const page = await world.page()
    await page.addInitScript(`Object.defineProperty(document, 'prerendering', { configurable: true, value: true })`)
    await open('/', page)
    await untilIn(page, 'typeof footfall === "function"')
    expect(world.collector.posts()).toEqual([])
    await page.evaluate(`
      Object.defineProperty(document, 'prerendering', { configurable: true, value: false })
      document.dispatchEvent(new Event('prerenderingchange'))`)
    await world.collector.named('pageview')
    await world.finish(page)
    expect(world.collector.names()).toEqual(['pageview', 'finish'])
  })

  it('that comes back out of the back/forward cache is counted again', async () => {
    world.site.serve({ '/': { body: '<a href="/next">next</a>' }, '/next': {} })
    const page = await world.page()
    await page.addInitScript(`addEventListener('pageshow', ({ persisted }) => { window.cameBack = persisted })`)
    await open('/', page)
    await world.collector.named('pageview')
    await page.click('a')
    await world.collector.named('pageview', 2)
    await page.evaluate('history.back()')
    await untilIn(page, 'window.cameBack')
    await world.collector.named('pageview', 3)
    await page.evaluate('history.forward()')
    await world.collector.named('pageview', 4)
    await untilIn(page, 'window.cameBack')
    // A page that is loaded takes over what frozen ones have not heard about.
    await open('/', page)
    await world.finish(page)
    expect(views().map(([path]) => path)).toEqual(['/', '/next', '/', '/next', '/'])
    expect(world.collector.counted().filter(({ name }) => name === 'engagement')).toHaveLength(4)
  })
})

describe.skipIf(browserMissing !== undefined)('a single-page app', () => {
  it('has a page for each address: push, replace, back and forward', async () => {
    world.site.serve({ '/': {} })
    const page = await open()
    await world.collector.named('pageview')
    for (const [i, step] of [
      push('/a'),
      `history.replaceState({}, '', '/b?q=1')`,
      push('/c'),
      'history.back()',
      'history.forward()',
    ].entries()) {
      await page.evaluate(step)
      await world.collector.named('pageview', i + 2)
    }
    await world.finish(page)
    expect(views().map(([path, , referrer]) => [path, referrer])).toEqual([
      ['/', ''],
      ['/a', '/'],
      ['/b', '/a'],
      ['/c', '/b'],
      ['/b', '/c'],
      ['/c', '/b'],
    ])
    expect(told(world.collector.counted()).filter((one) => one.startsWith('engagement'))).toEqual(
      ['/', '/a', '/b', '/c', '/b'].map((path) => `engagement ${path}`),
    )
  })

  it('counts no page for the same address, for a place in a page, or for state alone', async () => {
    world.site.serve({ '/': { body: '<a href="#part">part</a>' } })
    const page = await open()
    await page.evaluate(
      `history.replaceState({ a: 1 }, ''); history.pushState({ b: 1 }, '', '/'); history.pushState({}, '', '/#x'); history.pushState({}, '', '/#/route')`,
    )
    await page.click('a')
    await page.evaluate('history.back()')
    await world.finish(page)
    expect(world.collector.names()).toEqual(['pageview', 'finish'])
  })

  it('counts every page of a quick walk, each under the address and the title it had', async () => {
    world.site.serve({ '/': {} })
    const page = await open()
    await page.evaluate(`for (let i = 0; i < 10; i++) { history.pushState({}, '', '/' + i); document.title = 'Page ' + i }`)
    await world.finish(page)
    expect(views().map(([path, title]) => [path, title])).toEqual([
      ['/', 'Page /'],
      ...Array.from({ length: 10 }, (_, i) => [`/${i}`, `Page ${i}`]),
    ])
  })

  it('is named by the title that it sets after the address', async () => {
    world.site.serve({ '/': { title: 'Home' } })
    const page = await open()
    await world.collector.named('pageview')
    await page.evaluate(`${push('/a')}; setTimeout(() => { document.title = 'A'; footfall('click') })`)
    await world.collector.named('click')
    await page.evaluate(`document.title = '(3) A'; footfall('later')`)
    await world.collector.named('later')
    await page.evaluate(push('/b', 'B'))
    await world.collector.named('pageview', 3)
    await world.finish(page)
    expect(world.collector.counted().map(({ name, title }) => [name, title])).toEqual([
      ['pageview', 'Home'],
      ['engagement', 'Home'],
      ['pageview', 'A'],
      ['click', 'A'],
      ['later', 'A'],
      ['engagement', 'A'],
      ['pageview', 'B'],
      ['finish', 'B'],
    ])
  })

  it('that routes by hash has a page for each route where the tag says so', async () => {
    const { site } = world
    site.serve({ '/app': { tag: site.tag('data-routing="hash"') } })
    const page = await open('/app')
    await world.collector.named('pageview')
    for (const step of [`location.hash = '#/list?sort=up'`, `location.hash = '#!/one'`, `location.hash = '#part'`, 'history.go(-2)'])
      await page.evaluate(step)
    await world.collector.named('pageview', 4)
    await world.finish(page)
    const urls = world.collector.counted().filter(({ name }) => name === 'pageview')
    expect(urls.map(({ url }) => url.slice(site.url.length))).toEqual([
      '/app',
      '/app%23/list?sort=up',
      '/app%23!/one',
      // A hash that is no route is a place in the page without one.
      '/app',
      '/app%23/list?sort=up',
    ])
  })

  it('goes on where the page has frozen its history functions', async () => {
    world.site.serve({ '/': { script: `Object.freeze(history)`, body: '<button data-footfall-event="click">x</button>' } })
    const page = await open()
    await world.collector.named('pageview')
    await page.evaluate(push('/a'))
    await page.click('button')
    await world.finish(page)
    expect(told(world.collector.counted())).toEqual(['pageview /', 'click /', 'finish /'])
  })

  it('gets what its own history functions answer and throw', async () => {
    world.site.serve({ '/': {} })
    const page = await open()
    await world.collector.named('pageview')
    const thrown = await page.evaluate(`try { history.pushState({}, '', 'https://elsewhere.example/'); '' } catch (error) { error.name }`)
    expect(thrown).toBe('SecurityError')
    await world.finish(page)
    expect(world.collector.names()).toEqual(['pageview', 'finish'])
  })
})

describe.skipIf(browserMissing !== undefined)('without JavaScript', () => {
  it('the pixel of the documentation counts the page it stands on', async () => {
    const { site, collector } = world
    const documented = /<noscript>.*<\/noscript>/.exec(readFileSync(new URL('../../docs/tracker.md', import.meta.url), 'utf8'))![0]
    site.serve({ '/some/page': { body: documented.replace('https://stats.example.com', collector.url()) } })
    const page = await world.page(await world.visitor({ javaScriptEnabled: false }))
    await open('/some/page', page)
    await until('the pixel', () => (collector.pixels().length > 0 ? true : undefined))
    expect(collector.pixels()).toEqual([{ query: '?site=example.com', referer: `${site.url}/some/page` }])
    expect(collector.posts()).toEqual([])
  })
})
