import { RE2JS } from 're2js'
import type { Goal, Segment } from '../site/config.ts'
import { checkDimension, isHitDimension } from './dimensions.ts'
import { goalFilter, updatesAsked } from './goals.ts'
import { queryLimits } from './limits.ts'
import { badQuery, unknownName } from './names.ts'

/**
 * Filters: from the JSON of a query to a tree, and from the tree to a predicate over one hit and its visit. The whole tree is
 * asked of each hit, so event leaves under one `and` hold for the same hit; a visit counts when one of its hits passes.
 */

/** A condition on one dimension. */
export type Leaf = {
  kind: 'leaf'
  op: 'is' | 'contains' | 'matches'
  negate: boolean
  dimension: string
  values: string[]
  caseSensitive: boolean
  /** The values of `matches`, compiled. */
  patterns?: RE2JS[]
}
export type Filter =
  | Leaf
  /** An engagement update that reports at least this depth, per cent. */
  | { kind: 'scroll'; atLeast: number }
  | { kind: 'and' | 'or'; of: Filter[]; said?: Said }
  | { kind: 'not'; of: Filter; said?: Said }
  /** The visitor (hash of the hit's day) has a hit in the range that passes `of`. Of engagement updates only those that pass `updates` count. */
  | { kind: 'done'; negate: boolean; of: Filter; updates: Filter | undefined }

/** A condition on goals or segments is expanded when it is read. What stands in the query instead, and the goals that a condition on goals names. */
type Said = { json: unknown[]; goals?: readonly Goal[] }

/** What a predicate reads: values of the columns that the query needs, and the visitor. */
type Valued = { v: readonly string[] }
export type Test = (visit: Valued, hit: Valued & { vis: string; sd?: number | undefined }) => boolean
/** What filters have looked at since somebody last asked; who works through many hits lets others run by it. */
export type Work = {
  spent: number
  /** Characters that answers kept for later may still take. */
  memory: number
}
export const createWork = (): Work => ({ spent: 0, memory: queryLimits.memoCharacters })

/** Index of a dimension's column among the visit's or the hit's. */
export type ColumnOf = (dimension: string) => number

const leafOps = ['is', 'is_not', 'contains', 'contains_not', 'matches', 'matches_not']
const operators = [...leafOps, 'and', 'or', 'not', 'has_done', 'has_not_done']

/** What names in filters stand for: a site's settings. */
export type Settings = { goals?: readonly Goal[] | undefined; segments?: readonly Segment[] | undefined }

export type Budget = { leaves: number; values: number; program: number; settings: Settings }
type Place = { field: string; depth: number; inDone: boolean; inSegment: boolean }

const inside = (place: Place, index: string): Place => ({ ...place, field: `${place.field}${index}`, depth: place.depth + 1 })

/** What the conditions of one request may have together. */
export const createBudget = (settings: Settings = {}): Budget => ({ leaves: 0, values: 0, program: 0, settings })

/** The tree behind `filters` (or another field): a list under one `and`. Throws `bad-query` with the place of what is wrong. */
export const parseFilters = (
  filters: readonly unknown[],
  { field = 'filters', inSegment = false, budget, ...settings }: Settings & { field?: string; inSegment?: boolean; budget?: Budget } = {},
): Filter[] => {
  const all = budget ?? createBudget(settings)
  return filters.map((filter, i) => parseFilter(filter, { field: `${field}[${i}]`, depth: 1, inDone: false, inSegment }, all))
}

const parseFilter = (json: unknown, place: Place, budget: Budget): Filter => {
  if (place.depth > queryLimits.filterDepth) throw badQuery(place.field, `filters may be nested ${queryLimits.filterDepth} deep`)
  if (!Array.isArray(json) || typeof json[0] !== 'string')
    throw badQuery(place.field, 'expected [operator, dimension, [values]] or [operator, filter(s)]')
  const op: string = json[0]
  if (op === 'and' || op === 'or') return { kind: op, of: parseList(json, place, budget) }
  if (op === 'not') return { kind: 'not', of: parseOne(json, place, budget) }
  if (op === 'has_done' || op === 'has_not_done') {
    if (place.inDone) throw badQuery(place.field, `"${op}" cannot be nested`)
    const of = parseOne(json, { ...place, inDone: true }, budget)
    return { kind: 'done', negate: op === 'has_not_done', of, updates: updatesAsked([of]) }
  }
  if (!leafOps.includes(op)) throw unknownName(`${place.field}[0]`, 'operator', op, operators)
  return parseLeaf(op, json, place, budget)
}

const parseList = (json: unknown[], place: Place, budget: Budget): Filter[] => {
  const list = json[1]
  if (json.length !== 2 || !Array.isArray(list) || list.length === 0)
    throw badQuery(place.field, `expected ["${json[0]}", [filter, …]] with at least one filter`)
  return list.map((filter, i) => parseFilter(filter, inside(place, `[1][${i}]`), budget))
}

const parseOne = (json: unknown[], place: Place, budget: Budget): Filter => {
  if (json.length !== 2) throw badQuery(place.field, `expected ["${json[0]}", filter]`)
  return parseFilter(json[1], inside(place, '[1]'), budget)
}

const parseLeaf = (op: string, json: unknown[], place: Place, budget: Budget): Filter => {
  if (++budget.leaves > queryLimits.filterLeaves) throw badQuery(place.field, `at most ${queryLimits.filterLeaves} conditions`)
  const [, dimension, values, modifiers] = json
  if (json.length < 3 || json.length > 4 || typeof dimension !== 'string')
    throw badQuery(place.field, `expected ["${op}", dimension, [values], {"case_sensitive":false}?]`)
  if (dimension === 'segment') return parseSegments(op, json, place, budget)
  checkDimension(`${place.field}[1]`, dimension, 'filter')
  if (place.inDone && !isHitDimension(dimension))
    throw badQuery(`${place.field}[1]`, `has_done and has_not_done take "event:" dimensions, not "${dimension}"`)
  const negate = op.endsWith('_not')
  const base = (negate ? op.slice(0, -4) : op) as Leaf['op']
  const leaf: Leaf = {
    kind: 'leaf',
    op: base,
    negate,
    dimension,
    values: parseValues(values, `${place.field}[2]`),
    caseSensitive: parseModifiers(modifiers, base, `${place.field}[3]`),
  }
  budget.values += leaf.values.length
  if (budget.values > queryLimits.values)
    throw badQuery(`${place.field}[2]`, `at most ${queryLimits.values} values in all conditions together`)
  if (base === 'matches') leaf.patterns = leaf.values.map((value, i) => compilePattern(value, `${place.field}[2][${i}]`, budget))
  return dimension === 'event:goal' ? goalsOf(leaf, `${place.field}[2]`, budget.settings) : leaf
}

/** Throws unless each of the values names one of what the site has. */
const checkNames = (kind: 'goal' | 'segment', values: readonly string[], known: readonly string[], field: string, fold = same): void => {
  const names = new Set(known.map(fold))
  const unknown = values.findIndex((value) => !names.has(fold(value)))
  if (unknown < 0) return
  const at = `${field}[${unknown}]`
  if (known.length === 0) throw badQuery(at, `the site has no ${kind}s; add them to its settings (\`footfall site set --${kind}s\`)`)
  throw unknownName(at, kind, values[unknown]!, known)
}
const same = (text: string): string => text

/** What passes one of the names passes: the hit meets one of the goals that are called so. */
const goalsOf = (leaf: Leaf, field: string, { goals = [] }: Settings): Filter => {
  const names = goals.map(({ name }) => name)
  if (leaf.op === 'is') checkNames('goal', leaf.values, names, field, leaf.caseSensitive ? same : (name) => name.toLowerCase())
  const passes = valueTest(leaf, createWork())
  const named = goals.filter(({ name }) => passes(name))
  const said: Said = { json: filterJson(leaf), goals: named }
  const any: Filter = { kind: 'or', of: named.map(goalFilter), said }
  return leaf.negate ? { kind: 'not', of: any, said } : any
}

/** One of the segments: all filters of it. They count towards the limits as if they stood here. */
const parseSegments = (op: string, json: unknown[], place: Place, budget: Budget): Filter => {
  if (op !== 'is' && op !== 'is_not') throw badQuery(`${place.field}[0]`, '"segment" takes "is" and "is_not"')
  if (place.inSegment) throw badQuery(`${place.field}[1]`, 'a segment cannot stand in a segment')
  if (json.length > 3) throw badQuery(`${place.field}[3]`, '"segment" takes no modifier')
  const { segments = [] } = budget.settings
  const values = parseValues(json[2], `${place.field}[2]`)
  const known = segments.map(({ name }) => name)
  checkNames('segment', values, known, `${place.field}[2]`)
  const parts = values.map((value): Filter => {
    const { name, filters } = segments[known.indexOf(value)]!
    const at: Place = { ...place, depth: place.depth + 1, inSegment: true }
    const of = filters.map((filter, i) =>
      parseFilter(filter, { ...at, field: `${place.field}: segment ${JSON.stringify(name)}[${i}]` }, budget),
    )
    return { kind: 'and', of }
  })
  const said: Said = { json: [op, 'segment', values] }
  const any: Filter = { kind: 'or', of: parts, said }
  return op === 'is' ? any : { kind: 'not', of: any, said }
}

const parseValues = (values: unknown, field: string): string[] => {
  if (!Array.isArray(values) || values.length === 0) throw badQuery(field, 'expected a list with at least one value')
  if (values.length > queryLimits.valuesPerFilter) throw badQuery(field, `at most ${queryLimits.valuesPerFilter} values`)
  return values.map((value, i) => {
    if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean')
      throw badQuery(`${field}[${i}]`, 'expected text, a number, true or false')
    const text = String(value)
    if (text.length > queryLimits.valueLength) throw badQuery(`${field}[${i}]`, `at most ${queryLimits.valueLength} characters`)
    return text
  })
}

const parseModifiers = (modifiers: unknown, op: Leaf['op'], field: string): boolean => {
  if (modifiers === undefined) return true
  if (typeof modifiers !== 'object' || modifiers === null || Array.isArray(modifiers))
    throw badQuery(field, 'expected {"case_sensitive": true or false}')
  const { case_sensitive: sensitive = true, ...rest } = modifiers as Record<string, unknown>
  const unknown = Object.keys(rest)[0]
  if (unknown !== undefined) throw unknownName(field, 'modifier', unknown, ['case_sensitive'])
  if (typeof sensitive !== 'boolean') throw badQuery(`${field}.case_sensitive`, 'expected true or false')
  if (!sensitive && op === 'matches') throw badQuery(field, '"matches" takes no modifier; begin the pattern with (?i)')
  return sensitive
}

/** A linear-time pattern; throws `bad-query` with the reason when it is none, or too large with those before it. */
const compilePattern = (pattern: string, field: string, budget: Budget): RE2JS => {
  if (pattern.length > queryLimits.patternLength) throw badQuery(field, `a pattern has at most ${queryLimits.patternLength} characters`)
  let compiled: RE2JS
  try {
    compiled = RE2JS.compile(pattern)
  } catch (cause) {
    throw badQuery(field, `"${pattern.slice(0, 100)}" is no RE2 pattern: ${(cause as Error).message}`)
  }
  const program = compiled.programSize()
  if (program > queryLimits.patternProgram) throw badQuery(field, 'the pattern is too large; use fewer or smaller repetitions')
  budget.program += program
  if (budget.program > queryLimits.patternPrograms)
    throw badQuery(field, `all patterns together are too large (more than ${queryLimits.patternPrograms} instructions)`)
  return compiled
}

/** A filter as it is echoed in the answer. */
export const filterJson = (filter: Filter): unknown[] => {
  if (filter.kind === 'leaf') {
    const op = filter.negate ? `${filter.op}_not` : filter.op
    const leaf: unknown[] = [op, filter.dimension, filter.values]
    return filter.caseSensitive ? leaf : [...leaf, { case_sensitive: false }]
  }
  if (filter.kind === 'scroll') return ['scroll', filter.atLeast] // stands in goals only, which are echoed by name
  if (filter.kind !== 'done' && filter.said) return filter.said.json
  if (filter.kind === 'not') return ['not', filterJson(filter.of)]
  if (filter.kind === 'done') return [filter.negate ? 'has_not_done' : 'has_done', filterJson(filter.of)]
  return [filter.kind, filter.of.map(filterJson)]
}

/** The dimensions that filters read. */
export const filterDimensions = (filters: readonly Filter[]): string[] =>
  filters.flatMap((filter) => {
    if (filter.kind === 'leaf') return [filter.dimension]
    if (filter.kind === 'scroll') return []
    return filterDimensions(Array.isArray(filter.of) ? filter.of : [filter.of])
  })

/** Every `has_done` and `has_not_done`, in the order in which `compileFilters` takes their visitors. */
export const doneFilters = (filters: readonly Filter[]): (Filter & { kind: 'done' })[] =>
  filters.flatMap((filter) => {
    if (filter.kind === 'leaf' || filter.kind === 'scroll') return []
    if (filter.kind === 'done') return [filter]
    return doneFilters(Array.isArray(filter.of) ? filter.of : [filter.of])
  })

/** Filters under one `and` as a predicate, which adds what it costs to `work`. `visitors` = who has done what each of `doneFilters` asks. */
export const compileFilters = (
  filters: readonly Filter[],
  columnOf: ColumnOf,
  visitors: readonly ReadonlySet<string>[],
  work: Work,
): Test => {
  const dones = doneFilters(filters)
  const compile = (filter: Filter): Test => {
    switch (filter.kind) {
      case 'leaf':
        return hitTest(filter, columnOf(filter.dimension), work)
      case 'scroll':
        return (_visit, { sd = 0 }) => sd >= filter.atLeast
      case 'not': {
        const test = compile(filter.of)
        return (visit, hit) => !test(visit, hit)
      }
      case 'done': {
        const did = visitors[dones.indexOf(filter)]!
        return (_visit, hit) => did.has(hit.vis) !== filter.negate
      }
      case 'and':
        return all(filter.of.map(compile))
      case 'or': {
        const tests = filter.of.map(compile)
        return (visit, hit) => tests.some((test) => test(visit, hit))
      }
    }
  }
  return all(filters.map(compile))
}

const all = (tests: Test[]): Test => {
  if (tests.length === 0) return () => true
  if (tests.length === 1) return tests[0]!
  return (visit, hit) => tests.every((test) => test(visit, hit))
}

const hitTest = (leaf: Leaf, column: number, work: Work): Test => {
  const passes = leafTest(leaf, work)
  if (isHitDimension(leaf.dimension)) return (_visit, hit) => passes(hit.v[column]!)
  return (visit) => passes(visit.v[column]!)
}

/** A condition as a predicate over the value of its dimension. */
export const leafTest = (leaf: Leaf, work: Work): ((value: string) => boolean) => {
  const passes = valueTest(leaf, work)
  return leaf.negate ? (value) => !passes(value) : passes
}

const valueTest = (leaf: Leaf, work: Work): ((value: string) => boolean) => {
  if (leaf.patterns) {
    const { patterns } = leaf
    const program = patterns.reduce((sum, pattern) => sum + pattern.programSize(), 0)
    return memo((value) => patterns.some((pattern) => pattern.test(value)), program, work)
  }
  const fold = (text: string): string => (leaf.caseSensitive ? text : text.toLowerCase())
  const wanted = leaf.values.map(fold)
  if (leaf.op === 'contains') {
    const contains = (value: string): boolean => {
      const folded = fold(value)
      return wanted.some((part) => folded.includes(part))
    }
    return memo(contains, wanted.length, work)
  }
  const set = new Set(wanted)
  return (value) => {
    work.spent += hitWork
    return set.has(fold(value))
  }
}

/** What it costs to look at a value that is known, or at a hit. */
export const hitWork = 100

/** What an answer takes beside its value, in characters. */
const entryCharacters = 50

/** Answers each value once, as long as there is memory for it; `weight` is what a character of it costs. */
const memo = (test: (value: string) => boolean, weight: number, work: Work): ((value: string) => boolean) => {
  const known = new Map<string, boolean>()
  return (value) => {
    work.spent += hitWork
    let answer = known.get(value)
    if (answer === undefined) {
      work.spent += value.length * weight
      answer = test(value)
      if (work.memory > 0) {
        work.memory -= value.length + entryCharacters
        known.set(value, answer)
      }
    }
    return answer
  }
}
