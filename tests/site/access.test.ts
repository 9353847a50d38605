import { describe, expect, it } from 'vitest'
import { type Access, allow, allowChange, bearerOf, hashOf, identify, type Need, newKey, type Role } from '#shared/site/access.ts'
import { aClock, anInstallation, aRequest, start } from './installation.ts'

const codeOf = (work: () => unknown): string => {
  try {
    work()
    return 'allowed'
  } catch (error) {
    return (error as { code: string }).code
  }
}

describe('a need', () => {
  const roles: Role[] = ['write', 'read', 'own']
  /** Outcomes for write, read, own; with a key for all sites, for this site, for another. */
  const table: Record<Need, [all: string, same: string, other: string]> = {
    any: ['yes yes yes', 'yes yes yes', '401 401 401'],
    read: ['403 yes yes', '403 yes yes', '401 401 401'],
    write: ['yes 403 yes', 'yes 403 yes', '401 401 401'],
    own: ['403 403 yes', '403 403 yes', '401 401 401'],
    all: ['403 403 yes', '401 401 401', '401 401 401'],
  }
  const short: Record<string, string> = { allowed: 'yes', 'wrong-key': '401', 'wrong-role': '403' }
  it.each(Object.entries(table))('%s', (need, expected) => {
    const got = ['', 'a.example', 'b.example'].map((site) =>
      roles.map((role) => short[codeOf(() => allow({ role, site, via: 'key', hash: '' }, 'a.example', need as Need))]).join(' '),
    )
    expect(got).toEqual(expected)
    expect(codeOf(() => allow(undefined, 'a.example', need as Need))).toBe('wrong-key')
  })
})

describe('a change', () => {
  const table: [method: string, via: Access['via'], site: string | undefined, outcome: string][] = [
    ['POST', 'session', 'same-origin', 'allowed'],
    ['POST', 'session', 'same-site', 'cross-site'],
    ['POST', 'session', 'cross-site', 'cross-site'],
    ['POST', 'session', 'none', 'cross-site'],
    ['POST', 'session', undefined, 'cross-site'],
    ['PATCH', 'session', undefined, 'cross-site'],
    ['DELETE', 'session', undefined, 'cross-site'],
    ['GET', 'session', undefined, 'allowed'],
    ['HEAD', 'session', 'cross-site', 'allowed'],
    ['POST', 'key', undefined, 'allowed'],
    ['POST', 'key', 'cross-site', 'allowed'],
  ]
  it.each(table)('%s by %s from %s is %s', (method, via, site, outcome) => {
    const request = aRequest({ method, headers: site === undefined ? {} : { 'sec-fetch-site': site } })
    expect(codeOf(() => allowChange(request, { role: 'own', site: '', via, hash: '' }))).toBe(outcome)
  })
})

describe('a key in a header', () => {
  const key = newKey('read', aClock())
  it.each([
    [undefined, undefined],
    [`Bearer ${key}`, key],
    [`bearer   ${key}`, key],
    [`Bearer ${key} `, ''],
    [`Bearer ${key}x`, ''],
    [key, ''],
    [`Basic ${key}`, undefined],
    ['Bearer', ''],
    ['', undefined],
    ['Bearerer x', undefined],
    ['Bearer ff_admin_'.concat('A'.repeat(43)), ''],
    [`Bearer ${'A'.repeat(100_000)}`, ''],
  ])('%.40j', (authorization, found) => {
    expect(bearerOf(aRequest({ headers: { authorization } }))).toBe(found)
  })
})

describe('who asks', () => {
  it('is found by the hash of the key, of its own kind, in its time', async () => {
    const { secrets, aKey } = await anInstallation()
    const key = await aKey('read', 'a.example')
    const put = (kind: 'link' | 'session' | 'key', text: string, until: number) =>
      secrets.put({ hash: hashOf(text), kind, role: 'own', site: '', label: '', created: start, until })
    await put('session', 'session-text', start + 1000)
    await put('link', 'link-text', start + 1000)
    await put('key', `ff_own_${'B'.repeat(43)}`, start + 1000)
    const who = (headers: Record<string, string>, now = start) => identify(aRequest({ headers }), secrets, now)

    expect(await who({ authorization: `Bearer ${key}` })).toEqual({ role: 'read', site: 'a.example', via: 'key', hash: hashOf(key) })
    expect(await who({ cookie: 'a=1; ff_session=session-text; b=2' })).toMatchObject({ role: 'own', via: 'session' })
    expect(await who({ cookie: 'ff_session=session-text' }, start + 1000)).toBeUndefined()
    expect(await who({ authorization: `Bearer ff_own_${'B'.repeat(43)}` }, start + 999)).toMatchObject({ via: 'key' })
    expect(await who({ authorization: `Bearer ff_own_${'B'.repeat(43)}` }, start + 1000)).toBeUndefined()
    expect(await who({ cookie: 'ff_session=link-text' })).toBeUndefined()
    expect(await who({ cookie: `ff_session=${key}` })).toBeUndefined()
    expect(await who({ cookie: 'xff_session=session-text' })).toBeUndefined()
    expect(await who({ authorization: 'Bearer nonsense', cookie: 'ff_session=session-text' })).toBeUndefined()
    expect(await who({})).toBeUndefined()
  })
})

it('keys have 256 random bits and say their role', () => {
  expect(newKey('write', aClock())).toMatch(/^ff_write_[A-Za-z0-9_-]{43}$/)
})
