import type { Needs } from '../metrics.ts'
import type { Room } from '../room.ts'
import { createPlaces, pairOf } from './numbers.ts'
import { counts as at, countWidth, type Tally } from './tally.ts'

/** Whether a visitor (by hash) is new in the days of a time bucket (-1 = of the whole range). */
export type IsNew = (vis: number, bucket: number) => boolean

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
  let all = 0
  let isNew: IsNew = () => false

  const count = (group: number, vis: number): void => {
    tally.counts[group * countWidth + at.visitors]!++
    if (needs.firstDays && isNew(vis, tally.bucketOf[group]!)) tally.counts[group * countWidth + at.newVisitors]!++
  }

  const distinct = {
    /** Counts a visitor in a group, if it was not; gives its place among the visitors. */
    visitor(group: number, vis: number): number {
      const { size } = visitors
      const place = visitors.placeOf(vis)
      if (place === size) {
        all++
        // Where there is one group, whoever is seen first is new in it too.
        if (isOneGroup) count(group, vis)
      }
      if (isOneGroup) return place
      const known = inGroups.size
      if (inGroups.placeOf(pairOf(place, group)) === known) count(group, vis)
      return place
    },
    /** Counts a page of a visitor in a group, if it was not. */
    page(group: number, visitor: number, path: number): void {
      const { size } = pagesInGroups
      if (pagesInGroups.placeOf(pairOf(pages.placeOf(pairOf(visitor, path)), group)) === size)
        tally.counts[group * countWidth + at.pagePairs]!++
    },
    pathOf(path: string): number {
      const known = paths.get(path)
      if (known !== undefined) return known
      paths.set(path, paths.size)
      return paths.size - 1
    },
    /** A visitor whose hit matched, in whatever group. */
    seen(vis: number): void {
      const { size } = visitors
      if (visitors.placeOf(vis) === size) all++
    },
    /** Distinct visitors of all groups together. */
    all: () => all,
    /** Begins the next unit. */
    begin(isNewOne: IsNew): void {
      for (const places of [visitors, inGroups, pages, pagesInGroups]) places.clear()
      isNew = isNewOne
    },
  }
  return distinct
}
export type Distinct = ReturnType<typeof createDistinct>
