import { expect, test } from 'vitest'
import { feedLimit, feedOf } from '#shared/rollup/feed.ts'
import { anEvent, aTouch, minute, noon } from '../fixtures/hit.ts'

const feed = (...events: Parameters<typeof anEvent>[0][]) => Object.fromEntries(feedOf(events.map(anEvent), noon))

test('a hit as others may see it: no id, no city', () => {
  const x = [
    aTouch({ s: { country: 'DE', city: 'Ulm', src: 'Google', user: 'u' }, h: [{ id: 'secret', t: noon, n: 'pageview', path: '/a' }] }),
  ]
  expect(feed({ site: 'example.com', x })).toEqual({
    'example.com': [{ time: noon, name: 'pageview', page: '/a', country: 'DE', source: 'Google' }],
  })
})

test.each([
  ['of no person', aTouch({ s: { bot: 'host' } })],
  ['engagement', aTouch({ h: [{ n: 'engagement' }] })],
  ['older than a minute', aTouch({ h: [{ t: noon - minute - 1 }] })],
])('%s is no news', (_what, touch) => {
  expect(feed({ x: [touch] })).toEqual({})
})

test('the newest twenty of each site, in the order they came', () => {
  const many = Array.from({ length: 25 }, (_, i) => ({ t: noon, path: `/${i}` }))
  const { 'a.example': a, 'b.example': b } = feed({ site: 'a.example', x: [aTouch({ h: many })] }, { site: 'b.example', x: [aTouch()] })
  expect(a!.map(({ page }) => page)).toEqual(many.slice(-feedLimit).map(({ path }) => path))
  expect(b).toHaveLength(1)
})

test('a site named __proto__ has a feed like any other', () => {
  expect(feedOf([anEvent({ site: '__proto__', x: [aTouch()] })], noon).get('__proto__')).toHaveLength(1)
})
