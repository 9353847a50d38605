import type { Identity, Rows, Table } from './table.ts'

/** Which rows of several intervals of a day stand, and whose hits are theirs. */

/** A row group of an interval, by the interval's place among the parts. */
export type Source = { part: number; group: number }
/** Where rows or hits lie: in which source, and where in it. */
export type Positions = { source: Uint16Array; index: Uint32Array }
export type Order = {
  sources: readonly Source[]
  rows: Positions
  hits: Positions
  /** Of the rows that stand, as `Rows` has them. */
  visitors: Float64Array
  firstHit: Uint32Array
}

/** Sorted visitors of one interval, and at which place of the whole each row stands. */
type Run = { visitors: Float64Array; at: Uint32Array }

/** Intervals in the order in which their rows were written. */
export const orderOf = async (parts: readonly Table[]): Promise<Order> => {
  const sources: Source[] = []
  const loaded: Rows[] = []
  const runs: Run[] = []
  let rows = 0
  for (const [n, part] of parts.entries()) {
    const own: Rows[] = []
    for (let group = 0; group < part.groups.length; group++) {
      sources.push({ part: n, group })
      own.push(await part.load(group, ['h.n']))
    }
    loaded.push(...own)
    runs.push(runOf(own, rows))
    rows += own.reduce((sum, one) => sum + one.rows, 0)
  }
  const all = placesOf(loaded, rows)
  const { visitors, at } = mergeRuns(runs)
  const identities = await repeated(visitors, at, all, { sources, parts })
  return standing({ visitors, at, all, sources, loaded, identities })
}

const runOf = (groups: readonly Rows[], from: number): Run => {
  const length = groups.reduce((sum, { rows }) => sum + rows, 0)
  const visitors = new Float64Array(length)
  let at = 0
  for (const group of groups) {
    visitors.set(group.visitors, at)
    at += group.rows
  }
  return { visitors, at: Uint32Array.from({ length }, (_, i) => from + i) }
}

const placesOf = (loaded: readonly Rows[], length: number): Positions => {
  const source = new Uint16Array(length)
  const index = new Uint32Array(length)
  let at = 0
  for (const [n, { rows }] of loaded.entries())
    for (let row = 0; row < rows; row++) {
      source[at] = n
      index[at++] = row
    }
  return { source, index }
}

/** Of equal visitors the rows of earlier intervals stand first. */
const mergeRuns = (runs: readonly Run[]): Run => {
  if (runs.length <= 1) return runs[0] ?? { visitors: new Float64Array(0), at: new Uint32Array(0) }
  const middle = runs.length >> 1
  return mergeTwo(mergeRuns(runs.slice(0, middle)), mergeRuns(runs.slice(middle)))
}

const mergeTwo = (one: Run, other: Run): Run => {
  const length = one.at.length + other.at.length
  const visitors = new Float64Array(length)
  const at = new Uint32Array(length)
  let [i, j] = [0, 0]
  for (let k = 0; k < length; k++) {
    const isFirst = j === other.at.length || (i < one.at.length && one.visitors[i]! <= other.visitors[j]!)
    const run = isFirst ? one : other
    const from = isFirst ? i++ : j++
    visitors[k] = run.visitors[from]!
    at[k] = run.at[from]!
  }
  return { visitors, at }
}

/** Identities of the rows whose visitor has several; where each stands among all rows. */
const repeated = async (
  visitors: Float64Array,
  at: Uint32Array,
  all: Positions,
  { sources, parts }: { sources: readonly Source[]; parts: readonly Table[] },
): Promise<Map<number, Identity>> => {
  const asked = sources.map((): { index: number[]; at: number[] } => ({ index: [], at: [] }))
  for (let i = 0; i < visitors.length; i++) {
    if (visitors[i] !== visitors[i - 1] && visitors[i] !== visitors[i + 1]) continue
    const row = at[i]!
    const own = asked[all.source[row]!]!
    own.index.push(all.index[row]!)
    own.at.push(row)
  }
  const identities = new Map<number, Identity>()
  for (const [n, { part, group }] of sources.entries()) {
    const { index, at } = asked[n]!
    if (index.length === 0) continue
    const found = await parts[part]!.identities(group, index)
    for (const [i, identity] of found.entries()) identities.set(at[i]!, identity)
  }
  return identities
}

type Merging = {
  visitors: Float64Array
  at: Uint32Array
  all: Positions
  sources: readonly Source[]
  loaded: readonly Rows[]
  identities: ReadonlyMap<number, Identity>
}

const standing = ({ visitors, at, all, sources, loaded, identities }: Merging): Order => {
  const hitCount = loaded.reduce((sum, { hits }) => sum + hits, 0)
  const rows: Positions = { source: new Uint16Array(at.length), index: new Uint32Array(at.length) }
  const hits: Positions = { source: new Uint16Array(hitCount), index: new Uint32Array(hitCount) }
  const firstHit = new Uint32Array(at.length + 1)
  const own = new Float64Array(at.length)
  let [row, hit] = [0, 0]

  const put = (visitor: number, winner: number, members: readonly number[]): void => {
    own[row] = visitor
    rows.source[row] = all.source[winner]!
    rows.index[row] = all.index[winner]!
    firstHit[row++] = hit
    for (const member of members) {
      const source = all.source[member]!
      const edges = loaded[source]!.firstHit
      for (let i = edges[all.index[member]!]!; i < edges[all.index[member]! + 1]!; i++) {
        hits.source[hit] = source
        hits.index[hit++] = i
      }
    }
  }

  for (let i = 0; i < at.length; ) {
    let end = i + 1
    while (end < at.length && visitors[end] === visitors[i]) end++
    if (end === i + 1) put(visitors[i]!, at[i]!, [at[i]!])
    else for (const { winner, members } of visitsOf(at.subarray(i, end), identities)) put(visitors[i]!, winner, members)
    i = end
  }
  firstHit[row] = hit
  return {
    sources,
    rows: { source: rows.source.subarray(0, row), index: rows.index.subarray(0, row) },
    hits,
    visitors: own.subarray(0, row),
    firstHit: firstHit.subarray(0, row + 1),
  }
}

/** The visits of one visitor: rows of one id are one, that of the newest offset stands (of equals the later one). */
const visitsOf = (rows: Uint32Array, identities: ReadonlyMap<number, Identity>): Iterable<{ winner: number; members: number[] }> => {
  const visits = new Map<string, { winner: number; off: number; members: number[] }>()
  for (const row of rows) {
    const { id, off } = identities.get(row)!
    const known = visits.get(id)
    if (!known) {
      visits.set(id, { winner: row, off, members: [row] })
      continue
    }
    known.members.push(row)
    if (off < known.off) continue
    known.winner = row
    known.off = off
  }
  return visits.values()
}
