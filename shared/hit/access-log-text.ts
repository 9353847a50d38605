import { parseAddress } from './address.ts'

/**
 * One line of an Apache or Nginx access log in the common or the combined format, with or without the virtual host in front and
 * further fields behind:
 *
 *   [vhost[:port] ]address ident user [10/Oct/2000:13:55:36 -0700] "GET / HTTP/1.0" 200 2326[ "referrer" "agent"[ …]]
 *
 * Read by hand from left to right: each character is looked at a fixed number of times whatever the line holds.
 */

/** What a line says, as text. `agent` undefined = the format does not carry it, '' = the visitor sent none. */
export type Fields = {
  client: string
  host: string | undefined
  time: unknown
  method: string
  target: string
  status: number
  referrer: string | undefined
  agent: string | undefined
}

const controls: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', b: '\b', v: '\v', f: '\f', '"': '"', '\\': '\\' }

/** Bytes written as `\xHH`, one after the other, are UTF-8 together. */
const bytesForm = /\\(?:x[\da-f]{2}(?:\\x[\da-f]{2})*|[^x]|x)/gi
const unescapeOne = (found: string): string =>
  found.length >= 4 ? Buffer.from(found.replaceAll(/\\x/gi, ''), 'hex').toString('utf8') : (controls[found.slice(1)] ?? found)

/** Text between quotes as it was: Apache and Nginx escape quotes, backslashes and what is not printable. */
export const unescapeQuoted = (text: string): string => (text.includes('\\') ? text.replace(bytesForm, unescapeOne) : text)

const isEscaped = (line: string, at: number, begin: number): boolean => {
  let from = at
  while (from > begin && line[from - 1] === '\\') from--
  return (at - from) % 2 === 1
}

/** The text in quotes that begins at `at`, and where it ends. A quote in the middle of a word that nobody has escaped is part of it. */
const quotedAt = (line: string, at: number): { text: string; end: number } | undefined => {
  if (line[at] !== '"') return undefined
  for (let end = line.indexOf('"', at + 1); end !== -1; end = line.indexOf('"', end + 1)) {
    const next = line[end + 1]
    if ((next === undefined || next === ' ') && !isEscaped(line, end, at + 1))
      return { text: unescapeQuoted(line.slice(at + 1, end)), end: end + 1 }
  }
  return undefined
}

const methodForm = /^[a-z]{1,20}$/i

/** `GET /path HTTP/1.1` in its parts; the version may be missing, the path may hold blanks. What is no request has no method. */
export const requestParts = (request: string): { method: string; target: string } => {
  const blank = request.indexOf(' ')
  const method = blank === -1 ? request : request.slice(0, blank)
  if (blank === -1 || !methodForm.test(method)) return { method: '', target: '' }
  const version = request.lastIndexOf(' HTTP/')
  return { method: method.toUpperCase(), target: request.slice(blank + 1, version > blank ? version : undefined).trim() }
}

/** A field that says "nothing". */
export const isNone = (text: string): boolean => text === '-' || text === ''

const hasPort = /:\d{1,5}$/

/** Who asked, and the virtual host where the line begins with one. A list of addresses (X-Forwarded-For) names the visitor first. */
const clientOf = (head: string): { client: string; host: string | undefined } | undefined => {
  const words = head.split(' ', 4)
  const [first = '', second = ''] = words
  if (first === '') return undefined
  if (first.endsWith(',')) return { client: first.slice(0, -1), host: undefined }
  const isHost = parseAddress(second) !== undefined || (words.length === 4 && hasPort.test(first) && parseAddress(first) === undefined)
  return isHost ? { client: second, host: first } : { client: first, host: undefined }
}

const statusForm = /^ *(\d{3}|-)(?= |$)/

/** Referrer and agent, where the line goes on with text in quotes. */
const restOf = (line: string, from: number): Pick<Fields, 'referrer' | 'agent'> | undefined => {
  const at = line.indexOf('"', from)
  if (at === -1) return { referrer: undefined, agent: undefined }
  const referrer = quotedAt(line, at)
  if (!referrer) return undefined
  const isNext = line.startsWith(' "', referrer.end)
  const agent = isNext ? quotedAt(line, referrer.end + 1) : undefined
  if (isNext && !agent) return undefined
  return {
    referrer: isNone(referrer.text) ? undefined : referrer.text,
    agent: agent && (isNone(agent.text) ? '' : agent.text),
  }
}

/** The fields of a line; `undefined` when it has another form. */
export const readTextLine = (line: string): Fields | undefined => {
  const open = line.indexOf(' [')
  const close = line.indexOf('] "', open)
  if (open === -1 || close === -1) return undefined
  const who = clientOf(line.slice(0, open))
  const request = quotedAt(line, close + 2)
  if (!who || !request) return undefined
  const status = statusForm.exec(line.slice(request.end, request.end + 12))
  if (!status) return undefined
  const rest = restOf(line, request.end + status[0].length)
  if (!rest) return undefined
  return { ...who, time: line.slice(open + 2, close), ...requestParts(request.text), status: Number(status[1]) || 0, ...rest }
}
