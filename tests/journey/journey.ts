import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Server, sumsOf, until } from '../process/server.ts'
import { aVisitor, launchBrowser } from './browser.ts'

/** What the journey leads through: an installation that knows the site `localhost` and has the demo, with no hit yet. */
export type Home = Pick<Server, 'port' | 'get' | 'settled'>

/**
 * The whole way, as its users go it: an owner has the page open, visitors walk through the demo in browsers of their own, and the page
 * shows what they did. The numbers are written down here by hand, beside the steps. How long they took to appear is printed.
 */
export const journey = (home: () => Home): void => {
  let browser: Browser
  let owner: Page
  const complaints: string[] = []

  beforeAll(async () => {
    browser = await launchBrowser()
    owner = await (await aVisitor(browser)).newPage()
    owner.on('console', (message) => message.type() === 'error' && complaints.push(message.text()))
    owner.on('pageerror', (error) => complaints.push(error.message))
    await owner.goto((await home().get('POST', '/api/links')).url)
    await owner.goto(new URL('/?site=localhost', owner.url()).href)
  }, 60_000)

  afterAll(() => browser?.close())

  const demo = (path = '') => `http://localhost:${home().port}/demo/${path}`
  const visitor = async (options = {}): Promise<Page> => {
    const page = await (await aVisitor(browser, options)).newPage()
    page.on('pageerror', (error) => complaints.push(error.message))
    return page
  }
  /** Every hit that the page sent has its answer: the demo's panel says so. */
  const allCounted = (page: Page) =>
    until('every hit to be counted', async () => {
      const lines = await page.locator('.panel li').allInnerTexts()
      return lines.length > 0 && lines.every((line) => /counted/.test(line)) ? true : undefined
    })

  const card = async (name: string): Promise<string> =>
    (await owner.locator('.card', { hasText: name }).first().locator('.card-value').textContent()) ?? ''
  /** Waits for a card to say so, and tells how long that took. */
  const shows = async (name: string, value: string): Promise<number> => {
    const begin = performance.now()
    await until(`the card ${name} to say ${value}`, async () => ((await card(name)) === value ? true : undefined))
    return performance.now() - begin
  }
  const rowsOf = (panel: string): Promise<string[][]> =>
    owner
      .locator(`.panel.${panel} tbody tr`)
      .evaluateAll((rows) => rows.map((row) => [row.querySelector('.name')?.textContent ?? '', row.querySelector('td')?.textContent ?? '']))
  const rows = (panel: string, expected: string[][]) =>
    expect.poll(async () => (await rowsOf(panel)).sort(), { timeout: 15_000 }).toEqual(expected.sort())

  let first: Page
  /** A second visitor, in a browser of his own. */
  let second: Page

  test('begins with a page that waits for the first hit', async () => {
    await owner.getByText('Waiting for the first hit').waitFor()
    expect(await owner.getByRole('link', { name: 'demo site' }).getAttribute('href')).toBe('/demo/')
    expect(await owner.locator('code', { hasText: 'data-site="localhost"' }).count()).toBeGreaterThan(0)
  })

  test('a click on the demo is on the page', async () => {
    first = await visitor()
    await first.goto(demo())
    await allCounted(first)
    const begin = performance.now()
    await owner.locator('.card').first().waitFor()
    await shows('Visitors', '1')
    console.log(`the first hit was on the page ${Math.round(performance.now() - begin)} ms after its answer`)
    await shows('Pageviews', '1')
    await rows('pages', [['/demo/', '1']])
  })

  test('so is everything else somebody does there', async () => {
    await first.getByRole('link', { name: 'Find a trail' }).click() // 2
    await first.getByRole('link', { name: 'Harebell Loop' }).click() // 3, in the page
    await first.getByRole('button', { name: 'Save this trail' }).click() // trail_saved
    await first.goBack() // 4, in the page
    await first.getByRole('heading', { name: 'Trails', exact: true }).waitFor()
    await first.getByRole('link', { name: 'Packing', exact: true }).click() // 5
    await first.getByRole('button', { name: 'This list is useful' }).click() // list_liked
    const download = first.waitForEvent('download')
    await first.getByRole('link', { name: 'Download the list' }).click() // download
    await download
    await first.getByRole('link', { name: 'Stay', exact: true }).click() // 6
    await first.getByRole('button', { name: 'Book' }).click() // form, booking; 7
    await first.waitForURL(/thanks/)
    await allCounted(first)
    const tookMs = await shows('Pageviews', '7')
    console.log(`the last of them ${Math.round(tookMs)} ms after its answer`)
    expect(await card('Visitors')).toBe('1')
    expect(await card('Visits')).toBe('1')
    await rows('events', [
      ['booking', '1'],
      ['download', '1'],
      ['form', '1'],
      ['list_liked', '1'],
      ['trail_saved', '1'],
    ])
    await rows('pages', [
      ['/demo/', '1'],
      ['/demo/packing/', '1'],
      ['/demo/stay/', '1'],
      ['/demo/thanks/', '1'],
      ['/demo/trails/', '1'],
      ['/demo/trails/harebell-loop/', '1'],
    ])
    expect(await owner.locator('.just-now li').count()).toBe(9)
  })

  test('a second visitor is a second, and the one who comes back is not a third', async () => {
    second = await visitor({ colorScheme: 'dark' })
    await second.goto(demo('about/'), { referer: 'https://www.google.com/' })
    await allCounted(second)
    await first.goto(demo())
    await allCounted(first)
    await shows('Visitors', '2')
    await shows('Pageviews', '9')
    await shows('Visits', '2')
    await rows('sources', [
      ['Direct', '1'],
      ['Organic Search', '1'],
    ])
  })

  test('somebody without JavaScript is counted by the pixel, too', async () => {
    const plain = await visitor({ javaScriptEnabled: false })
    await plain.goto(demo('packing/'))
    await shows('Visitors', '3')
    await shows('Pageviews', '10')
  })

  test('leaving says how long a page was in front', async () => {
    await second.close({ runBeforeUnload: true })
    await first.close({ runBeforeUnload: true })
    await until('foreground time', async () => {
      const { results } = await home().get('POST', '/api/v2/query', {
        site_id: 'localhost',
        metrics: ['time_on_page', 'scroll_depth'],
        date_range: 'day',
      })
      return results[0].metrics[1] > 0 ? true : undefined
    })
  })

  test('the ledger balances, and nothing was counted twice', async () => {
    const ledger = await home().settled('localhost')
    const sums = sumsOf(ledger)
    expect(ledger.balanced).toBe(true)
    // What a page sent while it was left has no answer that it could read: the next page sends it again, and it is counted once.
    console.log(`${sums.repeated} hits were sent again, ${sums.counted} counted`)
    expect([sums.refused, sums.dead, sums.lost, sums.flagged]).toEqual([0, 0, 0, 0])
    const { results } = await home().get('POST', '/api/v2/query', {
      ...{ site_id: 'localhost', metrics: ['pageviews', 'events', 'visitors', 'visits'], date_range: 'day' },
    })
    expect(results).toEqual([{ dimensions: [], metrics: [10, 15, 3, 3] }])
    expect(complaints).toEqual([])
  })
}
