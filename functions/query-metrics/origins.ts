import type { Reply, Request } from '#shared/handler.ts'
import type { SiteConfig } from '#shared/site/config.ts'
import type { KnownSites } from '#shared/site/known-sites.ts'

/**
 * Answers for pages of other origins: only for origins that a site lists, and only for requests that bring a key. The page's cookie
 * is never of use there (no credentials), and an origin that is not listed gets no CORS header at all.
 */
const originOf = ({ headers }: Request): string | undefined => headers['origin']

const granted = (origin: string): Record<string, string> => ({ 'access-control-allow-origin': origin, vary: 'Origin' })

/** The reply to a preflight: it names no site yet, so an origin is let through that any site lists. */
export const preflight = async (sites: KnownSites, request: Request): Promise<Reply> => {
  const origin = originOf(request)
  if (origin === undefined || !(await sites.isListedOrigin(origin))) return { status: 204, headers: { vary: 'Origin' } }
  return {
    status: 204,
    headers: {
      ...granted(origin),
      'access-control-allow-methods': 'GET, POST',
      'access-control-allow-headers': 'authorization, content-type',
      'access-control-max-age': '600',
    },
  }
}

/** The reply, an error too, with the headers that let a page of a listed origin read it. */
export const withOrigin = (reply: Reply, request: Request, { origins }: Pick<SiteConfig, 'origins'>): Reply => {
  const origin = originOf(request)
  if (origin === undefined || request.headers['authorization'] === undefined || !origins.includes(origin)) return reply
  return { ...reply, headers: { ...reply.headers, ...granted(origin) } }
}
