import type { Browser, BrowserContext, Page, Route } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { aVisitor, browserMissing, launchBrowser, untilIn } from '../journey/browser.ts'
import { aHome } from '../process/home.ts'
import { type Server, sumsOf, until } from '../process/server.ts'
import { startSite } from './site.ts'

/** Tracker and product together: what the query API answers is what was done in the browser. */

let browser: Browser
beforeAll(async () => {
  if (!browserMissing) browser = await launchBrowser()
})
afterAll(() => browser?.close())

type Row = { dimensions: string[]; metrics: unknown[] }
const ask = async (server: Server, site: string, metrics: string[], dimensions: string[] = []): Promise<Record<string, unknown>> => {
  const { results } = (await server.get('POST', '/api/v2/query', { site_id: site, metrics, date_range: 'day', dimensions })) as {
    results: Row[]
  }
  return Object.fromEntries(results.map((row) => [row.dimensions.join(' '), row.metrics.length === 1 ? row.metrics[0] : row.metrics]))
}

const visitor = async (options = {}): Promise<BrowserContext> => {
  const context = await aVisitor(browser, options)
  onTestFinished(() => context.close())
  return context
}

/** Complaints of a page: errors, and what its policy forbids. */
const watched = async (context: BrowserContext): Promise<{ page: Page; complaints: string[] }> => {
  const page = await context.newPage()
  const complaints: string[] = []
  page.on('pageerror', (error) => complaints.push(String(error)))
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text())
  })
  return { page, complaints }
}

/** The demo's own panel says that a hit of this name and page is counted. */
const isCounted = (page: Page, name: string, path: string, n = 1) =>
  untilIn(
    page,
    `JSON.parse(sessionStorage.getItem('demo-panel') ?? '[]').filter((hit) => hit.name === '${name}' && hit.page === '${path}' && hit.status === 202).length >= ${n}`,
  )

const toPage = async (page: Page, link: string, path: string, n = 1) => {
  await page.click(link)
  await page.waitForURL(`**${path}*`)
  await isCounted(page, 'pageview', path, n)
}

const nav = (name: string) => `nav >> text=${name}`

describe.skipIf(browserMissing !== undefined)('the demo of a new data folder', () => {
  it('counts what three visitors do, under both names of the machine, with and without JavaScript', async () => {
    const server = (await aHome()).server()
    const demo = (host: string) => `http://${host}:${server.port}/demo/`
    expect(server.said.out).toContain(demo('localhost'))

    const one = await watched(await visitor({ acceptDownloads: true }))
    await one.page.goto(demo('localhost'))
    await isCounted(one.page, 'pageview', '/demo/')
    await toPage(one.page, nav('Trails'), '/demo/trails/')
    await toPage(one.page, 'text=Harebell Loop', '/demo/trails/harebell-loop/')
    await one.page.click('text=Save this trail')
    await toPage(one.page, 'text=Next: Tarn Path', '/demo/trails/tarn-path/')
    await one.page.evaluate('history.back()')
    await isCounted(one.page, 'pageview', '/demo/trails/harebell-loop/', 2)
    expect(await one.page.textContent('h1')).toBe('Harebell Loop')
    // An address of the app can be opened by itself.
    await one.page.reload()
    await isCounted(one.page, 'pageview', '/demo/trails/harebell-loop/', 3)
    expect(await one.page.textContent('h1')).toBe('Harebell Loop')
    await toPage(one.page, nav('Packing'), '/demo/packing/')
    const download = one.page.waitForEvent('download')
    await one.page.click('text=Download the list')
    expect((await download).suggestedFilename()).toBe('packing-list.txt')
    await one.page.click('text=This list is useful')
    await isCounted(one.page, 'list_liked', '/demo/packing/')
    await toPage(one.page, nav('Stay'), '/demo/stay/')
    await one.page.fill('#nights', '3')
    expect(await one.page.textContent('#sum')).toBe('114.00')
    await toPage(one.page, 'form >> text=Book', '/demo/thanks/')
    expect(await one.page.textContent('h1')).toBe('Thank you!')
    await isCounted(one.page, 'booking', '/demo/stay/')

    const two = await watched(await visitor({ colorScheme: 'dark' }))
    await two.page
      .context()
      .route('https://www.openstreetmap.org/**', (route) => route.fulfill({ contentType: 'text/html', body: 'a map' }))
    await two.page.goto(demo('127.0.0.1'))
    await isCounted(two.page, 'pageview', '/demo/')
    await toPage(two.page, nav('About'), '/demo/about/')
    // There is no such place on a machine without a line; the page is left all the same.
    await two.page.click('text=look at a map')

    const three = await watched(await visitor({ javaScriptEnabled: false }))
    for (const path of ['', 'about/', 'trails/']) {
      const pixel = three.page.waitForResponse('**/pixel.gif*')
      await three.page.goto(demo('localhost') + path)
      expect((await pixel).status()).toBe(200)
    }
    expect(await three.page.textContent('noscript h1')).toBe('Trails')
    await one.page.goto('about:blank')

    await until('all events to be there', async () =>
      (await ask(server, 'localhost', ['events'], ['event:name']))['outbound'] ? true : undefined,
    )
    const sums = sumsOf(await server.settled('localhost'))
    expect(sums).toMatchObject({ flagged: 0, refused: 0, dead: 0, lost: 0, received: sums.counted + sums.repeated })
    expect(await ask(server, 'localhost', ['pageviews'], ['event:page'])).toEqual({
      '/demo/': 3,
      '/demo/trails/': 2,
      '/demo/trails/harebell-loop/': 3,
      '/demo/trails/tarn-path/': 1,
      '/demo/packing/': 1,
      '/demo/stay/': 1,
      '/demo/thanks/': 1,
      '/demo/about/': 2,
    })
    expect(await ask(server, 'localhost', ['events'], ['event:name'])).toEqual({
      pageview: 14,
      trail_saved: 1,
      download: 1,
      list_liked: 1,
      form: 1,
      booking: 1,
      outbound: 1,
    })
    expect(await ask(server, 'localhost', ['visitors', 'visits', 'pageviews'])).toEqual({ '': [3, 3, 14] })
    expect(await ask(server, 'localhost', ['total_revenue'])).toEqual({ '': { value: '114.00', currency: 'EUR' } })
    expect(await ask(server, 'localhost', ['events'], ['event:props:trail'])).toMatchObject({ 'harebell-loop': 1 })
    expect(await ask(server, 'localhost', ['events'], ['event:props:url'])).toMatchObject({
      'https://www.openstreetmap.org/': 1,
      [`${demo('localhost')}packing/packing-list.txt`]: 1,
      [`${demo('localhost')}thanks/`]: 1,
    })
    expect(await ask(server, 'localhost', ['pageviews'], ['event:title'])).toMatchObject({
      'Harebell Loop · Corrie & Kettle': 3,
      'Tarn Path · Corrie & Kettle': 1,
    })
    expect(await ask(server, 'localhost', ['visits'], ['visit:source'])).toEqual({ '(direct)': 3 })
    for (const { complaints } of [one, two, three]) expect(complaints).toEqual([])
  }, 120_000)

  it('says to its visitor that he is not counted, once he does not want to be', async () => {
    const server = (await aHome()).server()
    const { page, complaints } = await watched(await visitor())
    await page.goto(`http://localhost:${server.port}/demo/`)
    await isCounted(page, 'pageview', '/demo/')
    await page.click('text=Do not count me here')
    await untilIn(page, `document.querySelector('.panel p').textContent.includes('not counted')`)
    await page.click(nav('About'))
    await page.waitForURL('**/about/')
    await page.click('text=Count me again')
    await toPage(page, nav('Stay'), '/demo/stay/')
    await server.settled('localhost')
    expect(await ask(server, 'localhost', ['pageviews'], ['event:page'])).toEqual({ '/demo/': 1, '/demo/stay/': 1 })
    expect(complaints).toEqual([])
  })
})

describe.skipIf(browserMissing !== undefined)('a site on a bad line', () => {
  it('is counted to the hit, whatever breaks before or after the server has it', async () => {
    const server = (await aHome()).server()
    await server.addSite('shop.example', { hosts: ['localhost'] })
    const site = await startSite({ origin: server.url, url: () => server.url })
    onTestFinished(site.close)
    site.serve({ '/': {}, '/next': {} })
    const context = await visitor()
    const { page } = await watched(context)

    /** Of three requests one never arrives, and of another the answer is lost on the way back: the server has the hits. */
    let requests = 0
    const break_ = async (route: Route) => {
      const kind = requests++ % 3
      if (kind === 0) return route.abort('connectionreset')
      if (kind === 1) {
        await route.fetch()
        return route.abort('connectionreset')
      }
      return route.continue()
    }
    await context.route('**/api/hit', break_)
    await page.goto(site.url)
    await untilIn(page, 'typeof footfall === "function"')
    for (let i = 0; i < 5; i++) {
      await page.evaluate(`footfall('event', { revenue: { amount: '1.10', currency: 'EUR' } }); history.pushState({}, '', '/view/${i}')`)
      await until(
        'a request more',
        (
          (before) => () =>
            requests > before ? true : undefined
        )(requests),
      )
      // The line is back, as the browser says it.
      await page.evaluate(`dispatchEvent(new Event('online'))`)
    }
    await page.goto(`${site.url}/next`)
    await untilIn(page, 'typeof footfall === "function"')
    await page.evaluate(`footfall('finish')`)
    await untilIn(page, `Object.keys(localStorage).filter((key) => key.startsWith('_ff/')).length === 0`, 60_000)

    const sums = sumsOf(await server.settled('shop.example'))
    expect(sums.repeated).toBeGreaterThan(0)
    expect(sums).toMatchObject({ flagged: 0, refused: 0, received: sums.counted + sums.repeated })
    expect(await ask(server, 'shop.example', ['events'], ['event:name'])).toEqual({ pageview: 7, event: 5, finish: 1 })
    expect(await ask(server, 'shop.example', ['pageviews'], ['event:page'])).toEqual({
      '/': 1,
      ...Object.fromEntries([0, 1, 2, 3, 4].map((i) => [`/view/${i}`, 1])),
      '/next': 1,
    })
    expect(await ask(server, 'shop.example', ['visitors', 'visits'])).toEqual({ '': [1, 1] })
    expect(await ask(server, 'shop.example', ['total_revenue'])).toEqual({ '': { value: '5.50', currency: 'EUR' } })
  }, 120_000)
})
