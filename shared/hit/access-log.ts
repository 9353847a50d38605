import { readJsonLine } from './access-log-json.ts'
import { pageOfLine, type Rules, type SkipReason } from './access-log-page.ts'
import { type Fields, isNone, readTextLine } from './access-log-text.ts'
import { logTime, timeAgainst } from './access-log-time.ts'
import { parseAddress } from './address.ts'
import { hitLimits, type PageUrl, parseReferrer } from './parse.ts'

/**
 * What one line of an access log comes to: a page that somebody read, no page (with the reason), or nothing that can be read.
 * Pure: the server and a dry run on the command line say the same of the same line.
 */

/** How lines are written; `auto` looks at each of them. */
export const logFormats = ['auto', 'common', 'combined', 'json'] as const
export type LogFormat = (typeof logFormats)[number]

/** Why a line cannot be read, each with the sentence that users read. */
export const unreadableReasons = {
  form: 'The line has none of the forms that are known, or not the one that was asked for.',
  address: 'It does not say who asked: no address, no host name.',
  time: 'Its time is none, or does not say its offset from UTC.',
  future: 'It says that it happens in the future.',
  long: 'It is longer than 32,768 characters.',
} as const
export type UnreadableReason = keyof typeof unreadableReasons

/** Characters of a line that are read. */
export const lineLimit = 32_768

/** A page somebody read. `address` is '' where the log names visitors by host name; `agent` undefined = the log does not carry it. */
export type PageLine = { client: string; address: string; agent: string | undefined; t: number; url: PageUrl; r: string | undefined }

export type Verdict = PageLine | { skipped: SkipReason } | { unreadable: UnreadableReason }

const read = (line: string, format: LogFormat): Fields | undefined => {
  if (line.startsWith('{')) return format === 'auto' || format === 'json' ? readJsonLine(line) : undefined
  if (format === 'json') return undefined
  const fields = readTextLine(line)
  if (!fields || format === 'auto') return fields
  if (format === 'common') return { ...fields, referrer: undefined, agent: undefined }
  return fields.agent === undefined ? undefined : fields
}

/** A host name instead of an address, as Apache's HostnameLookups writes it. */
const hostForm = /^[a-z0-9](?:[a-z0-9.-]{0,252}[a-z0-9])?$/i

const whoOf = (client: string): Pick<PageLine, 'client' | 'address'> | undefined => {
  const address = parseAddress(client)
  if (address !== undefined) return { client: address, address }
  return !isNone(client) && hostForm.test(client) ? { client: client.toLowerCase(), address: '' } : undefined
}

/** An empty line, or a comment. */
export const isBlank = (line: string): boolean => line === '' || line.startsWith('#') || line.trim() === ''

const bom = '\ufeff'

const withoutEnds = (text: string): string => {
  const bare = text.endsWith('\r') ? text.slice(0, -1) : text
  return bare.startsWith(bom) ? bare.slice(1) : bare
}

/** When a line says that it was, whatever else it is; NaN when it says no time. */
export const timeOfLine = (text: string): number => {
  const fields = text.length > lineLimit ? undefined : read(withoutEnds(text), 'auto')
  return fields ? logTime(fields.time) : Number.NaN
}

/** The verdict on a line (without its end). `now` is our clock: lines of the future are none. */
export const readLogLine = (text: string, format: LogFormat, config: Rules, now: number): Verdict => {
  if (text.length > lineLimit) return { unreadable: 'long' }
  const line = withoutEnds(text)
  if (isBlank(line)) return { skipped: 'blank' }
  const fields = read(line, format)
  if (!fields) return { unreadable: 'form' }
  const who = whoOf(fields.client)
  if (!who) return { unreadable: 'address' }
  const t = timeAgainst(logTime(fields.time), now)
  if (typeof t === 'string') return { unreadable: t }
  const url = pageOfLine(fields, config)
  if (typeof url === 'string') return { skipped: url }
  return { ...who, agent: fields.agent?.slice(0, hitLimits.agent), t, url, r: fields.referrer && parseReferrer(fields.referrer) }
}
