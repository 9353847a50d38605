import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest'
import { aVisitor, browserMissing, launchBrowser } from '../journey/browser.ts'
import { until } from '../process/server.ts'
import { type Collector, type SentHit, type Site, startCollector, startSite } from './site.ts'

/** A browser, a site and a collector for the tests of one file; after each test nothing may have gone wrong in any page. */

export type World = {
  site: Site
  collector: Collector
  visitor(options?: BrowserContextOptions): Promise<BrowserContext>
  /** A page of a new visitor, or of this one. */
  page(context?: BrowserContext): Promise<Page>
  /** A last event, once all that was sent is answered: what was to come is there, and what is there is all. */
  finish(page: Page): Promise<void>
}

export { browserMissing }

export const openWorld = (): World => {
  let browser: Browser
  let contexts: BrowserContext[] = []
  const complaints: string[] = []
  const world = {} as World

  const watch = (page: Page): Page => {
    page.on('pageerror', (error) => complaints.push(String(error)))
    page.on('console', (message) => {
      // The browser itself reports requests that the test has made fail.
      const isExpected = /^Failed to load resource|net::ERR_|CORS policy/.test(message.text())
      if (['error', 'warning'].includes(message.type()) && !isExpected) complaints.push(message.text())
    })
    return page
  }

  beforeAll(async () => {
    if (browserMissing) return
    browser = await launchBrowser()
    world.collector = await startCollector()
    world.site = await startSite(world.collector)
  })
  afterAll(async () => {
    if (browserMissing) return
    await browser.close()
    await Promise.all([world.collector.close(), world.site.close()])
  })
  beforeEach(() => {
    contexts = []
    complaints.length = 0
    world.collector?.reset()
  })
  afterEach(async () => {
    await Promise.all(contexts.map((context) => context.close()))
    expect(complaints).toEqual([])
    expect(world.collector?.others() ?? []).toEqual([])
  })

  world.visitor = async (options) => {
    const context = await aVisitor(browser, options)
    contexts.push(context)
    context.on('page', watch)
    return context
  }
  world.page = async (context) => (context ?? (await world.visitor())).newPage()
  world.finish = async (page) => {
    await page.evaluate('footfall("finish")')
    await world.collector.named('finish')
    await until('nothing to be left', async () => ((await waitingIn(page)) === 0 ? true : undefined))
  }
  return world
}

/** Hits that the browser still keeps. */
export const waitingIn = (page: Page): Promise<number> =>
  page.evaluate('Object.keys(localStorage).filter((key) => key.startsWith("_ff/")).length')

/**
 * What the browser does where its tab is switched away from or to, for tests with a clock of their own; tests/tracker/tabs.test.ts
 * switches real tabs.
 */
export const setHidden = (page: Page, isHidden: boolean): Promise<void> =>
  page.evaluate(`
    Object.defineProperty(document, 'hidden', { configurable: true, get: () => ${isHidden} })
    Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => '${isHidden ? 'hidden' : 'visible'}' })
    document.dispatchEvent(new Event('visibilitychange', { bubbles: true }))
  `)

/** A tall page, so that there is something to scroll. */
export const tall = (lines = 60): string => '<p>A line of text that is as long as a line.</p>'.repeat(lines)

/** Name and path of each hit, which is most of what a test asks. */
export const told = (hits: readonly SentHit[]): string[] => hits.map(({ name, url }) => `${name} ${new URL(url).pathname}`)
