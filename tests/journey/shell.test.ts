import { describe, expect, it } from 'vitest'
import { until } from '../process/server.ts'
import { browserMissing } from './browser.ts'
import { beginShell, site } from './shell-page.ts'

/** The page's shell in a real browser: who may look, the numbers, the keys and the filters. */

describe.skipIf(browserMissing)(`the shell of the page${browserMissing ? `: ${browserMissing}` : ''}`, () => {
  const { opened, card, cardShows, searchIs, focused, link, base, watched, aContext } = beginShell()

  describe('who looks', () => {
    it('is told how to get in, and let in by a link in another tab without losing the address', async () => {
      const context = await aContext()
      const { page } = await watched(context)
      await page.goto(`${base()}/?site=${site}&period=7d`)
      await page.getByRole('heading', { name: 'You are not signed in' }).waitFor()
      await page.getByText('npm run footfall -- link').waitFor()
      const other = await context.newPage()
      await other.goto(await link())
      await page.bringToFront()
      await card(page, 'Visitors').waitFor()
      expect(page.url()).toBe(`${base()}/?site=${site}&period=7d`)
    })

    it('is asked again when the session ends, at the same address', async () => {
      const { context, page } = await opened(`?site=${site}`)
      await cardShows(page, 'Visitors', '3')
      await context.clearCookies()
      await page.keyboard.press('w')
      await page.getByRole('heading', { name: 'You are not signed in' }).waitFor()
      expect(page.url()).toBe(`${base()}/?site=${site}&period=7d`)
    })

    it('signs out', async () => {
      const { page } = await opened(`?site=${site}`)
      await page.getByRole('button', { name: 'Sign out' }).click()
      await page.getByRole('heading', { name: 'You are not signed in' }).waitFor()
    })

    it('is told when the server is away, and goes on by itself', async () => {
      const context = await aContext()
      const { page } = await watched(context)
      await page.goto(await link())
      await page.route('**/api/me', (route) => route.abort())
      await page.goto(`${base()}/?site=${site}`)
      await page.getByRole('heading', { name: 'Footfall cannot be reached' }).waitFor()
      await page.unroute('**/api/me')
      await card(page, 'Visitors').waitFor()
    })

    it('is offered the sites there are, where the address names another', async () => {
      const { page } = await opened(`?site=${site}`)
      await page.goto(`${base()}/?site=%3Cimg%3E&period=7d`)
      await page.getByRole('heading', { name: 'There is no such site here' }).waitFor()
      await page.getByText('<img>').waitFor()
      await page.getByRole('link', { name: site }).click()
      await searchIs(page, `?site=${site}&period=7d`)
      await card(page, 'Visitors').waitFor()
    })
  })

  describe('the numbers', () => {
    it('are those of the API, with their change, in cards and in the title', async () => {
      const { page } = await opened(`?site=${site}`)
      await cardShows(page, 'Visitors', '3')
      await cardShows(page, 'Pageviews', '4')
      await cardShows(page, 'Views per visit', '1.33')
      await until('the title', async () => ((await page.title()) === `${site} · 3 visitors · Footfall` ? true : undefined))
      expect(await page.getByRole('heading', { level: 1 }).allTextContents()).toEqual([site])
    })

    it('choose what the chart shows; the way back leads back', async () => {
      const { page } = await opened(`?site=${site}`)
      const pick = page.getByRole('button', { name: /^Pageviews/ })
      await pick.click()
      await page.getByRole('heading', { name: 'Pageviews by hour' }).waitFor()
      expect(await pick.getAttribute('aria-pressed')).toBe('true')
      await searchIs(page, `?site=${site}&metric=pageviews`)
      await page.goBack()
      await page.getByRole('heading', { name: 'Visitors by hour' }).waitFor()
      expect(await pick.getAttribute('aria-pressed')).toBe('false')
    })

    it('are drawn, said in words, and shown as a table', async () => {
      const { page } = await opened(`?site=${site}&period=3d&metric=pageviews`)
      await page.locator('.plot canvas').waitFor()
      const said = await until('the summary', async () => {
        const label = await page.getByRole('img', { name: /Pageviews by day/ }).getAttribute('aria-label')
        return label?.includes('Highest') ? label : undefined
      })
      expect(said).toContain('3 values. Highest')
      await page.getByRole('button', { name: 'Show as table' }).click()
      const values = await page.locator('.chart-table tbody tr td:nth-of-type(1)').allTextContents()
      expect(values.map(Number).reduce((a, b) => a + b, 0)).toBe(7)
    })

    it('are zoomed by drawing over days of the chart', async () => {
      const { page } = await opened(`?site=${site}&period=2026-11-01..2026-11-20`)
      const over = page.locator('.u-over')
      const box = await until('the chart', async () => (await over.boundingBox()) ?? undefined)
      // Buckets stand at 0/19 … 19/19 of the width.
      const at = (day: number) => box.x + (box.width * (day - 1)) / 19
      await page.mouse.move(at(5), box.y + 40)
      await page.mouse.down()
      await page.mouse.move(at(9), box.y + 60, { steps: 4 })
      await page.mouse.up()
      await searchIs(page, `?site=${site}&period=2026-11-05..2026-11-09`)
    })

    it('say what they mean and what was left out, and take robots in when asked to', async () => {
      const { page } = await opened(`?site=${site}`)
      await cardShows(page, 'Visitors', '3')
      const info = card(page, 'Visitors').getByRole('button', { name: 'What Visitors means' })
      await info.click()
      const dialog = page.getByRole('dialog', { name: 'Visitors' })
      await dialog.getByText('Different visitors with at least one hit').waitFor()
      await dialog.getByRole('row', { name: 'known robots 1' }).waitFor()
      await page.keyboard.press('Escape')
      await dialog.waitFor({ state: 'hidden' })
      expect(await focused(page)).toBe('What Visitors means')
      await info.click()
      await dialog.getByRole('switch', { name: 'Include bots' }).click()
      await searchIs(page, `?site=${site}&bots=1`)
      await cardShows(page, 'Visitors', '4')
      await page.getByText('Flagged hits are in all numbers').waitFor()
    })

    it('say so where there are none, and where the address could not be used', async () => {
      const { page } = await opened(`?site=${site}&period=2020-01-01&money=1&metric=gold`)
      await page.getByText('No hits in this period.').waitFor()
      await page.getByText('The address has "money", which this page does not know.').waitFor()
      await page.getByText(/metric=gold; it may be visitors/).waitFor()
      await page.getByRole('button', { name: 'Put this notice away' }).click()
      await page.getByText(/metric=gold/).waitFor({ state: 'detached' })
    })
  })

  describe('keys', () => {
    it('pick periods, comparison and interval, and the way back restores them', async () => {
      const { page } = await opened(`?site=${site}`)
      await card(page, 'Visitors').waitFor()
      const steps: [key: string, search: string][] = [
        ['e', '&period=yesterday'],
        ['ArrowRight', ''],
        ['ArrowLeft', '&period=yesterday'],
        ['w', '&period=7d'],
        ['i', '&period=7d&interval=hour'],
        ['f', '&period=28d&interval=hour'],
        ['y', '&period=year'],
        ['x', '&period=year&compare=off'],
        ['x', '&period=year'],
        ['r', '&period=realtime'],
      ]
      for (const [key, search] of steps) {
        await page.keyboard.press(key)
        await searchIs(page, `?site=${site}${search}`)
      }
      await page.getByRole('button', { name: 'Period: Realtime' }).waitFor()
      for (const [, search] of steps.slice(0, -1).reverse()) {
        await page.goBack()
        await searchIs(page, `?site=${site}${search}`)
      }
      await page.getByRole('button', { name: 'Period: Yesterday' }).waitFor()
    })

    it('do nothing while something is typed, held down or open', async () => {
      const { page } = await opened(`?site=${site}`)
      await card(page, 'Visitors').waitFor()
      await page.keyboard.press('Control+e')
      await page.keyboard.press('/')
      await page.keyboard.type('w?')
      expect(await page.getByRole('combobox', { name: 'Filter' }).inputValue()).toBe('w?')
      await page.keyboard.press('Escape')
      await page.keyboard.press('Escape')
      await page.keyboard.press('?')
      await page.getByRole('dialog', { name: 'Keys and filters' }).waitFor()
      await page.keyboard.press('e')
      await page.keyboard.press('Escape')
      await page.getByRole('dialog', { name: 'Keys and filters' }).waitFor({ state: 'detached' })
      expect(page.url()).toBe(`${base()}/?site=${site}`)
    })

    it('are enough: from the first stop to two dates of one’s own', async () => {
      const { page } = await opened(`?site=${site}`)
      await card(page, 'Visitors').waitFor()
      await page.keyboard.press('Tab')
      expect(await focused(page)).toBe('Skip to the numbers')
      await page.keyboard.press('Enter')
      expect(await page.evaluate(() => document.activeElement?.id)).toBe('numbers')
      await page.keyboard.press('Tab')
      await page.keyboard.press('Tab')
      await page.keyboard.press('Tab')
      await page.keyboard.press('Enter')
      await searchIs(page, `?site=${site}&metric=visits`)
      await page.keyboard.press('c')
      const from = page.getByRole('dialog', { name: 'Period' }).getByLabel('From')
      await until(
        'the date to be in focus',
        async () => (await from.evaluate((element) => element === document.activeElement)) || undefined,
      )
      await from.fill('2026-11-03')
      await page.getByRole('dialog', { name: 'Period' }).getByLabel('To').fill('2026-11-01')
      await page.keyboard.press('Enter')
      await searchIs(page, `?site=${site}&period=2026-11-01..2026-11-03&metric=visits`)
      expect(await focused(page)).toMatch(/^Period: 1 Nov 2026 – 3 Nov 2026/)
    })

    it('are all in the help, which gives the focus back', async () => {
      const { page } = await opened(`?site=${site}`)
      await page.getByRole('button', { name: 'Help and keys' }).click()
      const keys = await page.getByRole('dialog').locator('kbd').allTextContents()
      expect(keys.join(' ')).toBe('D E R W F T N M P Y L A ← → C X I / Esc ?')
      await page.keyboard.press('Escape')
      await page.getByRole('dialog').waitFor({ state: 'detached' })
      expect(await focused(page)).toBe('Help and keys')
    })
  })

  describe('filters', () => {
    it('are written with what may come next, and shown as chips in plain words', async () => {
      const { page } = await opened(`?site=${site}`)
      await cardShows(page, 'Visitors', '3')
      await page.keyboard.press('/')
      await page.keyboard.type('pag')
      const box = page.getByRole('combobox', { name: 'Filter' })
      await page.getByRole('option', { name: 'Page page:', exact: true }).waitFor()
      await page.keyboard.press('ArrowDown')
      await page.keyboard.press('Enter')
      expect(await box.inputValue()).toBe('page:')
      await page.keyboard.type('DOC')
      await new Promise((r) => setTimeout(r, 2000))
      console.log(await box.inputValue(), await page.evaluate(() => document.activeElement?.outerHTML), page.url())
      await page.getByRole('option', { name: '/docs 2' }).waitFor({ timeout: 2000 })
      await page.keyboard.press('ArrowDown')
      expect(await box.getAttribute('aria-activedescendant')).toBe(
        await page.getByRole('listbox').getByRole('option', { selected: true }).getAttribute('id'),
      )
      await page.keyboard.press('Enter')
      await searchIs(page, `?site=${site}&f=page:/docs`)
      await cardShows(page, 'Visitors', '2')
      expect(await page.getByRole('list', { name: 'Filters' }).getByRole('button').allTextContents()).toEqual(['Page is /docs', ''])
      await page.keyboard.type('!browser:Firefox country~x')
      await page.keyboard.press('Enter')
      await searchIs(page, `?site=${site}&f=page:/docs+!browser:Firefox+country~x`)
      await cardShows(page, 'Visitors', '0')
      await page.getByText('No hits in this period pass the filters.').waitFor()
    })

    it('are changed, taken out one by one, and all at once', async () => {
      const { page } = await opened(`?site=${site}&f=page~doc+country:DE`)
      await page.getByRole('button', { name: 'Page contains doc', exact: true }).click()
      const box = page.getByRole('combobox', { name: 'Filter' })
      expect(await box.inputValue()).toBe('page~doc')
      await page.keyboard.type('s|ing')
      await page.keyboard.press('Enter')
      await searchIs(page, `?site=${site}&f=country:DE+page~docs|ing`)
      await page.getByRole('button', { name: 'Remove: Country is Germany' }).click()
      await searchIs(page, `?site=${site}&f=page~docs|ing`)
      await cardShows(page, 'Visitors', '3')
      expect(await focused(page)).toBe('Filter')
      await page.keyboard.type('x')
      await page.keyboard.press('Escape')
      expect([await box.inputValue(), page.url()]).toEqual(['', `${base()}/?site=${site}&f=page~docs|ing`])
      await page.keyboard.press('Escape')
      await searchIs(page, `?site=${site}`)
    })

    it('are completed in the middle of the text, where the cursor then stays', async () => {
      const { page } = await opened(`?site=${site}`)
      await page.keyboard.press('/')
      await page.keyboard.type('pag country:DE')
      for (const _ of ' country:DE') await page.keyboard.press('ArrowLeft')
      await page.keyboard.type('e')
      await page.getByRole('option', { name: 'Page page:', exact: true }).click()
      await page.keyboard.type('/docs')
      expect(await page.getByRole('combobox', { name: 'Filter' }).inputValue()).toBe('page:/docs country:DE')
    })

    it('that cannot be read are told at the box, with the cure', async () => {
      const { page } = await opened(`?site=${site}`)
      await page.keyboard.press('/')
      await page.keyboard.type('page:/a contry:DE')
      await page.keyboard.press('Enter')
      await page.getByRole('alert').getByText('There is no filter "contry". Did you mean').waitFor()
      const box = page.getByRole('combobox', { name: 'Filter' })
      expect(await box.getAttribute('aria-invalid')).toBe('true')
      expect(page.url()).toBe(`${base()}/?site=${site}`)
      await page.keyboard.type('country:DE')
      await page.keyboard.press('Enter')
      await searchIs(page, `?site=${site}&f=page:/a+country:DE`)
    })
  })
})
