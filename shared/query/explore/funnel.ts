import { isTimeDimension } from '../buckets.ts'
import { perCent, seconds } from '../metrics.ts'
import { byCodePoint, other } from '../names.ts'
import { firstOf } from './first.ts'
import { eachJourney, type Journeys, type Tie, type Turn } from './journeys.ts'

/**
 * Counts a funnel: how far each visitor got, in one pass over the visitor's hits.
 *
 * An attempt begins with a hit that passes step 1. `ordered`: each further step is another hit, at a later time or the same (so one hit
 * never stands for two steps), and others may lie between; `strict`: it is the visitor's next counted hit. All of it lies within the
 * window from the first step, its last millisecond included. A visitor counts at every step up to the furthest that any attempt reached.
 *
 * Hits of one millisecond have no order of their own: they are taken in the order of the steps they pass, those that pass none last.
 *
 * Times and the value of the dimension are those of one attempt: of the first that got as far as the visitor ever did, counted back from
 * there: for each step the latest hit that fits. (With several visits to the first page it is the last of them that led on.)
 */

/** What a hit of a funnel is, in 31 bits: the steps it passes (bit 0 is step 1), and which value of the dimension it has. */
export const maskBits = 8
export type FunnelRules = { steps: number; strict: boolean; windowMs: number }
/** Hits that pass a step; where the funnel is strict, all counted hits. `values` = texts of the dimension by number. */
export type FunnelHits = { journeys: Journeys; values: readonly string[] }

const maskOf = (what: number): number => what & ((1 << maskBits) - 1)
const valueIn = (what: number): number => what >>> maskBits

/** How far visitors got who passed step 1: `depth` steps; `gaps` = milliseconds from step to step, `steps - 1` of each visitor. */
type Reached = { visitors: number; depth: Uint8Array; value: Int32Array; gaps: Float64Array }

/** Follows each visitor through the steps. */
export const reachSteps = async ({ journeys, values }: FunnelHits, rules: FunnelRules, turn: Turn): Promise<Reached> => {
  const { steps } = rules
  const bytes = 5 + 8 * (steps - 1)
  const people = await countPeople(journeys, turn)
  turn.room.take(people * bytes)
  const reached: Reached = {
    visitors: 0,
    depth: new Uint8Array(people),
    value: new Int32Array(people),
    gaps: new Float64Array(people * (steps - 1)),
  }
  const attempts = createAttempts(rules)
  await eachJourney(journeys, tieOf(values), turn, (order, from, to) => {
    attempts.begin()
    for (let i = from; i < to; i++) attempts.take(journeys.when[order[i]!]!, journeys.what[order[i]!]!)
    const { depth, value, times } = attempts
    if (depth() === 0) return
    const at = reached.visitors++
    reached.depth[at] = depth()
    reached.value[at] = value()
    for (let step = 1; step < depth(); step++) reached.gaps[at * (steps - 1) + step - 1] = times[step]! - times[step - 1]!
  })
  return reached
}

const countPeople = async ({ size, who }: Journeys, { pause }: Turn): Promise<number> => {
  let people = 0
  for (let i = 0; i < size; i++) people = Math.max(people, who[i]! + 1)
  await pause()
  return people
}

/** Lowest step first, none last; among equals it decides only which value is shown. */
const tieOf =
  (values: readonly string[]): Tie =>
  (a, b) => {
    const [x, y] = [maskOf(a), maskOf(b)]
    const rank = (mask: number): number => (mask === 0 ? maskBits : 31 - Math.clz32(mask & -mask))
    return rank(x) - rank(y) || x - y || byCodePoint(values[valueIn(a)] ?? '', values[valueIn(b)] ?? '')
  }

/** The attempts of one visitor. Of those at a step only the one that began last matters: whatever comes, it has the most time left. */
const createAttempts = ({ steps, strict, windowMs }: FunnelRules) => {
  /** Row s: times of the attempt that stands at step s + 1; its first is −1 where there is none. */
  const held = new Float64Array(steps * steps)
  const values = new Int32Array(steps)
  const times = new Float64Array(steps)
  let depth = 0
  let value = 0

  const isAt = (step: number): boolean => held[step * steps]! >= 0
  const moveOn = (step: number, t: number): void => {
    const before = (step - 1) * steps
    held.copyWithin(step * steps, before, before + step)
    held[step * steps + step] = t
    values[step] = values[step - 1]!
  }
  const note = (step: number): void => {
    if (step < depth) return
    depth = step + 1
    value = values[step]!
    times.set(held.subarray(step * steps, step * steps + step + 1))
  }

  return {
    times,
    depth: () => depth,
    value: () => value,
    begin() {
      held.fill(-1)
      depth = 0
    },
    take(t: number, what: number) {
      const mask = maskOf(what)
      // From the last step down, so that a hit moves an attempt by one step only.
      for (let step = steps - 1; step >= 1; step--) {
        const goesOn = (mask >> step) & 1 && isAt(step - 1) && t - held[(step - 1) * steps]! <= windowMs
        if (goesOn) {
          moveOn(step, t)
          note(step)
        } else if (strict) held[step * steps] = -1
      }
      if (mask & 1) {
        held[0] = t
        values[0] = valueIn(what)
        note(0)
      } else if (strict) held[0] = -1
    },
  }
}

export type StepNumbers = {
  visitors: number
  conversion_from_previous: number | null
  conversion_from_first: number | null
  drop_off: number
  drop_off_rate: number | null
  time_from_previous: { median: number | null; mean: number | null } | null
}

/** The numbers of each step, of some of the visitors or of all. */
const stepsOf = async (
  { depth, gaps, ...reached }: Reached,
  steps: number,
  of: Int32Array | undefined,
  turn: Turn,
): Promise<StepNumbers[]> => {
  const size = of?.length ?? reached.visitors
  const visitors = new Array<number>(steps).fill(0)
  for (let i = 0; i < size; i++) visitors[depth[of ? of[i]! : i]! - 1]!++
  for (let step = steps - 2; step >= 0; step--) visitors[step]! += visitors[step + 1]!
  const numbers: StepNumbers[] = []
  for (const [step, count] of visitors.entries()) {
    await turn.pause()
    const before = step === 0 ? count : visitors[step - 1]!
    numbers.push({
      visitors: count,
      conversion_from_previous: perCent(count, before),
      conversion_from_first: perCent(count, visitors[0]!),
      drop_off: before - count,
      drop_off_rate: perCent(before - count, before),
      time_from_previous: step === 0 ? null : timesOf(count, turn, (times) => fill(times, { depth, gaps, steps, step, of, size })),
    })
  }
  return numbers
}

type Gaps = { depth: Uint8Array; gaps: Float64Array; steps: number; step: number; of: Int32Array | undefined; size: number }

const fill = (times: Float64Array, { depth, gaps, steps, step, of, size }: Gaps): void => {
  let n = 0
  for (let i = 0; i < size; i++) {
    const at = of ? of[i]! : i
    if (depth[at]! > step) times[n++] = gaps[at * (steps - 1) + step - 1]!
  }
}

/** Median and mean, in whole seconds; the median of an even number is between the two in the middle. */
const timesOf = (count: number, { room }: Turn, put: (times: Float64Array) => void): { median: number | null; mean: number | null } => {
  const bytes = 8 * count
  room.take(bytes)
  const times = new Float64Array(count)
  put(times)
  times.sort()
  const middle = (times[(count - 1) >> 1] ?? 0) + (times[count >> 1] ?? 0)
  const sum = times.reduce((a, b) => a + b, 0)
  room.give(bytes)
  return { median: count === 0 ? null : seconds(middle, 2), mean: seconds(sum, count) }
}

/** `other`: the values beyond the limit, and no value that is called so. */
export type ValueNumbers = { value: string; other?: true; steps: StepNumbers[] }
export type FunnelNumbers = { steps: StepNumbers[]; breakdown: ValueNumbers[] }

/** The numbers of a funnel; with a dimension those of its first `most` values by visitors, and the exact rest. */
export const funnelNumbers = async (
  hits: FunnelHits,
  rules: FunnelRules,
  { dimension, most }: { dimension: string | undefined; most: number },
  turn: Turn,
): Promise<FunnelNumbers> => {
  const reached = await reachSteps(hits, rules, turn)
  const steps = await stepsOf(reached, rules.steps, undefined, turn)
  if (dimension === undefined) return { steps, breakdown: [] }
  const { values } = hits
  const shown = mostVisited(reached, values, most, turn)
  if (isTimeDimension(dimension)) shown.sort((a, b) => byCodePoint(values[a]!, values[b]!))
  const parts = partsOf(reached, values.length, shown, turn)
  const breakdown: ValueNumbers[] = []
  for (const [i, value] of shown.entries())
    breakdown.push({ value: values[value]!, steps: await stepsOf(reached, rules.steps, parts[i], turn) })
  const rest = parts[shown.length]!
  if (rest.length > 0) breakdown.push({ value: other, other: true, steps: await stepsOf(reached, rules.steps, rest, turn) })
  return { steps, breakdown }
}

/** The values with the most visitors, of those that have any. */
const mostVisited = ({ visitors, value }: Reached, values: readonly string[], most: number, { room }: Turn): number[] => {
  const bytes = 12 * values.length
  room.take(bytes)
  const counts = new Int32Array(values.length)
  for (let i = 0; i < visitors; i++) counts[value[i]!]!++
  const some = [...counts.keys()].filter((one) => counts[one]! > 0)
  room.give(bytes)
  return firstOf(some, most, (a, b) => counts[b]! - counts[a]! || byCodePoint(values[a]!, values[b]!))
}

/** The visitors of each value that is shown, and those of all others. */
const partsOf = ({ visitors, value }: Reached, values: number, shown: readonly number[], { room }: Turn): Int32Array[] => {
  room.take(4 * (values + visitors))
  const partOf = new Int32Array(values).fill(shown.length)
  for (const [i, one] of shown.entries()) partOf[one] = i
  const sizes = new Int32Array(shown.length + 1)
  for (let i = 0; i < visitors; i++) sizes[partOf[value[i]!]!]!++
  const parts = Array.from(sizes, (size) => new Int32Array(size))
  sizes.fill(0)
  for (let i = 0; i < visitors; i++) {
    const part = partOf[value[i]!]!
    parts[part]![sizes[part]!++] = i
  }
  return parts
}
