import { hash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { brotliCompress, constants } from 'node:zlib'

/** Files of a folder, held in memory with the headers and encodings they are sent with. The folder is read once, at the start. */
export type HeldFile = {
  etag: string
  headers: Record<string, string>
  body: Buffer
  /** The body made smaller; `undefined` where that does not pay. */
  brotli(): Promise<Buffer | undefined>
}

const types: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  json: 'application/json',
  svg: 'image/svg+xml',
  txt: 'text/plain; charset=utf-8',
}

/** Below this a packet is sent anyway. */
const compressFromBytes = 1_024

/** Names that hold a hash of what is in them: kept for good, since another content has another name. */
const isHashed = (path: string): boolean => /-[\w-]{8}\.\w+$/.test(path)

const brotli = (body: Buffer): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    const params = { [constants.BROTLI_PARAM_QUALITY]: 9 }
    brotliCompress(body, { params }, (error, packed) => (error ? reject(error) : resolve(packed)))
  })

/** Made when it is first asked for, beside this thread: commands over a folder open every function and ask for no file. */
const compressed = (body: Buffer): (() => Promise<Buffer | undefined>) => {
  let made: Promise<Buffer | undefined> | undefined
  const make = async () => {
    const packed = await brotli(body)
    return packed.length < body.length ? packed : undefined
  }
  return () => {
    made ??= body.length < compressFromBytes ? Promise.resolve(undefined) : make()
    return made
  }
}

const hold = (folder: URL, path: string, safety: Readonly<Record<string, string>>): HeldFile => {
  const body = readFileSync(new URL(path, folder))
  const type = types[path.slice(path.lastIndexOf('.') + 1)]
  if (!type) throw new Error(`There is no content type for ${path}.`)
  const etag = `"${hash('sha256', body, 'base64url').slice(0, 22)}"`
  // no-cache: kept, but asked about each time, so that the page and its parts are never of two versions for long.
  const cache = isHashed(path) ? 'public, max-age=31536000, immutable' : 'no-cache'
  const headers = { ...safety, 'content-type': type, 'cache-control': cache, vary: 'accept-encoding', etag }
  return { etag, headers, body, brotli: compressed(body) }
}

/** All files of `folder` by their path in it. Throws where the folder is not there, or holds what has no known type. */
export const holdFiles = (folder: URL, safety: Readonly<Record<string, string>>): Map<string, HeldFile> => {
  const paths = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => `${entry.parentPath}/${entry.name}`.slice(decodeURI(folder.pathname).length).replace(/^\//, ''))
  return new Map(paths.map((path) => [path, hold(folder, path, safety)]))
}
