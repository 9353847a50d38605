import { type Option, UsageError, type Values } from './command.ts'

/** The options of a site as they are written on the command line, and as the API takes them. The server checks the values. */

type Reader = (text: string, name: string) => unknown

const asText: Reader = (text) => text

/** What is no number is sent as it is, and refused with the server's sentence. */
const asNumber: Reader = (text) => (/^\d+(\.\d+)?$/.test(text) ? Number(text) : text)

const asJson: Reader = (text, name) => {
  try {
    return JSON.parse(text)
  } catch {
    throw new UsageError(`--${name} is no JSON.`, 'docs/goals.md has examples; on a shell put the value in single quotes.')
  }
}

const words: Record<string, boolean> = { yes: true, true: true, on: true, no: false, false: false, off: false }
const asFlag: Reader = (text, name) => {
  const flag = Object.hasOwn(words, text) ? words[text] : undefined
  if (flag === undefined) throw new UsageError(`--${name} is ${JSON.stringify(text)}.`, 'Write yes or no.')
  return flag
}

const asList = (texts: readonly string[]): string[] =>
  texts
    .flatMap((text) => text.split(','))
    .map((text) => text.trim())
    .filter((text) => text !== '')

type SiteOption = Option & { read: Reader | 'list'; field: readonly [string] | readonly [string, string] }

const flag = (field: string, help: string): SiteOption => ({ type: 'string', value: 'yes|no', help, read: asFlag, field: [field] })
const list = (value: string, field: SiteOption['field'], help: string): SiteOption => ({
  type: 'string',
  multiple: true,
  value: `${value},…`,
  help: `${help}; replaces the list, '' empties it`,
  read: 'list',
  field,
})

const options: Readonly<Record<string, SiteOption>> = {
  timezone: {
    type: 'string',
    value: 'TZ',
    help: 'IANA time zone of its days (UTC); a change takes effect a day later',
    read: asText,
    field: ['timezone'],
  },
  identity: { type: 'string', value: 'cookie|cookieless', help: 'how visitors are told apart (cookie)', read: asText, field: ['identity'] },
  'session-timeout': {
    type: 'string',
    value: 'MINUTES',
    help: 'a new visit after such a gap, 1–475 (30)',
    read: asNumber,
    field: ['session_timeout'],
  },
  'cut-at-midnight': flag('cut_at_midnight', 'a new visit at midnight (no)'),
  'cut-at-campaign': flag('cut_at_campaign', 'a new visit with a new campaign (no)'),
  bounce: { type: 'string', value: 'engaged|single-page', help: 'rule of the bounce rate (engaged)', read: asText, field: ['bounce'] },
  retention: {
    type: 'string',
    value: 'MONTHS',
    help: 'months that its rows are kept, 0 = for ever (25)',
    read: asNumber,
    field: ['retention'],
  },
  shards: {
    type: 'string',
    value: 'N',
    help: 'partitions that its visitors are spread over, from a day later on: 1, 2, 4 … 256 (1)',
    read: asNumber,
    field: ['shards'],
  },
  hosts: list('DOMAIN', ['hosts'], 'further hosts whose hits are its own'),
  params: list('NAME', ['params'], 'query parameters that stay part of a page'),
  'exclude-paths': list('PATH', ['exclude', 'paths'], 'hits on these pages are flagged; a * at the end stands for the rest'),
  'exclude-countries': list('CODE', ['exclude', 'countries'], 'hits from there are flagged'),
  'exclude-addresses': list('CIDR', ['exclude', 'addresses'], 'hits from there are flagged'),
  goals: {
    type: 'string',
    value: 'JSON',
    help: `what visitors should do, as [{"name":"Signup","event":"signup"},…]; replaces the list, '[]' empties it`,
    read: asJson,
    field: ['goals'],
  },
  segments: {
    type: 'string',
    value: 'JSON',
    help: `saved filters, as [{"name":"Germany","filters":[["is","visit:country",["DE"]]]},…]; replaces the list`,
    read: asJson,
    field: ['segments'],
  },
  origins: list('URL', ['origins'], 'origins whose pages may ask the API with a key'),
}

/** The options as the command table wants them. */
export const siteOptions: Readonly<Record<string, Option>> = options

/** The options given, as the body of a request. */
export const siteBody = (values: Values): Record<string, unknown> => {
  const body: Record<string, unknown> = {}
  for (const [name, { read, field }] of Object.entries(options)) {
    const given = values[name]
    if (given === undefined) continue
    const value = read === 'list' ? asList(given as readonly string[]) : read(given as string, name)
    const [outer, inner] = field
    body[outer] = inner === undefined ? value : { ...(body[outer] as object | undefined), [inner]: value }
  }
  return body
}
