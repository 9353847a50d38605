import { FootfallError } from '#shared/errors.ts'
import type { Reply } from '#shared/handler.ts'
import type { Secret } from '#shared/ports/sites.ts'
import { type Access, hashOf, linkMs, sessionCookie, sessionMs } from '#shared/site/access.ts'
import { answer, type Call, permitAny, type Step } from './call.ts'
import { idOf } from './keys.ts'

/**
 * Signing in to the page: a key makes a link, the link (once, within an hour) makes a session, the session lives in a cookie.
 * Link and session have the role and the site of the key, and carry its id, so that revoking the key ends them.
 */

/** Links and sessions have forms of their own: what is sent as one must never take (and so destroy) a key. */
const linkForm = /^ff_link_[A-Za-z0-9_-]{43}$/

const textOf = (kind: 'link' | 'session', { ports }: Call): string => `ff_${kind}_${ports.clock.random(32).toString('base64url')}`

/** The key at the root of an access: the key itself, or the one its session came from. */
const rootOf = async ({ ports }: Call, access: Access): Promise<string> => {
  if (access.via === 'key') return idOf(access.hash)
  return (await ports.secrets.find(access.hash))?.label ?? ''
}

export const addLink: Step = async (call) => {
  const access = permitAny(call, 'own')
  const token = textOf('link', call)
  const until = call.now + linkMs
  const { role, site } = access
  const secret: Secret = { hash: hashOf(token), kind: 'link', role, site, label: await rootOf(call, access), created: call.now, until }
  await call.ports.secrets.put(secret)
  return answer(201, { url: `${call.ports.url}/api/sign-in?token=${token}`, until: new Date(until).toISOString() })
}

const takeLink = async ({ request, ports, now }: Call): Promise<Secret | undefined> => {
  const token = new URLSearchParams(request.query).get('token') ?? ''
  const link = linkForm.test(token) ? await ports.secrets.take(hashOf(token)) : undefined
  return link?.kind === 'link' && link.until > now ? link : undefined
}

/** Somebody who opens a used link in a browser is sent to the page: it lets in who is signed in, and tells others how to get a link. */
const usedLink = ({ request }: Call): Reply => {
  if (!request.headers['accept']?.includes('text/html')) throw new FootfallError('link-used')
  return { status: 303, headers: { location: '/', 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' } }
}

const cookie = (value: string, seconds: number, { ports }: Call): string =>
  [
    `${sessionCookie}=${value}`,
    'Path=/',
    'HttpOnly',
    'SameSite=Lax',
    `Max-Age=${seconds}`,
    ...(ports.url.startsWith('https:') ? ['Secure'] : []),
  ].join('; ')

/** Always a new session: what cookie the visitor brings along plays no part (session fixation). */
export const signIn: Step = async (call): Promise<Reply> => {
  const link = await takeLink(call)
  if (!link) return usedLink(call)
  const { role, site, label } = link
  const session = textOf('session', call)
  await call.ports.secrets.put({
    hash: hashOf(session),
    kind: 'session',
    role,
    site,
    label,
    created: call.now,
    until: call.now + sessionMs,
  })
  const headers = {
    location: '/',
    'set-cookie': cookie(session, sessionMs / 1000, call),
    'cache-control': 'no-store',
    'referrer-policy': 'no-referrer',
  }
  return { status: 303, headers }
}

export const signOut: Step = async (call) => {
  const access = permitAny(call, 'any')
  if (access.via === 'key')
    throw new FootfallError('bad-request', {
      detail: 'A key is not signed in.',
      hint: 'Revoke a key with DELETE /api/keys/{id}; sign-out takes the page cookie.',
    })
  await call.ports.secrets.take(access.hash)
  return { status: 204, headers: { 'set-cookie': cookie('', 0, call), 'cache-control': 'no-store' } }
}

export const showMe: Step = async (call) => {
  const { role, site, via } = permitAny(call, 'any')
  return answer(200, { role, site: site === '' ? null : site, via })
}
