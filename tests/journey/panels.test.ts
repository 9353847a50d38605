import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { aFolder, freePort, type Server, startServer, until } from '../process/server.ts'
import { barriersIn } from './axe.ts'
import { aVisitor, browserMissing, launchBrowser } from './browser.ts'

/** The panels in a real browser over the real product: what they show is what was sent, and every row filters the whole page. */
const folder = aFolder()
const site = 'example.com'
let server: Server
let browser: Browser
let page: Page
/** What the browser had to say that nobody should hear: errors, and what the page's policy stopped. */
const complaints: string[] = []

const chrome = 'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36'
const firefox = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'
/** An address in Germany, and one in the United States. */
const addresses = { DE: '193.99.144.80', US: '8.8.8.8' } as const

const hostile = '"><img src=x onerror="document.title=1">'

type Visit = {
  visitor: string
  country: keyof typeof addresses
  agent?: string
  referrer?: string
  pages: string[]
  events?: Record<string, unknown>[]
}
const visits: Visit[] = [
  {
    visitor: 'anna-00000001',
    country: 'DE',
    pages: ['/', '/docs'],
    referrer: 'https://www.google.com/',
    events: [{ name: 'signup', props: { plan: 'pro', [hostile]: hostile } }],
  },
  {
    visitor: 'bert-00000002',
    country: 'DE',
    agent: firefox,
    pages: ['/'],
    referrer: 'https://news.ycombinator.com/',
    events: [{ name: 'signup', props: { plan: 'free' } }],
  },
  { visitor: 'cleo-00000003', country: 'US', pages: ['/', '/docs', '/pricing'] },
  {
    visitor: 'dana-00000004',
    country: 'US',
    pages: ['/javascript:alert(1)', '/__proto__', `/${encodeURIComponent(hostile)}`],
    events: [{ name: hostile }],
  },
  // Sixty pages more, each seen once: more than a page of the details.
  { visitor: 'eve-000000005', country: 'US', pages: Array.from({ length: 60 }, (_, i) => `/archive/${String(i).padStart(2, '0')}`) },
]

const hitsOf = ({ visitor, country, agent = chrome, referrer, pages, events = [] }: Visit) => {
  const who = { site, visitor, address: addresses[country], agent }
  const seen = pages.map((path, i) => ({
    ...who,
    url: `https://${site}${path}`,
    title: `${path} of ${hostile}`,
    referrer: i === 0 ? referrer : undefined,
  }))
  return [...seen, ...events.map((event) => ({ ...seen.at(-1), ...event }))]
}

beforeAll(async () => {
  if (browserMissing) return
  server = await startServer({ data: folder.path, port: await freePort() })
  await server.addSite(site)
  await server.get('POST', '/api/hit', { hits: visits.flatMap(hitsOf) })
  await server.settled(site)
  browser = await launchBrowser()
  const context = await aVisitor(browser)
  page = await context.newPage()
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()))
  page.on('pageerror', (error) => complaints.push(error.message))
  const { url } = await server.get('POST', '/api/links')
  await page.goto(url.replace('localhost', '127.0.0.1'))
})

afterAll(async () => {
  await browser?.close()
  await server?.stop()
  folder.remove()
})

beforeEach(({ skip }) => {
  if (browserMissing) skip(browserMissing)
})

const open = async (query: string): Promise<void> => {
  await page.goto(`${server.url}/?site=${site}&compare=off${query}`)
  await settled()
}
/** Nothing is being asked, and what is shown is of this question. */
const settled = async (): Promise<void> => {
  await page.locator('.panels').waitFor()
  await until('all answers', async () => ((await page.locator('.panels .skeleton, .panels .old').count()) === 0 ? true : undefined))
}
const panel = (name: string) => page.locator(`.panel.${name}`)

/** Rows of a table as [name, value, …]. */
const rowsOf = (scope: string): Promise<string[][]> =>
  page.locator(`${scope} tbody tr`).evaluateAll((rows) =>
    rows.map((row) => {
      const name = row.querySelector('.name')?.textContent ?? ''
      return [name, ...[...row.querySelectorAll('td')].map((cell) => cell.textContent ?? '')]
    }),
  )
const visitorsOnCard = () => page.locator('.card.shown .card-value')
const filters = () => new URL(page.url()).searchParams.get('f') ?? ''

describe('rows', () => {
  test('show what was sent', async () => {
    await open('')
    expect(await rowsOf('.panel.pages')).toEqual(
      expect.arrayContaining([
        ['/', '3'],
        ['/docs', '2'],
      ]),
    )
    expect(await rowsOf('.panel.technology')).toEqual([
      ['Chrome', '4'],
      ['Firefox', '1'],
    ])
    expect((await rowsOf('.panel.sources')).sort()).toEqual([
      ['Direct', '3'],
      ['Organic Search', '1'],
      ['Organic Social', '1'],
    ])
    expect((await rowsOf('.panel.events')).sort()).toEqual(
      [
        [hostile, '1'],
        ['signup', '2'],
      ].sort(),
    )
  })

  test('filter the whole page by a click, and no longer by a second', async () => {
    await open('')
    await panel('technology').getByRole('button', { name: 'Firefox', exact: true }).click()
    await page.waitForURL(/f=browser:Firefox/)
    await settled()
    expect(await rowsOf('.panel.pages')).toEqual([['/', '1']])
    await expect.poll(() => visitorsOnCard().textContent()).toBe('1')
    // The versions of the browser that is picked take the place of the browsers.
    expect(await rowsOf('.panel.technology')).toEqual([['140', '1']])
    await page.goBack()
    await settled()
    expect(filters()).toBe('')
    expect((await rowsOf('.panel.technology')).length).toBe(2)
    const row = panel('sources').getByRole('button', { name: 'Direct', exact: true })
    await row.click()
    await expect.poll(filters).toBe('channel:Direct')
    expect(await row.getAttribute('aria-pressed')).toBe('true')
    await row.click()
    await expect.poll(filters).toBe('')
  })

  test('are left out by their second button', async () => {
    await open('')
    const row = panel('pages').locator('tbody tr', { hasText: '/docs' })
    await row.hover()
    await row.getByRole('button', { name: 'Leave out /docs' }).click()
    await expect.poll(filters).toBe('!page:/docs')
    await settled()
    expect((await rowsOf('.panel.pages')).map(([name]) => name)).not.toContain('/docs')
  })

  test('that visitors made up act on nothing, as filters too', async () => {
    await open(`&pages=title&events=prop&prop=${encodeURIComponent(hostile)}`)
    expect(await rowsOf('.panel.events')).toEqual([[hostile, '1']])
    await panel('events').getByRole('button', { name: hostile, exact: true }).click()
    await page.waitForURL(/f=prop/)
    await settled()
    expect((await rowsOf('.panel.pages'))[0]![0]).toContain(hostile)
    await open(`&f=${encodeURIComponent('page:"/__proto__"')}`)
    expect(await rowsOf('.panel.pages')).toEqual([['/__proto__', '1']])
    await open(`&f=${encodeURIComponent('page:/javascript:alert(1)')}`)
    expect(await rowsOf('.panel.pages')).toEqual([['/javascript:alert(1)', '1']])
    expect(await page.locator('img[src="x"]').count()).toBe(0)
    expect(await page.title()).not.toBe('1')
  })
})

describe('tabs', () => {
  test('are one stop of the keyboard, and arrows go between them', async () => {
    await open('')
    await panel('pages').getByRole('tab', { name: 'Top' }).focus()
    await page.keyboard.press('ArrowRight')
    await page.waitForURL(/pages=entry/)
    expect(await panel('pages').getByRole('tab', { name: 'Entry' }).getAttribute('aria-selected')).toBe('true')
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Entry')
    // Left of the first is the last; and the arrows move tabs here, not the period.
    await page.keyboard.press('ArrowLeft')
    await page.keyboard.press('ArrowLeft')
    await page.waitForURL(/pages=host/)
    expect(page.url()).not.toContain('period=')
    await settled()
    expect(await rowsOf('.panel.pages')).toEqual([[site, '5']])
  })

  test('of properties show the values of one of them', async () => {
    await open('&events=prop&prop=plan')
    expect((await rowsOf('.panel.events')).sort()).toEqual([
      ['free', '1'],
      ['pro', '1'],
    ])
  })
})

describe('the map', () => {
  test('knows how many came from where, and picks a country', async () => {
    await open('')
    await page.waitForSelector('.map')
    await page.locator('.map path', { has: page.locator('title', { hasText: 'Germany: 2 visitors' }) }).click()
    await page.waitForURL(/f=country:DE/)
    await settled()
    expect(await rowsOf('.panel.places')).toEqual([['Germany', '2']])
    expect(await page.locator('.map .picked').count()).toBe(1)
  })
})

describe('details', () => {
  test('hold all rows, in pages, found by a search, ordered by any column', async () => {
    await open('')
    await panel('pages')
      .getByRole('button', { name: /^Details/ })
      .click()
    const dialog = page.getByRole('dialog', { name: /Pages/ })
    await dialog.getByText('1–50 of 66').waitFor()
    await dialog.getByRole('button', { name: /Next/ }).click()
    await dialog.getByText('51–66 of 66').waitFor()
    await settled()
    expect((await rowsOf('dialog')).length).toBe(16)
    await dialog.getByRole('searchbox').fill('ARCHIVE/0')
    await dialog.getByText('1–10 of 10').waitFor()
    await dialog.getByRole('searchbox').fill('no such page')
    await dialog.getByText('Nothing has “no such page” in it.').waitFor()
    await dialog.getByRole('searchbox').fill('')
    await dialog.getByText('1–50 of 66').waitFor()
    await dialog.getByRole('button', { name: 'Visitors', exact: true }).click()
    await expect.poll(async () => (await rowsOf('dialog'))[0]![1]).toBe('1')
  })

  test('are closed by Esc, the way back is the browser’s, and a row in them filters', async () => {
    await open('&detail=technology')
    const dialog = page.getByRole('dialog', { name: /Technology/ })
    await dialog.getByRole('button', { name: 'Firefox', exact: true }).waitFor()
    await page.keyboard.press('Escape')
    await dialog.waitFor({ state: 'detached' })
    // The browser closes it first and tells the page then.
    await expect.poll(() => page.url()).not.toContain('detail')
    await page.goBack()
    await dialog.getByRole('button', { name: 'Firefox', exact: true }).click()
    await expect.poll(filters).toBe('browser:Firefox')
    await dialog.waitFor({ state: 'detached' })
  })
})

describe('for everybody', () => {
  test.each(['light', 'dark'] as const)('axe has nothing to say about panels and details, %s', async (colorScheme) => {
    await page.emulateMedia({ colorScheme })
    await open('&compare=previous')
    expect(await barriersIn(page)).toEqual([])
    await open('&events=prop&prop=plan&places=country&detail=pages')
    await page.getByRole('dialog').getByText('of 66').waitFor()
    await settled()
    expect(await barriersIn(page)).toEqual([])
  })

  test('nothing was complained of', () => {
    expect(complaints).toEqual([])
  })
})
