import { queryLimits } from '../limits.ts'
import { type Room, sizes, textBytes } from '../room.ts'

/**
 * Journeys: the hits of each visitor (or visit) in the order of time, as three numbers a hit. It is what lies between reading hits and
 * counting them: whoever reads rows (reading.ts; an engine over columns) fills one, and funnel, paths and retention count from it alone.
 */

/** Of each hit that matters: whose it is (0, 1, …), its time, and what it is, as the exploration writes it into 31 bits. In any order. */
export type Journeys = { size: number; who: Int32Array; when: Float64Array; what: Int32Array }

/** Who questions share the thread with, and what they may hold. */
export type Turn = { room: Room; pause(): Promise<void> | undefined }

const hitBytes = 16
const firstHits = 256

/** Collects hits. What outgrown tables held is given back. */
export const createJourneys = (room: Room): { add(who: number, when: number, what: number): void; done(): Journeys } => {
  const journeys: Journeys = { size: 0, who: new Int32Array(0), when: new Float64Array(0), what: new Int32Array(0) }
  const grow = (): void => {
    const before = journeys.who.length
    const length = Math.max(firstHits, 2 * before)
    room.take(length * hitBytes)
    const who = new Int32Array(length)
    const when = new Float64Array(length)
    const what = new Int32Array(length)
    who.set(journeys.who)
    when.set(journeys.when)
    what.set(journeys.what)
    Object.assign(journeys, { who, when, what })
    room.give(before * hitBytes)
  }
  return {
    add(who, when, what) {
      if (journeys.size === journeys.who.length) grow()
      journeys.who[journeys.size] = who
      journeys.when[journeys.size] = when
      journeys.what[journeys.size] = what
      journeys.size++
    },
    done: () => journeys,
  }
}

/** Numbers for texts, in the order in which they come. `most` = how many there may be, `full` what is thrown then. */
export type Numbered = { of(text: string): number; texts: string[] }
export const createNumbers = (room: Room, most = Number.POSITIVE_INFINITY, full?: () => Error): Numbered => {
  const known = new Map<string, number>()
  const texts: string[] = []
  return {
    texts,
    of(text) {
      let number = known.get(text)
      if (number !== undefined) return number
      if (texts.length >= most && full) throw full()
      room.take(sizes.member + sizes.value + textBytes(text))
      number = texts.push(text) - 1
      known.set(text, number)
      return number
    },
  }
}

/** Compares what two hits of the same millisecond are; without it they stay in the order in which they were added. */
export type Tie = (a: number, b: number) => number

/** One journey: `order[from]` … `order[to - 1]` are its hits, the earliest first. */
type See = (order: Int32Array, from: number, to: number) => void

/** Shows each journey once, in the order of `who`. Others have their turn in between. */
export const eachJourney = async (journeys: Journeys, tie: Tie, { room, pause }: Turn, see: See): Promise<void> => {
  const { size, who, when, what } = journeys
  let people = 0
  for (let i = 0; i < size; i++) people = Math.max(people, who[i]! + 1)
  const bytes = 4 * (people + 1 + size)
  room.take(bytes)
  const ends = new Int32Array(people + 1)
  for (let i = 0; i < size; i++) ends[who[i]! + 1]!++
  for (let i = 0; i < people; i++) ends[i + 1]! += ends[i]!
  // All sorting is stable, and hits lie here in the order in which they were added.
  // Filled from the front, `ends[w]` moves from the start of w to its end: the start of w + 1.
  const order = new Int32Array(size)
  for (let i = 0; i < size; i++) order[ends[who[i]!]!++] = i
  const earlier = (a: number, b: number): number => when[a]! - when[b]! || tie(what[a]!, what[b]!)
  let from = 0
  let since = 0
  for (let w = 0; w < people; w++) {
    const to = ends[w]!
    if (to - from > runLength) await sortLong(order.subarray(from, to), earlier, { room, pause })
    else sortPart(order, from, to, earlier)
    if (to > from) see(order, from, to)
    since += to - from + 1
    from = to
    if (since < hitsPerTurn) continue
    since = 0
    await pause()
  }
  room.give(bytes)
}

/** A hit is sorted and looked at in some hundred nanoseconds: so many take well below a slice. */
const hitsPerTurn = queryLimits.sliceWork / 50

/** Most journeys are a few hits that are in order already. */
const sortPart = (order: Int32Array, from: number, to: number, earlier: (a: number, b: number) => number): void => {
  if (to - from > 64) return void order.subarray(from, to).sort(earlier)
  for (let i = from + 1; i < to; i++) {
    const hit = order[i]!
    let at = i
    while (at > from && earlier(order[at - 1]!, hit) > 0) {
      order[at] = order[at - 1]!
      at--
    }
    order[at] = hit
  }
}

/** What is sorted in one go, within a slice. */
const runLength = 4_096

/** A visitor of a million hits (a robot, an office behind one address) is sorted in runs that are merged, so that others have their turn. */
const sortLong = async (part: Int32Array, earlier: (a: number, b: number) => number, { room, pause }: Turn): Promise<void> => {
  const size = part.length
  for (let from = 0; from < size; from += runLength) {
    part.subarray(from, from + runLength).sort(earlier)
    await pause()
  }
  const bytes = 4 * size
  room.take(bytes)
  const other = new Int32Array(size)
  for (let width = runLength; width < size; width *= 2) {
    for (let from = 0; from < size; from += 2 * width) {
      const [middle, to] = [Math.min(from + width, size), Math.min(from + 2 * width, size)]
      let [left, right] = [from, middle]
      for (let at = from; at < to; at++) {
        const isLeft = left < middle && (right >= to || earlier(part[left]!, part[right]!) <= 0)
        other[at] = part[isLeft ? left++ : right++]!
        if (at % runLength === 0) await pause()
      }
    }
    part.set(other)
  }
  room.give(bytes)
}
