import { hash } from 'node:crypto'
import type { Clock } from '../clock.ts'
import { FootfallError } from '../errors.ts'
import type { Request } from '../handler.ts'
import type { Secret, Secrets } from '../ports/sites.ts'

/**
 * Who asks, and what they may do (interface.md "Keys and sign-in"). `401`, with one and the same body, for a missing or wrong
 * key and for a site the key cannot see, existing or not; `403` only for a key that sees the site but lacks the role.
 */

export type Role = Secret['role']
/** What a path needs: any valid access, to read a site, to send trusted hits, to change a site, to hold all sites. */
export type Need = 'any' | 'read' | 'write' | 'own' | 'all'
export type Access = { role: Role; site: string; via: 'key' | 'session'; hash: string }

export const sessionCookie = 'ff_session'
/** How long a page session lasts, and a sign-in link. */
export const sessionMs = 30 * 86_400_000
export const linkMs = 3_600_000

const keyForm = /^ff_(read|write|own)_[A-Za-z0-9_-]{43}$/

/** A new key's plain text: shown once, stored only as its hash. */
export const newKey = (role: Role, clock: Clock): string => `ff_${role}_${clock.random(32).toString('base64url')}`

/** How a secret is stored: SHA-256 of its text, hex. The text has 256 random bits, so no salt and no slow hash are needed. */
export const hashOf = (secret: string): string => hash('sha256', secret, 'hex')

const cookieOf = (header: string | undefined, name: string): string | undefined => {
  for (const part of (header ?? '').split(';')) {
    const at = part.indexOf('=')
    if (at > 0 && part.slice(0, at).trim() === name) return part.slice(at + 1).trim()
  }
  return undefined
}

/**
 * The bearer key of a request; `undefined` when none was sent, '' when what was sent has not the form of a key. Another scheme is none
 * of ours (a browser sends `Basic` by itself where a proxy asks for a password), but a key whose scheme was forgotten is a wrong one.
 */
export const bearerOf = (request: Request): string | undefined => {
  const header = request.headers['authorization']
  if (header === undefined || !/^(bearer\b|ff_)/i.test(header)) return undefined
  const text = /^bearer +(\S+)$/i.exec(header.slice(0, 200))?.[1] ?? ''
  return keyForm.test(text) ? text : ''
}

/** The key or page session behind a request, if it is valid now; `undefined` otherwise. A key that is sent wins over the cookie. */
export const identify = async (request: Request, secrets: Secrets, now: number): Promise<Access | undefined> => {
  const key = bearerOf(request)
  const text = key ?? cookieOf(request.headers['cookie'], sessionCookie)
  if (!text) return undefined
  const kind = key === undefined ? 'session' : 'key'
  const secret = await secrets.find(hashOf(text))
  if (!secret || secret.kind !== kind || (secret.until !== 0 && secret.until <= now)) return undefined
  return { role: secret.role, site: secret.site, via: kind, hash: secret.hash }
}

const roles: Record<Need, readonly Role[]> = {
  any: ['read', 'write', 'own'],
  read: ['read', 'own'],
  write: ['write', 'own'],
  own: ['own'],
  all: ['own'],
}

const isChange = (request: Request) => request.method !== 'GET' && request.method !== 'HEAD'

/**
 * Throws `wrong-key` (401) or `wrong-role` (403) unless the access covers the site with the need. Existence of the site is not
 * this function's business: call it before looking the site up, and answer `wrong-key` too when the site does not exist and
 * the access does not hold for all sites.
 */
export const allow = (access: Access | undefined, site: string, need: Need): Access => {
  if (!access || (access.site !== '' && (need === 'all' || access.site !== site))) throw new FootfallError('wrong-key')
  if (!roles[need].includes(access.role)) throw new FootfallError('wrong-role')
  return access
}

/** A state-changing path with the page cookie also needs `Sec-Fetch-Site: same-origin`; throws `cross-site` (403) otherwise. */
export const allowChange = (request: Request, access: Access): void => {
  if (access.via === 'session' && isChange(request) && request.headers['sec-fetch-site'] !== 'same-origin')
    throw new FootfallError('cross-site')
}
