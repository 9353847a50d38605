import { isOwnHost, type SiteConfig } from '../site/config.ts'
import { siteName } from '../site/domain.ts'
import type { Fields } from './access-log-text.ts'
import { hitLimits, parsePageUrl } from './parse.ts'

/** Which requests of an access log were pages: what a tracker on them would have counted, as far as a log can tell. */

/** Why a line is no page, in the order in which it is asked, each with the sentence that users read. */
export const skipReasons = {
  blank: 'An empty line, or a comment that begins with #.',
  'other-host': 'The line names a host that is not of the site.',
  error: 'The answer was no success (a status other than 2xx and 3xx), or there was none.',
  redirect: 'The answer sent the visitor on to another address (3xx; 304 is a page that had not changed).',
  method: 'Not a GET: forms, calls of scripts, HEAD, or bytes that are no request.',
  'no-page': 'Nothing, or a part of a file, was answered (204, 205, 206).',
  asset:
    'A file that pages are made of or that is fetched by programs: images, styles, scripts, fonts, downloads, robots.txt, /.well-known/.',
  feed: 'A feed: the path ends in /feed, /rss or /atom.',
  'too-long': 'The address is longer than 2,000 characters.',
  'bad-url': 'The request names no address of a page.',
} as const
export type SkipReason = keyof typeof skipReasons

const extensions: ReadonlySet<string> = new Set([
  ...['css', 'js', 'mjs', 'cjs', 'map', 'wasm', 'json', 'jsonp', 'webmanifest', 'xml', 'xsl', 'txt', 'csv', 'rss', 'atom', 'appcache'],
  ...['png', 'jpg', 'jpeg', 'jpe', 'gif', 'webp', 'avif', 'apng', 'svg', 'svgz', 'ico', 'cur', 'bmp', 'tif', 'tiff', 'heic', 'jxl'],
  ...['woff', 'woff2', 'ttf', 'otf', 'eot'],
  ...['mp3', 'm4a', 'aac', 'ogg', 'oga', 'opus', 'wav', 'flac', 'mp4', 'm4v', 'm4s', 'webm', 'ogv', 'mov', 'avi', 'mkv', 'flv', 'swf'],
  ...['m3u8', 'mpd', 'ts', 'vtt', 'srt'],
  ...['pdf', 'doc', 'docx', 'xls', 'xlsx', 'ppt', 'pptx', 'odt', 'ods', 'odp', 'rtf', 'epub', 'mobi', 'ics', 'vcf'],
  ...['zip', 'gz', 'tgz', 'bz2', 'xz', 'zst', '7z', 'rar', 'tar', 'jar', 'war', 'iso', 'dmg', 'exe', 'msi', 'deb', 'rpm', 'apk', 'bin'],
  ...['pem', 'crt', 'key', 'sql', 'bak', 'log', 'ini', 'env', 'yml', 'yaml', 'toml'],
])
const longestExtension = 11

const feeds = ['/feed', '/rss', '/atom']

/** The path of a target in lower case, without its last slash. */
const pathOf = (target: string): string => {
  const end = target.search(/[?#;]/)
  const path = (end === -1 ? target : target.slice(0, end)).toLowerCase()
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path
}

const isAsset = (path: string): boolean => {
  if (path.startsWith('/.well-known/')) return true
  const dot = path.lastIndexOf('.')
  return dot > path.lastIndexOf('/') && path.length - dot <= longestExtension + 1 && extensions.has(path.slice(dot + 1))
}

const absoluteForm = /^https?:\/\/([^/?#]*)/i

/** Host and rest of a target. Proxies are asked with the whole address; the host in it is then the one that was meant. */
const splitTarget = (target: string, host: string | undefined): { host: string | undefined; rest: string } => {
  const [start, named] = absoluteForm.exec(target.slice(0, 300)) ?? []
  if (start === undefined) return { host, rest: target }
  const rest = target.slice(start.length)
  return { host: named, rest: rest.startsWith('/') ? rest : `/${rest}` }
}

/** The site's own host that a line is about; '' for another one. Servers write `_` or `-` where they know none. */
const ownHost = (host: string | undefined, config: Rules): string => {
  if (host === undefined || host === '' || host === '_' || host === '-') return config.site
  const name = siteName(host)
  return name !== undefined && isOwnHost(config, name) ? name : ''
}

/** What of a site's configuration decides. */
export type Rules = Pick<SiteConfig, 'site' | 'hosts' | 'params'>

const isRedirect = (status: number) => status >= 300 && status < 400 && status !== 304
const isSuccess = (status: number) => (status >= 200 && status < 300) || status === 304
const isPartial = (status: number) => status === 204 || status === 205 || status === 206

/** The page of a line, or why it is none. */
export const pageOfLine = (
  { host, method, target, status }: Fields,
  config: Rules,
): NonNullable<ReturnType<typeof parsePageUrl>> | SkipReason => {
  const split = splitTarget(target, host)
  const own = ownHost(split.host, config)
  if (own === '') return 'other-host'
  if (isRedirect(status)) return 'redirect'
  if (!isSuccess(status)) return 'error'
  if (method !== 'GET') return 'method'
  if (isPartial(status)) return 'no-page'
  const path = pathOf(split.rest)
  if (isAsset(path)) return 'asset'
  if (feeds.some((feed) => path.endsWith(feed))) return 'feed'
  if (!split.rest.startsWith('/')) return 'bad-url'
  const url = `https://${own}${split.rest}`
  if (url.length > hitLimits.url) return 'too-long'
  return parsePageUrl(url, config.params) ?? 'bad-url'
}
