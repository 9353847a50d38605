import { hash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { FootfallError, replyOf } from '#shared/errors.ts'
import type { Handler, Reply } from '#shared/handler.ts'

/** serve-dashboard: the page and its files, and nothing else. It touches no store and knows nobody; the page asks query-metrics. */

const types = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml',
  txt: 'text/plain; charset=utf-8',
} as const

/** Every path there is, with its file in page/. */
const files: Readonly<Record<string, string>> = {
  '/': 'index.html',
  '/page/page.css': 'page.css',
  '/page/page.js': 'page.js',
  '/page/icon.svg': 'icon.svg',
  '/favicon.ico': 'icon.svg',
  '/robots.txt': 'robots.txt',
}

/** Nothing inline, nothing evaluated, nothing from elsewhere, in no frame: what a visitor sent can only ever be text. */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
].join('; ')

const safety = {
  'content-security-policy': policy,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'x-frame-options': 'DENY',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
  'x-robots-tag': 'noindex, nofollow',
} as const

type File = { body: Buffer; headers: Record<string, string>; etag: string }

const read = (name: string): File => {
  const body = readFileSync(new URL(`./page/${name}`, import.meta.url))
  const etag = `"${hash('sha256', body, 'base64url').slice(0, 22)}"`
  const type = types[name.slice(name.lastIndexOf('.') + 1) as keyof typeof types]
  // no-cache: kept, but asked about each time, so that page and script are never of two versions for long.
  return { body, etag, headers: { ...safety, 'content-type': type, 'cache-control': 'no-cache', etag } }
}

const isKnown = (etag: string, ifNoneMatch: string | undefined): boolean =>
  ifNoneMatch?.split(',').some((sent) => sent.trim() === '*' || sent.trim().replace(/^W\//, '') === etag) ?? false

const refusal = (code: 'not-found' | 'wrong-method'): Reply => {
  const reply = replyOf(new FootfallError(code))
  return { ...reply, headers: { ...reply.headers, ...safety, ...(code === 'wrong-method' ? { allow: 'GET, HEAD' } : {}) } }
}

/** The files are read once, when the function starts. */
export const createHandler = (): Handler => {
  const held = new Map(Object.entries(files).map(([path, name]) => [path, read(name)]))
  return async ({ method, path, headers }) => {
    const file = held.get(path)
    if (!file) return refusal('not-found')
    if (method !== 'GET' && method !== 'HEAD') return refusal('wrong-method')
    if (isKnown(file.etag, headers['if-none-match'])) return { status: 304, headers: file.headers }
    return { status: 200, headers: file.headers, body: file.body }
  }
}
