import { hash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { brotliCompress, gzip } from 'node:zlib'
import { hasVersion, type Reply, type Request, takesEncoding } from '#shared/handler.ts'
import { wrongMethod } from './replies.ts'

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

/** Codings in the order we would have them, each made when it is first asked for. */
const codings = [
  { name: 'br', pack: promisify(brotliCompress) },
  { name: 'gzip', pack: (body: Buffer) => promisify(gzip)(body, { level: 9 }) },
] as const

/** Reads the file once. Throws where it has not been built. */
export const createScript = (): ((request: Request) => Promise<Reply>) => {
  const plain = readFileSync(new URL('built/footfall.js', import.meta.url))
  const etag = `"${hash('sha256', plain, 'base64url').slice(0, 22)}"`
  const packed = new Map<string, Promise<Buffer>>()
  return async (request) => {
    if (request.method !== 'GET' && request.method !== 'HEAD') return wrongMethod('GET, HEAD')
    if (hasVersion(request, etag)) return { status: 304, headers: { ...headers, etag } }
    const coding = codings.find(({ name }) => takesEncoding(request, name))
    if (!coding) return { status: 200, headers: { ...headers, etag }, body: plain }
    const made = packed.get(coding.name) ?? coding.pack(plain)
    packed.set(coding.name, made)
    return { status: 200, headers: { ...headers, etag, 'content-encoding': coding.name }, body: await made }
  }
}
