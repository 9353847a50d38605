import type { Browser, Locator, Page } from 'playwright-core'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { aFolder, freePort, type Server, startServer, until } from '../process/server.ts'
import { barriersIn } from './axe.ts'
import { aVisitor, browserMissing, launchBrowser } from './browser.ts'

/** Goals and explorations in a real browser over the real product: what is asked by clicks is an address, and shows what was sent. */
const folder = aFolder()
const site = 'example.com'
const plain = 'plain.example.com'
const cookieless = 'cookieless.example.com'
let server: Server
let browser: Browser
let page: Page
const complaints: string[] = []

const agent = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'
const hostile = '"><img src=x onerror="document.title=1">'
const hourMs = 3_600_000
/** The day two before today, in UTC, as the site is. */
const first = Math.floor(Date.now() / 86_400_000) * 86_400_000 - 48 * hourMs

type Seen = { visitor: string; day: number; at?: number; source?: string; what: (string | { name: string; props?: object })[] }
/** Six on the first day; of them two come back on the second. */
const seen: Seen[] = [
  {
    visitor: 'anna-00000001',
    day: 0,
    source: 'https://www.google.com/',
    what: ['/', '/pricing', { name: 'signup', props: { plan: 'pro' } }],
  },
  {
    visitor: 'bert-00000002',
    day: 0,
    source: 'https://www.google.com/',
    what: ['/', '/pricing', { name: 'signup', props: { plan: 'free' } }],
  },
  { visitor: 'cleo-00000003', day: 0, what: ['/', '/pricing', '/docs'] },
  { visitor: 'dana-00000004', day: 0, what: ['/', '/docs'] },
  { visitor: 'eve-000000005', day: 0, what: ['/'] },
  { visitor: 'finn-00000006', day: 0, what: [`/${encodeURIComponent(hostile)}`, '/', { name: hostile }] },
  { visitor: 'anna-00000001', day: 1, what: ['/docs'] },
  { visitor: 'cleo-00000003', day: 1, source: 'https://www.google.com/', what: ['/docs'] },
]

const hitsOf = (domain: string) =>
  seen.flatMap(({ visitor, day, source, what }) => {
    let path = '/'
    return what.map((one, i) => {
      if (typeof one === 'string') path = one
      const url = `https://${domain}${path}`
      const time = first + day * 24 * hourMs + 12 * hourMs + i * 10_000
      const who = { site: domain, visitor, address: '192.0.2.7', agent, time, url }
      return { ...who, ...(i === 0 && source ? { referrer: source } : {}), ...(typeof one === 'string' ? {} : one) }
    })
  })

const dateOf = (day: number) => new Date(first + day * 24 * hourMs).toISOString().slice(0, 10)
/** Both days. */
const both = `&period=${dateOf(0)}..${dateOf(1)}`

beforeAll(async () => {
  if (browserMissing) return
  server = await startServer({ data: folder.path, port: await freePort() })
  await server.addSite(site)
  await server.addSite(plain)
  await server.addSite(cookieless, { identity: 'cookieless' })
  for (const one of [site, cookieless]) {
    await server.get('POST', '/api/hit', { hits: hitsOf(one) })
    await server.settled(one)
  }
  browser = await launchBrowser()
  page = await signedIn((await server.get('POST', '/api/links')).url)
}, 60_000)

const signedIn = async (link: string): Promise<Page> => {
  const context = await aVisitor(browser)
  const opened = await context.newPage()
  opened.on('console', (message) => message.type() === 'error' && complaints.push(message.text()))
  opened.on('pageerror', (error) => complaints.push(error.message))
  await opened.goto(link.replace('localhost', '127.0.0.1'))
  return opened
}

afterAll(async () => {
  await browser?.close()
  await server?.stop()
  folder.remove()
})

beforeEach(({ skip }) => {
  if (browserMissing) skip(browserMissing)
})

const open = async (query: string, on = site): Promise<void> => {
  await page.goto(`${server.url}/?site=${on}&compare=off${both}${query}`)
  await settled()
}
const settled = async (): Promise<void> => {
  await page.locator('.panels').waitFor()
  await until('all answers', async () => ((await page.locator('.panels .skeleton, .panels .old').count()) === 0 ? true : undefined))
}
/** Cells of the body of a table, row by row, spoken parts left out. */
const rowsOf = (scope: Locator): Promise<string[][]> =>
  scope.locator('tbody tr').evaluateAll((rows) =>
    rows.map((row) =>
      [...row.querySelectorAll('.name, th:not(:has(.name)), td')].map((cell) => {
        const copy = cell.cloneNode(true) as Element
        for (const spoken of copy.querySelectorAll('.spoken')) spoken.remove()
        return copy.textContent ?? ''
      }),
    ),
  )
const rows = (scope: Locator) => expect.poll(() => rowsOf(scope), { timeout: 10_000 })
const explore = () => page.locator('.panel.explore')
const param = (name: string) => new URL(page.url()).searchParams.get(name) ?? ''
const tab = (name: string) => explore().getByRole('tab', { name, exact: true }).click()

describe('goals', () => {
  const goals = () => page.locator('.panel.goals')
  const dialog = () => page.getByRole('dialog', { name: 'Goals' })

  test('are said to be none, and how there are some', async () => {
    await page.goto(`${server.url}/?site=${site}${both}`)
    await goals().getByText('This site has no goals.').waitFor()
    await goals().getByText('Add one below.').waitFor()
  })

  test('are added, counted, a filter, compared, and taken away', async () => {
    await open('')
    await goals().getByRole('button', { name: 'Add a goal' }).click()
    const form = dialog().getByRole('form', { name: 'New goal' })
    // The server says what is wrong.
    await form.getByRole('textbox', { name: 'Name' }).fill('Paid')
    await form.getByRole('combobox', { name: 'Page', exact: true }).fill('pricing')
    await form.getByRole('button', { name: 'Add goal' }).click()
    await form
      .getByRole('alert')
      .getByText(/goals\[0\]\.page/)
      .waitFor()
    await form.getByLabel('Met when').selectOption('An event is sent')
    await form.getByRole('combobox', { name: 'Event', exact: true }).fill('signup')
    await form.getByRole('button', { name: 'Only with a property' }).click()
    await form.getByLabel('Property', { exact: true }).fill('plan')
    await form.getByLabel('Values, one a line').fill('pro\nteam')
    await form.getByRole('button', { name: 'Add goal' }).click()
    await dialog().getByRole('list', { name: 'Goals of this site' }).getByText('Event signup, where plan is pro or team').waitFor()
    await form.getByRole('textbox', { name: 'Name' }).fill(hostile)
    await form.getByRole('combobox', { name: 'Page', exact: true }).fill('/pricing')
    await form.getByRole('button', { name: 'Add goal' }).click()
    await dialog().getByText(hostile, { exact: true }).waitFor()
    await form.getByRole('textbox', { name: 'Name' }).fill('Read')
    await form.getByLabel('Met when').selectOption('A page is read so far')
    await form.getByRole('combobox', { name: 'Page', exact: true }).fill('/docs**')
    await form.getByRole('button', { name: 'Add goal' }).click()
    await dialog().getByText('75% of page /docs** seen').waitFor()
    expect(await barriersIn(page)).toEqual([])
    await page.keyboard.press('Escape')
    await dialog().waitFor({ state: 'detached' })
    // Six visitors in all; the last is a goal that nobody met.
    await rows(goals()).toEqual([
      [hostile, '3', '3', '50%'],
      ['Paid', '1', '1', '16.67%'],
      ['Read', '0', '0', '0%'],
    ])
    await goals().getByRole('button', { name: 'Paid', exact: true }).click()
    await page.waitForURL(/f=goal:Paid/)
    await settled()
    await rows(goals()).toEqual([['Paid', '1', '1', '16.67%']])
    await rows(page.locator('.panel.pages')).toEqual([['/pricing', '1']])
    await page.goto(`${server.url}/?site=${site}&period=${dateOf(1)}`)
    await settled()
    expect((await rowsOf(goals())).map(([name, , , , change]) => [name, change])).toContainEqual([hostile, '↓ 100%'])

    await goals().getByRole('button', { name: 'Change goals' }).click()
    await dialog().getByRole('button', { name: 'Remove Read' }).click()
    await dialog().getByRole('button', { name: 'Remove Read' }).waitFor({ state: 'detached' })
    await page.keyboard.press('Escape')
    expect((await server.get('GET', `/api/sites/${site}`)).goals.map(({ name }: { name: string }) => name)).toEqual(['Paid', hostile])
  })

  test('that another has changed meanwhile are not overwritten', async () => {
    await open('')
    await goals().getByRole('button', { name: 'Change goals' }).click()
    await dialog().getByRole('button', { name: 'Remove Paid' }).waitFor()
    const { goals: before } = await server.get('GET', `/api/sites/${site}`)
    await server.get('PATCH', `/api/sites/${site}`, { goals: [...before, { name: 'Theirs', page: '/docs' }] })
    await dialog().getByRole('button', { name: 'Remove Paid' }).click()
    await dialog()
      .getByRole('alert')
      .getByText(/version/)
      .waitFor()
    await dialog().getByRole('button', { name: 'Try again' }).click()
    await dialog().getByText('Theirs', { exact: true }).waitFor()
    await page.keyboard.press('Escape')
  })
})

describe('nothing of Explore', () => {
  test('is loaded before it is opened', async () => {
    const asked: string[] = []
    page.on('request', (request) => asked.push(new URL(request.url()).pathname))
    await open('')
    expect(asked.filter((path) => /views-|\/(funnel|paths|retention|why)$/.test(path))).toEqual([])
    await tab('Retention')
    await explore().getByRole('table').waitFor()
    expect(asked.filter((path) => /\/views-.*js$|\/retention$/.test(path)).length).toBeGreaterThanOrEqual(2)
    await explore().getByRole('button', { name: 'Close Explore' }).click()
    await explore().getByText('how far visitors get').waitFor()
    expect(page.url()).not.toContain('explore')
  })
})

describe('a funnel', () => {
  const whole = () => explore().getByRole('table', { name: 'Funnel:' })

  test('is laid out by clicks, and is an address', async () => {
    await open('')
    await tab('Funnel')
    await explore().getByText('A funnel has two steps or more').waitFor()
    for (const [kind, value] of [
      ['Page', '/'],
      ['Event', 'signup'],
      ['Page', '/pricing'],
    ] as const) {
      await explore().getByLabel('Kind of').selectOption(kind)
      await explore().getByRole('combobox', { name: /step$/ }).last().fill(value)
      await page.keyboard.press('Enter')
    }
    await expect.poll(() => param('steps')).toBe('page:/ event:signup page:/pricing')
    await explore().getByRole('button', { name: 'Move step 3 forward' }).click()
    await expect.poll(() => param('steps')).toBe('page:/ page:/pricing event:signup')
    await rows(whole()).toEqual([
      ['1. Page /', '6', '–', '100%', '–'],
      ['2. Page /pricing', '3', '50%', '50%', '10s'],
      ['3. Event signup', '2', '66.67%', '33.33%', '10s'],
    ])
    await explore().getByLabel('split by').selectOption('Source')
    await rows(explore().getByRole('table', { name: /^Visitors at each step/ })).toEqual([
      ['(direct)', '4', '1', '0', '0%'],
      ['Google', '2', '2', '2', '100%'],
    ])
    await explore().getByRole('button', { name: 'Google', exact: true }).click()
    await expect.poll(() => param('f')).toBe('source:Google')
    await rows(whole()).toEqual([
      ['1. Page /', '2', '–', '100%', '–'],
      ['2. Page /pricing', '2', '100%', '100%', '10s'],
      ['3. Event signup', '2', '100%', '100%', '10s'],
    ])
  })

  test('is opened by its address: order, window and hostile names too', async () => {
    await open(
      `&explore=funnel&order=strict&window=5s&steps=${encodeURIComponent(`page:/ page:"/docs" event:"${hostile.replace(/"/g, '\\"')}"`)}`,
    )
    await rows(whole()).toEqual([
      ['1. Page /', '6', '–', '100%', '–'],
      ['2. Page /docs', '0', '0%', '0%', '–'],
      [`3. Event ${hostile}`, '0', '–', '0%', '–'],
    ])
    expect(await explore().getByLabel('within').inputValue()).toBe('5s')
    await explore().getByLabel('within').selectOption('1 hour')
    await expect.poll(async () => (await rowsOf(whole()))[1]?.[1]).toBe('1')
    await explore().getByRole('combobox', { name: 'Steps' }).selectOption('in this order')
    await expect.poll(async () => (await rowsOf(whole()))[1]?.[1]).toBe('2')
    await page.goBack()
    await expect.poll(async () => (await rowsOf(whole()))[1]?.[1]).toBe('1')
  })

  test('that cannot be answered says why, and is asked again', async () => {
    const error = { error: 'The question took too long.', code: 'timeout', hint: 'Ask for a shorter range.' }
    await page.route('**/api/v2/funnel', (route) => route.fulfill({ status: 400, json: error }))
    await open('&explore=funnel&steps=page:/docs+page:/')
    const problem = explore().getByRole('alert')
    await problem.getByText('The question took too long.').waitFor()
    await page.unroute('**/api/v2/funnel')
    await problem.getByRole('button', { name: 'Try again' }).click()
    await rows(whole()).toEqual([
      ['1. Page /docs', '3', '–', '100%', '–'],
      ['2. Page /', '0', '0%', '0%', '–'],
    ])
  })
})

describe('paths', () => {
  const level = (n: number) => explore().getByRole('region', { name: `Step ${n}` })

  test('open level by level, forwards and backwards', async () => {
    await open('&explore=paths')
    await rows(level(1)).toEqual([
      ['/', '5', '62.5%'],
      ['/docs', '2', '25%'],
      [`/${hostile}`, '1', '12.5%'],
    ])
    await level(1).getByRole('button', { name: '/', exact: true }).click()
    await expect.poll(() => param('trail')).toBe('/')
    await rows(level(2)).toEqual([
      ['/pricing', '3', '60%'],
      ['/docs', '1', '20%'],
      ['the visit ends', '1', '20%'],
    ])
    await level(2).getByRole('button', { name: '/pricing' }).click()
    await rows(level(3)).toEqual([
      ['/docs', '1', '33.33%'],
      ['the visit ends', '2', '66.67%'],
    ])
    // The same row again closes what it has opened.
    await level(1).getByRole('button', { name: '/', exact: true }).click()
    await level(2).waitFor({ state: 'detached' })
    await explore().getByLabel('Show').selectOption('What came before')
    await explore().getByRole('combobox', { name: 'End at', exact: true }).fill('/docs')
    await explore().getByRole('button', { name: 'End here' }).click()
    await expect.poll(() => [param('direction'), param('root')]).toEqual(['previous', 'page:/docs'])
    await rows(level(1)).toEqual([
      ['/', '1', '25%'],
      ['/pricing', '1', '25%'],
      ['the visit begins', '2', '50%'],
    ])
    await explore().getByRole('combobox', { name: 'by', exact: true }).selectOption('events')
    await expect.poll(() => param('by')).toBe('event')
    await settled()
  })
})

describe('retention', () => {
  test('is a table of cohorts, with numbers in text', async () => {
    await open('&explore=retention')
    await rows(explore().getByRole('table')).toEqual([
      [expect.stringContaining(new Date(first).getUTCFullYear().toString()), '6', '100%', '33%'],
    ])
    await explore().getByLabel('Cohorts by').selectOption('month')
    await expect.poll(() => param('cohorts')).toBe('month')
    await explore().getByText('In italics: the month is cut').waitFor()
  })

  test('says where visitors are known for a day only', async () => {
    await open('&explore=retention', cookieless)
    await explore()
      .getByText(/known for one day only/)
      .waitFor()
  })
})

describe('why', () => {
  test('ranks rows by what they added, and each is a filter', async () => {
    await page.goto(`${server.url}/?site=${site}&period=${dateOf(1)}&metric=visits&explore=why`)
    await explore().getByText('Visits fell by 4, from 6').waitFor()
    await rows(explore().getByRole('table')).toEqual([
      ['(direct)', '4', '1', '−3', '75%'],
      ['Google', '2', '1', '−1', '25%'],
    ])
    await explore().getByRole('button', { name: 'Google', exact: true }).click()
    await expect.poll(() => param('f')).toBe('source:Google')
    await explore().getByText('Visits fell by 1, from 2').waitFor()
    await explore().getByLabel('Explain by').selectOption('Entry page')
    await expect.poll(() => param('cause')).toBe('entry')
    await rows(explore().getByRole('table')).toEqual([
      ['/', '2', '0', '−2', '200%'],
      ['/docs', '0', '1', '+1', '−100%'],
    ])
  })

  test('needs a comparison, and turns it on', async () => {
    await open('&explore=why')
    await explore().getByRole('button', { name: 'Compare with the period before' }).click()
    await explore()
      .getByText(/Visitors rose by 6/)
      .waitFor()
    expect(param('compare')).toBe('')
  })
})

describe('rows that are no longer kept', () => {
  test('are told in one sentence', async () => {
    await page.route('**/api/v2/query', async (route) => {
      const response = await route.fetch()
      const answer = await response.json()
      await route.fulfill({ response, json: { ...answer, meta: { ...answer.meta, complete_from: '2026-11-01T00:00:00.000Z' } } })
    })
    await open('')
    await page.getByText('This site keeps its rows from 1 Nov 2026 on').waitFor()
    await page.unroute('**/api/v2/query')
  })
})

describe('for everybody', () => {
  const views = ['funnel&steps=page:/+event:signup&split=source', 'paths&trail=/|/pricing', 'retention', 'why']

  test.each(['light', 'dark'] as const)('axe has nothing to say, %s', async (colorScheme) => {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
    await open('')
    expect(await barriersIn(page)).toEqual([])
    for (const view of views) {
      await page.goto(`${server.url}/?site=${site}${both}&explore=${view}`)
      await explore().getByRole('table').first().waitFor()
      await settled()
      expect(await barriersIn(page), view).toEqual([])
    }
  })

  test.each([390, 768, 1920])('everything fits %i pixels', async (width) => {
    await page.setViewportSize({ width, height: 800 })
    // Days that are still to come are columns too: more than there is room for.
    for (const view of views) {
      await page.goto(`${server.url}/?site=${site}&period=${dateOf(0)}..${dateOf(12)}&cohorts=day&explore=${view}`)
      await explore().getByRole('table').first().waitFor()
      expect(await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth), view).toBe(0)
    }
    await page.setViewportSize({ width: 1280, height: 800 })
  })

  /** Of each view, what its numbers are called where they are explained. */
  const meanings: [view: string, names: string[]][] = [
    [
      'funnel&steps=page:/+event:signup&split=source',
      [
        'Visitors at a step',
        'Part of the step before',
        'Part of the first step',
        'Time since the step before',
        'Visitors at step 1',
        'Visitors at step 2',
        'Part of the first step',
      ],
    ],
    ['paths', ['Visits that went this way', 'Part of the step before']],
    ['retention', ['Visitors of a cohort', 'Part that was there again']],
    ['why&compare=previous', ['Visitors before', 'Visitors now', 'Change of visitors', 'Share of the change']],
  ]

  test.each(meanings)('each number of %s opens what it means', async (view, names) => {
    await open(`&explore=${view}`)
    await explore().getByRole('table').first().waitFor()
    const opens = explore().getByRole('button', { name: /^What .* means$/ })
    expect(await opens.evaluateAll((all) => all.map((one) => one.getAttribute('aria-label')?.slice(5, -6)))).toEqual(names)
    for (const [i, name] of names.entries()) {
      await opens.nth(i).press('Enter')
      const popover = page.locator('.popover:popover-open')
      await popover.getByRole('heading', { name, exact: true }).waitFor()
      await popover.getByRole('row', { name: /^Received/ }).waitFor()
      if (i === 0) expect(await barriersIn(page)).toEqual([])
      await page.keyboard.press('Escape')
      await popover.waitFor({ state: 'detached' })
    }
  })

  test.each(meanings)('what %s shows is copied as a call that answers the same', async (view) => {
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write'])
    await open(`&explore=${view}`)
    await explore().getByRole('table').first().waitFor()
    const kind = view.split('&')[0]!
    const shown = page.waitForResponse(`**/api/v2/${kind}`)
    await page.reload()
    const { meta: _shown, ...answer } = await (await shown).json()
    await explore().getByRole('button', { name: 'Copy as API call' }).first().press('Enter')
    await explore().getByRole('button', { name: 'Copied' }).waitFor()
    const call = await page.evaluate(() => navigator.clipboard.readText())
    const [, address, body] = /^curl -X POST (\S+) -H "Authorization: Bearer \$FOOTFALL_KEY" -d '(.*)'$/.exec(call)!
    expect(address).toBe(`${server.url}/api/v2/${kind}`)
    const { meta: _asked, ...again } = await server.get('POST', `/api/v2/${kind}`, JSON.parse(body!))
    expect(again).toEqual(answer)
  })

  test('tabs of Explore are one stop of the keyboard', async () => {
    await open('')
    await explore().getByRole('tab', { name: 'Funnel' }).focus()
    await page.keyboard.press('ArrowRight')
    await page.waitForURL(/explore=paths/)
    expect(await explore().getByRole('tab', { name: 'Paths' }).getAttribute('aria-selected')).toBe('true')
    expect(page.url()).toContain(both)
  })

  test('who only reads is offered no form', async () => {
    const reader = await signedIn((await server.get('POST', '/api/links')).url)
    await reader.route('**/api/me', (route) => route.fulfill({ json: { role: 'read', site: plain, via: 'session' } }))
    await server.hit({ site: plain, url: `https://${plain}/`, visitor: 'visitor-plain' }, { 'user-agent': agent })
    await reader.goto(`${server.url}/?site=${plain}`)
    await reader.locator('.panel.goals').getByText('Who owns the site adds them').waitFor()
    expect(await reader.getByRole('button', { name: 'Add a goal' }).count()).toBe(0)
    await reader.context().close()
  })

  test('names that visitors sent stayed text, and nothing was complained of', async () => {
    expect(await page.locator('img[src="x"]').count()).toBe(0)
    expect(await page.title()).not.toBe('1')
    // Two answers were errors, by our own doing.
    expect(complaints.filter((text) => !/status of (400|409)/.test(text))).toEqual([])
  })
})
