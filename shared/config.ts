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
  mode: 'embedded'
  /** CIDRs of proxies whose X-Forwarded-For counts. */
  trustedProxies: readonly string[]
  /** Hits per second and visitor network; 0 = no limit. */
  rate: number
  /** Path of the operator's own .mmdb. */
  geo: string | undefined
  log: 'debug' | 'info' | 'warn' | 'error'
  /** Key of the command line; undefined = the installation key. */
  key: string | undefined
}>

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

const settings = {
  FOOTFALL_PORT: { schema: number.pipe(z.number().int().max(65_535)).default(8000), cure: 'a port from 1 to 65535 (0 = any free one)' },
  FOOTFALL_HOST: { schema: z.string().min(1).default('127.0.0.1'), cure: 'an address to listen on, such as 127.0.0.1 or 0.0.0.0' },
  FOOTFALL_URL: { schema: z.url({ protocol: /^https?$/ }).optional(), cure: 'the public address, such as https://stats.example.com' },
  FOOTFALL_DATA: { schema: z.string().min(1).default('./data'), cure: 'the path of a folder' },
  FOOTFALL_MODE: { schema: z.enum(['embedded']).default('embedded'), cure: 'embedded (distributed comes with a later version)' },
  FOOTFALL_TRUSTED_PROXIES: {
    schema: z.string().default('loopback').transform(cidrs),
    cure: 'addresses or CIDRs with commas between them, such as 127.0.0.1,10.0.0.0/8',
  },
  FOOTFALL_RATE: { schema: number.pipe(z.number().max(1_000_000)).default(200), cure: 'hits per second, 0 for no limit' },
  FOOTFALL_GEO: { schema: z.string().min(1).optional(), cure: 'the path of an .mmdb file' },
  FOOTFALL_LOG: { schema: z.enum(['debug', 'info', 'warn', 'error']).default('info'), cure: 'debug, info, warn or error' },
  FOOTFALL_KEY: { schema: z.string().min(1).optional(), cure: 'a key as `footfall key add` prints it' },
} as const

type Settings = { [K in keyof typeof settings]: z.output<(typeof settings)[K]['schema']> }

const readSetting = (name: keyof typeof settings, env: Record<string, string | undefined>): unknown => {
  const { schema, cure } = settings[name]
  const text = env[name] === '' ? undefined : env[name]
  const parsed = schema.safeParse(text)
  if (parsed.success) return parsed.data
  const shown = name === 'FOOTFALL_KEY' ? '(hidden)' : JSON.stringify(text)
  throw new FootfallError('bad-setting', { detail: `${name} is ${shown}.`, hint: `Set ${name} to ${cure}.` })
}

const defaultUrl = (port: number): string => `http://localhost:${port}`

const keyFromFile = (path: string): string => {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch (cause) {
    throw new FootfallError('bad-setting', {
      detail: `FOOTFALL_KEY_FILE is ${JSON.stringify(path)}.`,
      hint: 'Name a readable file that holds the key.',
      cause,
    })
  }
}

/**
 * Reads all settings from `env`, typed and frozen. Throws `bad-setting` with name, value and cure at the first unusable one,
 * and for a name that begins with FOOTFALL_ but is none (a misspelt setting must not be silently nothing).
 */
export const readConfig = (env: Record<string, string | undefined>): Config => {
  const names = Object.keys(settings) as (keyof typeof settings)[]
  const other = ['FOOTFALL_KEY_FILE', 'FOOTFALL_KAFKA', 'FOOTFALL_REDIS', 'FOOTFALL_CASSANDRA', 'FOOTFALL_NATS', 'FOOTFALL_GATEWAY']
  for (const name of Object.keys(env))
    if (name.startsWith('FOOTFALL_') && !names.includes(name as never) && !other.includes(name))
      throw new FootfallError('bad-setting', { detail: `${name} is no setting.`, hint: `Settings are ${names.join(', ')}.` })
  const s = Object.fromEntries(names.map((name) => [name, readSetting(name, env)])) as Settings
  return Object.freeze({
    port: s.FOOTFALL_PORT,
    host: s.FOOTFALL_HOST,
    url: (s.FOOTFALL_URL ?? defaultUrl(s.FOOTFALL_PORT)).replace(/\/+$/, ''),
    data: resolve(s.FOOTFALL_DATA),
    mode: s.FOOTFALL_MODE,
    trustedProxies: Object.freeze(s.FOOTFALL_TRUSTED_PROXIES),
    rate: s.FOOTFALL_RATE,
    geo: s.FOOTFALL_GEO,
    log: s.FOOTFALL_LOG,
    key: s.FOOTFALL_KEY ?? (env['FOOTFALL_KEY_FILE'] ? keyFromFile(env['FOOTFALL_KEY_FILE']) : undefined),
  })
}

/** The settings of a process that asked for any free port (0) and was given one: the public address follows unless it was set. */
export const atPort = (config: Config, port: number): Config =>
  Object.freeze({ ...config, port, url: config.url === defaultUrl(config.port) ? defaultUrl(port) : config.url })
