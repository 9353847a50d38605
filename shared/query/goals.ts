import { RE2JS } from 're2js'
import type { Goal } from '../site/config.ts'
import type { Filter, Leaf } from './filters.ts'

/**
 * A goal as a filter over what is stored of a hit. So a goal that is added or changed holds for the past at once, and every engine
 * that knows filters knows goals.
 */

/** A row of `event:goal`: the hits that pass `filter`; of engagement updates only where it is a scroll goal. */
export type GoalRow = { name: string; filter: Filter; scroll: boolean }

/** A goal that is met by engagement updates. */
export const isScrollGoal = ({ scroll }: Goal): boolean => scroll !== undefined

const leaf = (dimension: string, values: string[]): Leaf => ({
  kind: 'leaf',
  op: 'is',
  negate: false,
  dimension,
  values,
  caseSensitive: true,
})

/** A page pattern as one of RE2 that matches the whole page: `**` is any characters, `*` any but `/`, all else is itself. */
export const pagePattern = (page: string): string => {
  const parts = page.split(/(\*\*|\*)/).map((part) => (part === '**' ? '.*' : part === '*' ? '[^/]*' : RE2JS.quote(part)))
  return `(?s)^${parts.join('')}$`
}

const pageLeaf = (page: string): Leaf => {
  if (!page.includes('*')) return leaf('event:page', [page])
  const pattern = pagePattern(page)
  return { ...leaf('event:page', [pattern]), op: 'matches', patterns: [RE2JS.compile(pattern)] }
}

const treeOf = ({ page, event, scroll, props = {} }: Goal): Filter => {
  const of: Filter[] = []
  if (event !== undefined) of.push(leaf('event:name', [event]))
  // An update reads as a pageview of its page: where a pageview is asked for, it is told apart by who counts updates.
  if (page !== undefined && scroll === undefined) of.push(leaf('event:name', ['pageview']))
  if (page !== undefined) of.push(pageLeaf(page))
  if (scroll !== undefined) of.push({ kind: 'scroll', atLeast: scroll })
  for (const [key, values] of Object.entries(props)) of.push(leaf(`event:props:${key}`, values))
  return { kind: 'and', of }
}

const trees = new WeakMap<Goal, Filter>()

/** What a hit must be to meet the goal. Patterns are compiled once for each goal of a configuration. */
export const goalFilter = (goal: Goal): Filter => {
  let tree = trees.get(goal)
  if (!tree) {
    tree = treeOf(goal)
    trees.set(goal, tree)
  }
  return tree
}

export const goalRow = (goal: Goal): GoalRow => ({ name: goal.name, filter: goalFilter(goal), scroll: isScrollGoal(goal) })

// What a tree of filters says about goals.

/** The goals that conditions name, outside `has_done`; nothing where there is no such condition. */
export const goalsNamed = (filters: readonly Filter[]): readonly Goal[] | undefined => {
  const lists = filters.map((filter) => {
    if (filter.kind === 'leaf' || filter.kind === 'scroll' || filter.kind === 'done') return undefined
    return filter.said?.goals ?? goalsNamed(Array.isArray(filter.of) ? filter.of : [filter.of])
  })
  return lists.every((list) => list === undefined) ? undefined : [...new Set(lists.flatMap((list) => list ?? []))]
}

/** Which engagement updates count as what their visitor did: those that meet a scroll goal which a condition names. */
export const updatesAsked = (filters: readonly Filter[], more: readonly Goal[] = []): Filter | undefined => {
  const goals = [...new Set([...(goalsNamed(filters) ?? []), ...more])].filter(isScrollGoal)
  return goals.length === 0 ? undefined : { kind: 'or', of: goals.map(goalFilter) }
}

/** Of `goals` those that a hit can meet which passes the filters: conditions on goals at the top, or under `and` there, leave out the others. */
export const goalsLeft = (filters: readonly Filter[], goals: readonly Goal[]): readonly Goal[] =>
  filters.reduce((left, filter) => {
    if (filter.kind === 'not' && filter.said?.goals) return left.filter((goal) => !filter.said?.goals?.includes(goal))
    if (filter.kind !== 'and' && filter.kind !== 'or') return left
    if (filter.said?.goals) return left.filter((goal) => filter.said?.goals?.includes(goal))
    return filter.kind === 'and' || filter.of.length === 1 ? goalsLeft(filter.of, left) : left
  }, goals)

/**
 * Filters without what they say about goals: who passes them could have met the goal. A condition on goals is taken for fulfilled,
 * whichever way it stands, so that nobody who passes `filters` is missing. `has_done` stays: it says who is asked about.
 */
export const withoutGoals = (filters: readonly Filter[]): Filter[] =>
  filters.map((filter) => weaker(filter, true)).filter((filter) => filter !== undefined)

/** `fulfilled`: whether what is left out makes the filter true or, behind a `not`, false. */
const weaker = (filter: Filter, fulfilled: boolean): Filter | undefined => {
  if (filter.kind === 'leaf' || filter.kind === 'scroll' || filter.kind === 'done') return filter
  if (filter.said?.goals) return undefined
  if (filter.kind === 'not') {
    const of = weaker(filter.of, !fulfilled)
    return of && { kind: 'not', of }
  }
  const left = filter.of.map((one) => weaker(one, fulfilled)).filter((one) => one !== undefined)
  const decides = left.length < filter.of.length && (filter.kind === 'or') === fulfilled
  return decides || left.length === 0 ? undefined : { kind: filter.kind, of: left }
}
