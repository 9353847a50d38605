import { dimensionOf } from './dimensions.ts'
import { type Filter, formatFilter, formatFilters, parseFilters } from './filters.ts'

/**
 * What the panel Explore shows, as the URL says it. Steps, the root and the trail are written in the grammar of filters: one way to quote
 * whatever visitors sent. docs/page.md documents this grammar.
 */
export const explorations = ['funnel', 'paths', 'retention', 'why'] as const
export type Exploration = (typeof explorations)[number]
export type Direction = 'next' | 'previous'
export type Unit = 'day' | 'week' | 'month'

export type Explore = {
  /** The tab that is open; '' none is, and nothing is asked. */
  open: Exploration | ''
  /** Steps of the funnel, in their order; it is asked from two on. */
  steps: readonly Filter[]
  order: 'ordered' | 'strict'
  /** Time from the first step in which the others must happen, such as `7d`; '' the whole period. */
  window: string
  /** Dimension that breaks the funnel down; '' none does. */
  split: string
  direction: Direction
  by: 'page' | 'event'
  /** Where paths begin, or end: one page or event; '' the beginning, or end, of the visit. */
  root: Filter | undefined
  /** Rows of the paths that are opened, one of each level. */
  trail: readonly string[]
  /** Step of retention; '' as fits the period. */
  cohorts: Unit | ''
  /** Dimension whose rows say why. */
  cause: string
}

export const defaultExplore: Explore = {
  open: '',
  steps: [],
  order: 'ordered',
  window: '',
  split: '',
  direction: 'next',
  by: 'page',
  root: undefined,
  trail: [],
  cohorts: '',
  cause: 'source',
}

/** The API's limits: steps of a funnel, levels of a tree; the last level is the one that the trail opens. */
export const mostSteps = 8
export const mostLevels = 10

/** What may be a step of a funnel, and where a path may begin. */
export const stepKeys = ['page', 'event', 'goal'] as const
export const rootKeys = ['page', 'event'] as const

const stepsOf = (text: string): Filter[] | undefined => {
  const { filters, problem } = parseFilters(text)
  const isFine = !problem && filters.length > 0 && filters.length <= mostSteps
  return isFine && filters.every(({ key }) => (stepKeys as readonly string[]).includes(key)) ? filters : undefined
}

const rootOf = (text: string): Filter | undefined => {
  const { filters, problem } = parseFilters(text)
  const [root, ...more] = filters
  const isPlain = root && !root.not && !root.contains && root.values.length === 1 && root.values[0] !== ''
  return !problem && more.length === 0 && isPlain && (rootKeys as readonly string[]).includes(root.key) ? root : undefined
}

/** Values behind a key and a colon: the trail is the values alone. */
const anyKey = 'page:'
const trailOf = (text: string): readonly string[] | undefined => {
  const { filters, problem } = parseFilters(anyKey + text)
  const [trail, ...more] = filters
  return !problem && more.length === 0 && trail && trail.values.length < mostLevels ? trail.values : undefined
}
const trailText = (trail: readonly string[]): string =>
  trail.length === 0 ? '' : formatFilter({ key: 'page', not: false, contains: false, values: trail }).slice(anyKey.length)

const windowForm = /^[1-9]\d{0,7}[smhd]$/

/** A dimension that rows can be made of. */
const isGrouped = (key: string): boolean => {
  const found = dimensionOf(key)
  return found !== undefined && !found.isNamed && key.length <= 300
}

/** A parameter of the address: which texts it may have. */
export type Reader = { is(text: string): boolean; expected: string }
export const oneOf = (names: readonly string[]): Reader => ({ is: (text) => names.includes(text), expected: names.join(', ') })

export const exploreReaders: Readonly<Record<string, Reader>> = {
  explore: oneOf(explorations),
  steps: {
    is: (text) => stepsOf(text) !== undefined,
    expected: `up to ${mostSteps} of page:, event:, goal:, such as page:/pricing event:signup`,
  },
  order: oneOf(['ordered', 'strict']),
  window: { is: (text) => windowForm.test(text), expected: '90s, 30m, 1h, 7d …' },
  split: { is: (text) => isGrouped(text) && text !== 'goal', expected: 'a key of a filter, such as source' },
  direction: oneOf(['next', 'previous']),
  by: oneOf(['page', 'event']),
  root: { is: (text) => rootOf(text) !== undefined, expected: 'page:/pricing or event:signup' },
  trail: { is: (text) => trailOf(text) !== undefined, expected: `up to ${mostLevels - 1} values, /pricing|/signup` },
  cohorts: oneOf(['day', 'week', 'month']),
  cause: { is: isGrouped, expected: 'a key of a filter, such as source' },
}

/** The state of texts that the readers above let through. */
export const exploreOf = (taken: Readonly<Record<string, string>>): Explore => {
  const { explore, steps, root, trail, ...texts } = taken
  const plain = Object.fromEntries(Object.entries(texts).filter(([name]) => Object.hasOwn(defaultExplore, name)))
  return {
    ...defaultExplore,
    ...plain,
    open: (explore ?? '') as Explore['open'],
    steps: steps === undefined ? [] : stepsOf(steps)!,
    root: root === undefined ? undefined : rootOf(root),
    trail: trail === undefined ? [] : trailOf(trail)!,
  }
}

/** Its parameters: name, text, and the text that is left out. */
export const exploreTexts = (explore: Explore): (readonly [name: string, text: string, usual: string])[] => {
  const { open, steps, root, trail, ...texts } = explore
  return [
    ['explore', open, ''],
    ['steps', formatFilters(steps), ''],
    ['root', root ? formatFilter(root) : '', ''],
    ['trail', trailText(trail), ''],
    ...Object.entries(texts).map(([name, text]) => [name, text, defaultExplore[name as 'order']] as const),
  ]
}
