import type { Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { untilIn } from '../journey/browser.ts'
import { browserMissing, openWorld, told } from './world.ts'

/** What visitors do: told by calls, by attributes, and by links and forms themselves. */
const world = openWorld()

/** A page whose links and forms lead nowhere, so that many can be tried on one. */
const stay = `for (const type of ['click', 'auxclick', 'submit'])
  addEventListener(type, (event) => { if (type === 'submit' || event.target.closest('a')) event.preventDefault() })`

const open = async (body: string, more: { script?: string; tag?: string } = {}): Promise<Page> => {
  world.site.serve({ '/': { body, script: stay, ...more } })
  const page = await world.page()
  await page.goto(world.site.url)
  await world.collector.named('pageview')
  return page
}

/** Name, properties and revenue of all events but the page's own. */
const events = () =>
  world.collector
    .counted()
    .filter(({ name }) => !['pageview', 'engagement', 'finish'].includes(name))
    .map(({ name, props, revenue }) => ({ name, ...(props && { props }), ...(revenue && { revenue }) }))

describe.skipIf(browserMissing !== undefined)('an event by call', () => {
  it('is counted also when it was called before the script was there, in order', async () => {
    const stub = `window.footfall = window.footfall || function () { (footfall.q = footfall.q || []).push(arguments) }
      footfall('first', { props: { plan: 'pro', seats: 3, trial: false } }); footfall('second')`
    const page = await open('', { script: stub })
    await page.evaluate(
      `footfall('third', { revenue: { amount: '12.99', currency: 'EUR' }, user: 'u1', url: 'https://shop.example/paid', title: 'Paid' })`,
    )
    await world.finish(page)
    expect(world.collector.names()).toEqual(['pageview', 'first', 'second', 'third', 'finish'])
    expect(events()).toEqual([
      { name: 'first', props: { plan: 'pro', seats: 3, trial: false } },
      { name: 'second' },
      { name: 'third', revenue: { amount: '12.99', currency: 'EUR' } },
    ])
    expect(world.collector.counted()[3]).toMatchObject({ user: 'u1', url: 'https://shop.example/paid', title: 'Paid' })
  })

  it('takes a copy: what the page changes later changes no hit', async () => {
    const page = await open('')
    await page.evaluate(`const props = { plan: 'pro' }; footfall('a', { props }); props.plan = 'free'; footfall('b', { props })`)
    await world.finish(page)
    expect(events()).toEqual([
      { name: 'a', props: { plan: 'pro' } },
      { name: 'b', props: { plan: 'free' } },
    ])
  })

  it('that is no JSON hurts neither the page nor other events', async () => {
    const page = await open('')
    await page.evaluate(`const loop = {}; loop.loop = loop
      footfall('loop', { props: loop }); footfall('big', { props: { n: 1n } }); footfall(); footfall('good')`)
    await world.finish(page)
    expect(events().map(({ name }) => name)).toContain('good')
    expect(events().map(({ name }) => name)).not.toContain('loop')
  })

  it('is told to the page, and so is what became of it', async () => {
    const page = await open('')
    // What became of the page view may be told before or after the listener is there; only the event's is awaited.
    await page.evaluate(`window.seen = []
      addEventListener('footfall', ({ detail: { status, hits } }) => {
        const names = hits.map(({ name }) => name)
        if (names[0] !== 'pageview') seen.push([status, names])
      })
      footfall('a')`)
    await world.collector.named('a')
    await untilIn(page, 'seen.length === 2')
    expect(await page.evaluate('seen')).toEqual([
      [undefined, ['a']],
      [202, ['a']],
    ])
    // A listener that fails is the page's own affair.
    await page.evaluate(`addEventListener('footfall', () => { throw new Error('expected') })`)
    await page.evaluate(`window.onerror = () => true; footfall('b')`)
    await world.collector.named('b')
  })
})

describe.skipIf(browserMissing !== undefined)('an event by attribute', () => {
  it('is told when its element, or anything in it, is clicked, with its properties and revenue', async () => {
    const page = await open(`
      <button data-footfall-event="signup" data-footfall-plan="pro" data-footfall-button-place="top"><b>Sign up</b></button>
      <div data-footfall-event="buy" data-footfall-revenue="12.99" data-footfall-currency="EUR" data-footfall-item="tea"><i>Buy</i></div>
      <span id="plain">nothing</span>`)
    await page.click('b')
    await page.click('i')
    await page.click('#plain')
    await world.finish(page)
    expect(events()).toEqual([
      { name: 'signup', props: { plan: 'pro', 'button-place': 'top' } },
      { name: 'buy', props: { item: 'tea' }, revenue: { amount: '12.99', currency: 'EUR' } },
    ])
  })

  it('is told by the keyboard too', async () => {
    const page = await open('<button data-footfall-event="go">Go</button>')
    await page.focus('button')
    await page.keyboard.press('Enter')
    await world.finish(page)
    expect(events()).toEqual([{ name: 'go', props: {} }])
  })

  it('is told once where a label clicks its control', async () => {
    const page = await open(`
      <p data-footfall-event="agree"><label for="box">yes</label><input id="box" type="checkbox"></p>
      <label data-footfall-event="inner">text <input type="radio"></label>`)
    await page.click('label[for=box]')
    await page.click('label:not([for])', { position: { x: 2, y: 2 } })
    await world.finish(page)
    expect(events().map(({ name }) => name)).toEqual(['agree', 'inner'])
  })

  it('is told through a shadow root, and where the page stops the click', async () => {
    const page = await open('<div id="host"></div><button id="stopped" data-footfall-event="stopped">x</button>')
    await page.evaluate(`
      const button = document.createElement('button')
      button.dataset.footfallEvent = 'shadow'
      button.textContent = 'in the shadow'
      host.attachShadow({ mode: 'open' }).append(button)
      stopped.addEventListener('click', (event) => event.stopImmediatePropagation())`)
    await page.click('#host button')
    await page.click('#stopped')
    await world.finish(page)
    expect(events().map(({ name }) => name)).toEqual(['shadow', 'stopped'])
  })

  it('of a form is told when it is sent, instead of the form, and not when something in it is clicked', async () => {
    const page = await open(`<form data-footfall-event="order" data-footfall-kind="fast"><input name="event"><button>Send</button></form>`)
    await page.click('input')
    await page.click('button')
    await world.finish(page)
    expect(events()).toEqual([{ name: 'order', props: { kind: 'fast' } }])
  })
})

describe.skipIf(browserMissing !== undefined)('links and forms', () => {
  it('tell of ways out and of files, and of nothing else', async () => {
    const { port } = world.site
    const page = await open(
      `
      <a id="out" href="https://elsewhere.example/path?who=me#part">out</a>
      <a id="out-svg" href="//other.example"><svg width="20" height="20"><rect width="20" height="20"/></svg></a>
      <a id="pdf" href="/files/list.PDF?token=1">file</a>
      <a id="far-file" href="https://cdn.example/app.zip">file elsewhere</a>
      <a id="named" href="/report" download="r.html">file by attribute</a>
      <a id="own" href="/next">own</a>
      <a id="own-name" href="https://shop.example/x">own by name</a>
      <a id="own-www" href="https://www.shop.example/x">own by www</a>
      <a id="own-sub" href="https://help.shop.example/x">own subdomain</a>
      <a id="near" href="https://notshop.example/x">not own</a>
      <a id="listed" href="https://pay.partner.example/x">listed</a>
      <a id="port" href="http://localhost:${port + 1}/">same host</a>
      <a id="mail" href="mailto:a@b.example">mail</a>
      <a id="tel" href="tel:+49123">tel</a>
      <a id="script" href="javascript:void 0">script</a>
      <a id="broken" href="https://[bad">broken</a>
      <a id="place">no address</a>`,
      { tag: world.site.tag('data-hosts="partner.example, other-partner.example"') },
    )
    for (const link of await page.$$('a')) await link.click()
    await page.click('#out', { button: 'middle' })
    await page.click('#out', { button: 'right' })
    await world.finish(page)
    expect(events()).toEqual([
      { name: 'outbound', props: { url: 'https://elsewhere.example/path' } },
      { name: 'outbound', props: { url: 'http://other.example/' } },
      { name: 'download', props: { url: `${world.site.url}/files/list.PDF` } },
      { name: 'download', props: { url: 'https://cdn.example/app.zip' } },
      { name: 'download', props: { url: `${world.site.url}/report` } },
      { name: 'outbound', props: { url: 'https://notshop.example/x' } },
      { name: 'outbound', props: { url: 'https://elsewhere.example/path' } },
    ])
  })

  it('tell of their own event instead, where they name one', async () => {
    const page = await open(`
      <a id="own" data-footfall-event="partner" href="https://elsewhere.example/">one</a>
      <p data-footfall-event="teaser"><a id="in" href="https://elsewhere.example/">two</a></p>`)
    await page.click('#own')
    await page.click('#in')
    await world.finish(page)
    expect(events().map(({ name }) => name)).toEqual(['partner', 'teaser', 'outbound'])
  })

  it('are told when the click leads away', async () => {
    const away = `http://elsewhere.example:${world.site.port}/away`
    world.site.serve({ '/': { body: `<a href="${away}">away</a>` }, '/away': { tag: '' } })
    const page = await world.page()
    await page.goto(world.site.url)
    await world.collector.named('pageview')
    await page.click('a')
    await page.waitForURL(away)
    expect(await world.collector.named('outbound')).toMatchObject([{ props: { url: away } }])
    expect(told(await world.collector.named('engagement'))).toEqual(['engagement /'])
    await page.goto(world.site.url)
    await world.finish(page)
    expect(world.collector.names()).toEqual(['pageview', 'outbound', 'engagement', 'pageview', 'finish'])
  })

  it('a form is told by its name and where it goes, never by what is in it', async () => {
    const page = await open(`
      <form id="news" action="/join?from=here" method="post"><input name="id" value="secret"><input name="action" value="x"><button>1</button></form>
      <form name="search"><input type="search" name="q" value="secret"><button>2</button></form>
      <form><input required name="r"><button>3</button></form>`)
    for (const button of await page.$$('button')) await button.click()
    await world.finish(page)
    // The third was never sent: what it requires is missing.
    expect(events()).toEqual([
      { name: 'form', props: { form: 'news', url: `${world.site.url}/join` } },
      { name: 'form', props: { form: 'search', url: `${world.site.url}/` } },
    ])
    expect(JSON.stringify(world.collector.posts())).not.toContain('secret')
  })
})
