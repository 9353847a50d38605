import { execFileSync } from 'node:child_process'
import { pbkdf2Sync, randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { alterUserScramCredentialsV0, Connection, ScramMechanisms } from '@platformatic/kafka'
import { Client } from 'cassandra-driver'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock } from '#shared/clock.ts'
import { readConfig } from '#shared/config.ts'
import { migrate } from '#shared/engines/cassandra/migrate.ts'
import { openKafka } from '#shared/engines/kafka/log.ts'
import { createTopics } from '#shared/engines/kafka/topics.ts'
import { type EngineName, wireServices } from '#shared/wire.ts'
import { cassandra, dataCentre } from '../../scripts/services/cassandra.ts'
import { kafka } from '../../scripts/services/kafka.ts'
import { nats } from '../../scripts/services/nats.ts'
import { choosePorts } from '../../scripts/services/ports.ts'
import { redis } from '../../scripts/services/redis.ts'
import { type Certificate, selfSigned } from '../fixtures/certificate.ts'
import { temporaryFolder } from '../fixtures/folder.ts'
import { until } from '../process/server.ts'
import { aPlace, type Place, reasonAgainst } from './place.ts'

/** Servers that ask who we are, and speak by TLS: reached by the settings, refused with a text that says why. */

const folder = temporaryFolder()
afterAll(() => folder.remove())
const file = (name: string, content: string): string => {
  const path = join(folder.path, name)
  writeFileSync(path, content)
  return path
}
const right = file('right', 'correct horse\n')
const wrong = file('wrong', 'battery staple\n')
const password = 'correct horse'
const certificate: Certificate = selfSigned(folder.path)

/** Servers that are named because the mode needs them, and never asked. */
const others = {
  FOOTFALL_MODE: 'distributed',
  FOOTFALL_KAFKA: '127.0.0.1:1',
  FOOTFALL_REDIS: 'redis://127.0.0.1:1',
  FOOTFALL_CASSANDRA: '127.0.0.1:1;dc1',
  FOOTFALL_NATS: 'nats://127.0.0.1:1',
  FOOTFALL_PARTITIONS: '1',
}
const opened = (env: Record<string, string>, needs: EngineName, onBus?: (error: unknown) => void) =>
  wireServices(readConfig({ ...others, ...env }), [needs], systemClock, { onBus })

const noKafka = await reasonAgainst(kafka)
describe.skipIf(noKafka !== undefined)('kafka', () => {
  let place: Place
  let env: Record<string, string>

  /** Makes a user that proves itself by SCRAM: the broker keeps no password. */
  const makeUser = async (port: number, name: string): Promise<void> => {
    const [iterations, salt] = [4_096, randomBytes(16)]
    const saltedPassword = pbkdf2Sync(password, salt, iterations, 64, 'sha512')
    const connection = new Connection('test')
    await connection.connect('127.0.0.1', port)
    const user = { name, mechanism: ScramMechanisms.SCRAM_SHA_512, iterations, salt, saltedPassword }
    const { results } = await alterUserScramCredentialsV0.api.async(connection, [], [user])
    expect(results).toMatchObject([{ errorCode: 0 }])
    await connection.close()
  }

  const jaas = 'org.apache.kafka.common.security.plain.PlainLoginModule'
  const keystore = join(folder.path, 'key.p12')
  beforeAll(async () => {
    const { certificatePath, keyPath } = certificate
    const pair = ['-in', certificatePath, '-inkey', keyPath, '-passout', 'pass:changeit']
    execFileSync('openssl', ['pkcs12', '-export', ...pair, '-out', keystore])
    place = await aPlace(kafka)
    const { client, peer } = place.ports
    const { client: safe } = await choosePorts()
    // The plain one is for the question whether it is up.
    const listeners = `PLAINTEXT://127.0.0.1:${client},SASL_SSL://127.0.0.1:${safe}`
    await place.start({
      settings: {
        listeners: `${listeners},CONTROLLER://127.0.0.1:${peer}`,
        'advertised.listeners': listeners,
        'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL,CONTROLLER:PLAINTEXT',
        'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-512',
        'listener.name.sasl_ssl.plain.sasl.jaas.config': `${jaas} required username="footfall" password="${password}" user_footfall="${password}";`,
        'listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config': 'org.apache.kafka.common.security.scram.ScramLoginModule required;',
        'ssl.keystore.type': 'PKCS12',
        'ssl.keystore.location': keystore,
        'ssl.keystore.password': 'changeit',
        'ssl.truststore.type': 'PEM',
        'ssl.truststore.location': certificatePath,
      },
    })
    await makeUser(client, 'scram')
    env = {
      FOOTFALL_KAFKA: `127.0.0.1:${safe}`,
      FOOTFALL_KAFKA_TLS: 'on',
      FOOTFALL_CA_FILE: certificatePath,
      FOOTFALL_KAFKA_USER: 'scram',
      FOOTFALL_KAFKA_PASSWORD_FILE: right,
    }
  }, 150_000)
  afterAll(() => place?.end())

  const plain = { FOOTFALL_KAFKA_SASL: 'PLAIN', FOOTFALL_KAFKA_USER: 'footfall' }

  it.each([
    ['SCRAM', {}],
    ['PLAIN', plain],
  ])(
    'takes records by TLS from whom it knows, and gives them back: %s',
    async (_name, change) => {
      const { kafka: at } = readConfig({ ...env, ...change })
      await createTopics({ ...at!, clock: systemClock, partitions: 1, copies: 1 })
      const { log, close } = openKafka({ ...at!, clock: systemClock })
      const first = await log.append('hits', 0, ['one', 'two'])
      const records = await log.read('hits', 0, first, { records: 9, bytes: 1_000, waitMs: 5_000 })
      expect(records.map(({ body }) => body)).toEqual(['one', 'two'])
      await close()
    },
    30_000,
  )

  const failureOf = async (change: Record<string, string>): Promise<unknown> => {
    // Without the generations of topics, which are in Cassandra: here is the login alone.
    const { log, close } = openKafka({ ...readConfig({ ...env, ...change }).kafka!, clock: systemClock })
    const failure = await log.append('hits', 0, ['no']).catch((error: unknown) => error)
    await close()
    return failure
  }

  it.each([
    ['SCRAM', {}],
    ['PLAIN', plain],
  ])(
    'says that the password is wrong, and what to compare: %s',
    async (_name, change) => {
      const error = await failureOf({ ...change, FOOTFALL_KAFKA_PASSWORD_FILE: wrong })
      expect(String(error)).toMatch(/SASL_AUTHENTICATION_FAILED.*FOOTFALL_KAFKA_PASSWORD_FILE/)
    },
    30_000,
  )

  it('says that the mechanism is not one of the brokers’', async () => {
    const error = await failureOf({ FOOTFALL_KAFKA_SASL: 'SCRAM-SHA-256' })
    expect(String(error)).toMatch(/FOOTFALL_KAFKA_SASL/)
  }, 30_000)

  it('is not believed without its authority', async () => {
    const error = await failureOf({ FOOTFALL_CA_FILE: '' })
    expect(String(error)).toMatch(/certificate/i)
  }, 30_000)
})

const noNats = await reasonAgainst(nats)
describe.skipIf(noNats !== undefined)('nats', () => {
  let place: Place
  let address: string
  const tls = { cert_file: certificate.certificatePath, key_file: certificate.keyPath }
  const start = async (settings: Record<string, unknown>) => {
    place = await aPlace(nats)
    address = (await place.start({ settings })).address
  }

  /** What a subscriber hears of one message, or the trouble it has first. */
  const heard = async (env: Record<string, string>): Promise<string> => {
    const troubles: unknown[] = []
    const { bus, close } = await opened(env, 'nats', (error) => troubles.push(error))
    const got: string[] = []
    bus.subscribe('live.a.example', (message) => got.push(message))
    const answer = await until('a message, or trouble', () => {
      bus.publish('live.a.example', 'hit')
      return got[0] ?? (troubles.length > 0 ? String(troubles[0]) : undefined)
    })
    await close()
    return answer
  }

  it('is spoken to by TLS with user and password', async () => {
    await start({ tls, authorization: { user: 'footfall', password } })
    const env = {
      FOOTFALL_NATS: `tls://${address.replace('127.0.0.1', 'localhost')}`,
      FOOTFALL_CA_FILE: certificate.certificatePath,
      FOOTFALL_NATS_USER: 'footfall',
      FOOTFALL_NATS_PASSWORD_FILE: right,
    }
    expect(await heard(env)).toBe('hit')
    expect(await heard({ ...env, FOOTFALL_NATS_PASSWORD_FILE: wrong })).toMatch(/NATS refuses the login .*FOOTFALL_NATS_PASSWORD_FILE/)
    expect(await heard({ ...env, FOOTFALL_CA_FILE: '' })).toMatch(/certificate/i)
    await place.end()
  }, 60_000)

  it('is spoken to with a token; and not without TLS where TLS is asked for', async () => {
    await start({ authorization: { token: password } })
    const env = { FOOTFALL_NATS: `nats://${address}`, FOOTFALL_NATS_PASSWORD_FILE: right }
    expect(await heard(env)).toBe('hit')
    expect(await heard({ ...env, FOOTFALL_NATS_PASSWORD_FILE: wrong })).toMatch(/NATS refuses the login/)
    expect(await heard({ ...env, FOOTFALL_NATS: `tls://${address}` })).toMatch(/tls/)
    await place.end()
  }, 60_000)
})

const noRedis = await reasonAgainst(redis)
describe.skipIf(noRedis !== undefined)('redis', () => {
  it('is spoken to by TLS with user and password', async () => {
    const place = await aPlace(redis)
    const { peer } = place.ports
    await place.start({
      settings: {
        'tls-port': peer,
        'tls-cert-file': certificate.certificatePath,
        'tls-key-file': certificate.keyPath,
        'tls-ca-cert-file': certificate.certificatePath,
        'tls-auth-clients': 'no',
        user: `footfall on >${password.replace(' ', '-')} ~* &* +@all`,
      },
    })
    const hold = async (env: Record<string, string>): Promise<unknown> => {
      const { leases, close } = await opened(env, 'redis')
      const answer = await leases.hold('one', 'me', 1_000).catch((error: unknown) => error)
      await close()
      return answer
    }
    const env = {
      FOOTFALL_REDIS: `rediss://footfall:correct-horse@127.0.0.1:${peer}`,
      FOOTFALL_CA_FILE: certificate.certificatePath,
    }
    expect(await hold(env)).toBe(true)
    expect(await hold({ ...env, FOOTFALL_REDIS: env.FOOTFALL_REDIS.replace('horse', 'house') })).toMatchObject({
      code: 'store-unavailable',
      message: expect.stringContaining('WRONGPASS'),
    })
    expect(await hold({ ...env, FOOTFALL_CA_FILE: '' })).toMatchObject({ code: 'store-unavailable' })
    await place.end()
  }, 60_000)
})

const noCassandra = await reasonAgainst(cassandra)
describe.skipIf(noCassandra !== undefined)('cassandra', () => {
  it('is spoken to with a role and its password', async () => {
    const place = await aPlace(cassandra)
    const server = await place.start({ settings: { authenticator: 'PasswordAuthenticator' } })
    const [contactPoint, role] = [server.address, 'footfall']
    // Its first role is made a moment after it begins to answer.
    const credentials = { username: 'cassandra', password: 'cassandra' }
    const client = await until('the first role', async () => {
      const one = new Client({ contactPoints: [contactPoint], localDataCenter: dataCentre, credentials })
      return one.connect().then(
        () => one,
        () => one.shutdown().then(() => undefined),
      )
    })
    await client.execute(`CREATE ROLE ${role} WITH PASSWORD = '${password}' AND LOGIN = true AND SUPERUSER = true`)
    await client.shutdown()
    const env = {
      FOOTFALL_CASSANDRA: `${contactPoint};${dataCentre}`,
      FOOTFALL_CASSANDRA_USER: role,
      FOOTFALL_CASSANDRA_PASSWORD_FILE: right,
    }
    await migrate({ ...readConfig(env).cassandra!, replication: 1, clock: systemClock })
    const sitesOf = async (change: Record<string, string>): Promise<unknown> => {
      const { sites, close } = await opened({ ...env, ...change }, 'cassandra')
      const answer = await sites.list().catch((error: unknown) => error)
      await close()
      return answer
    }
    expect(await sitesOf({})).toEqual([])
    expect(await sitesOf({ FOOTFALL_CASSANDRA_PASSWORD_FILE: wrong })).toMatchObject({
      code: 'store-unavailable',
      message: expect.stringContaining('Cassandra refuses the login'),
      hint: expect.stringContaining('FOOTFALL_CASSANDRA_PASSWORD_FILE'),
    })
    await place.end()
  }, 240_000)
})
