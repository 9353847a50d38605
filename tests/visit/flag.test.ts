import { expect, test } from 'vitest'
import { flagOf, matchesPath } from '#shared/visit/flag.ts'
import { aRecord, aSiteConfig } from '../fixtures/hit.ts'

const flag = (record: Parameters<typeof aRecord>[0], config: Parameters<typeof aSiteConfig>[0] = {}) => {
  const made = aRecord(record)
  return flagOf(made, made.ev[0]!, aSiteConfig(config))
}
const exclude = { paths: ['/admin*', '/exact'], countries: ['FR'], addresses: [] }

test('a person', () => {
  expect(flag({ ev: [{ host: 'example.com', path: '/' }], geo: { c: 'DE' } }, { exclude })).toBeUndefined()
})

test.each([
  ['example.com', undefined],
  ['shop.example.com', undefined],
  ['shop.example.org', undefined],
  ['other.example', 'host'],
  ['notexample.com', 'host'],
  ['example.com.evil.example', 'host'],
  [undefined, undefined],
])('a hit of host %s', (host, expected) => {
  expect(flag({ ev: [{ host }] }, { site: 'example.com', hosts: ['shop.example.org'] })).toBe(expected)
})

test.each([
  ['/admin', 'path'],
  ['/admin/users', 'path'],
  ['/exact', 'path'],
  ['/exact/not', undefined],
  ['/', undefined],
  [undefined, undefined],
])('the page %s', (path, expected) => {
  expect(flag({ ev: [{ path }] }, { exclude })).toBe(expected)
})

test('a country that is left out', () => {
  expect(flag({ geo: { c: 'FR' } }, { exclude })).toBe('country')
  expect(flag({ geo: {} }, { exclude })).toBeUndefined()
})

test('the first verdict stands: agent, address, host, page, country', () => {
  const all = { bot: 'agent', net: { rule: 'address' }, geo: { c: 'FR' }, ev: [{ host: 'other.example', path: '/exact' }] }
  expect(flag(all, { exclude })).toBe('agent')
  expect(flag({ ...all, bot: undefined }, { exclude })).toBe('address')
  expect(flag({ ...all, bot: undefined, net: {} }, { exclude })).toBe('host')
  expect(flag({ ...all, bot: undefined, net: undefined, ev: [{ path: '/exact' }] }, { exclude })).toBe('path')
})

test('a rule is the whole page or its beginning', () => {
  expect(matchesPath('/a', '/a')).toBe(true)
  expect(matchesPath('/a', '/ab')).toBe(false)
  expect(matchesPath('/a*', '/ab')).toBe(true)
  expect(matchesPath('/*', '/')).toBe(true)
})
