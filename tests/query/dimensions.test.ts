import { describe, expect, test } from 'vitest'
import { dimensionNames } from '#shared/query/dimensions.ts'
import { type AVisit, aSite, rows } from './world.ts'

const noon = '2026-03-10T12:00:00Z'
const visit: AVisit = {
  at: noon,
  hits: [{ path: '/docs', host: 'www2.example.com', ti: 'Docs', p: { plan: 'pro', seats: 3, trial: false } }],
  src: 'google',
  med: 'cpc',
  chan: 'Paid Search',
  ref: 'google.com/',
  us: 'adwords',
  um: 'ppc',
  uc: 'spring',
  un: 'banner',
  ut: 'analytics',
  country: 'DE',
  region: 'DE-BE',
  city: 'Berlin',
  br: 'Firefox',
  brv: '139',
  os: 'Linux',
  osv: '6.1',
  dev: 'Desktop',
  scr: '1920x1080',
  lang: 'de-DE',
  new: 1,
}
const expected: Record<string, string> = {
  'event:page': '/docs',
  'event:hostname': 'www2.example.com',
  'event:title': 'Docs',
  'event:name': 'pageview',
  'event:prop_keys': '["plan","seats","trial"]',
  'event:goal': 'Read the docs',
  'event:props:plan': 'pro',
  'event:props:seats': '3',
  'event:props:trial': 'false',
  'visit:entry_page': '/docs',
  'visit:exit_page': '/docs',
  'visit:entry_page_hostname': 'www2.example.com',
  'visit:exit_page_hostname': 'www2.example.com',
  'visit:source': 'google',
  'visit:medium': 'cpc',
  'visit:channel': 'Paid Search',
  'visit:referrer': 'google.com/',
  'visit:utm_source': 'adwords',
  'visit:utm_medium': 'ppc',
  'visit:utm_campaign': 'spring',
  'visit:utm_content': 'banner',
  'visit:utm_term': 'analytics',
  'visit:country': 'DE',
  'visit:country_name': 'Germany',
  'visit:region': 'DE-BE',
  'visit:region_name': 'DE-BE',
  'visit:city': 'Berlin',
  'visit:city_name': 'Berlin',
  'visit:browser': 'Firefox',
  'visit:browser_version': '139',
  'visit:os': 'Linux',
  'visit:os_version': '6.1',
  'visit:device': 'Desktop',
  'visit:screen': '1920x1080',
  'visit:language': 'de-DE',
  'visit:new': 'new',
  'visit:bot': '(not set)',
  'visit:hour_of_day': '13',
  'visit:day_of_week': '2',
  time: '2026-03-10 13:00:00',
  'time:minute': '2026-03-10 13:00:00',
  'time:hour': '2026-03-10 13:00:00',
  'time:day': '2026-03-10',
  'time:week': '2026-03-09',
  'time:month': '2026-03-01',
}
const site = aSite({ goals: [{ name: 'Read the docs', page: '/docs' }] })
const ofDay = (dimensions: string[], visits: AVisit[]) =>
  rows({ metrics: ['visits'], dimensions, date_range: ['2026-03-10', '2026-03-10'] }, visits, { site })

describe('each dimension', () => {
  test('the table below names all there are', () => {
    expect(
      Object.keys(expected)
        .filter((name) => !name.startsWith('event:props:'))
        .sort(),
    ).toEqual([...dimensionNames].sort())
  })

  test.each(Object.entries(expected))('%s reads %s', async (dimension, value) => {
    expect(await ofDay([dimension], [visit])).toEqual([[value, 1]])
  })

  test.each(
    Object.keys(expected).filter((name) => !/time|hour|day_of|device|source$|channel|event:name|goal/.test(name) || name.includes('utm')),
  )('%s that is missing is (not set)', async (dimension) => {
    expect(await ofDay([dimension], [{ at: noon, hits: [{ n: 'signup' }] }])).toEqual([['(not set)', 1]])
  })

  test('a visitor who was here before is returning, an unknown country is its code', async () => {
    expect(await ofDay(['visit:new', 'visit:country_name'], [{ at: noon, new: 0, country: 'ZZ' }])).toEqual([['returning', 'ZZ', 1]])
  })

  test('hour and weekday are those of the start, on the clock of the site, also in the night of the clock', async () => {
    const query = { metrics: ['visits'], dimensions: ['visit:hour_of_day', 'visit:day_of_week'], date_range: ['2026-10-25', '2026-10-26'] }
    const starts: AVisit[] = ['2026-10-25T00:30:00Z', '2026-10-25T01:30:00Z', '2026-10-25T02:30:00Z', '2026-10-25T23:30:00Z'].map((at) => ({
      at,
    }))
    expect(await rows(query, starts, { now: '2026-10-27T12:00:00Z' })).toEqual([
      ['02', '7', 2],
      ['00', '1', 1],
      ['03', '7', 1],
    ])
  })
})

describe('values', () => {
  test('may be called anything', async () => {
    const names = ['__proto__', 'constructor', '(not set)', '(other)', 'hasOwnProperty', ' ', '1 2 ', 'a\u0000b']
    const hits = names.map((path, i) => ({ path, after: i, p: JSON.parse(`{"__proto__":${JSON.stringify(path)}}`) }))
    const byName = (a: unknown[], b: unknown[]) => (String(a[0]) < String(b[0]) ? -1 : 1)
    const once = names.map((name) => [name, 1]).sort(byName)
    expect((await ofDay(['event:page'], [{ at: noon, hits }])).sort(byName)).toEqual(once)
    expect((await ofDay(['event:props:__proto__'], [{ at: noon, hits }])).sort(byName)).toEqual(once)
    expect(await ofDay(['event:props:toString'], [{ at: noon, hits: [{ p: { plan: 'pro' } }] }])).toEqual([['(not set)', 1]])
  })

  test('pairs do not run together', async () => {
    const visits: AVisit[] = [
      { at: noon, us: 'a', um: 'bc' },
      { at: noon, us: 'ab', um: 'c' },
      { at: noon, us: 'x y', um: 'z' },
      { at: noon, us: 'x', um: 'y z' },
    ]
    expect(await ofDay(['visit:utm_source', 'visit:utm_medium'], visits)).toHaveLength(4)
  })

  test('entry and exit page are those of the whole visit', async () => {
    const overnight: AVisit = {
      at: '2026-03-09T22:50:00Z',
      hits: [{ path: '/in' }, { after: 1200, path: '/mid' }, { after: 1300, path: '/out' }],
    }
    expect(await ofDay(['visit:entry_page', 'visit:exit_page', 'event:page'], [overnight])).toEqual([
      ['/in', '/out', '/mid', 1],
      ['/in', '/out', '/out', 1],
    ])
  })

  test('the newest row of a visit says what it is', async () => {
    const visits: AVisit[] = [{ at: noon, hits: [{ path: '/a' }, { after: 10, path: '/b' }, { after: 20, path: '/c' }] }]
    expect(await ofDay(['visit:exit_page'], visits)).toEqual([['/c', 1]])
  })
})
