import { perCent } from '../metrics.ts'
import { byCodePoint, other } from '../names.ts'
import { firstOf } from './first.ts'
import { eachJourney, type Journeys, type Turn } from './journeys.ts'

/**
 * Counts paths: the steps of each visit as a tree, level by level.
 *
 * A path is what a visit's hits show (pages, or events) after its first hit at the anchor, or, backwards, before its last one; without an
 * anchor from its first hit in the range on, or from its last one back. What is the same several times in a row is one step, the anchor
 * too. Hits of one millisecond stay in the order in which they came.
 *
 * Of each level the nodes with the most visits are kept; the rest is `(other)` below its parent, exactly, and is not followed any further.
 */

/** What a hit of a path is: bit 0 = it is at the anchor; above it 0 = it is no step, else the number of its text + 1. One journey a visit. */
export const whatOf = (step: number, isAnchor: boolean): number => ((step + 1) << 1) | Number(isAnchor)

export type PathRules = { steps: number; most: number; anchored: boolean; backwards: boolean }
export type PathHits = { journeys: Journeys; texts: readonly string[] }

/** `ends` = visits whose path ends here. On the last level the others go on unseen. */
export type PathNode = { value: string | null; other?: true; visits: number; share: number | null; ends: number; children: PathNode[] }
export type PathNumbers = { root: PathNode; levels: { level: number; visits: number; ends: number }[] }

/** Paths one after the other: `texts` of path p from `p * steps`; a length over `steps` only says that it goes on. */
type Paths = { size: number; lengths: Uint8Array; texts: Int32Array }

const pathBytes = 5
const nodeBytes = 300
/** Some milliseconds. */
const pathsPerTurn = 50_000

/** The tree of the paths of all visits. */
export const countPaths = async (
  { journeys, texts }: PathHits,
  rules: PathRules,
  anchor: string | null,
  turn: Turn,
): Promise<PathNumbers> => {
  const paths = await pathsOf(journeys, rules, turn)
  const { size, lengths } = paths
  const root = nodeOf(anchor, size, size)
  for (let p = 0; p < size; p++) if (lengths[p] === 0) root.ends++
  /** Where each path stands: a kept node of the level before, or −1 where it is not followed. */
  const at = new Int32Array(size)
  let parents = [root]
  for (let level = 1; level <= rules.steps && parents.length > 0; level++)
    parents = await growLevel({ paths, texts, at, parents, level, rules, all: size }, turn)
  // A level whose visits are all in an `(other)` has no nodes of its own, but a sum.
  const levels = Array.from({ length: rules.steps }, (_, i) => ({ level: i + 1, ...levelOf(paths, i + 1) }))
  return { root, levels: levels.filter(({ visits }) => visits > 0) }
}

const nodeOf = (value: string | null, visits: number, all: number): PathNode => ({
  value,
  visits,
  share: perCent(visits, all),
  ends: 0,
  children: [],
})

const levelOf = ({ size, lengths }: Paths, level: number): { visits: number; ends: number } => {
  let [visits, ends] = [0, 0]
  for (let p = 0; p < size; p++) {
    if (lengths[p]! >= level) visits++
    if (lengths[p] === level) ends++
  }
  return { visits, ends }
}

/** What paths show after the anchor. */
const pathsOf = async (journeys: Journeys, { steps, anchored, backwards }: PathRules, turn: Turn): Promise<Paths> => {
  let visits = 0
  for (let i = 0; i < journeys.size; i++) visits = Math.max(visits, journeys.who[i]! + 1)
  turn.room.take(visits * (pathBytes + 4 * steps + 4))
  const paths: Paths = { size: 0, lengths: new Uint8Array(visits), texts: new Int32Array(visits * steps) }
  const inOrderOfComing = (): number => 0
  await eachJourney(journeys, inOrderOfComing, turn, (order, from, to) => {
    let began = !anchored
    let before = 0
    let length = 0
    for (let n = 0; n < to - from && length <= steps; n++) {
      const what = journeys.what[order[backwards ? to - 1 - n : from + n]!]!
      const step = what >> 1
      if (!began) {
        began = (what & 1) === 1
        before = step
      } else if (step > 0 && step !== before) {
        if (length < steps) paths.texts[paths.size * steps + length] = step - 1
        before = step
        length++
      }
    }
    if (!began) return
    paths.lengths[paths.size] = length
    paths.size++
  })
  return paths
}

type Level = {
  paths: Paths
  texts: readonly string[]
  at: Int32Array
  parents: PathNode[]
  level: number
  rules: PathRules
  /** Visits of the root. */
  all: number
}

/** A text below a parent: the nodes of a level before it is cut. `node` = its number among those that are kept, or −1. */
type Candidate = { parent: number; text: number; visits: number; ends: number; node: number }

/** Gives each kept node its children, and moves the paths on. What is returned are the nodes that are followed. */
const growLevel = async (grown: Level, { room, pause }: Turn): Promise<PathNode[]> => {
  const { paths, texts, at, level, rules } = grown
  const candidates = new Map<number, Candidate>()
  const textOf = (p: number): number => paths.texts[p * rules.steps + level - 1]!
  const keyOf = (p: number): number => at[p]! * texts.length + textOf(p)
  for (let p = 0; p < paths.size; p++) {
    if (p % pathsPerTurn === 0) await pause()
    if (at[p]! < 0) continue
    const length = paths.lengths[p]!
    if (length < level) {
      at[p] = -1
      continue
    }
    const key = keyOf(p)
    let candidate = candidates.get(key)
    if (!candidate) {
      room.take(nodeBytes)
      candidate = { parent: at[p]!, text: textOf(p), visits: 0, ends: 0, node: -1 }
      candidates.set(key, candidate)
    }
    candidate.visits++
    if (length === level) candidate.ends++
  }
  const nodes = keepNodes(candidates.values(), grown)
  for (let p = 0; p < paths.size; p++) {
    if (p % pathsPerTurn === 0) await pause()
    if (at[p]! >= 0) at[p] = candidates.get(keyOf(p))!.node
  }
  room.give(nodeBytes * candidates.size)
  return nodes
}

/** The most visited nodes, written below their parents, and behind them what each parent has besides. */
const keepNodes = (candidates: Iterable<Candidate>, { texts, parents, rules, all }: Level): PathNode[] => {
  const list = [...candidates]
  const kept = firstOf(
    list,
    rules.most,
    (a, b) => b.visits - a.visits || byCodePoint(texts[a.text]!, texts[b.text]!) || a.parent - b.parent,
  )
  const nodes = kept.map((candidate, i) => {
    const { text, visits, ends, parent } = candidate
    candidate.node = i
    const node = { ...nodeOf(texts[text]!, visits, all), ends }
    parents[parent]!.children.push(node)
    return node
  })
  const rests = new Map<number, { visits: number; ends: number }>()
  for (const { parent, visits, ends, node } of list) {
    if (node >= 0) continue
    const rest = rests.get(parent) ?? { visits: 0, ends: 0 }
    rests.set(parent, { visits: rest.visits + visits, ends: rest.ends + ends })
  }
  for (const [parent, { visits, ends }] of rests) parents[parent]!.children.push({ ...nodeOf(other, visits, all), other: true, ends })
  return nodes
}
