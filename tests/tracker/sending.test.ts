import type { Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { untilIn } from '../journey/browser.ts'
import { until } from '../process/server.ts'
import type { Post, SentHit } from './site.ts'
import { browserMissing, openWorld, told, waitingIn } from './world.ts'

/** What becomes of hits where lines break, servers fail, browsers forget and clocks jump: each arrives, and counts once. */
const world = openWorld()

const open = async (page?: Page, path = '/'): Promise<Page> => {
  world.site.serve({ '/': {}, '/next': {} })
  const opened = page ?? (await world.page())
  await opened.goto(world.site.url + path)
  return opened
}

const call = (page: Page, ...names: string[]): Promise<unknown> =>
  page.evaluate(`${JSON.stringify(names)}.forEach((name) => footfall(name))`)

/** The next answer that a page gets: until it has read it, it does not know what became of its hits. */
const answerIn = (page: Page) => page.waitForResponse((response) => response.url().endsWith('/api/hit'))

const names = (prefix: string, n: number) => Array.from({ length: n }, (_, i) => `${prefix}${i}`)

/** Names of what was counted, without the tracker's own engagement. */
const counted = () => world.collector.names().filter((name) => name !== 'engagement')

/** Each id with how often it was sent. */
const sendings = (posts: readonly Post[]) => {
  const times = new Map<string, number>()
  for (const { id } of posts.flatMap(({ hits }) => hits)) times.set(id, (times.get(id) ?? 0) + 1)
  return times
}

const idsOf = (post: Post | undefined) => post!.hits.map(({ id }) => id)

describe.skipIf(browserMissing !== undefined)('an outcome that is unknown', () => {
  it.each([503, 500, 429, 'cut'] as const)('(%s, then 202): the same ids again, counted once', async (answer) => {
    world.collector.willAnswer(answer)
    const page = await open()
    const [first, second] = await world.collector.posted(2)
    expect(idsOf(second)).toEqual(idsOf(first))
    expect(second!.at - first!.at).toBeGreaterThan(900)
    // The hit says how long it has waited.
    expect(second!.hits[0]!.queued - first!.hits[0]!.queued).toBeGreaterThan(900)
    await world.finish(page)
    expect(counted()).toEqual(['pageview', 'finish'])
  })

  it('waits longer from time to time', async () => {
    world.collector.willAnswer(503, 503, 503)
    const page = await open()
    const posts = await world.collector.posted(4)
    const gaps = posts.slice(1).map(({ at }, i) => at - posts[i]!.at)
    for (const [i, gap] of gaps.entries()) expect(gap).toBeGreaterThan(2_000 * 2 ** i * 0.45)
    await world.finish(page)
    expect(counted()).toEqual(['pageview', 'finish'])
  })

  it.each([429, 503])(
    '(%i with Retry-After) waits as long as the server says, also for what comes meanwhile, and where it is left',
    async (status) => {
      world.collector.willAnswer([status, { 'retry-after': '4' }])
      const page = await world.page()
      const answered = answerIn(page)
      await open(page)
      await answered
      await call(page, 'meanwhile')
      await page.evaluate(`dispatchEvent(new Event('online')); dispatchEvent(new PageTransitionEvent('pagehide'))`)
      const [first, second] = await world.collector.posted(2)
      expect(second!.at - first!.at).toBeGreaterThan(3_900)
      expect(second!.hits.map(({ name }) => name)).toEqual(['pageview', 'meanwhile', 'engagement'])
      await world.finish(page)
      expect(counted()).toEqual(['pageview', 'meanwhile', 'finish'])
    },
  )

  it('since no answer comes: it is asked again', async () => {
    world.collector.willAnswer('hang')
    const page = await world.page()
    await page.addInitScript(
      `const real = AbortSignal.timeout; AbortSignal.timeout = (ms) => { window.givenMs = ms; return real.call(AbortSignal, 500) }`,
    )
    await open(page)
    await world.collector.posted(1)
    // One request at a time: what comes meanwhile goes behind it.
    await call(page, 'meanwhile')
    const [first, second] = await world.collector.posted(2)
    expect(first!.hits.map(({ name }) => name)).toEqual(['pageview'])
    expect(second!.hits.map(({ name }) => name)).toEqual(['pageview', 'meanwhile'])
    expect(idsOf(second)[0]).toBe(idsOf(first)[0])
    expect(await page.evaluate('givenMs')).toBe(30_000)
    await world.finish(page)
    expect(counted()).toEqual(['pageview', 'meanwhile', 'finish'])
  })

  it('since the page is left meanwhile: the next page asks', async () => {
    world.collector.willAnswer('hang')
    const page = await open()
    await world.collector.posted(1)
    await open(page, '/next')
    await world.finish(page)
    expect(told(world.collector.counted()).filter((one) => !one.startsWith('engagement'))).toEqual([
      'pageview /',
      'pageview /next',
      'finish /next',
    ])
  })

  it('does not keep back what comes after it: it is sent when the page is left for another site', async () => {
    world.collector.willAnswer('hang')
    const page = await open()
    await world.collector.posted(1)
    await call(page, 'last')
    await page.goto('about:blank')
    expect((await world.collector.named('last')).length).toBe(1)
    expect(world.collector.names()).toEqual(['last', 'engagement'])
  })

  it('of what is sent on leaving: the next page asks, and nothing counts twice', async () => {
    const page = await open()
    await world.collector.named('pageview')
    world.collector.willAnswer(503)
    await call(page, 'last')
    await open(page, '/next')
    await world.finish(page)
    expect(world.collector.names()).toEqual(['pageview', 'last', 'engagement', 'pageview', 'finish'])
  })

  it('ends after 12 hours', async () => {
    world.collector.willAlwaysAnswer(503)
    const page = await world.page()
    const start = Date.UTC(2026, 5, 10, 12)
    await page.clock.install({ time: start })
    await page.clock.pauseAt(start + 1_000)
    await open(page)
    await untilIn(page, 'typeof footfall === "function"')
    const first = answerIn(page)
    await page.clock.runFor(1)
    await first
    const second = answerIn(page)
    await page.clock.fastForward(12 * 3_600_000 - 120_000)
    await second
    expect(world.collector.posts().at(-1)!.hits).toHaveLength(1)
    await call(page, 'late')
    await page.clock.fastForward(200_000)
    await until('the old one to be gone', async () => ((await waitingIn(page)) === 1 ? true : undefined))
    world.collector.willAnswer()
    await page.clock.fastForward(400_000)
    await world.collector.named('late')
    expect(counted()).toEqual(['late'])
  }, 60_000)
})

describe.skipIf(browserMissing !== undefined)('a refusal', () => {
  it.each([400, 404, 413])('for good (%i) is not asked again, and what follows is sent', async (status) => {
    world.collector.willAnswer(202, status)
    const page = await open()
    await world.collector.named('pageview')
    await call(page, 'refused')
    await world.collector.posted(2)
    await until('nothing to wait', async () => ((await waitingIn(page)) === 0 ? true : undefined))
    await open(page)
    await world.finish(page)
    expect(counted()).toEqual(['pageview', 'pageview', 'finish'])
    expect(
      world.collector
        .posts()
        .flatMap(({ hits }) => hits)
        .filter(({ name }) => name === 'refused'),
    ).toHaveLength(1)
  })
})

describe.skipIf(browserMissing !== undefined)('without a line', () => {
  it('hits wait, and go when it is back, oldest first and with the time they have waited', async () => {
    const page = await open()
    await world.collector.named('pageview')
    await page.context().setOffline(true)
    await call(page, ...names('offline', 30))
    await page.evaluate(`history.pushState({}, '', '/a')`)
    await until('all to be kept', async () => ((await waitingIn(page)) === 32 ? true : undefined))
    await page.context().setOffline(false)
    await world.finish(page)
    expect(told(world.collector.counted())).toEqual([
      'pageview /',
      ...names('offline', 30).map((name) => `${name} /`),
      'engagement /',
      'pageview /a',
      'finish /a',
    ])
  })

  it.each(['online', 'pagehide'])('and in the middle of a long wait they go at once when the browser says %s', async (type) => {
    world.collector.willAnswer(503, 503, 503)
    const page = await open()
    await world.collector.posted(3)
    // Said again, since the last failure may still be on its way to the page.
    await until('another request', async () => {
      await page.evaluate(`dispatchEvent(new PageTransitionEvent('${type}'))`)
      return world.collector.posts().length > 3 ? true : undefined
    })
    // By itself it would have waited 4 s at least.
    expect(world.collector.posts()[3]!.at - world.collector.posts()[2]!.at).toBeLessThan(3_500)
    await world.collector.named('pageview')
  })

  it('they survive a reload, and a browser that shows nothing at all meanwhile', async () => {
    const page = await open()
    await world.collector.named('pageview')
    await page.context().setOffline(true)
    await call(page, ...names('offline', 3))
    await page.reload().catch(() => undefined) // no page can be shown: there is no line
    await page.context().setOffline(false)
    await open(page, '/next')
    await world.finish(page)
    expect(told(world.collector.counted())).toEqual([
      'pageview /',
      'offline0 /',
      'offline1 /',
      'offline2 /',
      'engagement /',
      'pageview /next',
      'finish /next',
    ])
  })
})

describe.skipIf(browserMissing !== undefined)('storage', () => {
  const blocked = `Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('no', 'SecurityError') } })`
  it.each([
    ['blocked', blocked],
    ['not there', `Object.defineProperty(window, 'localStorage', { get: () => null })`],
    ['full', `Storage.prototype.setItem = () => {}; localStorage.filler = 'x'.repeat(5 * 1024 * 1024 - 20)`],
  ])('that is %s: hits are sent, and sent again, as long as the page lives', async (_how, init) => {
    world.collector.willAnswer(503)
    const page = await world.page()
    await page.addInitScript(init)
    await open(page)
    await world.collector.posted(1)
    await call(page, 'event')
    await world.collector.named('event')
    await page.evaluate(`history.pushState({}, '', '/a')`)
    await world.collector.named('pageview', 2)
    expect(told(world.collector.counted())).toEqual(['pageview /', 'event /', 'engagement /', 'pageview /a'])
  })

  it('holds at most 100 hits: the oldest go', async () => {
    world.collector.willAlwaysAnswer('cut')
    const page = await open()
    await world.collector.posted(1)
    await call(page, ...names('n', 150))
    expect(await waitingIn(page)).toBe(100)
    await open(page, '/next')
    await until('the next pageview to be kept', async () =>
      (await page.evaluate('Object.values(localStorage).some((text) => text.includes("/next"))')) ? true : undefined,
    )
    world.collector.willAnswer()
    await until('nothing to be left', async () => ((await waitingIn(page)) === 0 ? true : undefined))
    await world.finish(page)
    // Two of the hundred were the engagement of the first page and the next pageview.
    expect(counted()).toEqual([...names('n', 150).slice(52), 'pageview', 'finish'])
  })

  it('that holds rubbish under our names stops nothing', async () => {
    const page = await open()
    await world.collector.named('pageview')
    await page.evaluate(`localStorage['_ff/shop.example/0rubbish'] = '{'; localStorage['_ff/shop.example/1'] = 'null'`)
    await open(page)
    await world.collector.named('pageview', 2)
    await call(page, 'event')
    await world.collector.named('event')
  })
})

describe.skipIf(browserMissing !== undefined)('two tabs', () => {
  it('lose nothing to each other and count nothing twice, whoever is closed', async () => {
    world.collector.willAnswer(503, 'cut', 503, 'cut')
    const context = await world.visitor()
    const one = await open(await world.page(context))
    const two = await open(await world.page(context), '/next')
    for (let i = 0; i < 20; i++) await Promise.all([call(one, `one${i}`), call(two, `two${i}`)])
    await one.close()
    const three = await open(await world.page(context))
    await Promise.all([call(two, 'two-end'), call(three, 'three-end')])
    await world.collector.named('two-end')
    await world.collector.named('three-end')
    await until('nothing to be left', async () => ((await waitingIn(three)) === 0 ? true : undefined))
    const all = counted()
    expect(all.toSorted()).toEqual(
      [...names('one', 20), ...names('two', 20), 'pageview', 'pageview', 'pageview', 'three-end', 'two-end'].toSorted(),
    )
    for (const own of ['one', 'two']) expect(all.filter((name) => name.startsWith(own) && /\d$/.test(name))).toEqual(names(own, 20))
    expect(new Set(world.collector.counted().map(({ visitor }) => visitor)).size).toBe(1)
  })
})

describe.skipIf(browserMissing !== undefined)('a clock', () => {
  const days = 86_400_000
  const queuedOf = (name: string): number => world.collector.counted().find((hit) => hit.name === name)!.queued

  it.each([-400, -3, 3, 400])('that is wrong by %i days changes nothing', async (wrong) => {
    const page = await world.page()
    await page.clock.install({ time: Date.now() + wrong * days })
    world.collector.willAnswer(503)
    await open(page)
    await world.collector.named('pageview')
    await world.finish(page)
    expect(counted()).toEqual(['pageview', 'finish'])
    expect(queuedOf('pageview')).toBeGreaterThan(900)
    expect(queuedOf('pageview')).toBeLessThan(20_000)
  })

  it.each([-3, 3])('that jumps by %i days while hits wait loses none of them, nor their order, nor how long they waited', async (jump) => {
    const page = await world.page()
    await page.clock.install()
    world.collector.willAlwaysAnswer(503)
    await open(page)
    await world.collector.posted(1)
    await call(page, 'before')
    await page.clock.setSystemTime(Date.now() + jump * days)
    await call(page, 'after')
    world.collector.willAnswer()
    await world.finish(page)
    expect(counted()).toEqual(['pageview', 'before', 'after', 'finish'])
    for (const name of ['pageview', 'before', 'after']) expect(queuedOf(name)).toBeLessThan(20_000)
    for (const name of ['pageview', 'before', 'after']) expect(queuedOf(name)).toBeGreaterThanOrEqual(0)
  })

  it('that goes on while the machine sleeps says how long a hit has waited', async () => {
    const page = await world.page()
    await page.clock.install()
    world.collector.willAnswer(503)
    await open(page)
    await world.collector.posted(1)
    await page.clock.setSystemTime(Date.now() + 3 * 3_600_000)
    await world.collector.named('pageview')
    expect(queuedOf('pageview')).toBeGreaterThan(3 * 3_600_000 - 5_000)
    expect(queuedOf('pageview')).toBeLessThan(3 * 3_600_000 + 20_000)
  })

  it.each([-3, 3])('that jumped by %i days before a reload loses nothing either', async (jump) => {
    const page = await world.page()
    await page.clock.install()
    world.collector.willAlwaysAnswer(503)
    await open(page)
    await world.collector.posted(1)
    await page.clock.setSystemTime(Date.now() + jump * days)
    await call(page, 'event')
    await page.reload()
    await untilIn(page, 'typeof footfall === "function"')
    world.collector.willAnswer()
    await world.finish(page)
    expect(counted().toSorted()).toEqual(['event', 'finish', 'pageview', 'pageview'])
    expect(queuedOf('event')).toBeLessThan(20_000)
  })

  it('that was set back between two pages loses nothing: what waited is as if it were new', async () => {
    const page = await open()
    await world.collector.named('pageview')
    const waited = { id: 'z'.repeat(40), site: 'shop.example', name: 'old', url: `${world.site.url}/` }
    const young = { ...waited, id: 'y'.repeat(40), name: 'young' }
    const stale = { ...waited, id: 'x'.repeat(40), name: 'stale' }
    await page.evaluate(
      `for (const [ms, hit] of ${JSON.stringify([
        [3 * days, waited],
        [-3_600_000, young],
        [-0.6 * days, stale],
      ])}) localStorage['_ff/shop.example/' + hit.id] = JSON.stringify([Date.now() + ms, hit])`,
    )
    await open(page)
    await world.finish(page)
    expect(counted().toSorted()).toEqual(['finish', 'old', 'pageview', 'pageview', 'young'])
    expect(queuedOf('old')).toBeGreaterThanOrEqual(0)
    expect(queuedOf('old')).toBeLessThan(5_000)
    expect(queuedOf('young')).toBeGreaterThanOrEqual(3_600_000)
    expect(queuedOf('young')).toBeLessThan(3_610_000)
  })
})

describe.skipIf(browserMissing !== undefined)('requests', () => {
  it('hold what comes at once, at most 25 hits and 64 kB, in order', async () => {
    const page = await open()
    await world.collector.named('pageview')
    await page.evaluate(`for (let i = 0; i < 60; i++) footfall('n' + i, { props: { text: 'é'.repeat(1_500) } })`)
    await call(page, ...names('small', 30))
    await world.finish(page)
    expect(counted()).toEqual(['pageview', ...names('n', 60), ...names('small', 30), 'finish'])
    for (const { hits, bytes } of world.collector.posts()) {
      expect(hits.length).toBeLessThanOrEqual(25)
      expect(bytes).toBeLessThanOrEqual(65_536)
    }
    expect(world.collector.posts().length).toBeLessThan(12)
    expect([...sendings(world.collector.posts()).values()].every((n) => n === 1)).toBe(true)
  })

  it('never hold a hit that is too large, which stops nothing', async () => {
    const page = await open()
    await page.evaluate(`footfall('huge', { props: { text: 'x'.repeat(61_000) } }); footfall('next')`)
    await world.finish(page)
    expect(counted()).toEqual(['pageview', 'next', 'finish'])
  })

  it('are not held up by events that never stop', async () => {
    const page = await open()
    await world.collector.named('pageview')
    await page.evaluate('setInterval(() => footfall("tick"), 50)')
    await world.collector.named('tick', 10)
  })

  it.each([true, false])('go by beacon where a request ends with its page (beacons there: %s), and nothing is lost', async (hasBeacon) => {
    const page = await world.page()
    await page.addInitScript(`delete Request.prototype.keepalive
      const real = Navigator.prototype.sendBeacon
      Navigator.prototype.sendBeacon = ${hasBeacon ? `function (url, body) { sessionStorage.beacons = (sessionStorage.beacons || 0) + 1; return real.call(this, url, body) }` : 'undefined'}`)
    await open(page)
    await world.collector.named('pageview')
    await call(page, 'last')
    await open(page, '/next')
    await world.finish(page)
    expect(await page.evaluate('sessionStorage.beacons')).toBe(hasBeacon ? '1' : undefined)
    expect(world.collector.names()).toEqual(['pageview', 'last', 'engagement', 'pageview', 'finish'])
  })

  it('repeat, of a page that was left in peace, nothing but what was sent on leaving', async () => {
    const page = await open()
    await world.collector.named('pageview')
    await call(page, 'event')
    await world.collector.named('event')
    await open(page, '/next')
    await world.finish(page)
    const repeated = [...sendings(world.collector.posts())].filter(([, n]) => n > 1).map(([id]) => id)
    const byId = new Map(world.collector.counted().map((hit: SentHit) => [hit.id, hit.name]))
    // Whether the answer could still be read is up to the browser.
    expect(repeated.filter((id) => byId.get(id) !== 'engagement')).toEqual([])
  })
})
