import { z } from 'zod'
import { FootfallError } from '../errors.ts'
import { parseFilters } from '../query/filters.ts'
import type { Goal, Segment, SiteConfig } from './config.ts'
import type { Cures } from './fields.ts'

/** Goals and segments as a site's owner writes them. What a goal asks of a hit is told by query/goals.ts. */

export const goalLimits = {
  goals: 100,
  segments: 50,
  name: 120,
  page: 300,
  wildcards: 10,
  props: 30,
  propKey: 300,
  propValues: 100,
  propValue: 2_000,
} as const

type Draft = { name: string; page?: string | undefined; event?: string | undefined; scroll?: number | undefined; props?: unknown }

const isPlain = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value)
const isValue = (value: unknown): value is string | number | boolean =>
  (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') && String(value).length <= goalLimits.propValue

const isValues = (list: unknown): list is (string | number | boolean)[] =>
  Array.isArray(list) && list.length > 0 && list.length <= goalLimits.propValues && list.every(isValue)

/** Keys may be anything, `__proto__` too, so entries are looked at one by one. */
const propsSchema = z.unknown().transform((value, context): Record<string, string[]> => {
  const entries = isPlain(value) ? Object.entries(value) : []
  const fine = entries.filter(([key, list]) => key.length > 0 && key.length <= goalLimits.propKey && isValues(list))
  if (entries.length === 0 || fine.length < entries.length || entries.length > goalLimits.props) {
    context.addIssue({ code: 'custom', message: 'unusable' })
    return z.NEVER
  }
  return Object.fromEntries(entries.map(([key, list]) => [key, [...new Set((list as unknown[]).map(String))]]))
})

const nameSchema = z
  .string()
  .max(goalLimits.name)
  .refine((name) => name.trim() !== '')

/** Each wildcard is a place at which a long page may go on: a hundred patterns of hundreds of them would take a second for a hit. */
const isQuick = (page: string): boolean => (page.match(/\*\*?/g)?.length ?? 0) <= goalLimits.wildcards

const isOneKind = ({ page, event, scroll }: Draft): boolean =>
  (event === undefined) !== (page === undefined) && (scroll === undefined || page !== undefined)

const goalSchema = z
  .strictObject({
    name: nameSchema,
    page: z.string().max(goalLimits.page).regex(/^[/*]/).refine(isQuick).optional(),
    // An engagement update is no event: nobody meets a goal that waits for one by name.
    event: nameSchema.refine((name) => name !== 'engagement').optional(),
    scroll: z.int().min(1).max(100).optional(),
    props: propsSchema.optional(),
  })
  .refine(isOneKind)
  .transform(({ name, page, event, scroll, props }): Goal => {
    const plain: Goal = { name }
    if (page !== undefined) plain.page = page
    if (event !== undefined) plain.event = event
    if (scroll !== undefined) plain.scroll = scroll
    return props === undefined ? plain : { ...plain, props }
  })

/** A list whose entries have names of their own. */
const named = <T extends { name: string }>(entry: z.ZodType<T>, most: number) =>
  z
    .array(entry)
    .max(most)
    .superRefine((list, context) => {
      const twice = list.findIndex(({ name }, i) => list.findIndex((other) => other.name === name) !== i)
      if (twice >= 0) context.addIssue({ code: 'custom', message: 'named twice', path: [twice, 'name'] })
    })

export const goalsSchema = named<Goal>(goalSchema, goalLimits.goals)
export const segmentsSchema = named<Segment>(
  z.strictObject({ name: nameSchema, filters: z.array(z.unknown()).min(1) }),
  goalLimits.segments,
)

const goalKinds = '{"name","event"}, {"name","page"} or {"name","page","scroll"}'

export const goalCures = {
  goals: `a list of at most 100 goals, each ${goalKinds}, such as [{"name":"Signup","event":"signup"}]`,
  'goals.name': 'a name of 1–120 characters that no other goal has',
  'goals.page': 'a page that begins with / or * (at most 300 characters, 10 of * and **; * stands for any characters but /, ** for any)',
  'goals.event': 'the name of an event (at most 120 characters; updates of engagement are no events: use page and scroll)',
  'goals.scroll': 'a whole number from 1 to 100: per cent of the page',
  'goals.props': 'an object of 1–30 properties, each with a list of 1–100 values, such as {"plan":["pro","team"]}',
} as const satisfies Cures

export const segmentCures = {
  segments: 'a list of at most 50 segments, such as [{"name":"Germany","filters":[["is","visit:country",["DE"]]]}]',
  'segments.name': 'a name of 1–120 characters that no other segment has',
  'segments.filters': 'a list of filters as a query takes them, at least one',
} as const satisfies Cures

/** Throws `bad-request` unless every segment can be asked as the site is: its filters are right, and the goals it names are there. */
export const checkSegments = ({ goals = [], segments = [] }: Pick<SiteConfig, 'goals' | 'segments'>): void => {
  for (const [i, { filters }] of segments.entries()) {
    try {
      parseFilters(filters, { goals, inSegment: true, field: `segments[${i}].filters` })
    } catch (cause) {
      if (!(cause instanceof FootfallError)) throw cause
      throw new FootfallError('bad-request', {
        ...(cause.detail === undefined ? {} : { detail: cause.detail }),
        hint: 'docs/goals.md and docs/plausible.md say what filters may hold.',
        cause,
      })
    }
  }
}
