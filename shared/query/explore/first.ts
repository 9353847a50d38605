/** The first few of many in an order, without sorting the many: anyone can send hits of a million pages that do not exist. */
export const firstOf = <T>(list: Iterable<T>, most: number, compare: (a: T, b: T) => number): T[] => {
  const first: T[] = []
  for (const one of list) {
    if (first.length === most && compare(one, first[most - 1]!) >= 0) continue
    let at = first.length
    while (at > 0 && compare(one, first[at - 1]!) < 0) at--
    first.splice(at, 0, one)
    if (first.length > most) first.pop()
  }
  return first
}
