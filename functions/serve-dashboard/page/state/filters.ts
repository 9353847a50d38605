import { dimensionOf, dimensions, propPrefix } from './dimensions.ts'

/**
 * Filters as text: one grammar for the query box and for the URL.
 *
 *   filters = filter { space filter }
 *   filter  = ["!"] key (":" | "~") value { "|" value }      ":" is, "~" contains, "!" not
 *   key     = a key of dimensions.ts, or "prop." name
 *   value   = plain | '"' any, with \" and \\ '"'            a name of a property may be quoted too
 *
 * `page:/docs country:DE|FR !source:google prop.plan:"very large"`. All filters must hold; values of one are alternatives.
 */
export type Filter = { key: string; not: boolean; contains: boolean; values: readonly string[] }

/** What is wrong with a text, in a sentence with the cure; `at` is where, in UTF-16 units. */
export type FilterProblem = { at: number; text: string }
export type Parsed = { filters: Filter[]; problem?: FilterProblem }

/** Thrown and caught within this file. */
class Wrong extends Error {
  readonly at: number
  constructor(at: number, text: string) {
    super(text)
    this.at = at
  }
}

const limits = { filters: 20, values: 100, valueLength: 2_000 } as const

const nearest = (key: string): string => {
  const keys = dimensions.map((one) => one.key)
  const near = keys.find((one) => one.startsWith(key) || key.startsWith(one)) ?? keys.find((one) => one[0] === key[0])
  return near ? `Did you mean ${near}?` : `There are ${keys.slice(0, 8).join(', ')} …`
}

/** Reads one text from its beginning to its end; every method leaves `at` behind what it has read. */
const createReader = (text: string) => {
  let at = 0

  const quoted = (): string => {
    const from = at++
    let value = ''
    for (; at < text.length; at++) {
      if (text[at] === '"') {
        at++
        return value
      }
      if (text[at] === '\\' && at + 1 < text.length) at++
      value += text[at]
    }
    throw new Wrong(from, 'A quote is opened and not closed; end the value with ".')
  }

  const plain = (ends: string): string => {
    const from = at
    while (at < text.length && !ends.includes(text[at]!)) at++
    return text.slice(from, at)
  }

  const quotedProp = (): string => {
    at += propPrefix.length
    return `${propPrefix}${quoted()}`
  }

  const key = (): string => {
    const from = at
    const name = text.startsWith(`${propPrefix}"`, at) ? quotedProp() : plain(' \t\n:~')
    if (!dimensionOf(name))
      throw new Wrong(from, `There is no filter "${name}". ${name === '' ? 'Write for example page:/docs.' : nearest(name)}`)
    return name
  }

  const value = (): string => {
    const from = at
    const found = text[at] === '"' ? quoted() : plain(' \t\n|"')
    if (found === '' && text[from] !== '"')
      throw new Wrong(from, 'A value is missing; write it behind the colon, in "quotes" if it has spaces.')
    if (found.length > limits.valueLength) throw new Wrong(from, `A value has at most ${limits.valueLength} characters.`)
    return found
  }

  const values = (): string[] => {
    const found = [value()]
    while (text[at] === '|') {
      at++
      found.push(value())
    }
    if (found.length > limits.values) throw new Wrong(at, `A filter has at most ${limits.values} values.`)
    if (at < text.length && !' \t\n'.includes(text[at]!)) throw new Wrong(at, 'Filters are told apart by a space.')
    return found
  }

  const filter = (): Filter => {
    const not = text[at] === '!'
    if (not) at++
    const from = at
    const name = key()
    const operator = text[at]
    if (operator === '~' && dimensionOf(name)?.isNamed)
      throw new Wrong(from, `A ${name} is named whole: write ${name}:"its name", as the site's settings have it.`)
    if (operator !== ':' && operator !== '~') throw new Wrong(from, `Behind "${name}" comes : (is) or ~ (contains), then a value.`)
    at++
    return { key: name, not, contains: operator === '~', values: values() }
  }

  const skipSpace = () => {
    while (at < text.length && ' \t\n'.includes(text[at]!)) at++
  }

  return {
    all(filters: Filter[]): void {
      for (skipSpace(); at < text.length; skipSpace()) {
        if (filters.length === limits.filters) throw new Wrong(at, `At most ${limits.filters} filters.`)
        filters.push(filter())
      }
    },
  }
}

/** The filters of a text; with a problem, those before it. */
export const parseFilters = (text: string): Parsed => {
  const filters: Filter[] = []
  try {
    createReader(text).all(filters)
    return { filters }
  } catch (error) {
    if (error instanceof Wrong) return { filters, problem: { at: error.at, text: error.message } }
    throw error
  }
}

const quote = (text: string): string => `"${text.replace(/["\\]/g, '\\$&')}"`
const written = (value: string): string => (value === '' || /[\s|"]/.test(value) ? quote(value) : value)

const writtenKey = (key: string): string =>
  key.startsWith(propPrefix) && /[\s:~"]/.test(key) ? `${propPrefix}${quote(key.slice(propPrefix.length))}` : key

export const formatFilter = ({ key, not, contains, values }: Filter): string =>
  `${not ? '!' : ''}${writtenKey(key)}${contains ? '~' : ':'}${values.map(written).join('|')}`

/** The text of filters; `parseFilters` reads them back. */
export const formatFilters = (filters: readonly Filter[]): string => filters.map(formatFilter).join(' ')

/** A filter in the API's form. */
export const apiFilter = ({ key, not, contains, values }: Filter): unknown[] => [
  `${contains ? 'contains' : 'is'}${not ? '_not' : ''}`,
  dimensionOf(key)!.api,
  values,
]

const isSame = (a: Filter, b: Filter): boolean => formatFilter(a) === formatFilter(b)

/** With the filter, if it is not there already. A new `is` takes the place of another `is` of the same key: a row picked, then another. */
export const withFilter = (filters: readonly Filter[], filter: Filter): Filter[] => {
  if (filters.some((one) => isSame(one, filter))) return [...filters]
  const isPick = (one: Filter) => one.key === filter.key && !one.not && !one.contains
  return [...(isPick(filter) ? filters.filter((one) => !isPick(one)) : filters), filter]
}

export const withoutFilter = (filters: readonly Filter[], filter: Filter): Filter[] => filters.filter((one) => !isSame(one, filter))

/** Whether a row is one that is picked. */
export const isPicked = (filters: readonly Filter[], key: string, value: string): boolean =>
  filters.some((one) => isPickOf(one, key, value))

const isPickOf = (one: Filter, key: string, value: string): boolean =>
  one.key === key && !one.not && !one.contains && one.values.includes(value)

/** Without the value, also where it stands beside others. */
const withoutPick = (filters: readonly Filter[], key: string, value: string): Filter[] =>
  filters.flatMap((one) => {
    if (!isPickOf(one, key, value)) return [one]
    const left = one.values.filter((other) => other !== value)
    return left.length === 0 ? [] : [{ ...one, values: left }]
  })

/** Picking a row filters by it; picking it again takes the filter away. */
export const withPickTurned = (filters: readonly Filter[], key: string, value: string): Filter[] =>
  isPicked(filters, key, value)
    ? withoutPick(filters, key, value)
    : withFilter(filters, { key, not: false, contains: false, values: [value] })

/** With the rows of a value left out. */
export const withLeftOut = (filters: readonly Filter[], key: string, value: string): Filter[] =>
  withFilter(withoutPick(filters, key, value), { key, not: true, contains: false, values: [value] })
