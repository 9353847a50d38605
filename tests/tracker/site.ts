import { readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gunzipSync } from 'node:zlib'
import { until } from '../process/server.ts'

/**
 * A site with the tracker on it, and the server that takes its hits: the first is as strict as a site can be (its policy allows the
 * tracker's own lines of docs/tracker.md and nothing more), the second answers what a test tells it to.
 */

const script = readFileSync(new URL('../../functions/collect-hit/built/footfall.js', import.meta.url))

export type SentHit = {
  id: string
  site: string
  name: string
  url: string
  referrer?: string
  title?: string
  visitor?: string
  screen: string
  language: string
  queued: number
  engaged?: number
  scroll?: number
  props?: Record<string, unknown>
  revenue?: { amount: string; currency: string }
  user?: string
}

/** A number is a status; with headers it is a pair. `hang` never answers, `cut` breaks the line after the request was read. */
export type Answer = number | [status: number, headers: Record<string, string>] | 'hang' | 'cut'
/** `at` is when it came, on this process's ticking clock. */
export type Post = { hits: SentHit[]; bytes: number; at: number; answer: Answer; headers: IncomingMessage['headers'] }

const listen = async (server: Server): Promise<number> => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

const close = (server: Server): Promise<void> =>
  new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })

const bodyOf = async (request: IncomingMessage): Promise<Buffer> => {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  const body = Buffer.concat(chunks)
  return request.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body
}

export const startCollector = async () => {
  /** Hits go beside the script: each test loads it from a place of its own, so that what pages of the test before say last is nobody's. */
  let place = 0
  let answers: Answer[] = []
  let otherwise: Answer = 202
  let posts: Post[] = []
  let others: string[] = []
  let pixels: { query: string; referer: string | undefined }[] = []

  const post = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await bodyOf(request)
    const answer = answers.shift() ?? otherwise
    const { hits } = JSON.parse(body.toString()) as { hits: SentHit[] }
    posts.push({ hits, bytes: body.length, at: performance.now(), answer, headers: request.headers })
    if (answer === 'hang') return
    if (answer === 'cut') {
      response.socket!.destroy()
      return
    }
    const [status, headers] = typeof answer === 'number' ? [answer, {}] : answer
    response.writeHead(status, {
      'content-type': 'application/json',
      'access-control-allow-origin': '*',
      'access-control-expose-headers': 'x-footfall-refused, retry-after',
      ...headers,
    })
    response.end('{}')
  }

  const server = createServer((request, response) => {
    const { pathname: whole, search } = new URL(request.url!, 'http://collector')
    if (!whole.startsWith(`/${place}/`)) return void response.writeHead(404).end()
    const pathname = whole.slice(`/${place}`.length)
    if (request.method === 'POST' && pathname === '/api/hit') return void post(request, response)
    if (pathname === '/footfall.js') return void response.writeHead(200, { 'content-type': 'text/javascript' }).end(script)
    if (pathname === '/pixel.gif') pixels.push({ query: search, referer: request.headers.referer })
    else others.push(`${request.method} ${pathname}`)
    response.writeHead(pathname === '/pixel.gif' ? 200 : 404, { 'content-type': 'image/gif' }).end()
  })
  const port = await listen(server)

  const isTaken = ({ answer }: Post) => answer !== 'hang' && answer !== 'cut' && (Array.isArray(answer) ? answer[0] : answer) < 300
  /** What a server that counts an id once has counted, in the order of arrival. */
  const counted = (): SentHit[] =>
    [
      ...new Map(
        posts
          .filter(isTaken)
          .flatMap(({ hits }) => hits)
          .reverse()
          .map((hit) => [hit.id, hit]),
      ).values(),
    ].reverse()

  return {
    origin: `http://127.0.0.1:${port}`,
    url: () => `http://127.0.0.1:${port}/${place}`,
    /** The next answers; after them every request is 202. */
    willAnswer: (...next: Answer[]) => {
      answers = next
      otherwise = 202
    },
    willAlwaysAnswer: (answer: Answer) => {
      answers = []
      otherwise = answer
    },
    posts: () => posts,
    pixels: () => pixels,
    /** Requests that are none of ours: a preflight would be one. */
    others: () => others,
    counted,
    names: () => counted().map(({ name }) => name),
    /** The hits of a name once there are so many. */
    named: (name: string, n = 1): Promise<SentHit[]> =>
      until(`${n} hits named ${name} (there are: ${counted().map((hit) => hit.name)})`, () => {
        const found = counted().filter((hit) => hit.name === name)
        return found.length >= n ? found : undefined
      }),
    posted: (n: number): Promise<Post[]> => until(`${n} requests`, () => (posts.length >= n ? posts : undefined)),
    reset: () => {
      place++
      answers = []
      otherwise = 202
      posts = []
      others = []
      pixels = []
    },
    close: () => close(server),
  }
}
export type Collector = Awaited<ReturnType<typeof startCollector>>

/** A page of the site: what stands in its head and body beside the tag. */
export type Page = { title?: string; body?: string; head?: string; tag?: string; headers?: Record<string, string>; script?: string }

export const startSite = async (collector: { origin: string; url(): string }) => {
  let pages: Record<string, Page> = {}
  const tag = (attributes = '') =>
    `<script async src="${collector.url()}/footfall.js" data-site="shop.example"${attributes && ` ${attributes}`}></script>`
  const policy = [
    "default-src 'none'",
    `script-src 'self' ${collector.origin}`,
    `connect-src ${collector.origin}`,
    `img-src 'self' ${collector.origin}`,
    "form-action 'self'",
    "base-uri 'none'",
    "require-trusted-types-for 'script'",
  ].join('; ')

  const html = (path: string, { title = `Page ${path}`, body = '', head = '', tag: own = tag(), script: code }: Page) =>
    `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${title}</title>${head}${code === undefined ? '' : `<script src="/script.js?${encodeURIComponent(path)}"></script>`}${own}<link rel="icon" href="/icon"></head><body>${body}</body></html>`

  const server = createServer((request, response) => {
    const { pathname, search } = new URL(request.url!, 'http://site')
    if (pathname === '/script.js') {
      const page = pages[decodeURIComponent(search.slice(1))]
      return void response.writeHead(200, { 'content-type': 'text/javascript' }).end(page?.script ?? '')
    }
    if (pathname === '/icon') return void response.writeHead(204).end()
    const page = pages[pathname]
    if (!page) return void response.writeHead(404).end()
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8', 'content-security-policy': policy, ...page.headers })
    response.end(html(pathname, page))
  })
  const port = await listen(server)
  return {
    port,
    url: `http://localhost:${port}`,
    tag,
    serve: (next: Record<string, Page>) => {
      pages = next
    },
    close: () => close(server),
  }
}
export type Site = Awaited<ReturnType<typeof startSite>>
