import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { answerFunnel } from '#shared/query/explore/ask-funnel.ts'
import { answerPaths } from '#shared/query/explore/ask-paths.ts'
import { answerRetention } from '#shared/query/explore/ask-retention.ts'
import { answerWhy } from '#shared/query/explore/ask-why.ts'
import { parseFunnel, parsePaths, parseRetention, parseWhy } from '#shared/query/explore/requests.ts'
import { queryLimits } from '#shared/query/limits.ts'
import { askedOf } from './exploring.ts'

/** docs/explorations.md: its requests are taken, its answers have the fields of real ones, its limits are those that hold. */

const doc = readFileSync(new URL('../../docs/explorations.md', import.meta.url), 'utf8')
const examples = [...doc.matchAll(/```json\n([\s\S]*?)```/g)].map(([, text]) => JSON.parse(text!))

const page = (path: string, after: number) => ({ after, path })
const visits = [
  {
    at: '2026-03-10T10:00:00Z',
    who: 'a',
    hits: [page('/pricing', 0), page('/signup', 1), page('/x', 2), { after: 3, n: 'signup', p: { plan: 'pro' } }],
  },
  { at: '2026-03-02T10:00:00Z', who: 'a', hits: [{ n: 'signup' }] },
]

/** Names of fields at all depths, of lists those of the first element. */
const fields = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.length === 0 ? [] : [fields(value[0])]
  if (typeof value !== 'object' || value === null) return 'value'
  const kept = Object.entries(value).filter(([key]) => key !== 'meta' && key !== 'query')
  return Object.fromEntries(kept.map(([key, inner]) => [key, fields(inner)]))
}

test.each([
  ['funnel', 0, (body: unknown) => answerFunnel(parseFunnel(body), askedOf(visits))],
  ['paths', 2, (body: unknown) => answerPaths(parsePaths(body), askedOf(visits))],
  ['retention', 4, (body: unknown) => answerRetention(parseRetention(body), askedOf(visits))],
  ['why', 6, (body: unknown) => answerWhy(parseWhy(body), askedOf(visits))],
] as const)('%s: the request is taken, and the answer has the fields', async (_name, at, ask) => {
  const shown = fields(examples[at + 1]) as Record<string, unknown>
  const answered = fields(await ask(examples[at])) as Record<string, unknown>
  expect(Object.keys(answered).sort()).toEqual(Object.keys(shown).sort())
  expect(answered).toMatchObject(JSON.parse(JSON.stringify(shown).replaceAll(/,?"(steps|children)":\[\]/g, '')))
  expect(Object.keys(examples[at + 1]).sort()).toEqual([...Object.keys(answered), 'meta', 'query'].sort())
})

test('its limits are those that hold', () => {
  const rows = [...doc.matchAll(/^\| [^|]+ \| (\d+) \| `(\w+)` \|$/gm)].map(([, value, name]) => [name, Number(value)])
  expect(rows.length).toBe(8)
  for (const [name, value] of rows) expect(queryLimits[name as keyof typeof queryLimits], String(name)).toBe(value)
})
