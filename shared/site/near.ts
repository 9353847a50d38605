/** Names that somebody may have meant: for errors about an unknown field, option or command. */

/** Steps from one word to the other: a letter added, dropped, changed, or two neighbours swapped (optimal string alignment). */
export const editDistance = (a: string, b: string): number => {
  let before: number[] = []
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1]
      let best = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (same ? 0 : 1))
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) best = Math.min(best, before[j - 2]! + 1)
      next.push(best)
    }
    before = row
    row = next
  }
  return row[b.length]!
}

/** The letters alone: `session-timeout`, `sessionTimeout` and `session_timeout` are near. */
const bare = (name: string) => name.toLowerCase().replace(/[^a-z0-9]/g, '')

const nearLimit = 3
const longestName = 60

/** At most three of `names` that are like `name`, the likest first; empty when none is. */
export const near = (name: string, names: readonly string[]): string[] => {
  const wanted = bare(name.slice(0, longestName))
  const allowed = Math.max(1, Math.floor(wanted.length / 3))
  return names
    .map((candidate) => ({
      candidate,
      steps: wanted.length > 2 && bare(candidate).startsWith(wanted) ? 0 : editDistance(wanted, bare(candidate)),
    }))
    .filter(({ steps }) => wanted !== '' && steps <= allowed)
    .sort((a, b) => a.steps - b.steps)
    .slice(0, nearLimit)
    .map(({ candidate }) => candidate)
}
