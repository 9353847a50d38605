import type { Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { until } from '../process/server.ts'
import { barriersIn } from './axe.ts'
import { browserMissing } from './browser.ts'
import { beginShell, hostile, person, site } from './shell-page.ts'

/** The page's shell in a real browser: what is compared, what goes wrong, what visitors sent, empty sites, and how it looks. */

describe.skipIf(browserMissing)(`the shell of the page, and what it must stand${browserMissing ? `: ${browserMissing}` : ''}`, () => {
  const { server, opened, cardShows, searchIs, focused, link, base, watched, aContext } = beginShell()

  describe('what is compared, and by what step', () => {
    it('is picked', async () => {
      const { page } = await opened(`?site=${site}&period=7d`)
      const dialog = page.getByRole('dialog', { name: 'Comparison' })
      const open = () => page.getByRole('button', { name: /^Comparison/ }).click()
      await open()
      await dialog.getByRole('button', { name: 'Year before' }).click()
      await searchIs(page, `?site=${site}&period=7d&compare=year`)
      await open()
      await dialog.getByRole('checkbox', { name: /same day of the week/ }).check()
      await searchIs(page, `?site=${site}&period=7d&compare=year&weekday=1`)
      await dialog.getByLabel('From', { exact: true }).fill('2026-10-01')
      await dialog.getByLabel('To', { exact: true }).fill('2026-10-07')
      await dialog.getByRole('button', { name: 'Apply' }).click()
      await searchIs(page, `?site=${site}&period=7d&compare=2026-10-01..2026-10-07&weekday=1`)
      await page.locator('.legend').getByText('1 – 7 Oct 2026').waitFor()
      await page.getByLabel('Interval').selectOption('Hours')
      await searchIs(page, `?site=${site}&period=7d&compare=2026-10-01..2026-10-07&weekday=1&interval=hour`)
      await page.getByRole('heading', { name: 'Visitors by hour' }).waitFor()
    })

    it('is told where it does not fit', async () => {
      const { page } = await opened(`?site=${site}&period=year&interval=minute`)
      await page.getByText('Minutes do not fit this period; shown by').waitFor()
      await page.getByRole('heading', { name: 'Visitors by month' }).waitFor()
      await page.keyboard.press('r')
      await page.getByRole('heading', { name: 'Visitors by minute' }).waitFor()
      await page.getByText('Last 30 minutes').waitFor()
      await page.getByRole('button', { name: 'Comparison: Not compared' }).click()
      await page.getByText('There is nothing before realtime').waitFor()
    })
  })

  describe('what is not right', () => {
    it('is told where a number is less than it seems', async () => {
      await server().addSite('cookieless.example.com', { identity: 'cookieless' })
      const { page } = await opened('?site=cookieless.example.com&period=7d')
      // It never had a hit; what is shown for it is not this test's.
      await server().hit({ site: 'cookieless.example.com', url: 'https://cookieless.example.com/' }, { 'user-agent': person })
      await page.getByText('The site uses no cookies: a visitor is known for one day only').waitFor()
    })

    it('is told at the part that failed, and asked again', async () => {
      const { page } = await opened(`?site=${site}`)
      await cardShows(page, 'Visitors', '3')
      const error = { error: 'The question took too long.', code: 'timeout', hint: 'Ask for a shorter range.' }
      await page.route('**/api/v2/query', (route) => route.fulfill({ status: 503, json: error }))
      await page.keyboard.press('e')
      const problem = page.getByRole('region', { name: 'Totals' }).getByRole('alert')
      await problem.getByText('The question took too long.').waitFor()
      await problem.getByText('Ask for a shorter range.').waitFor()
      await page.unroute('**/api/v2/query')
      await problem.getByRole('button', { name: 'Try again' }).click()
      await cardShows(page, 'Visitors', '1')
      await problem.waitFor({ state: 'detached' })
    })

    it('is told where data is incomplete or late', async () => {
      const context = await aContext()
      const { page } = await watched(context)
      await page.goto(await link())
      await page.route('**/api/v2/query', async (route) => {
        const response = await route.fetch()
        const answer = await response.json()
        await route.fulfill({ response, json: { ...answer, meta: { ...answer.meta, incomplete_since: '2026-11-01T10:00:00.000Z' } } })
      })
      await page.goto(`${base()}/?site=${site}`)
      const chip = page.getByRole('button', { name: /^Incomplete since 1 Nov 2026/ })
      await chip.click()
      await page.getByText('may be missing').waitFor()
    })

    it('is told where the stream cannot be opened, and the numbers come all the same', async () => {
      const context = await aContext()
      const { page } = await watched(context)
      await page.goto(await link())
      await page.route('**/api/live/**', (route) => route.fulfill({ status: 503, body: '' }))
      await page.goto(`${base()}/?site=${site}`)
      await cardShows(page, 'Visitors', '3')
      await page.getByRole('button', { name: /0 current visitors.*asking every 5 s/ }).click()
      await page.getByText('Asking: the stream cannot be opened').waitFor()
      await page.getByRole('button', { name: /^Data to .*up to date/ }).waitFor()
    })

    it('is told where signing out does not work', async () => {
      const { page } = await opened(`?site=${site}`)
      await page.route('**/api/sign-out', (route) => route.fulfill({ status: 403, json: { error: 'Not from here.', code: 'x', hint: '' } }))
      await page.getByRole('button', { name: 'Sign out' }).click()
      await page.getByRole('alert').getByText('You are still signed in. Not from here.').waitFor()
    })
  })

  describe('what visitors sent', () => {
    it.each(hostile)('is text and nothing else: %j', async (value) => {
      const filter = `title:"${value.replace(/["\\]/g, '\\$&')}" prop."${value.replace(/["\\]/g, '\\$&')}"~x`
      const search = new URLSearchParams({ site, period: '7d', f: filter, [value]: value })
      const { page, violations } = await opened(`?${search}`)
      const chips = page.getByRole('list', { name: 'Filters' }).locator('.chip-text')
      await chips.first().waitFor()
      expect(await chips.allTextContents()).toEqual([`Title is ${value}`, `${value} contains x`])
      await cardShows(page, 'Visitors', '0')
      await page.getByRole('button', { name: `Remove: ${value} contains x` }).click()
      await cardShows(page, 'Visitors', '1')
      // It is offered as a value as well.
      await page.keyboard.type(`title:"${value.slice(0, 3).replace(/["\\]/g, '\\$&')}`)
      await page.getByRole('option', { name: value }).first().waitFor()
      expect(violations).toEqual([])
      expect(await page.evaluate(() => document.querySelectorAll('img, [onerror], a[href^="javascript:"]').length)).toBe(0)
    })
  })

  describe('a site without hits', () => {
    it('shows its tag, and turns into the page with the first hit', async () => {
      const name = 'empty.example.com'
      await server().addSite(name)
      const { page } = await opened(`?site=${name}`)
      await page.getByText(`data-site="${name}"`).waitFor()
      await page.getByText('Waiting for the first hit').waitFor()
      expect(await page.locator('.cards').count()).toBe(0)
      await server().hit({ site: name, url: `https://${name}/`, visitor: 'visitor-first' }, { 'user-agent': person })
      await cardShows(page, 'Visitors', '1')
      await until('the dot', async () => ((await page.locator('.live-count').textContent()) === '1' ? true : undefined))
    })

    it('leads to the demo, where it is the demo’s', async () => {
      await server().ask('POST', '/api/sites', { site: 'localhost' })
      const { page } = await opened('?site=localhost')
      expect(await page.getByRole('link', { name: 'demo site' }).getAttribute('href')).toBe('/demo/')
    })

    it('is picked in the switcher', async () => {
      const { page } = await opened(`?site=${site}&f=page:/docs`)
      await page.getByRole('button', { name: /^Site: example\.com/ }).click()
      await until('the focus to be on the site', async () => ((await focused(page)) === site ? true : undefined))
      await page.keyboard.press('ArrowUp')
      expect(await focused(page)).toBe('empty.example.com')
      await page.getByRole('dialog', { name: 'Sites' }).getByRole('button', { name: 'localhost' }).click()
      await searchIs(page, '?site=localhost')
      await page.getByText('Waiting for the first hit').waitFor()
    })
  })

  describe('how it looks', () => {
    const ground = (page: Page) => page.evaluate(() => getComputedStyle(document.body).backgroundColor)

    it('is as the system, or as was chosen, also before anything of the page has run', async () => {
      const { page } = await opened(`?site=${site}`, { colorScheme: 'light' })
      const light = await ground(page)
      await page.getByRole('button', { name: 'Dark', exact: true }).click()
      const dark = await ground(page)
      expect(dark).not.toBe(light)
      await page.route('**/assets/*.js', (route) => route.abort())
      await page.reload()
      expect(await ground(page)).toBe(dark)
      await page.unroute('**/assets/*.js')
      await page.reload()
      await page.getByRole('button', { name: 'As the system is' }).click()
      expect(await ground(page)).toBe(light)
    })

    it.each([390, 768, 1280, 1920])('fits %i pixels', async (width) => {
      const { page } = await opened(`?site=${site}&period=2026-11-01..2026-11-20&f=page:/docs+title:${'long'.repeat(60)}`, {
        viewport: { width, height: 800 },
      })
      await page.locator('.plot canvas').waitFor()
      expect(await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)).toBe(0)
      for (const name of [/^Period/, /^Comparison/, /^Site/, /^Data to/]) {
        await page.getByRole('button', { name }).click()
        const box = (await page.locator('.popover:popover-open').boundingBox())!
        expect(box.x, String(name)).toBeGreaterThanOrEqual(0)
        expect(box.x + box.width, String(name)).toBeLessThanOrEqual(width)
        await page.keyboard.press('Escape')
      }
    })

    it.each(['light', 'dark'] as const)('passes axe, %s', async (colorScheme) => {
      const { page } = await opened(`?site=${site}&f=page:/docs&bots=1&nonsense=1`, { colorScheme, reducedMotion: 'reduce' })
      await page.locator('.plot canvas').waitFor()
      await until('all parts', async () => ((await page.locator('[aria-busy=true]').count()) === 0 ? true : undefined))
      expect(await barriersIn(page)).toEqual([])
      for (const name of [/^Period/, /^Comparison/, /^Site/, /^Data to/, 'Help and keys']) {
        await page.getByRole('button', { name }).click()
        await page.locator('.popover:popover-open, dialog[open]').waitFor()
        expect(await barriersIn(page), String(name)).toEqual([])
        await page.keyboard.press('Escape')
        await until('it to close', async () =>
          (await page.locator('.popover:popover-open, dialog[open]').count()) === 0 ? true : undefined,
        )
      }
      await page.keyboard.press('/')
      await page.keyboard.type('page:')
      await page.getByRole('listbox').getByRole('option').first().waitFor()
      expect(await barriersIn(page)).toEqual([])
      await page.keyboard.press('Escape')
      await page.getByRole('button', { name: 'Show as table' }).click()
      expect(await barriersIn(page)).toEqual([])
      await page.goto(`${base()}/?site=localhost`)
      await page.getByText('Waiting for the first hit').waitFor()
      expect(await barriersIn(page)).toEqual([])
      await page.getByRole('button', { name: 'Sign out' }).click()
      await page.getByRole('heading', { name: 'You are not signed in' }).waitFor()
      expect(await barriersIn(page)).toEqual([])
    })
  })
})
