/**
 * Row groups: the hashes of visitors are cut into 1, 2, 4, 8 or 16 equal ranges. Their borders are the same in every segment, so what is
 * asked of one range over all days adds up with the other ranges, and one range alone is a fair sample.
 */

const hashes = 2 ** 48
const limits = { rows: 65_536, groups: 16 } as const

export const groupCountFor = (rows: number): number => {
  let groups = 1
  while (groups < limits.groups && rows > groups * limits.rows) groups *= 2
  return groups
}

/** The first hash of a group; of the group behind the last: the end of all hashes. */
export const groupStart = (group: number, groups: number): number => (group * hashes) / groups

/** Where each group begins among sorted hashes, and where the last one ends. */
export const groupEdges = (sorted: ArrayLike<number>, groups: number): number[] =>
  Array.from({ length: groups + 1 }, (_, group) => firstFrom(sorted, groupStart(group, groups)))

const firstFrom = (sorted: ArrayLike<number>, hash: number): number => {
  let from = 0
  let to = sorted.length
  while (from < to) {
    const middle = (from + to) >>> 1
    if (sorted[middle]! < hash) from = middle + 1
    else to = middle
  }
  return from
}

export const hashOf = (text: string): number => Number.parseInt(text, 16)
export const hashText = (hash: number): string => hash.toString(16).padStart(12, '0')
