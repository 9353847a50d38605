import type { Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import type { Replay } from '#functions/serve-dashboard/page/state/replays.ts'
import { until } from '../process/server.ts'
import { barriersIn } from './axe.ts'
import { browserMissing } from './browser.ts'
import { beginShell, site } from './shell-page.ts'

/** Past days counted again, in a real browser: ordered, looked at, shown and taken back, over a server that plays its part by script. */

type Body = { include?: { replay?: string }; dimensions?: string[]; metrics: string[]; date_range: unknown }

describe.skipIf(browserMissing)(`replays on the page${browserMissing ? `: ${browserMissing}` : ''}`, () => {
  const { opened, server, cardShows } = beginShell()

  const aReplay = (part: Partial<Replay> = {}): Replay => ({
    id: '0123456789ab',
    site,
    from: '2026-11-01',
    to: '2026-11-03',
    rules: ['channels', 'goals'],
    state: 'waiting',
    done: { days: 0, of: 3 },
    at: '2026-11-04T08:00:00.000Z',
    ...part,
  })
  const days = '1 Nov 2026 – 3 Nov 2026'

  /** A server that answers with what `list` holds; what it was asked is kept. */
  const scripted = async (page: Page, first: Replay[]) => {
    const script = {
      list: first,
      reads: 0,
      sent: [] as { method: string; path: string; body: unknown }[],
      refusal: undefined as object | undefined,
    }
    const answer = (body: { state?: Replay['state'] }): Replay => {
      const next = { switched: 'switching', undone: 'undoing' } as const
      const { state } = body
      if (state === 'switched' || state === 'undone') return { ...script.list[0]!, state: next[state] }
      return state === 'dropped' ? { ...script.list[0]!, state } : aReplay({ waits_for: '2026-11-03 is not closed yet.' })
    }
    await page.route('**/api/replays**', async (route) => {
      const request = route.request()
      if (request.method() === 'GET') {
        script.reads++
        return route.fulfill({ json: { replays: script.list } })
      }
      const body = request.postDataJSON()
      script.sent.push({ method: request.method(), path: new URL(request.url()).pathname, body })
      if (script.refusal) return route.fulfill({ status: 409, json: script.refusal })
      const one = answer(body)
      script.list = [one, ...script.list.filter(({ id }) => id !== one.id)]
      return route.fulfill({ status: request.method() === 'POST' ? 201 : 200, json: one })
    })
    return script
  }

  const dialog = (page: Page) => page.getByRole('dialog', { name: 'Count past days again' })
  const open = async (page: Page) => {
    await page.getByRole('button', { name: /^Site: / }).press('Enter')
    await page.getByRole('button', { name: 'Count past days again …' }).press('Enter')
    await dialog(page).getByRole('heading', { name: 'Orders' }).waitFor()
  }

  it('are ordered by the keyboard; a refusal says why, and an order says how far it is until it is ready', async () => {
    const { page, violations } = await opened(`?site=${site}`)
    await page.clock.install()
    const script = await scripted(page, [])
    await open(page)
    await dialog(page).getByText('There is none.').waitFor()
    const form = dialog(page).getByRole('form', { name: 'Days to count again' })
    await form.getByLabel('From').fill('2026-11-01')
    await form.getByLabel('To', { exact: true }).fill('2026-11-03')
    await form.getByRole('checkbox', { name: 'Exclusions' }).press('Space')
    expect(await form.getByRole('checkbox', { name: 'Session timeout' }).isChecked()).toBe(false)
    script.refusal = { error: 'The replay ab of this site is ready.', code: 'conflict', hint: 'Switch to it or drop it first.' }
    await form.getByRole('button', { name: 'Count again' }).press('Enter')
    await form.getByRole('alert').getByText('Switch to it or drop it first.').waitFor()
    script.refusal = undefined
    await form.getByRole('button', { name: 'Count again' }).press('Enter')
    const item = dialog(page).getByRole('listitem')
    await item.getByText('2026-11-03 is not closed yet.').waitFor()
    expect(await form.getByRole('alert').count()).toBe(0)
    expect(script.sent.at(-1)).toEqual({
      method: 'POST',
      path: '/api/replays',
      body: { site, from: '2026-11-01', to: '2026-11-03', rules: ['channels', 'goals'] },
    })
    expect(await item.getByText(days).count()).toBe(1)
    expect(await item.getByText('Sources and channels, Goals').count()).toBe(1)

    script.list = [aReplay({ state: 'working', done: { days: 2, of: 3 }, error: 'The disk is full.' })]
    await page.clock.runFor(2_500)
    await item.getByText('2 of 3 days').waitFor()
    await item.getByText('The disk is full. It is tried again by itself.').waitFor()
    expect(await item.getByRole('progressbar').getAttribute('value')).toBe('2')
    expect(await item.getByRole('button').allTextContents()).toEqual(['Drop'])
    script.list = [aReplay({ state: 'ready', done: { days: 3, of: 3 } })]
    await page.clock.runFor(2_500)
    await item.getByText('Ready: not shown yet').waitFor()
    expect(await item.getByRole('button').allTextContents()).toEqual(['Preview', 'Switch', 'Drop'])
    // Nothing moves any more, and nothing is asked.
    const { reads } = script
    await page.clock.runFor(20_000)
    expect(script.reads).toBe(reads)
    await page.keyboard.press('Escape')
    await dialog(page).waitFor({ state: 'detached' })
    expect(violations).toEqual([])
  })

  /** Rows of a preview: by channel, now and after. */
  const rows = {
    now: [
      ['Referral', 6, 6, 9, 50],
      ['Direct', 4, 4, 4, 100],
      ['Email', 1, 1, 1, 100],
    ],
    after: [
      ['AI Assistant', 2, 2, 3, 50],
      ['Referral', 4, 4, 6, 25],
      ['Direct', 4, 4, 4, 100],
      ['Email', 1, 1, 1, 100],
    ],
  } as const
  const previewed = async (page: Page) => {
    const asked: Body[] = []
    const control = { isBroken: false }
    await page.route('**/api/v2/query', async (route) => {
      const body = route.request().postDataJSON() as Body
      if (JSON.stringify(body.date_range) !== '["2026-11-01","2026-11-03"]') return route.fallback()
      asked.push(body)
      if (control.isBroken)
        return route.fulfill({ status: 400, json: { error: 'No such replay.', code: 'bad-query', hint: 'Order it again.' } })
      const side = body.include?.replay ? 'after' : 'now'
      const results = body.dimensions
        ? rows[side].map(([value, ...metrics]) => ({ dimensions: [value], metrics }))
        : [{ dimensions: [], metrics: side === 'after' ? [11, 11, 14, 55.5] : [11, 11, 14, 72.73] }]
      return route.fulfill({ json: { results, meta: {}, query: {} } })
    })
    return { asked, control }
  }
  const cells = (page: Page) =>
    dialog(page)
      .locator('.replay-rows tbody tr')
      .evaluateAll((all) => all.map((row) => [...row.children].map((cell) => cell.textContent)))

  it('are looked at beforehand: now, after, and the difference, the largest first', async () => {
    const { page } = await opened(`?site=${site}`)
    await scripted(page, [aReplay({ state: 'ready', done: { days: 3, of: 3 } })])
    const { asked, control } = await previewed(page)
    control.isBroken = true
    await open(page)
    await dialog(page)
      .getByRole('button', { name: `Preview ${days}` })
      .press('Enter')
    const problem = dialog(page).getByRole('alert')
    await problem.getByText('Order it again.').waitFor()
    control.isBroken = false
    await problem.getByRole('button', { name: 'Try again' }).click()
    await dialog(page).getByText('2 of 4 rows would change.').waitFor()
    expect(await cells(page)).toEqual([
      ['All', '11', '11', '0'],
      ['Referral', '6', '4', '−2'],
      ['AI Assistant', '0', '2', '+2'],
      ['Direct', '4', '4', '0'],
      ['Email', '1', '1', '0'],
    ])
    const metrics = ['visitors', 'visits', 'pageviews', 'bounce_rate']
    const base = { site_id: site, date_range: ['2026-11-01', '2026-11-03'], metrics }
    const byChannel = { dimensions: ['visit:channel'], pagination: { limit: 10_000, offset: 0 } }
    expect(asked.slice(-4)).toEqual([
      base,
      { ...base, include: { replay: '0123456789ab' } },
      { ...base, ...byChannel },
      { ...base, ...byChannel, include: { replay: '0123456789ab' } },
    ])
    await dialog(page).getByLabel('Number').selectOption('Bounce rate')
    expect((await cells(page)).slice(0, 3)).toEqual([
      ['All', '72.73%', '55.5%', '−17.23%'],
      ['Referral', '50%', '25%', '−25%'],
      ['AI Assistant', '–', '50%', '–'],
    ])
    await dialog(page).getByLabel('Rows by').selectOption('Country')
    await until('the other rows', async () => (asked.at(-1)!.dimensions?.[0] === 'visit:country' ? true : undefined))
    await dialog(page).getByRole('columnheader', { name: 'Country' }).waitFor()
  })

  it('are switched to, undone and dropped, each after it is said what happens; and the page asks its numbers anew', async () => {
    const { page } = await opened(`?site=${site}&period=7d`)
    await page.clock.install()
    const script = await scripted(page, [aReplay({ state: 'ready', done: { days: 3, of: 3 } })])
    await open(page)
    const item = dialog(page).getByRole('listitem')
    const confirm = (name: string) => page.getByRole('dialog', { name })
    const button = (name: string) => item.getByRole('button', { name: `${name} ${days}` })

    await button('Switch').press('Enter')
    const switching = confirm('Switch to the new numbers?')
    await switching.getByText(`sees ${days} under the new rules`).waitFor()
    // Leaving it does nothing.
    await page.keyboard.press('Escape')
    await switching.waitFor({ state: 'detached' })
    await dialog(page).waitFor()
    expect(script.sent).toEqual([])
    await button('Switch').press('Enter')
    script.refusal = { error: 'The replay cd stands on this one.', code: 'conflict', hint: 'Undo and drop that one first.' }
    await switching.getByRole('button', { name: 'Switch', exact: true }).click()
    await switching.getByRole('alert').getByText('Undo and drop that one first.').waitFor()
    script.refusal = undefined
    const asksAnew = page.waitForRequest('**/api/v2/query')
    await switching.getByRole('button', { name: 'Switch', exact: true }).click()
    await item.getByText('Switching').waitFor()
    await asksAnew
    expect(script.sent.at(-1)).toEqual({ method: 'PATCH', path: '/api/replays/0123456789ab', body: { site, state: 'switched' } })
    expect(await item.getByRole('button').count()).toBe(0)
    script.list = [aReplay({ state: 'switched', done: { days: 3, of: 3 } })]
    const asksAgain = page.waitForRequest('**/api/v2/query')
    await page.clock.runFor(2_500)
    await item.getByText('Shown', { exact: true }).waitFor()
    await asksAgain

    await button('Undo').press('Enter')
    const undoing = confirm('Go back to the old numbers?')
    await undoing.getByText('hits that came late since then included').waitFor()
    await undoing.getByRole('button', { name: 'Undo', exact: true }).click()
    await item.getByText('Undoing').waitFor()
    script.list = [aReplay({ state: 'undone', done: { days: 3, of: 3 }, waits_for: 'It waited for a day.' })]
    await page.clock.runFor(2_500)
    await item.getByText('Undone: not shown').waitFor()
    expect(await item.getByText('It waited for a day.').count()).toBe(0)
    expect(await item.getByRole('button').allTextContents()).toEqual(['Preview', 'Switch', 'Drop'])

    await button('Drop').press('Enter')
    const dropping = confirm('Drop the new numbers?')
    await dropping.getByText('What this site shows does not change.').waitFor()
    await dropping.getByRole('button', { name: 'Drop', exact: true }).click()
    await item.getByText('Dropped', { exact: true }).waitFor()
    expect(script.sent.map(({ body }) => (body as { state: string }).state)).toEqual(['switched', 'switched', 'undone', 'dropped'])
  })

  it('that cannot be read are told, and asked for again', async () => {
    const { page } = await opened(`?site=${site}`)
    await page.route('**/api/replays**', (route) =>
      route.fulfill({ status: 503, json: { error: 'Too busy.', code: 'busy', hint: 'Later.' } }),
    )
    await open(page)
    const problem = dialog(page).getByRole('alert')
    await problem.getByText('Too busy.').waitFor()
    await page.unroute('**/api/replays**')
    await scripted(page, [])
    await problem.getByRole('button', { name: 'Try again' }).click()
    await dialog(page).getByText('There is none.').waitFor()
    await problem.waitFor({ state: 'detached' })
  })

  it('are not offered to who only reads', async () => {
    const { page } = await opened(`?site=${site}`)
    await page.route('**/api/me', (route) => route.fulfill({ json: { role: 'read', site, via: 'session' } }))
    await page.reload()
    await page.getByRole('button', { name: /^Site: / }).click()
    await page.getByRole('dialog', { name: 'Sites' }).getByRole('button', { name: site }).waitFor()
    expect(await page.getByRole('button', { name: /Count past days/ }).count()).toBe(0)
  })

  it('that are being switched to are told above the numbers', async () => {
    const { page } = await opened(`?site=${site}`)
    await page.route('**/api/v2/query', async (route) => {
      const response = await route.fetch()
      const answer = await response.json()
      await route.fulfill({ response, json: { ...answer, meta: { ...answer.meta, replaying: { from: '2026-11-01', to: '2026-11-03' } } } })
    })
    await page.reload()
    await page.getByText('Numbers of 1 Nov 2026 to 3 Nov 2026 are being switched to new rules.').waitFor()
    await cardShows(page, 'Visitors', '3')
  })

  it.each([
    [390, 'light'],
    [390, 'dark'],
    [1280, 'light'],
    [1280, 'dark'],
  ] as const)('fit %i pixels, and axe has nothing to say, %s', async (width, colorScheme) => {
    await server().ask('GET', '/health')
    const { page } = await opened(`?site=${site}`, { colorScheme, reducedMotion: 'reduce', viewport: { width, height: 900 } })
    const old = aReplay({ id: 'old', state: 'working', done: { days: 1, of: 3 }, waits_for: 'w'.repeat(200) })
    await scripted(page, [aReplay({ state: 'ready', done: { days: 3, of: 3 } }), old])
    await previewed(page)
    await open(page)
    await dialog(page)
      .getByRole('button', { name: `Preview ${days}` })
      .click()
    await dialog(page).getByText('2 of 4 rows would change.').waitFor()
    expect(await barriersIn(page)).toEqual([])
    expect(await dialog(page).evaluate((shown) => shown.scrollWidth - shown.clientWidth)).toBe(0)
    await dialog(page)
      .getByRole('button', { name: `Switch ${days}` })
      .click()
    await page.getByRole('dialog', { name: 'Switch to the new numbers?' }).waitFor()
    expect(await barriersIn(page)).toEqual([])
  })
})
