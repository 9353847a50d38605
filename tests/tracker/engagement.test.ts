import type { Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { untilIn } from '../journey/browser.ts'
import { browserMissing, openWorld, setHidden, tall } from './world.ts'

/** Foreground time and scroll: said when a page is left, each millisecond once. The page's clock is the test's. */
const world = openWorld()

const start = Date.UTC(2026, 5, 10, 12)

/** A page whose clock stands until `runFor`. */
const open = async (pages: Record<string, { body?: string }> = { '/': {} }): Promise<Page> => {
  world.site.serve(pages)
  const page = await world.page()
  await page.clock.install({ time: start })
  await page.clock.pauseAt(start + 1_000)
  await page.goto(world.site.url)
  await untilIn(page, 'typeof footfall === "function"')
  await page.clock.runFor(1)
  await world.collector.named('pageview')
  return page
}

const said = () =>
  world.collector
    .counted()
    .filter(({ name }) => name === 'engagement')
    .map(({ url, engaged, scroll }) => [new URL(url).pathname, engaged, scroll])

const finish = async (page: Page) => {
  await page.evaluate('footfall("finish")')
  await page.clock.runFor(1_000)
  await world.collector.named('finish')
}

describe.skipIf(browserMissing !== undefined)('foreground time', () => {
  it('is counted once over hiding, showing, routes and leaving', async () => {
    const page = await open({ '/': {}, '/next': {} })
    await page.clock.runFor(4_999)
    await setHidden(page, true)
    await world.collector.named('engagement', 1)
    await page.clock.runFor(60_000)
    await setHidden(page, false)
    await page.clock.runFor(2_000)
    await page.evaluate(`history.pushState({}, '', '/a')`)
    await page.clock.runFor(3_000)
    // What a browser says when a page goes: both, one after the other.
    await page.evaluate(`window.dispatchEvent(new PageTransitionEvent('pagehide'))`)
    await setHidden(page, true)
    await world.collector.named('engagement', 3)
    await setHidden(page, false)
    await page.clock.runFor(500)
    await page.goto(`${world.site.url}/next`)
    await untilIn(page, 'typeof footfall === "function"')
    await page.clock.runFor(1)
    await finish(page)
    expect(said()).toEqual([
      ['/', 5_000, 100],
      ['/', 2_000, 100],
      ['/a', 3_000, 100],
      ['/a', 500, 100],
    ])
  })

  it('of a page that was never left is not said, and nothing is said where nothing is new', async () => {
    const page = await open()
    await page.clock.runFor(10_000)
    await finish(page)
    expect(said()).toEqual([])
    await setHidden(page, true)
    await page.evaluate(`window.dispatchEvent(new PageTransitionEvent('pagehide'))`)
    await setHidden(page, true)
    await world.collector.named('engagement')
    await setHidden(page, false)
    await setHidden(page, true)
    await finish(page)
    expect(said()).toHaveLength(1)
  })
})

describe.skipIf(browserMissing !== undefined)('scroll', () => {
  it('is the lowest line that was seen, of the page as long as it is when it is left', async () => {
    const page = await open({ '/': { body: tall() } })
    const height = (await page.evaluate('document.documentElement.scrollHeight')) as number
    const percent = (bottom: number, of = height) => Math.round((bottom / of) * 100)
    await setHidden(page, true)
    await world.collector.named('engagement', 1)
    await setHidden(page, false)
    await page.evaluate(`new Promise((done) => { addEventListener('scroll', done, { once: true }); scrollTo(0, 600) })`)
    await page.evaluate(`new Promise((done) => { addEventListener('scroll', done, { once: true }); scrollTo(0, 0) })`)
    await setHidden(page, true)
    await world.collector.named('engagement', 2)
    await page.evaluate(`document.body.append(document.createElement('div')); document.body.lastChild.style.height = '${height}px'`)
    await page.clock.runFor(1)
    await finish(page)
    expect(said()).toEqual([['/', 1, percent(800)], ['/', undefined, percent(1_400)].map((value) => value ?? 0)])
  })

  it('starts anew with each page of a single-page app', async () => {
    const page = await open({ '/': { body: tall() } })
    const height = (await page.evaluate('document.documentElement.scrollHeight')) as number
    await page.evaluate(
      `new Promise((done) => { addEventListener('scroll', done, { once: true }); scrollTo(0, document.documentElement.scrollHeight) })`,
    )
    await page.clock.runFor(1_000)
    await page.evaluate(`history.pushState({}, '', '/a')`)
    await page.evaluate(`new Promise((done) => { addEventListener('scroll', done, { once: true }); scrollTo(0, 0) })`)
    // No time has passed there; that it was seen is new all the same.
    await setHidden(page, true)
    await world.collector.named('engagement', 2)
    expect(said().map(([path, , scroll]) => [path, scroll])).toEqual([
      ['/', 100],
      ['/a', Math.round((800 / height) * 100)],
    ])
  })
})
