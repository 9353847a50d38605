import type { Needs } from '../metrics.ts'
import type { Room } from '../room.ts'
import { createPlaces, pairOf } from './numbers.ts'
import { counts as at, countWidth, type Tally } from './tally.ts'

/** Whether a visitor (by hash) is new in the days of a time bucket (-1 = of the whole range). */
export type IsNew = (vis: number, bucket: number) => boolean

const [firstVisitors, firstPairs] = [1_024, 1_024]

/**
 * Who was counted in which group, and which pages of whom, in one range of visitors; those of another range are others.
 *
 * Pairs of visitor and group are written down as they come, and told apart when their range is done: sorted by visitor, a pair is there
 * again where its group was seen last with the same visitor. That touches memory in order; to look each pair up in a set as it comes takes
 * three times as long, for the sets of a range do not fit the processor's nearest cache.
 */
export const createDistinct = (tally: Tally, needs: Needs, isOneGroup: boolean, room: Room) => {
  const visitors = createPlaces(room)
  const pages = createPlaces(room)
  const pagesInGroups = createPlaces(room)
  const paths = new Map<string, number>()
  /** Hash of each visitor, by place. */
  let hashes = new Float64Array(firstVisitors)
  /** Place and group of each pair. */
  let pairPlaces = new Uint32Array(firstPairs)
  let pairGroups = new Uint32Array(firstPairs)
  /** The groups of all pairs, those of the first visitor first; and where those of each visitor end. */
  let sortedGroups = new Uint32Array(firstPairs)
  let ends = new Uint32Array(firstVisitors)
  let pairs = 0
  /** Of each group the visitor that was seen in it last, by a number that no other one has. */
  let lastVisitor = new Uint32Array(0)
  let serial = 0
  let all = 0
  let isNew: IsNew = () => false

  const count = (group: number, vis: number): void => {
    tally.counts[group * countWidth + at.visitors]!++
    if (needs.firstDays && isNew(vis, tally.bucketOf[group]!)) tally.counts[group * countWidth + at.newVisitors]!++
  }

  const noteHash = (place: number, vis: number): void => {
    if (place === hashes.length) {
      room.take(visitorBytes * hashes.length)
      hashes = twice(hashes)
      ends = new Uint32Array(hashes.length)
    }
    hashes[place] = vis
  }

  const growPairs = (): void => {
    room.take(pairBytes * pairs)
    pairPlaces = twice(pairPlaces)
    pairGroups = twice(pairGroups)
    sortedGroups = new Uint32Array(pairGroups.length)
  }

  const sortPairs = (): void => {
    ends.fill(0, 0, visitors.size)
    for (let pair = 0; pair < pairs; pair++) ends[pairPlaces[pair]!]!++
    let begin = 0
    for (let place = 0; place < visitors.size; place++) {
      const own = ends[place]!
      ends[place] = begin
      begin += own
    }
    // Each pair that is put where its visitor's begin moves that on, at last to their end.
    for (let pair = 0; pair < pairs; pair++) sortedGroups[ends[pairPlaces[pair]!]!++] = pairGroups[pair]!
  }

  /** Counts each visitor in each group it was seen in. */
  const countPairs = (): void => {
    if (pairs === 0) return
    if (lastVisitor.length < tally.groups) lastVisitor = new Uint32Array(2 * tally.groups)
    sortPairs()
    let pair = 0
    for (let place = 0; place < visitors.size; place++) {
      serial++
      for (const end = ends[place]!; pair < end; pair++) {
        const group = sortedGroups[pair]!
        if (lastVisitor[group] === serial) continue
        lastVisitor[group] = serial
        count(group, hashes[place]!)
      }
    }
  }

  const distinct = {
    /** The place of a visitor among those of the range; who is seen first is counted among all. */
    placeOf(vis: number): number {
      const { size } = visitors
      const place = visitors.placeOf(vis)
      if (place === size) {
        all++
        // Where there is one group, whoever is seen first is new in it too.
        if (isOneGroup) count(0, vis)
        else noteHash(place, vis)
      }
      return place
    },
    /** Counts a visitor, by its place, in a group, if it was not. */
    visitor(group: number, place: number): void {
      if (isOneGroup) return
      if (pairs === pairPlaces.length) growPairs()
      pairPlaces[pairs] = place
      pairGroups[pairs++] = group
    },
    /** Counts a page of a visitor in a group, if it was not. */
    page(group: number, place: number, path: number): void {
      const { size } = pagesInGroups
      if (pagesInGroups.placeOf(pairOf(pages.placeOf(pairOf(place, path)), group)) === size)
        tally.counts[group * countWidth + at.pagePairs]!++
    },
    pathOf(path: string): number {
      const known = paths.get(path)
      if (known !== undefined) return known
      paths.set(path, paths.size)
      return paths.size - 1
    },
    /** Distinct visitors of all groups together. */
    all: () => all,
    /** Begins a unit. */
    begin(isNewOne: IsNew): void {
      isNew = isNewOne
    },
    /** Ends a range: counts who was seen, and forgets it. All visitors that come from now on are others. */
    next(): void {
      countPairs()
      pairs = 0
      for (const places of [visitors, pages, pagesInGroups]) places.clear()
    },
  }
  return distinct
}
export type Distinct = ReturnType<typeof createDistinct>

const [pairBytes, visitorBytes] = [12, 12]

const twice = <A extends Float64Array | Uint32Array>(old: A): A => {
  const made = new (old.constructor as new (length: number) => A)(2 * old.length)
  made.set(old)
  return made
}
