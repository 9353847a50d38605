import { describe, expect, it } from 'vitest'
import { changeSite, newSite, removeSite, restoreSite, scriptTag, siteView } from '#shared/site/change.ts'
import { isOwnHost } from '#shared/site/config.ts'
import { near } from '#shared/site/near.ts'

const now = Date.parse('2026-06-10T08:00:00Z')
const site = newSite('a.example', { timezone: 'Europe/Berlin', session_timeout: 60 }, { now, key: 'k' })

describe('a configuration', () => {
  it('begins with its defaults', () => {
    expect(newSite('a.example', {}, { now, key: 'k' })).toEqual({
      site: 'a.example',
      version: 1,
      at: now,
      created: now,
      zones: [{ tz: 'UTC', from: 0 }],
      identity: 'cookie',
      key: 'k',
      sessionTimeoutMs: 1_800_000,
      cutAtMidnight: false,
      cutAtCampaign: false,
      bounce: 'engaged',
      hosts: [],
      params: [],
      exclude: { paths: [], countries: [], addresses: [] },
      origins: [],
    })
    expect(site).toMatchObject({ zones: [{ tz: 'Europe/Berlin', from: 0 }], sessionTimeoutMs: 3_600_000 })
  })

  it('changes in what is given and in nothing else', () => {
    const later = now + 1000
    expect(changeSite(site, { identity: 'cookieless' }, later)).toEqual({ ...site, version: 2, at: later, identity: 'cookieless' })
    expect(changeSite(site, {}, later)).toBeUndefined()
    expect(changeSite(site, { timezone: 'Europe/Berlin', hosts: [] }, later)).toBeUndefined()
  })

  it('keeps its secret and its zones over removal', () => {
    const back = restoreSite(removeSite(site, now + 1), { timezone: 'Asia/Tokyo' }, now + 2)
    expect(back).toMatchObject({ version: 3, key: 'k', created: now, zones: [{ tz: 'Europe/Berlin', from: 0 }, { tz: 'Asia/Tokyo' }] })
    expect(back).not.toHaveProperty('removed')
  })

  it('is shown without its secret', () => {
    expect(JSON.stringify(siteView(newSite('a.example', {}, { now, key: 'TOPSECRET' }), 'https://s.example'))).not.toContain('TOPSECRET')
  })

  it('belongs to its hosts', () => {
    const own = changeSite(site, { hosts: ['shop.example'] }, now)!
    const hosts = ['a.example', 'blog.a.example', 'shop.example', 'x.shop.example', 'nota.example', 'a.example.evil', '']
    expect(hosts.filter((host) => isOwnHost(own, host))).toEqual(['a.example', 'blog.a.example', 'shop.example'])
  })
})

it('the script tag is markup whatever the address', () => {
  expect(scriptTag('https://s.example/"><script>', site)).toBe(
    '<script async src="https://s.example/&quot;>&lt;script>/footfall.js" data-site="a.example"></script>',
  )
})

it('the script tag of a cookieless site says so, and follows the option', () => {
  const cookieless = changeSite(site, { identity: 'cookieless' }, now)!
  const tag = '<script async src="https://s.example/footfall.js" data-site="a.example" data-identity="cookieless"></script>'
  expect(scriptTag('https://s.example', cookieless)).toBe(tag)
  expect(siteView(cookieless, 'https://s.example').script).toBe(tag)
  expect(siteView(changeSite(cookieless, { identity: 'cookie' }, now)!, 'https://s.example').script).toBe(
    tag.replace(' data-identity="cookieless"', ''),
  )
})

describe('near names', () => {
  const names = ['timezone', 'session_timeout', 'cut_at_midnight', 'hosts', 'params']
  it.each([
    ['timzone', ['timezone']],
    ['timeZone', ['timezone']],
    ['sessionTimeout', ['session_timeout']],
    ['session', ['session_timeout']],
    ['hsots', ['hosts']],
    ['host', ['hosts']],
    ['cut-at-midnight', ['cut_at_midnight']],
    ['zzzzzz', []],
    ['', []],
    ['-', []],
    ['x'.repeat(100_000), []],
  ])('of %.30j are %j', (name, found) => {
    expect(near(name, names)).toEqual(found)
  })
})
