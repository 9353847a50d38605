import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { z } from 'zod'
import { FootfallError } from './errors.ts'

/** Settings, read from the environment once. Nothing else in Footfall looks at the environment. */
export type Config = Readonly<{
  port: number
  host: string
  /** Public address without a trailing slash, for script tags and links. */
  url: string
  data: string
  /** Embedded: one process over the data folder. Distributed: functions over the servers of `services`. */
  mode: 'embedded' | 'distributed'
  /** Where the OpenFaaS gateway is, without a trailing slash. */
  gateway: string | undefined
  /** How many others are asked to count a share of a large question. */
  queryHelpers: number
  /** CIDRs of proxies whose X-Forwarded-For counts. */
  trustedProxies: readonly string[]
  /** Hits per second and visitor network; 0 = no limit. */
  rate: number
  /** Hours in which a repeated hit, by its id, counts once. */
  repeatHours: number
  /** Path of the operator's own .mmdb. */
  geo: string | undefined
  log: 'debug' | 'info' | 'warn' | 'error'
  /** Key of the command line; undefined = the installation key. */
  key: string | undefined
  /** Servers of the distributed mode. */
  kafka: KafkaConfig | undefined
  redis: RedisConfig | undefined
  cassandra: CassandraConfig | undefined
  nats: NatsConfig | undefined
  /** How many partitions the topics have. */
  partitions: number
}>

/** Who we are to a server that asks. */
export type Login = Readonly<{ user: string; password: string }>

/** That a server is spoken to by TLS only. `ca`: the authorities that are believed, PEM; undefined = those that Node.js knows. */
export type Tls = Readonly<{ ca: string | undefined }>

/** Brokers as host:port; how a login is proven (SASL). */
export type KafkaConfig = Readonly<{
  brokers: readonly string[]
  login: (Login & { mechanism: z.output<typeof mechanism> }) | undefined
  tls: Tls | undefined
}>

/** redis://user:password@host:port, rediss: by TLS; several are the nodes of a cluster. */
export type RedisConfig = Readonly<{ urls: readonly string[]; tls: Tls | undefined }>

/** Contact points host:port, and the data centre whose nodes are asked. */
export type CassandraConfig = CassandraPlace & Readonly<{ login: Login | undefined; tls: Tls | undefined }>
type CassandraPlace = Readonly<{ contactPoints: readonly string[]; dataCenter: string; keyspace: string }>

/** nats://host:port, or tls:. */
export type NatsConfig = Readonly<{
  servers: readonly string[]
  login: Login | Readonly<{ token: string }> | undefined
  tls: Tls | undefined
}>

/** The servers of the distributed mode, all of them. */
export type Services = Readonly<{ [K in 'kafka' | 'redis' | 'cassandra' | 'nats']: NonNullable<Config[K]> }>

const cidrs = (text: string) =>
  text
    .split(/[\s,]+/)
    .filter((part) => part !== '')
    .flatMap((part) => (part === 'loopback' ? ['127.0.0.0/8', '::1/128'] : [part]))

/** Digits, with or without a fraction: a blank or `0x10` is no number to a person. */
const number = z
  .string()
  .regex(/^\d+(\.\d+)?$/)
  .transform(Number)

const listOf = (text: string): string[] => text.split(/[\s,]+/).filter((part) => part !== '')

const address = z.string().regex(/^[^\s:;,@/]+:\d{1,5}$|^\[[\da-fA-F:]+\]:\d{1,5}$/)
/** host:port, … */
const addresses = z.string().transform(listOf).pipe(z.array(address).min(1))

const urls = (protocol: RegExp) =>
  z
    .string()
    .transform(listOf)
    .pipe(z.array(z.url({ protocol })).min(1))

const cassandra = z
  .string()
  .regex(/^[^\s,;]+:\d+(,[^\s,;]+:\d+)*;[^\s;]+(;[a-z][a-z0-9_]{0,47})?$/)
  .transform((text): CassandraPlace => {
    const [nodes = '', dataCenter = '', keyspace = 'footfall'] = text.split(';')
    return { contactPoints: nodes.split(','), dataCenter, keyspace }
  })
  // Of the nodes that are not named the driver learns the hosts alone.
  .refine(({ contactPoints }) => new Set(contactPoints.map((point) => point.replace(/.*:/, ''))).size === 1)

const something = z.string().min(1).optional()
const onOrOff = z.enum(['on', 'off']).default('off')
const mechanism = z.enum(['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'])
/** TLS is for all servers of a list, or for none. */
const ofOneProtocol = (protocol: RegExp) => urls(protocol).refine((list) => new Set(list.map((url) => new URL(url).protocol)).size === 1)
/** Of NATS, whose driver would drop a password that stands in an address. */
const withoutLogin = ofOneProtocol(/^(nats|tls)$/).refine((list) => list.every((url) => !url.includes('@')))

const settings = {
  FOOTFALL_PORT: { schema: number.pipe(z.number().int().max(65_535)).default(8000), cure: 'a port from 1 to 65535 (0 = any free one)' },
  FOOTFALL_HOST: { schema: z.string().min(1).default('127.0.0.1'), cure: 'an address to listen on, such as 127.0.0.1 or 0.0.0.0' },
  FOOTFALL_URL: { schema: z.url({ protocol: /^https?$/ }).optional(), cure: 'the public address, such as https://stats.example.com' },
  FOOTFALL_DATA: { schema: z.string().min(1).default('./data'), cure: 'the path of a folder' },
  FOOTFALL_MODE: { schema: z.enum(['embedded', 'distributed']).default('embedded'), cure: 'embedded or distributed' },
  FOOTFALL_KAFKA: { schema: addresses.optional(), cure: 'brokers as host:port with commas between them' },
  FOOTFALL_REDIS: {
    schema: ofOneProtocol(/^rediss?$/).optional(),
    cure: 'redis://host:port, or rediss://host:port for TLS, with commas between the nodes of a cluster',
  },
  FOOTFALL_NATS: {
    schema: withoutLogin.optional(),
    cure: 'nats://host:port, or tls://host:port, with commas between several, and name user and password by FOOTFALL_NATS_USER and FOOTFALL_NATS_PASSWORD_FILE',
  },
  FOOTFALL_GATEWAY: {
    schema: z.url({ protocol: /^http$/ }).optional(),
    cure: 'the address of the OpenFaaS gateway, such as http://127.0.0.1:8080',
  },
  FOOTFALL_QUERY_HELPERS: { schema: number.pipe(z.number().int().max(15)).default(0), cure: 'a whole number from 0 to 15' },
  FOOTFALL_PARTITIONS: { schema: number.pipe(z.number().int().min(1).max(512)).default(16), cure: 'a whole number from 1 to 512' },
  FOOTFALL_TRUSTED_PROXIES: {
    schema: z.string().default('loopback').transform(cidrs),
    cure: 'addresses or CIDRs with commas between them, such as 127.0.0.1,10.0.0.0/8',
  },
  FOOTFALL_RATE: { schema: number.pipe(z.number().max(1_000_000)).default(200), cure: 'hits per second, 0 for no limit' },
  FOOTFALL_REPEAT_HOURS: { schema: number.pipe(z.number().int().min(1).max(24)).default(24), cure: 'a whole number from 1 to 24' },
  FOOTFALL_GEO: { schema: z.string().min(1).optional(), cure: 'the path of an .mmdb file' },
  FOOTFALL_LOG: { schema: z.enum(['debug', 'info', 'warn', 'error']).default('info'), cure: 'debug, info, warn or error' },
  FOOTFALL_CASSANDRA: {
    schema: cassandra.optional(),
    cure: 'nodes with one and the same port, and their data centre, such as 10.0.0.1:9042,10.0.0.2:9042;dc1',
  },
  FOOTFALL_KEY: { schema: something, cure: 'a key as `footfall key add` prints it' },
  FOOTFALL_KEY_FILE: { schema: something, cure: 'the path of a readable file that holds the key' },
  FOOTFALL_CA_FILE: { schema: something, cure: 'the path of a readable file with certificates of authorities, as PEM' },
  FOOTFALL_KAFKA_TLS: { schema: onOrOff, cure: 'on or off' },
  FOOTFALL_KAFKA_USER: { schema: something, cure: 'the name of a user of Kafka' },
  FOOTFALL_KAFKA_PASSWORD_FILE: { schema: something, cure: 'the path of a readable file that holds the password' },
  FOOTFALL_KAFKA_SASL: { schema: mechanism.optional(), cure: 'PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512, as the brokers have it' },
  FOOTFALL_CASSANDRA_TLS: { schema: onOrOff, cure: 'on or off' },
  FOOTFALL_CASSANDRA_USER: { schema: something, cure: 'the name of a role of Cassandra' },
  FOOTFALL_CASSANDRA_PASSWORD_FILE: { schema: something, cure: 'the path of a readable file that holds the password' },
  FOOTFALL_NATS_USER: { schema: something, cure: 'the name of a user of NATS' },
  FOOTFALL_NATS_PASSWORD_FILE: {
    schema: something,
    cure: 'the path of a readable file that holds the password, or the token where there is no user',
  },
} as const

type SettingName = keyof typeof settings
type Settings = { [K in SettingName]: z.output<(typeof settings)[K]['schema']> }

/** A setting as a log may show it: without a key, and without the password in an address. */
const shownOf = (name: SettingName, value: string | undefined): string =>
  name === 'FOOTFALL_KEY' ? '(hidden)' : JSON.stringify(value?.replace(/\/\/[^/\s,]*@/g, '//(hidden)@'))

const badSetting = (name: SettingName, detail: string, cause?: unknown): FootfallError =>
  new FootfallError('bad-setting', { detail, hint: `Set ${name} to ${settings[name].cure}.`, cause })

const readSetting = (name: SettingName, env: Record<string, string | undefined>): unknown => {
  const { schema } = settings[name]
  const text = env[name] === '' ? undefined : env[name]
  const parsed = schema.safeParse(text)
  if (parsed.success) return parsed.data
  throw badSetting(name, `${name} is ${shownOf(name, text)}.`)
}

const defaultUrl = (port: number): string => `http://localhost:${port}`

/** What a file holds, without the line break at its end. */
const contentOf = (name: SettingName, path: string): string => {
  const fail = (what: string, cause?: unknown) => badSetting(name, `${name} is ${JSON.stringify(path)}, which ${what}.`, cause)
  let content: string
  try {
    content = readFileSync(path, 'utf8').trim()
  } catch (cause) {
    throw fail('cannot be read', cause)
  }
  if (content === '') throw fail('is empty')
  return content
}

/** A password alone is `undefined` here: only NATS knows what to do with it. */
const loginOf = (server: 'KAFKA' | 'CASSANDRA' | 'NATS', s: Settings): Login | undefined => {
  const [userName, fileName] = [`FOOTFALL_${server}_USER`, `FOOTFALL_${server}_PASSWORD_FILE`] as const
  const [user, path] = [s[userName], s[fileName]]
  if (user !== undefined && path === undefined) throw badSetting(fileName, `${userName} is set, and ${fileName} is not.`)
  if (user === undefined && path !== undefined && server !== 'NATS')
    throw badSetting(userName, `${fileName} is set, and ${userName} is not.`)
  return user === undefined || path === undefined ? undefined : { user, password: contentOf(fileName, path) }
}

const authoritiesOf = (path: string): string => {
  const pem = contentOf('FOOTFALL_CA_FILE', path)
  try {
    new X509Certificate(pem)
    return pem
  } catch (cause) {
    throw badSetting('FOOTFALL_CA_FILE', `FOOTFALL_CA_FILE is ${JSON.stringify(path)}, which holds no certificate.`, cause)
  }
}

/** The servers that are named, each with how it is spoken to. */
const serversOf = (s: Settings): Pick<Config, keyof Services> => {
  const ca = s.FOOTFALL_CA_FILE === undefined ? undefined : authoritiesOf(s.FOOTFALL_CA_FILE)
  const tlsIf = (isWanted: boolean): Tls | undefined => (isWanted ? { ca } : undefined)
  const tls = {
    kafka: tlsIf(s.FOOTFALL_KAFKA_TLS === 'on'),
    redis: tlsIf(s.FOOTFALL_REDIS?.some((url) => url.startsWith('rediss:')) ?? false),
    cassandra: tlsIf(s.FOOTFALL_CASSANDRA_TLS === 'on'),
    nats: tlsIf(s.FOOTFALL_NATS?.some((url) => url.startsWith('tls:')) ?? false),
  }
  // Somebody who names authorities believes that the way is safe.
  if (ca !== undefined && Object.values(tls).every((one) => one === undefined))
    throw new FootfallError('bad-setting', {
      detail: 'FOOTFALL_CA_FILE is set, and no server is spoken to by TLS.',
      hint: 'Set FOOTFALL_KAFKA_TLS or FOOTFALL_CASSANDRA_TLS to on, or name Redis by rediss: or NATS by tls:.',
    })
  const [kafkaLogin, cassandraLogin] = [loginOf('KAFKA', s), loginOf('CASSANDRA', s)]
  if (s.FOOTFALL_KAFKA_SASL !== undefined && !kafkaLogin)
    throw badSetting('FOOTFALL_KAFKA_USER', 'FOOTFALL_KAFKA_SASL is set, and FOOTFALL_KAFKA_USER is not.')
  const token = s.FOOTFALL_NATS_USER === undefined ? s.FOOTFALL_NATS_PASSWORD_FILE : undefined
  const natsLogin = token === undefined ? loginOf('NATS', s) : { token: contentOf('FOOTFALL_NATS_PASSWORD_FILE', token) }
  return {
    kafka: s.FOOTFALL_KAFKA && {
      brokers: s.FOOTFALL_KAFKA,
      login: kafkaLogin && { ...kafkaLogin, mechanism: s.FOOTFALL_KAFKA_SASL ?? 'SCRAM-SHA-512' },
      tls: tls.kafka,
    },
    redis: s.FOOTFALL_REDIS && { urls: s.FOOTFALL_REDIS, tls: tls.redis },
    cassandra: s.FOOTFALL_CASSANDRA && { ...s.FOOTFALL_CASSANDRA, login: cassandraLogin, tls: tls.cassandra },
    nats: s.FOOTFALL_NATS && { servers: s.FOOTFALL_NATS, login: natsLogin, tls: tls.nats },
  }
}

/** The servers of the distributed mode. Throws `bad-setting` when one of them is not named. */
export const servicesOf = ({ kafka, redis, cassandra: at, nats }: Config): Services => {
  if (kafka && redis && at && nats) return { kafka, redis, cassandra: at, nats }
  const [missing] = ([!kafka && 'KAFKA', !redis && 'REDIS', !at && 'CASSANDRA', !nats && 'NATS'] as const).filter((name) => name !== false)
  const name = `FOOTFALL_${missing!}` as const
  throw new FootfallError('bad-setting', {
    detail: `${name} is missing, and the distributed mode needs it.`,
    hint: `Set ${name} to ${settings[name].cure}.`,
  })
}

/**
 * Reads all settings from `env`, typed and frozen. Throws `bad-setting` with name, value and cure at the first unusable one,
 * and for a name that begins with FOOTFALL_ but is none (a misspelt setting must not be silently nothing).
 */
export const readConfig = (env: Record<string, string | undefined>): Config => {
  const names = Object.keys(settings) as SettingName[]
  for (const name of Object.keys(env))
    if (name.startsWith('FOOTFALL_') && !names.includes(name as never))
      throw new FootfallError('bad-setting', { detail: `${name} is no setting.`, hint: `Settings are ${names.join(', ')}.` })
  const s = Object.fromEntries(names.map((name) => [name, readSetting(name, env)])) as Settings
  const config: Config = Object.freeze({
    port: s.FOOTFALL_PORT,
    host: s.FOOTFALL_HOST,
    url: (s.FOOTFALL_URL ?? defaultUrl(s.FOOTFALL_PORT)).replace(/\/+$/, ''),
    data: resolve(s.FOOTFALL_DATA),
    mode: s.FOOTFALL_MODE,
    gateway: s.FOOTFALL_GATEWAY?.replace(/\/+$/, ''),
    queryHelpers: s.FOOTFALL_QUERY_HELPERS,
    trustedProxies: Object.freeze(s.FOOTFALL_TRUSTED_PROXIES),
    rate: s.FOOTFALL_RATE,
    repeatHours: s.FOOTFALL_REPEAT_HOURS,
    geo: s.FOOTFALL_GEO,
    log: s.FOOTFALL_LOG,
    key: s.FOOTFALL_KEY ?? (s.FOOTFALL_KEY_FILE === undefined ? undefined : contentOf('FOOTFALL_KEY_FILE', s.FOOTFALL_KEY_FILE)),
    ...serversOf(s),
    partitions: s.FOOTFALL_PARTITIONS,
  })
  if (config.mode === 'distributed') servicesOf(config)
  if (config.queryHelpers > 0 && config.gateway === undefined)
    throw badSetting('FOOTFALL_GATEWAY', 'FOOTFALL_QUERY_HELPERS is set, and FOOTFALL_GATEWAY is not.')
  return config
}

/** The settings of a process that asked for any free port (0) and was given one: the public address follows unless it was set. */
export const atPort = (config: Config, port: number): Config =>
  Object.freeze({ ...config, port, url: config.url === defaultUrl(config.port) ? defaultUrl(port) : config.url })
