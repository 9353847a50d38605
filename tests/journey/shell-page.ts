import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll } from 'vitest'
import { aFolder, freePort, type Server, startServer, until } from '../process/server.ts'
import { aVisitor, launchBrowser } from './browser.ts'

/** The page in a real browser, over the real product with a few hits that are known: what the tests of its shell have in common. */

export const site = 'example.com'
const hourMs = 3_600_000

/** A zone where it is about noon, so that "today" and "yesterday" have room for hits whenever this runs. */
const noonZone = (): string => {
  const ahead = 12 - new Date().getUTCHours()
  return ahead === 0 ? 'UTC' : `Etc/GMT${ahead > 0 ? '-' : '+'}${Math.abs(ahead)}`
}

export const person = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'
const robot = 'Googlebot/2.1 (+http://www.google.com/bot.html)'

/** Values that have broken other pages. */
export const hostile = [
  '"><img src=x onerror=alert(1)>',
  'javascript:alert(1)',
  '__proto__',
  '\u202edeliver\u202c',
  '\u200bzero\u200bwidth',
]

type Sent = { page: string; visitor: string; hoursAgo: number; agent?: string; title?: string }
const sent: Sent[] = [
  { page: '/', visitor: 'visitor-a', hoursAgo: 2 },
  { page: '/docs', visitor: 'visitor-a', hoursAgo: 2 },
  { page: '/docs', visitor: 'visitor-b', hoursAgo: 1 },
  { page: '/pricing', visitor: 'visitor-c', hoursAgo: 1 },
  { page: '/', visitor: 'visitor-r', hoursAgo: 1, agent: robot },
  { page: '/docs', visitor: 'visitor-d', hoursAgo: 24 },
  { page: '/', visitor: 'visitor-e', hoursAgo: 48 },
  ...hostile.map((title, i) => ({ page: '/hostile', visitor: `visitor-h${i}`, hoursAgo: 49, title })),
]

const hitOf = ({ page, visitor, hoursAgo, agent = person, title = '' }: Sent, i: number) => ({
  site,
  id: `shell-test-${String(i).padStart(20, '0')}`,
  url: `https://${site}${page}`,
  visitor,
  agent,
  title,
  address: '192.0.2.7',
  time: Date.now() - hoursAgo * hourMs,
})

/** Starts product and browser for the tests of a file, and ends both; answers what they do with them. */
export const beginShell = () => {
  const folder = aFolder()
  let server: Server
  let browser: Browser
  const contexts: BrowserContext[] = []

  beforeAll(async () => {
    server = await startServer({ data: folder.path, port: await freePort() })
    browser = await launchBrowser()
    await server.addSite(site, { timezone: noonZone() })
    const hits = sent.map(hitOf)
    await server.ask('POST', '/api/hit', { hits })
    await server.settled(site)
  }, 60_000)

  afterEach(async () => {
    await Promise.all(contexts.splice(0).map((context) => context.close()))
  })
  afterAll(async () => {
    await browser?.close()
    await server?.stop()
    folder.remove()
  })

  const link = async (): Promise<string> => (await server.get('POST', '/api/links')).url as string
  const base = () => `http://localhost:${server.port}`

  /** What a page must never do, and how one finds out. */
  const watched = async (context: BrowserContext): Promise<{ page: Page; violations: string[] }> => {
    const page = await context.newPage()
    const violations: string[] = []
    page.on('console', (message) => {
      if (/Content Security Policy|Trusted/i.test(message.text())) violations.push(message.text())
    })
    page.on('pageerror', (error) => violations.push(error.message))
    page.on('dialog', (dialog) => {
      violations.push(`dialog: ${dialog.message()}`)
      void dialog.dismiss()
    })
    return { page, violations }
  }

  const aContext = async (options: Parameters<typeof aVisitor>[1] = {}): Promise<BrowserContext> => {
    const context = await aVisitor(browser, options)
    contexts.push(context)
    return context
  }

  /** A page of somebody who is signed in, at an address. */
  const opened = async (search = '', options: Parameters<typeof aVisitor>[1] = {}) => {
    const context = await aContext(options)
    const { page, violations } = await watched(context)
    await page.goto(await link())
    await page.goto(`${base()}/${search}`)
    await page.locator('.top-bar').waitFor()
    return { context, page, violations }
  }

  const card = (page: Page, label: string) => page.locator('.card', { has: page.getByText(label, { exact: true }) })
  const cardValue = (page: Page, label: string) => card(page, label).locator('.card-value')
  /** Waits until a card shows a text. */
  const cardShows = (page: Page, label: string, text: string) =>
    until(`${label} to be ${text}`, async () => ((await cardValue(page, label).textContent()) === text ? true : undefined))
  const searchIs = (page: Page, search: string) => page.waitForURL(`${base()}/${search}`)
  const focused = (page: Page) =>
    page.evaluate(() => document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.textContent)

  return {
    /** The running product; only within a test. */
    server: () => server,
    opened,
    card,
    cardValue,
    cardShows,
    searchIs,
    focused,
    link,
    base,
    watched,
    aContext,
  }
}
