import { isbot } from 'isbot'
import UAParser from 'my-ua-parser'
import { createRecent } from '../recent.ts'
import {
  browserMarks,
  headlessMarks,
  libraryMarks,
  type Mark,
  otherMarks,
  parserBrowsers,
  parserSystems,
  systemMarks,
  televisionMarks,
  windowsVersions,
} from './agents.ts'
import type { Device, DeviceType } from './record.ts'

/**
 * What a user agent says of browser, system, device and of being no person. Own table first, `my-ua-parser` for what it does not know.
 * It reports what the agent claims, never more: Windows 11 says 10, and Chrome says macOS 10.15 and (as `K`) Android 10 on every machine.
 */

/** Why an agent is known to be no person: the closed list of `bot` values that come from the agent, each with the sentence users read. */
export const agentReasons = {
  agent: 'The user agent names a known robot: a crawler, checker, preview or feed reader.',
  headless: 'The user agent names a browser that a program runs without a screen, as tests and scrapers do.',
  library: 'The user agent names a program or library that fetches pages, such as curl or python-requests.',
  'no-agent': 'The request carried no user agent; every browser sends one.',
} as const
type AgentReason = keyof typeof agentReasons

/** The whole answer; `device` of an unknown agent is all '' and Other. */
export type Agent = { device: Device; bot?: AgentReason }

/** Real agents are under 350 characters; what follows these is neither read nor kept. */
const agentLimits = { chars: 512 } as const

/**
 * A classifier of user agents with a memory of its last `capacity` answers. Answers are frozen and shared: copy before changing.
 * The classifier never throws and takes any text.
 */
export const createAgents = (capacity = 10_000): ((ua: string) => Agent) => {
  const recent = createRecent<Agent>(capacity)
  return (ua) => {
    const text = ua.length > agentLimits.chars ? cut(ua) : ua
    const known = recent.get(text)
    if (known !== undefined) return known
    const agent = classify(text)
    recent.set(text, agent)
    return agent
  }
}

/** Copies, since V8 keeps a sliced string's whole parent alive, and the memory would then hold 10,000 headers of any length. */
const cut = (ua: string): string => Buffer.from(ua.slice(0, agentLimits.chars)).toString()

const classify = (ua: string): Agent => {
  const own = readTable(ua)
  const bot = reasonOf(ua, own.type)
  // The parser is the slow part, and nobody reads the browser of a robot.
  const device = Object.freeze(bot === undefined && isVague(ua, own) ? askParser(ua, own) : own)
  return Object.freeze(bot === undefined ? { device } : { device, bot })
}

const reasonOf = (ua: string, type: DeviceType): AgentReason | undefined => {
  if (ua.trim() === '') return 'no-agent'
  const lower = ua.toLowerCase()
  if (headlessMarks.some((mark) => lower.includes(mark))) return 'headless'
  if (libraryMarks.some((mark) => lower.startsWith(mark))) return 'library'
  // isbot takes the word Google for the crawler; on a television it is the maker.
  return isbot(type === 'TV' ? ua.replaceAll('Google', '') : ua) ? 'agent' : undefined
}

const readTable = (ua: string): Device => {
  const [os, osv] = systemOf(ua)
  const [br, brv] = browserOf(ua, os)
  return { br, brv, os, osv: appleVersion(ua, br, os) || osv, type: typeOf(ua, os, br) }
}

const find = (ua: string, marks: readonly Mark[]): Mark | undefined => marks.find(([, mark]) => ua.includes(mark))

const systemOf = (ua: string): [name: string, version: string] => {
  const found = find(ua, systemMarks)
  if (found === undefined) return ['', '']
  const [name, mark, before = mark] = found
  const version = versionAfter(ua, before, 2)
  return [name, name === 'Windows' ? (windowsVersions.get(version) ?? '') : version]
}

const browserOf = (ua: string, os: string): [name: string, version: string] => {
  const found = find(ua, browserMarks)
  if (found !== undefined) return [found[0], versionAfter(ua, found[2] ?? found[1], 1)]
  if (!ua.includes('AppleWebKit/')) return ['', '']
  const name = webkitName(ua, os)
  return [name, name === '' ? '' : versionAfter(ua, 'Version/', 1)]
}

/**
 * WebKit without a mark of its own: the system's browser, or on iOS a window inside an app, which leaves the word Safari out.
 * On televisions and consoles, which all say Safari, it is none that has a name.
 */
const webkitName = (ua: string, os: string): string => {
  if (!ua.includes('Safari/')) return os === 'iOS' || os === 'iPadOS' ? 'iOS WebView' : ''
  if (!ua.includes('Version/')) return ''
  return os === 'Android' ? 'Android Browser' : appleSystems.has(os) ? 'Safari' : ''
}

const appleSystems: ReadonlySet<string> = new Set(['iOS', 'iPadOS', 'macOS', 'tvOS', 'watchOS'])

/** Since iOS 26 the agent's system version stands still at 18; Safari there has always had the number of its system. */
const appleVersion = (ua: string, br: string, os: string): string => {
  if (br !== 'Safari' || (os !== 'iOS' && os !== 'iPadOS')) return ''
  const version = versionAfter(ua, 'Version/', 2)
  return Number.parseInt(version, 10) >= 26 ? version : ''
}

/** At most `parts` numbers after `before`, `.` or `_` between them, joined by `.`; '' when no number follows. Four digits a number. */
const versionAfter = (ua: string, before: string, parts: number): string => {
  const at = ua.indexOf(before)
  if (at === -1) return ''
  const [, first = '', second = ''] = /^(\d{1,4})(?:[._](\d{1,4}))?/.exec(ua.slice(at + before.length, at + before.length + 9)) ?? []
  return parts === 1 || second === '' ? first : `${first}.${second}`
}

const has = (ua: string, marks: readonly string[]): boolean => marks.some((mark) => ua.includes(mark))

const typeOf = (ua: string, os: string, br: string): DeviceType => {
  if (has(ua, otherMarks)) return 'Other'
  if (has(ua, televisionMarks)) return 'TV'
  if (os === '') return 'Other'
  if (os === 'iPadOS' || (ua.includes('Tablet') && os !== 'Windows')) return 'Tablet'
  if (os === 'Android') return isAndroidTablet(ua, br) ? 'Tablet' : 'Mobile'
  if (handheld.has(os) || (ua.includes('Mobile') && os === 'Linux')) return 'Mobile'
  return 'Desktop'
}

const handheld: ReadonlySet<string> = new Set(['iOS', 'Windows Phone', 'KaiOS', 'HarmonyOS', 'Tizen'])

/** Android browsers leave the word Mobile out on tablets (Android's own rule); apps and Opera Mini never say it. */
const isAndroidTablet = (ua: string, br: string): boolean => ua.startsWith('Mozilla/') && !ua.includes('Mobile') && br !== 'Opera Mini'

/**
 * Ask the parser when a name is missing, or when something unknown stands in or behind the plain form of Chrome. Never about an agent
 * with `naver(`: its expression for that one is of the fourth degree and took 99 ms for 512 characters. Of its 274 expressions checked
 * with recheck the others are of the third degree at most, and the worst agent made for them takes under 1 ms.
 */
const isVague = (ua: string, own: Device): boolean =>
  (own.br === '' || own.os === '' || (own.br === 'Chrome' && hasMore(ua))) && !ua.toLowerCase().includes('naver(')

const hasMore = (ua: string): boolean => {
  const at = ua.indexOf(' Chrome/')
  return at !== -1 && !/^ Chrome\/[\d.]{1,24}(?: Mobile)? Safari\/[\d.]{1,12}$/.test(ua.slice(at))
}

const parserTypes: ReadonlyMap<string, DeviceType> = new Map([
  ['mobile', 'Mobile'],
  ['tablet', 'Tablet'],
  ['smarttv', 'TV'],
])

const askParser = (ua: string, own: Device): Device => {
  const parser = new UAParser(ua)
  return { ...own, ...parsedBrowser(parser, own), ...(own.os === '' ? parsedSystem(parser, own) : {}) }
}

const parsedBrowser = (parser: UAParser.UAParserInstance, own: Device): Pick<Device, 'br' | 'brv'> => {
  const { name = '', version = '' } = parser.getBrowser()
  const br = parserBrowsers.get(name.toLowerCase())
  const isGuess = br === 'Safari' && own.os !== 'Windows' && !appleSystems.has(own.os)
  return br === undefined || isGuess ? own : { br, brv: versionAfter(version, '', 1) }
}

const parsedSystem = (parser: UAParser.UAParserInstance, own: Device): Pick<Device, 'os' | 'osv' | 'type'> => {
  const { name = '', version = '' } = parser.getOS()
  const os = parserSystems.get(name.toLowerCase()) ?? ''
  const osv = os === 'Linux' ? '' : versionAfter(version, '', 2)
  const type = own.type === 'TV' ? 'TV' : (parserTypes.get(parser.getDevice().type ?? '') ?? (desktop.has(os) ? 'Desktop' : 'Other'))
  return { os, osv: os === '' ? '' : osv, type }
}

const desktop: ReadonlySet<string> = new Set(['Windows', 'macOS', 'Linux', 'ChromeOS', 'FreeBSD', 'NetBSD', 'OpenBSD', 'Haiku', 'Solaris'])
