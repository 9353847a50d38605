import { hitReader } from '../query/dimensions.ts'
import { compileFilters, createWork, type Filter, filterDimensions, type Test } from '../query/filters.ts'
import { goalFilter, isScrollGoal } from '../query/goals.ts'
import type { Goal, SiteConfig } from '../site/config.ts'
import type { EventHit } from './event.ts'

/**
 * Whether a hit meets a goal as the site was set when it came: that makes its visit an engaged one, for ever. It is asked with the very
 * filters that queries ask, so that both mean the same by a goal.
 */

/** Characters of answers that a configuration may keep: enough for the pages of most sites, little beside 20,000 configurations. */
const keptCharacters = 50_000

type Meets = (hit: EventHit) => boolean

const anyOf = (goals: readonly Goal[]): Meets => {
  if (goals.length === 0) return () => false
  const filter: Filter = { kind: 'or', of: goals.map(goalFilter) }
  const names = [...new Set(filterDimensions([filter]))]
  const readers = names.map(hitReader)
  const test: Test = compileFilters([filter], (name) => names.indexOf(name), [], { ...createWork(), memory: keptCharacters })
  const visit = { v: [] }
  return (hit) => test(visit, { v: readers.map((read) => read(hit)), vis: '', sd: hit.sd })
}

/** Updates meet goals of scroll depth, all other hits the others. */
const compiled = new WeakMap<SiteConfig, { hits: Meets; updates: Meets }>()

export const meetsGoal = (config: SiteConfig, hit: EventHit): boolean => {
  if (config.goals === undefined || config.goals.length === 0) return false
  let meets = compiled.get(config)
  if (!meets) {
    meets = { hits: anyOf(config.goals.filter((goal) => !isScrollGoal(goal))), updates: anyOf(config.goals.filter(isScrollGoal)) }
    compiled.set(config, meets)
  }
  return hit.n === 'engagement' ? meets.updates(hit) : meets.hits(hit)
}
