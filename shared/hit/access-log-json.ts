import { type Fields, isNone, requestParts, unescapeQuoted } from './access-log-text.ts'

/**
 * One line of an access log as JSON: Nginx and Apache with the names in common use, Caddy, Traefik. Names are compared without case
 * and marks (`http_user_agent` = `HttpUserAgent`), values are believed only in the types they should have.
 */

type Values = ReadonlyMap<string, unknown>

/** Names of one field, the best one first. */
const names = {
  client: ['clientip', 'remoteip', 'remoteaddr', 'clienthost', 'clientaddr', 'remotehost', 'client', 'ip'],
  host: ['host', 'httphost', 'requesthost', 'servername', 'vhost', 'virtualhost', 'requestaddr'],
  time: ['timeiso8601', 'timelocal', 'msec', 'startutc', 'timestamp', 'ts', 'time', 'datetime'],
  method: ['requestmethod', 'method', 'verb'],
  target: ['requesturi', 'requestpath', 'uri', 'path', 'url'],
  query: ['args', 'querystring', 'query'],
  status: ['status', 'downstreamstatus', 'statuscode'],
  referrer: ['httpreferer', 'httpreferrer', 'referer', 'referrer', 'requestreferer'],
  agent: ['httpuseragent', 'useragent', 'requestuseragent', 'agent'],
} as const

const bare = (name: string): string => name.toLowerCase().replace(/[^a-z0-9]/g, '')

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null && !Array.isArray(value)

/** The first of a list, as Caddy writes headers; else the value. */
const single = (value: unknown): unknown => (Array.isArray(value) ? value[0] : value)

const valuesOf = (object: object): Map<string, unknown> =>
  new Map(Object.entries(object).map(([name, value]) => [bare(name), single(value)]))

/** Of what the visitor sent, only this is looked at: a header of any name must not pass for a field of the log. */
const headersOf = (headers: unknown): [string, unknown][] => {
  if (!isObject(headers)) return []
  const sent = valuesOf(headers)
  // Headers that name no agent are those of a request without one.
  return [
    ['useragent', sent.get('useragent') ?? ''],
    ['referer', sent.get('referer')],
  ]
}

/** Caddy puts the request into an object of its own, and its headers into one below. What stands further out wins. */
const flatten = (object: object): Values => {
  const outer = valuesOf(object)
  const request = outer.get('request')
  if (!isObject(request)) return outer
  const inner = valuesOf(request)
  outer.delete('request')
  return new Map([...headersOf(inner.get('headers')), ...inner, ...outer])
}

const find = (values: Values, wanted: readonly string[]): unknown => {
  for (const name of wanted) {
    const value = values.get(name)
    if (value !== undefined && value !== null) return value
  }
  return undefined
}

const textOf = (values: Values, field: keyof typeof names): string | undefined => {
  const value = find(values, names[field])
  return typeof value === 'string' ? value : undefined
}

const withQuery = (target: string, query: string | undefined): string => {
  if (query === undefined || isNone(query) || target.includes('?')) return target
  return `${target}${query.startsWith('?') ? '' : '?'}${query}`
}

/** Method and target by their own names, else out of `request`, which is a whole request line or (Apache) its path. */
const requestOf = (values: Values): { method: string; target: string } => {
  const method = textOf(values, 'method')?.toUpperCase()
  const request = values.get('request')
  const target = textOf(values, 'target')
  if (method !== undefined && target !== undefined) return { method, target: withQuery(target, textOf(values, 'query')) }
  if (typeof request !== 'string') return { method: method ?? '', target: target ?? '' }
  if (method !== undefined && request.startsWith('/')) return { method, target: withQuery(request, textOf(values, 'query')) }
  return requestParts(request)
}

const statusOf = (values: Values): number | undefined => {
  const value = find(values, names.status)
  if (typeof value === 'number') return value
  if (typeof value !== 'string') return undefined
  return /^\d{3}$/.test(value) ? Number(value) : isNone(value) ? 0 : undefined
}

/** Nginx without `escape=json` writes `\x22`, which JSON does not know. */
const bytesForm = /(?:\\x[\da-f]{2})+/gi
const repaired = (line: string): string => line.replace(bytesForm, (bytes) => JSON.stringify(unescapeQuoted(bytes)).slice(1, -1))

const parse = (line: string): unknown => {
  try {
    return JSON.parse(line)
  } catch {
    return undefined // another form
  }
}

const noneIf = (text: string | undefined): string | undefined => (text === undefined || isNone(text) ? undefined : text)

/** The fields of a line; `undefined` when it is no JSON object, or has neither status nor client. */
export const readJsonLine = (line: string): Fields | undefined => {
  const value = parse(line) ?? (line.includes('\\x') ? parse(repaired(line)) : undefined)
  if (!isObject(value)) return undefined
  const values = flatten(value)
  const client = textOf(values, 'client')
  const status = statusOf(values)
  if (client === undefined || status === undefined) return undefined
  const agent = textOf(values, 'agent')
  return {
    client: client.split(',', 1)[0]!.trim(),
    host: noneIf(textOf(values, 'host')),
    time: find(values, names.time),
    ...requestOf(values),
    status,
    referrer: noneIf(textOf(values, 'referrer')),
    agent: agent !== undefined && isNone(agent) ? '' : agent,
  }
}
