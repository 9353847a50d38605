import { z } from 'zod'
import { FootfallError } from '#shared/errors.ts'
import type { Secret } from '#shared/ports/sites.ts'
import { type Access, hashOf, newKey } from '#shared/site/access.ts'
import { siteName } from '#shared/site/domain.ts'
import { type Cures, readFields, readJson } from '#shared/site/fields.ts'
import { answer, type Call, permit, permitAny, type Step, siteOf } from './call.ts'

/** So many keys a site (or the installation itself) may have. */
const keyLimit = 1_000
/** Characters of a key that its list shows: the form `ff_<role>_` and four of 43. */
const shownOfKey = 4

const newKeySchema = z.strictObject({
  site: z
    .string()
    .transform((text, context) => {
      const name = siteName(text)
      if (name === undefined) context.addIssue({ code: 'custom', message: 'no domain' })
      return name ?? ''
    })
    .optional(),
  role: z.enum(['read', 'write', 'own']).default('read'),
})
const newKeyCures = {
  '': 'a JSON object with site and role',
  site: 'the domain of a site, or leave it out for a key that holds for all sites',
  role: '"read", "write" or "own"',
} as const satisfies Cures

const idLength = 12

/** A secret's name in lists and paths: the beginning of its hash, which tells nothing about its text. */
export const idOf = (hash: string): string => hash.slice(0, idLength)

const keyView = ({ hash, role, site, label, created }: Secret) => ({
  id: idOf(hash),
  role,
  site: site === '' ? null : site,
  begins: label,
  created: new Date(created).toISOString(),
})

const keysSeen = async ({ ports }: Call, access: Access): Promise<Secret[]> => {
  const keys = await ports.secrets.list('key')
  return access.site === '' ? keys : keys.filter(({ site }) => site === access.site)
}

export const listKeys: Step = async (call) => {
  const keys = await keysSeen(call, permitAny(call, 'own'))
  return answer(200, { keys: keys.map(keyView) })
}

const checkRoom = async ({ ports }: Call, site: string) => {
  const keys = (await ports.secrets.list('key')).filter((key) => key.site === site)
  if (keys.length >= keyLimit)
    throw new FootfallError('bad-request', {
      detail: `There are ${keyLimit} keys already.`,
      hint: 'Revoke some with `footfall key revoke ID`.',
    })
}

export const addKey: Step = async (call) => {
  permitAny(call, 'own') // before the body is read: whoever may not add keys learns nothing about its form
  const { site = '', role } = readFields(newKeySchema, newKeyCures, readJson(call.request.body))
  const access = permit(call, site, 'own')
  if (site !== '') await siteOf(call, access, site)
  await checkRoom(call, site)
  const key = newKey(role, call.ports.clock)
  const label = key.slice(0, `ff_${role}_`.length + shownOfKey)
  const secret: Secret = { hash: hashOf(key), kind: 'key', role, site, label, created: call.now, until: 0 }
  await call.ports.secrets.put(secret)
  return answer(201, { key, ...keyView(secret) })
}

/** Links and page sessions carry the id of the key they come from as their label; they end with it. */
const dropDescendants = async ({ ports }: Call, id: string) => {
  for (const kind of ['link', 'session'] as const)
    for (const { hash, label } of await ports.secrets.list(kind)) if (label === id) await ports.secrets.take(hash)
}

export const revokeKey: Step = async (call) => {
  const seen = await keysSeen(call, permitAny(call, 'own'))
  const key = seen.find(({ hash }) => idOf(hash) === call.name)
  // One and the same answer for a key that is not there and one that belongs to others.
  if (!key) throw new FootfallError('not-found', { detail: 'No key has this id.', hint: '`footfall key list` shows the ids.' })
  await call.ports.secrets.take(key.hash)
  await dropDescendants(call, idOf(key.hash))
  return { status: 204 }
}
