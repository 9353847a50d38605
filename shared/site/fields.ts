import type { z } from 'zod'
import { FootfallError } from '../errors.ts'
import { near } from './near.ts'

/** A request's body as a checked value, or a 400 that names the field, the value and the cure. */

/** What to send, by dotted field name (`exclude.paths`); '' is the body as a whole. It also lists the fields that exist. */
export type Cures = Readonly<Record<string, string>>

const bad = (detail: string, hint: string) => new FootfallError('bad-request', { detail, hint })

const shownLimit = 100
const shown = (value: unknown): string => {
  const text = value === undefined ? 'missing' : JSON.stringify(value)
  return text.length > shownLimit ? `${text.slice(0, shownLimit)}…` : text
}

const valueAt = (value: unknown, path: readonly PropertyKey[]): unknown =>
  path.reduce<unknown>(
    (inner, key) => (typeof inner === 'object' && inner !== null && Object.hasOwn(inner, key) ? inner[key as never] : undefined),
    value,
  )

const namesUnder = (cures: Cures, prefix: string): string[] =>
  Object.keys(cures).filter((name) => name !== '' && name.startsWith(prefix) && !name.slice(prefix.length).includes('.'))

const unknownField = (cures: Cures, prefix: string, key: string) => {
  const names = namesUnder(cures, prefix)
  const alike = near(prefix + key, names)
  const hint = alike.length > 0 ? `Did you mean ${alike.join(' or ')}?` : `The fields are ${names.join(', ')}.`
  return bad(`There is no field ${shown(prefix + key)}.`, hint)
}

/** Checks `value` against the schema; every field of the schema has its cure. */
export const readFields = <T>(schema: z.ZodType<T>, cures: Cures, value: unknown): T => {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]!
  const dotted = issue.path.filter((key) => typeof key !== 'number').join('.')
  if (issue.code === 'unrecognized_keys') throw unknownField(cures, dotted === '' ? '' : `${dotted}.`, String(issue.keys[0]))
  const name = issue.path
    .map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`))
    .join('')
    .slice(1)
  throw bad(`${name === '' ? 'The body' : `\`${name}\``} is ${shown(valueAt(value, issue.path))}.`, `Send ${cures[dotted]}.`)
}

/** A body as JSON; an empty one is `{}`. Throws `bad-request`. */
export const readJson = (body: Buffer): unknown => {
  if (body.length === 0) return {}
  try {
    return JSON.parse(body.toString('utf8'))
  } catch {
    throw bad('The body is not JSON.', 'Send the fields as one JSON object in UTF-8.') // a SyntaxError tells nothing more that helps
  }
}
