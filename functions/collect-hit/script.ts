import { hash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import { FootfallError } from '#shared/errors.ts'
import type { Reply, Request } from '#shared/handler.ts'
import { errorReply } from './replies.ts'

/**
 * `GET /footfall.js`: the tracker, as scripts/build.ts made it from tracker/. Any site may load it, also one that isolates itself
 * (Cross-Origin-Embedder-Policy). Browsers ask for it again after an hour, so that a new version is in use soon.
 */
const headers = {
  'content-type': 'text/javascript; charset=utf-8',
  'cache-control': 'public, max-age=3600, stale-while-revalidate=86400',
  'access-control-allow-origin': '*',
  'cross-origin-resource-policy': 'cross-origin',
  'x-content-type-options': 'nosniff',
  vary: 'accept-encoding',
} as const

/** Encodings in the order we would have them; `q=0` is a no. */
const encodingOf = ({ headers: sent }: Request): 'br' | 'gzip' | undefined => {
  const wanted = new Map(
    (sent['accept-encoding'] ?? '').split(',').map((part) => {
      const [name = '', q = ''] = part.split(';')
      return [name.trim().toLowerCase(), !/q=0(\.0*)?\s*$/.test(q)]
    }),
  )
  return wanted.get('br') ? 'br' : wanted.get('gzip') ? 'gzip' : undefined
}

/** Reads the file once. Throws where it has not been built. */
export const createScript = (): ((request: Request) => Reply) => {
  const plain = readFileSync(new URL('built/footfall.js', import.meta.url))
  const etag = `"${hash('sha256', plain, 'base64url').slice(0, 22)}"`
  const packed = { br: brotliCompressSync(plain), gzip: gzipSync(plain, { level: 9 }) }
  return (request) => {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      const refused = errorReply(new FootfallError('wrong-method'))
      return { ...refused, headers: { ...refused.headers, allow: 'GET, HEAD' } }
    }
    if (request.headers['if-none-match']?.split(',').some((sent) => sent.trim().replace(/^W\//, '') === etag))
      return { status: 304, headers: { ...headers, etag } }
    const encoding = encodingOf(request)
    if (!encoding) return { status: 200, headers: { ...headers, etag }, body: plain }
    return { status: 200, headers: { ...headers, etag, 'content-encoding': encoding }, body: packed[encoding] }
  }
}
