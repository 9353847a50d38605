import type { Needs } from '../metrics.ts'
import type { Room } from '../room.ts'
import { createPlaces, pairOf } from './numbers.ts'
import { counts as at, countWidth, type Tally } from './tally.ts'

/** Whether a visitor (by hash) is new in the days of a time bucket (-1 = of the whole range). */
export type IsNew = (vis: number, bucket: number) => boolean

/** Groups below it have a bit for each visitor; the first groups that come are the common ones, so most are counted so. */
const bitGroups = 256
const words = bitGroups / 32
const firstVisitors = 1_024

/**
 * Who was counted in which group, and which pages of whom: distinct visitors of a group, and of all, are counted when they are seen first.
 * What is kept is that of one unit; visitors of other units are others.
 */
export const createDistinct = (tally: Tally, needs: Needs, isOneGroup: boolean, room: Room) => {
  const visitors = createPlaces(room)
  const inGroups = createPlaces(room)
  const pages = createPlaces(room)
  const pagesInGroups = createPlaces(room)
  const paths = new Map<string, number>()
  let bits = new Uint32Array(0)
  let all = 0
  let isNew: IsNew = () => false

  const count = (group: number, vis: number): void => {
    tally.counts[group * countWidth + at.visitors]!++
    if (needs.firstDays && isNew(vis, tally.bucketOf[group]!)) tally.counts[group * countWidth + at.newVisitors]!++
  }

  const growBits = (): void => {
    const longer = new Uint32Array(Math.max(firstVisitors * words, 2 * bits.length))
    room.take(4 * (longer.length - bits.length))
    longer.set(bits)
    bits = longer
  }

  /** Whether a visitor is seen in a group for the first time. */
  const isFirst = (group: number, place: number): boolean => {
    if (group >= bitGroups) {
      const { size } = inGroups
      return inGroups.placeOf(pairOf(place, group)) === size
    }
    const word = place * words + (group >>> 5)
    if (word >= bits.length) growBits()
    const bit = 1 << (group & 31)
    if ((bits[word]! & bit) !== 0) return false
    bits[word]! |= bit
    return true
  }

  const distinct = {
    /** The place of a visitor among those of the unit; who is seen first is counted among all. */
    placeOf(vis: number): number {
      const { size } = visitors
      const place = visitors.placeOf(vis)
      if (place === size) {
        all++
        // Where there is one group, whoever is seen first is new in it too.
        if (isOneGroup) count(0, vis)
      }
      return place
    },
    /** Counts a visitor, by its place, in a group, if it was not. */
    visitor(group: number, place: number, vis: number): void {
      if (!isOneGroup && isFirst(group, place)) count(group, vis)
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
    /** Begins the next unit. */
    begin(isNewOne: IsNew): void {
      for (const places of [visitors, inGroups, pages, pagesInGroups]) places.clear()
      room.give(4 * bits.length)
      bits = new Uint32Array(0)
      isNew = isNewOne
    },
  }
  return distinct
}
export type Distinct = ReturnType<typeof createDistinct>
