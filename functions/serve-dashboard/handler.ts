import { FootfallError, replyOf } from '#shared/errors.ts'
import { type Handler, hasVersion, type Reply, type Request, takesEncoding } from '#shared/handler.ts'
import { type HeldFile, holdFiles } from './files.ts'

/**
 * serve-dashboard: the page and its files, the demo site, and nothing else. It touches no store and knows nobody; the page asks
 * query-metrics.
 */

/** Nothing inline, nothing evaluated, nothing from elsewhere, in no frame: what a visitor sent can only ever be text. */
const policyOf = (more: readonly string[]): string =>
  [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    ...more,
  ].join('; ')

const safety = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
  'x-robots-tag': 'noindex, nofollow',
} as const

const pageSafety = { ...safety, 'content-security-policy': policyOf(["form-action 'none'"]), 'referrer-policy': 'no-referrer' }
/** The demo is a site like those of other people: its pages tell each other where a click came from, and it has a form. */
const demoSafety = { ...safety, 'content-security-policy': policyOf(["form-action 'self'"]), 'referrer-policy': 'same-origin' }

/** Every path there is. What is built lies beside what it was built from. */
const allFiles = (): Map<string, HeldFile> => {
  const held = new Map<string, HeldFile>()
  const page = holdFiles(new URL('built/', import.meta.url), pageSafety)
  for (const [path, file] of page) held.set(path === 'index.html' ? '/' : path === 'robots.txt' ? '/robots.txt' : `/page/${path}`, file)
  held.set('/favicon.ico', page.get('icon.svg')!)
  for (const [path, file] of holdFiles(new URL('demo/', import.meta.url), demoSafety))
    held.set(`/demo/${path.replace(/(^|\/)index\.html$/, '$1')}`, file)
  return held
}

const refusal = (code: 'not-found' | 'wrong-method'): Reply => {
  const reply = replyOf(new FootfallError(code))
  return { ...reply, headers: { ...reply.headers, ...pageSafety, ...(code === 'wrong-method' ? { allow: 'GET, HEAD' } : {}) } }
}

const replyWith = async ({ headers, body, brotli }: HeldFile, request: Request): Promise<Reply> => {
  const packed = takesEncoding(request, 'br') ? await brotli() : undefined
  return packed ? { status: 200, headers: { ...headers, 'content-encoding': 'br' }, body: packed } : { status: 200, headers, body }
}

/** The files are read once, when the function starts. Throws where the page has not been built (scripts/build.ts). */
export const createHandler = (): Handler => {
  const held = allFiles()
  return async (request) => {
    const file = held.get(request.path)
    if (!file) return refusal('not-found')
    if (request.method !== 'GET' && request.method !== 'HEAD') return refusal('wrong-method')
    if (hasVersion(request, file.etag)) return { status: 304, headers: file.headers }
    return replyWith(file, request)
  }
}
