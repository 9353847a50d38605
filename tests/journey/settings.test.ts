import type { Locator, Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { until } from '../process/server.ts'
import { barriersIn } from './axe.ts'
import { browserMissing } from './browser.ts'
import { beginShell, site } from './shell-page.ts'

/** What the page changes of a site's settings, in a real browser over the real product: goals, and filters under a name. */

describe.skipIf(browserMissing)(`settings on the page${browserMissing ? `: ${browserMissing}` : ''}`, () => {
  const { server, opened, cardShows, searchIs, base } = beginShell()
  const setSite = (settings: object) => server().get('PATCH', `/api/sites/${site}`, settings)
  const settingsOf = async () => server().get('GET', `/api/sites/${site}`)
  /** The server holds settings for half a second, so a question may be answered as before them: it is asked until it is not. */
  const asked = (what: object) =>
    until('the server to know the settings', async () =>
      (await server().ask('POST', '/api/v2/query', { site_id: site, metrics: ['visitors'], date_range: 'day', ...what })).status === 200
        ? true
        : undefined,
    )
  const value = (scope: Locator, label: string | RegExp) => scope.getByLabel(label, { exact: true }).inputValue()
  const closed = (page: Page) => page.locator('dialog[open]').waitFor({ state: 'detached' })

  describe('a goal', () => {
    const opener = (page: Page) => page.locator('.panel.goals').getByRole('button', { name: 'Change goals' })
    const dialog = (page: Page) => page.getByRole('dialog', { name: 'Goals' })
    const form = (page: Page, name: string) => dialog(page).getByRole('form', { name, exact: true })

    it('is changed by the keyboard: the form has what it is, and filters, steps and segments keep to it', async () => {
      await setSite({
        goals: [
          { name: 'Paid', event: 'signup', props: { plan: ['pro', 'team'] } },
          { name: 'Read', page: '/docs', scroll: 50 },
        ],
        segments: [{ name: 'Payers', filters: [['is', 'event:goal', ['Paid']]] }],
      })
      await asked({ filters: [['is', 'event:goal', ['Paid']]] })
      const { page, violations } = await opened(`?site=${site}&f=!goal:Paid&explore=funnel&steps=page:/+goal:Paid`)
      await opener(page).click()
      await dialog(page).getByRole('button', { name: 'Change Paid' }).press('Enter')
      const change = form(page, 'Change Paid')
      expect(
        await Promise.all(['Name', /^Met when/, 'Event', 'Property', 'Values, one a line'].map((label) => value(change, label))),
      ).toEqual(['Paid', 'event', 'signup', 'plan', 'pro\nteam'])
      expect(await page.evaluate(() => (document.activeElement as HTMLInputElement).value)).toBe('Paid')
      await page.keyboard.press('ControlOrMeta+A')
      await page.keyboard.type('Customer')
      await change.getByLabel('Values, one a line').fill('pro')
      await change.getByLabel('Name', { exact: true }).press('Enter')
      await form(page, 'New goal').waitFor()
      await dialog(page).getByText('Event signup, where plan is pro', { exact: true }).waitFor()
      const { goals, segments } = await settingsOf()
      expect(goals).toEqual([
        { name: 'Customer', event: 'signup', props: { plan: ['pro'] } },
        { name: 'Read', page: '/docs', scroll: 50 },
      ])
      expect(segments).toEqual([{ name: 'Payers', filters: [['is', 'event:goal', ['Customer']]] }])
      await page.waitForURL(/f=!goal:Customer&.*steps=page:\/\+goal:Customer/)

      // Without another name it keeps its own.
      await dialog(page).getByRole('button', { name: 'Change Read' }).click()
      expect(await value(form(page, 'Change Read'), 'Seen so far, in per cent')).toBe('50')
      expect(await barriersIn(page)).toEqual([])
      await form(page, 'Change Read').getByLabel('Seen so far, in per cent').fill('90')
      await form(page, 'Change Read').getByRole('button', { name: 'Save goal' }).click()
      await dialog(page).getByText('90% of page /docs seen').waitFor()
      await page.keyboard.press('Escape')
      await closed(page)
      expect(violations).toEqual([])
    })

    it('that is changed wrongly stays as it was, and the server says why', async () => {
      await setSite({ goals: [{ name: 'One', page: '/' }], segments: [] })
      const { page } = await opened(`?site=${site}`)
      await opener(page).click()
      await dialog(page).getByRole('button', { name: 'Change One' }).click()
      await form(page, 'Change One').getByRole('combobox', { name: 'Page', exact: true }).fill('docs')
      await form(page, 'Change One').getByRole('button', { name: 'Save goal' }).click()
      await dialog(page)
        .getByRole('alert')
        .getByText(/goals\[0\]\.page/)
        .waitFor()
      await form(page, 'Change One').getByRole('button', { name: 'Cancel' }).click()
      expect(await value(form(page, 'New goal'), 'Page')).toBe('')
      expect((await settingsOf()).goals).toEqual([{ name: 'One', page: '/' }])
    })

    it('that another takes away meanwhile is a new one', async () => {
      await setSite({ goals: [{ name: 'One', page: '/' }] })
      const { page } = await opened(`?site=${site}`)
      await opener(page).click()
      await dialog(page).getByRole('button', { name: 'Change One' }).click()
      await form(page, 'Change One').getByLabel('Name', { exact: true }).fill('Mine')
      await setSite({ goals: [{ name: 'Theirs', page: '/docs' }] })
      await form(page, 'Change One').getByRole('button', { name: 'Save goal' }).click()
      await dialog(page)
        .getByRole('alert')
        .getByText(/version/)
        .waitFor()
      await dialog(page).getByRole('button', { name: 'Try again' }).click()
      expect(await value(form(page, 'New goal'), 'Name')).toBe('Mine')
      await form(page, 'New goal').getByRole('button', { name: 'Add goal' }).click()
      await dialog(page).getByRole('button', { name: 'Change Mine' }).waitFor()
      expect((await settingsOf()).goals.map(({ name }: { name: string }) => name)).toEqual(['Theirs', 'Mine'])
    })
  })

  describe('segments', () => {
    const button = (page: Page) => page.getByRole('button', { name: 'Segments', exact: true })
    const menu = (page: Page) => page.getByRole('dialog', { name: 'Segments' })
    const namesOf = async () => (await settingsOf()).segments.map(({ name }: { name: string }) => name)

    it('are saved from the filters of the page, applied, renamed and taken away, by the keyboard', async () => {
      await setSite({ goals: [], segments: [] })
      const { page, violations } = await opened(`?site=${site}&f=page:/docs`)
      await cardShows(page, 'Visitors', '2')
      await button(page).press('Enter')
      await menu(page).getByText('This site has no segments').waitFor()
      await menu(page).getByText('Page is /docs').waitFor()
      // The focus is on what one comes for.
      await until('the focus', async () =>
        (await page.evaluate(() => document.activeElement?.getAttribute('aria-label'))) === 'Name of the segment' ? true : undefined,
      )
      await page.keyboard.type('Docs')
      await page.keyboard.press('Enter')
      const apply = (name: string) => menu(page).getByRole('button', { name: new RegExp(`^${name} `) })
      await apply('Docs').waitFor()
      expect((await settingsOf()).segments).toEqual([{ name: 'Docs', filters: [['is', 'event:page', ['/docs']]] }])
      await page.keyboard.press('Escape')
      await menu(page).waitFor({ state: 'hidden' })

      await page.getByRole('button', { name: 'Remove: Page is /docs' }).click()
      await cardShows(page, 'Visitors', '3')
      await button(page).press('Enter')
      await apply('Docs').press('Enter')
      await searchIs(page, `?site=${site}&f=segment:Docs`)
      await cardShows(page, 'Visitors', '2')
      await button(page).click()
      expect(await apply('Docs').getAttribute('aria-pressed')).toBe('true')

      // A name that is none is refused, and told.
      await menu(page).getByRole('button', { name: 'Rename Docs' }).press('Enter')
      await page.keyboard.press('Backspace')
      await page.keyboard.press('Enter')
      await menu(page)
        .getByRole('alert')
        .getByText(/segments\[0\]\.name/)
        .waitFor()
      await page.keyboard.type('Readers & co')
      await page.keyboard.press('Enter')
      await searchIs(page, `?site=${site}&f=segment:"Readers+%26+co"`.replace(/"/g, '%22'))
      expect(await namesOf()).toEqual(['Readers & co'])
      await cardShows(page, 'Visitors', '2')

      // Within another one it is its filters, not its name.
      await menu(page).getByRole('textbox', { name: 'Name of the segment' }).fill('Again')
      await page.keyboard.press('Enter')
      await menu(page).getByRole('button', { name: 'Rename Again' }).waitFor()
      expect((await settingsOf()).segments[1]).toEqual({ name: 'Again', filters: [['is', 'event:page', ['/docs']]] })

      await menu(page).getByRole('button', { name: 'Remove Readers & co' }).click()
      await searchIs(page, `?site=${site}`)
      await cardShows(page, 'Visitors', '3')
      expect(await namesOf()).toEqual(['Again'])
      expect(violations).toEqual([])
    })

    it('that another has changed meanwhile are not overwritten', async () => {
      await setSite({ segments: [{ name: 'Mine', filters: [['is', 'event:page', ['/docs']]] }] })
      const { page } = await opened(`?site=${site}`)
      await button(page).click()
      await menu(page).getByText('Filter the page').waitFor()
      await until('the settings', async () => ((await menu(page).locator('[aria-busy=true]').count()) === 0 ? true : undefined))
      await setSite({ segments: [{ name: 'Theirs', filters: [['is', 'event:page', ['/']]] }] })
      await menu(page).getByRole('button', { name: 'Remove Mine' }).click()
      await menu(page)
        .getByRole('alert')
        .getByText(/version/)
        .waitFor()
      await menu(page).getByRole('button', { name: 'Try again' }).click()
      await menu(page).getByRole('button', { name: 'Remove Theirs' }).waitFor()
    })

    it('are applied by who only reads, and not changed', async () => {
      await setSite({ segments: [{ name: 'Docs', filters: [['is', 'event:page', ['/docs']]] }] })
      await asked({ filters: [['is', 'segment', ['Docs']]] })
      const { page } = await opened(`?site=${site}`)
      await page.route('**/api/me', (route) => route.fulfill({ json: { role: 'read', site, via: 'session' } }))
      await page.reload()
      await button(page).click()
      await menu(page).getByRole('button').waitFor()
      expect(await menu(page).getByRole('button').allTextContents()).toEqual(['DocsPage is /docs'])
      expect(await menu(page).getByRole('textbox').count()).toBe(0)
      await menu(page).getByRole('button').click()
      await searchIs(page, `?site=${site}&f=segment:Docs`)
      await cardShows(page, 'Visitors', '2')
      // None is nothing to open.
      await setSite({ segments: [] })
      await page.goto(`${base()}/?site=${site}`)
      await cardShows(page, 'Visitors', '3')
      expect(await button(page).count()).toBe(0)
    })

    it.each(['light', 'dark'] as const)('axe has nothing to say, %s, and they fit a telephone', async (colorScheme) => {
      await setSite({ segments: [{ name: 'x'.repeat(120), filters: [['contains', 'event:title', ['y'.repeat(300)]]] }] })
      const viewport = { width: 390, height: 800 }
      const { page } = await opened(`?site=${site}&f=page:/docs`, { colorScheme, reducedMotion: 'reduce', viewport })
      await button(page).click()
      await menu(page)
        .getByRole('button', { name: /^Rename/ })
        .click()
      await menu(page)
        .getByRole('textbox', { name: /^New name/ })
        .waitFor()
      expect(await barriersIn(page)).toEqual([])
      const box = (await menu(page).boundingBox())!
      expect(box.x).toBeGreaterThanOrEqual(0)
      expect(box.x + box.width).toBeLessThanOrEqual(viewport.width)
      expect(await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)).toBe(0)
    })
  })
})
