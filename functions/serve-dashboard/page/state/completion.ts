import { dimensionOf, dimensions, propPrefix } from './dimensions.ts'
import { type Filter, formatFilter, parseFilters } from './filters.ts'

/**
 * What can come next where the cursor stands in the query box: the name of a filter, or a value of one. It reads text that is not
 * finished, which the grammar of filters.ts would refuse.
 */
export type Wanted =
  | { kind: 'key'; from: number; to: number; word: string; not: boolean }
  | { kind: 'value'; from: number; to: number; word: string; filter: Omit<Filter, 'values'> }

/** Where the words of a text begin and end; a space within quotes ends none. */
const wordAt = (text: string, caret: number): { from: number; to: number } => {
  let from = 0
  let isQuoted = false
  for (let i = 0; i < text.length; i++) {
    const sign = text[i]!
    if (isQuoted && sign === '\\') i++
    else if (sign === '"') isQuoted = !isQuoted
    else if (!isQuoted && ' \t\n'.includes(sign)) {
      if (i >= caret) return { from, to: i }
      from = i + 1
    }
  }
  return { from, to: text.length }
}

/** `!key:` at the beginning of a word; the name of a property may be quoted. */
const head = /^(!?)(prop\."(?:[^"\\]|\\.)*"|[^\s:~"]*)([:~])/

const unquoted = (text: string): string => (text.startsWith('"') ? text.replace(/^"|"$/g, '').replace(/\\(.)/gs, '$1') : text)

const keyOf = (text: string): string =>
  text.startsWith(`${propPrefix}"`) ? `${propPrefix}${unquoted(text.slice(propPrefix.length))}` : text

/** Where the last of the alternatives of a value begins, behind a `|` that is not quoted. */
const lastValue = (text: string): number => {
  let from = 0
  let isQuoted = false
  for (let i = 0; i < text.length; i++) {
    if (isQuoted && text[i] === '\\') i++
    else if (text[i] === '"') isQuoted = !isQuoted
    else if (!isQuoted && text[i] === '|') from = i + 1
  }
  return from
}

export const wantedAt = (text: string, caret: number): Wanted => {
  const { from, to } = wordAt(text, caret)
  const word = text.slice(from, to)
  const found = head.exec(word)
  if (!found) return { kind: 'key', from, to, word: word.replace(/^!/, ''), not: word.startsWith('!') }
  const [whole, not, name, operator] = found as unknown as [string, string, string, string]
  const key = keyOf(name)
  const start = from + whole.length + lastValue(word.slice(whole.length))
  const filter = { key, not: not === '!', contains: operator === '~' }
  return { kind: 'value', from: start, to, word: unquoted(text.slice(start, to)), filter }
}

/** A thing that can be put in; `text` takes the place of what is there, `isWhole` ends a filter. */
export type Suggestion = { label: string; note: string; text: string; isWhole: boolean }

const mostKeys = 8

/** Keys that begin with the word or whose name has it, and the page that contains it: what people mean who just type. */
export const keySuggestions = ({ word, not }: Extract<Wanted, { kind: 'key' }>): Suggestion[] => {
  const sought = word.toLowerCase()
  const sign = not ? '!' : ''
  const rank = (key: string, label: string): number =>
    key.startsWith(sought)
      ? 0
      : label.toLowerCase().startsWith(sought)
        ? 1
        : label.toLowerCase().includes(sought) || key.includes(sought)
          ? 2
          : 3
  const keys = dimensions
    .map(({ key, label }) => ({ key, label, rank: rank(key, label) }))
    .filter((one) => one.rank < 3)
    .sort((a, b) => a.rank - b.rank)
    .slice(0, mostKeys)
    .map(({ key, label }) => ({ label, note: `${key}:`, text: `${sign}${key}:`, isWhole: false }))
  const isProp = propPrefix.startsWith(sought) || sought.startsWith(propPrefix)
  const prop = isProp ? [{ label: 'Property of an event', note: 'prop.name:', text: `${sign}${propPrefix}`, isWhole: false }] : []
  return [...keys, ...prop, ...containing(word, not)]
}

const containing = (word: string, not: boolean): Suggestion[] => {
  if (word.length < 2 || word.startsWith(propPrefix) || word.includes('"')) return []
  return ['page', 'source'].map((key) => {
    const text = formatFilter({ key, not, contains: true, values: [word] })
    return { label: `${dimensionOf(key)!.label} ${not ? 'does not contain' : 'contains'} ${word}`, note: text, text, isWhole: true }
  })
}

/** A value as it must be written behind its key. */
const writtenValue = (value: string): string => formatFilter({ key: 'page', not: false, contains: false, values: [value] }).slice(5)

export const valueSuggestion = (value: string, label: string, note: string): Suggestion => ({
  label,
  note,
  text: writtenValue(value),
  isWhole: true,
})

/** The text with a suggestion put in, and where the cursor stands then. */
export const putIn = (text: string, { from, to }: Wanted, { text: put }: Suggestion): { text: string; caret: number } => ({
  text: `${text.slice(0, from)}${put}${text.slice(to)}`,
  caret: from + put.length,
})

/** The text when it is all filters, and what is wrong otherwise. */
export const readAll = (text: string): { filters: Filter[] } | { problem: string; at: number } => {
  const { filters, problem } = parseFilters(text)
  return problem ? { problem: problem.text, at: problem.at } : { filters }
}
