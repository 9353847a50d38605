import type { Buckets } from '../buckets.ts'
import { keyOf } from '../fold.ts'
import { badQuery, other } from '../names.ts'
import { type Room, sizes } from '../room.ts'
import { createPlaces, pairOf } from './numbers.ts'

/**
 * The groups of an answer and what was counted in them. Counts of all groups lie in one array, `countWidth` for each group: they add up
 * over units and threads. Groups are named by the ids of their dimension values; a time bucket is its own id.
 */

/** Where each count of a group lies. What they count is told in ../metrics.ts. */
export const counts = {
  visits: 0,
  pageviews: 1,
  events: 2,
  started: 3,
  bounces: 4,
  engaged: 5,
  durationMs: 6,
  foregroundMs: 7,
  exits: 8,
  scrollSum: 9,
  scrollPairs: 10,
  visitors: 11,
  newVisitors: 12,
  pagePairs: 13,
} as const
export const countWidth = 14
/** All of them: what parts of a question have counted of other visitors adds up in each. */
export const countNames = Object.keys(counts) as (keyof typeof counts)[]

/** Ids of the values of dimensions, the same over all tables. */
const createValueIds = () => {
  const ids = new Map<string, number>()
  const values: string[] = []
  const byTexts = new WeakMap<readonly string[], Uint32Array>()
  const idOf = (value: string): number => {
    let id = ids.get(value)
    if (id === undefined) {
      id = values.push(value) - 1
      ids.set(value, id)
    }
    return id
  }
  return {
    values,
    idOf,
    /** Id + 1 by code, 0 where it was not asked for yet. */
    mapOf(texts: readonly string[]): Uint32Array {
      const map = byTexts.get(texts) ?? new Uint32Array(texts.length)
      byTexts.set(texts, map)
      return map
    },
  }
}
export type ValueIds = ReturnType<typeof createValueIds>

/** Texts whose ids are kept for the next question: some 10 MB. */
const mostKept = 65_536
let kept = createValueIds()

/**
 * Ids for a question. They stay the same over questions, as do the dictionaries of closed days that are kept decoded: so each text of
 * these is looked up once, not once for each question. With too many texts, the next question begins anew.
 */
const idsOfTexts = (): ValueIds => {
  if (kept.values.length > mostKept) kept = createValueIds()
  return kept
}

export const tooManyGroups = (most: number) =>
  badQuery('dimensions', `they make more than ${most} groups; narrow the range, filter, or take fewer dimensions`)

type TallyPlan = {
  dimensions: readonly string[]
  /** Place of the time dimension among them, -1 without one. */
  timeAt: number
  buckets: Buckets | undefined
  keep: ReadonlySet<string> | undefined
  room: Room
  mostGroups: number
}

const firstGroups = 64

export const createTally = ({ dimensions, timeAt, buckets, keep, room, mostGroups }: TallyPlan) => {
  const ids: ValueIds[] = dimensions.map(idsOfTexts)
  const joins = dimensions.slice(1).map(() => createPlaces(room))
  const keys: string[] = []
  const values: (readonly string[])[] = []
  const valueIds: (readonly number[])[] = []
  const tails = new Map<number, number>()
  let byPlace = new Int32Array(firstGroups).fill(-1)

  const tally = {
    ids,
    /** The groups that are not kept, together: one for each time bucket. */
    tailOf: (bucket: number): number => tailOf(bucket),
    counts: new Float64Array(firstGroups * countWidth),
    bucketOf: new Int32Array(firstGroups),
    isTail: new Uint8Array(firstGroups),
    /** Visit that was counted last in a group, as visit and as start. */
    lastVisit: new Int32Array(firstGroups).fill(-1),
    lastStart: new Int32Array(firstGroups).fill(-1),
    groups: 0,
    keys,
    values,
    /** The group of some values, given by their ids. */
    groupOf(of: readonly number[]): number {
      const place = placeOf(of)
      if (place >= byPlace.length) byPlace = longer(byPlace, Math.max(place + 1, 2 * byPlace.length), -1)
      const found = byPlace[place]!
      if (found >= 0) return found
      const made = make(of)
      byPlace[place] = made
      return made
    },
    /** As `groupOf`, where there is one dimension. */
    groupOfOne(id: number): number {
      const found = id < byPlace.length ? byPlace[id]! : -1
      return found >= 0 ? found : tally.groupOf([id])
    },
    /** The group of the same values in another time bucket. */
    inBucket(group: number, bucket: number): number {
      if (tally.bucketOf[group] === bucket) return group
      if (tally.isTail[group] === 1) return tailOf(bucket)
      return tally.groupOf(valueIds[group]!.map((id, i) => (i === timeAt ? bucket : id)))
    },
  }

  const placeOf = (of: readonly number[]): number => {
    if (of.length === 0) return 0
    let place = of[0]!
    for (let i = 1; i < of.length; i++) place = joins[i - 1]!.placeOf(pairOf(place, of[i]!))
    return place
  }

  const make = (of: readonly number[]): number => {
    const bucket = timeAt < 0 ? -1 : of[timeAt]!
    const texts = of.map((id, i) => (i === timeAt ? String(id) : ids[i]!.values[id]!))
    const key = keyOf(texts)
    if (keep && !keep.has(key)) return tailOf(bucket)
    if (tally.groups >= mostGroups) throw tooManyGroups(mostGroups)
    if (timeAt >= 0) texts[timeAt] = buckets!.labels[bucket]!
    return add(key, texts, of, bucket, false)
  }

  const tailOf = (bucket: number): number => {
    const known = tails.get(bucket)
    if (known !== undefined) return known
    const texts = dimensions.map((_, i) => (i === timeAt ? buckets!.labels[bucket]! : other))
    const made = add('', texts, [], bucket, true)
    tails.set(bucket, made)
    return made
  }

  const add = (key: string, texts: readonly string[], of: readonly number[], bucket: number, isTail: boolean): number => {
    room.take(sizes.group + 2 * key.length)
    const group = tally.groups++
    if (group >= tally.bucketOf.length) grow(2 * tally.bucketOf.length)
    keys.push(key)
    values.push(texts)
    valueIds.push(timeAt < 0 ? [] : [...of])
    tally.bucketOf[group] = bucket
    tally.isTail[group] = isTail ? 1 : 0
    return group
  }

  const grow = (groups: number): void => {
    tally.counts = longer(tally.counts, groups * countWidth, 0)
    tally.bucketOf = longer(tally.bucketOf, groups, 0)
    tally.isTail = longer(tally.isTail, groups, 0)
    tally.lastVisit = longer(tally.lastVisit, groups, -1)
    tally.lastStart = longer(tally.lastStart, groups, -1)
  }

  return tally
}
export type Tally = ReturnType<typeof createTally>

type Grown = Float64Array | Int32Array | Uint8Array
const longer = <A extends Grown>(old: A, length: number, fill: number): A => {
  const made = new (old.constructor as new (length: number) => A)(length)
  if (fill !== 0) made.fill(fill, old.length)
  made.set(old)
  return made
}
