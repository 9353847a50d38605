import { createHash } from 'node:crypto'
import { createHandler } from '#functions/manage-sites/handler.ts'
import type { Clock } from '#shared/clock.ts'
import { openDatabase } from '#shared/engines/sqlite/database.ts'
import { formats } from '#shared/engines/sqlite/formats.ts'
import { createGenerations } from '#shared/engines/sqlite/generations.ts'
import { createImports } from '#shared/engines/sqlite/imports.ts'
import { createReplays, createVersions } from '#shared/engines/sqlite/replays.ts'
import { createSites } from '#shared/engines/sqlite/sites.ts'
import type { Handler, Reply, Request } from '#shared/handler.ts'
import { hashOf, newKey, type Role } from '#shared/site/access.ts'
import { newSite } from '#shared/site/change.ts'

/** A small installation in memory: manage-sites over an embedded store, a clock that is turned by hand, and a door to knock at. */

export const start = Date.parse('2026-06-10T08:00:00Z')

export type HandClock = Clock & { turn(ms: number): void }

/** Time stands still until it is turned; chance is a sequence of hashes. */
export const aClock = (now = start): HandClock => {
  let t = now
  let count = 0
  return {
    now: () => t,
    turn: (ms) => {
      t += ms
    },
    random: (bytes) => createHash('sha512').update(`${count++}`).digest().subarray(0, bytes),
    after: () => () => undefined,
  }
}

export const aRequest = (fields: Partial<Omit<Request, 'body'>> & { body?: unknown } = {}): Request => {
  const { body, ...rest } = fields
  const bytes = Buffer.isBuffer(body) ? body : Buffer.from(body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body))
  return { method: 'GET', path: '/', query: '', headers: {}, address: '127.0.0.1', ...rest, body: bytes }
}

export type Answer = { status: number; headers: Record<string, string>; body: Record<string, unknown> }

const read = (reply: Reply): Answer => {
  const text = reply.body?.toString() ?? ''
  return { status: reply.status, headers: reply.headers ?? {}, body: text === '' ? {} : JSON.parse(text) }
}

export type Asked = { key?: string | undefined; headers?: Record<string, string>; body?: unknown }

export const anInstallation = async ({
  url = 'https://stats.example.com',
  sites = ['a.example', 'b.example'],
}: {
  url?: string
  sites?: string[]
} = {}) => {
  const db = openDatabase(formats.site, { path: ':memory:' })
  const versions = createVersions(openDatabase(formats.state, { path: ':memory:' }))
  const ports = {
    ...createSites(db),
    ...createImports(db),
    replays: createReplays(db),
    versions,
    generations: createGenerations(1),
    clock: aClock(),
    url,
  }
  const handle: Handler = createHandler(ports)

  const aKey = async (role: Role, site = ''): Promise<string> => {
    const key = newKey(role, ports.clock)
    await ports.secrets.put({ hash: hashOf(key), kind: 'key', role, site, label: key.slice(0, 12), created: ports.clock.now(), until: 0 })
    return key
  }

  /** `ask('PATCH /api/sites/a.example', { key, body })` */
  const ask = async (what: string, { key, headers, body }: Asked = {}): Promise<Answer> => {
    const [method = '', target = ''] = what.split(' ')
    const [path = '', query = ''] = target.split('?')
    const authorization: Record<string, string> = key === undefined ? {} : { authorization: `Bearer ${key}` }
    return read(await handle(aRequest({ method, path, query, headers: { ...authorization, ...headers }, body })))
  }

  /** A page session made as a person makes one: with a link of that key. */
  const aSession = async (key: string): Promise<string> => {
    const { body } = await ask('POST /api/links', { key })
    const link = new URL(String(body['url']))
    const { headers } = await ask(`GET ${link.pathname}${link.search}`)
    return headers['set-cookie']!.split(';')[0]!
  }

  for (const site of sites) await ports.sites.put(newSite(site, {}, { now: ports.clock.now(), key: 'c2VjcmV0' }))
  return { ...ports, db, handle, aKey, aSession, ask, adminKey: await aKey('own') }
}

export type Installation = Awaited<ReturnType<typeof anInstallation>>
