import { FootfallError } from '../errors.ts'
import { editDistance } from '../site/near.ts'

/** Names that a query may use, how an unknown one is answered, and how names and values are ordered. */

export const metricNames = [
  'visitors',
  'visits',
  'pageviews',
  'events',
  'views_per_visit',
  'bounce_rate',
  'engaged_visits',
  'engagement_rate',
  'visit_duration',
  'time_on_page',
  'scroll_depth',
  'total_revenue',
  'average_revenue',
  'new_visitors',
  'exit_rate',
  'percentage',
  'conversion_rate',
  'group_conversion_rate',
] as const
export type MetricName = (typeof metricNames)[number]

/** The value of a dimension that a hit or visit does not have. It is an ordinary value, in filters too. */
export const notSet = '(not set)'
/** The tail beyond `queryLimits.groups`. */
export const other = '(other)'

/** A 400 that names the field, and what was expected there. */
export const badQuery = (field: string, expected: string): FootfallError =>
  new FootfallError('bad-query', { detail: `${field}: ${expected}` })

const bare = (name: string): string => name.slice(name.lastIndexOf(':') + 1)

/** Up to three known names near a wrong one: few typing errors away, or the same behind another prefix. */
export const nearNames = (wrong: string, known: readonly string[]): string[] => {
  const text = wrong.slice(0, 60).toLowerCase()
  const far = (known: string): number => {
    const name = known.toLowerCase()
    const whole = editDistance(text, name)
    const tail = editDistance(bare(text), bare(name)) + 0.5
    const inside = bare(text).length > 2 && name.includes(bare(text)) ? 1.5 : 99
    return Math.min(whole, tail, inside)
  }
  return known
    .map((name) => ({ name, away: far(name) }))
    .filter(({ name, away }) => away <= Math.max(1.5, Math.min(3, bare(name).length / 3)))
    .sort((a, b) => a.away - b.away || byCodePoint(a.name, b.name))
    .slice(0, 3)
    .map(({ name }) => name)
}

/** All names of ours; of those that a site has given, enough. */
const mostListed = 60

/** The refusal of an unknown name, with near ones, or all where none is near. */
export const unknownName = (field: string, kind: string, wrong: string, known: readonly string[]): FootfallError => {
  const near = nearNames(wrong, known)
  const more = known.length > mostListed ? ` and ${known.length - mostListed} more` : ''
  const hint = near.length > 0 ? `Near: ${near.join(', ')}.` : `Known: ${known.slice(0, mostListed).join(', ')}${more}.`
  return badQuery(field, `there is no ${kind} "${wrong.slice(0, 100)}". ${hint}`)
}

// Surrogates (0xD800–0xDFFF) stand for code points above all others, so they sort above 0xE000–0xFFFF.
const rank = (unit: number): number => (unit < 0xd800 ? unit : unit < 0xe000 ? unit + 0x2000 : unit - 0x800)

/** Order of two texts by code point: the same in every language and every engine. */
export const byCodePoint = (a: string, b: string): number => {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i)
    const y = b.charCodeAt(i)
    if (x !== y) return rank(x) - rank(y)
  }
  return a.length - b.length
}
