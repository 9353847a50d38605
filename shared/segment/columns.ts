import { growingCodes, growingNumbers } from './growing.ts'
import type { ColumnHead } from './head.ts'
import { toPlanes, widthOf } from './planes.ts'
import { createDictionary, type Dictionary } from './texts.ts'

/** Columns while rows come, and what becomes of them: how each is kept follows from its values, once all are there. */

/** A column that is all there: its head, and the raw bytes of its values `[from, to)`. */
export type Built = { head: ColumnHead; raw(from: number, to: number): Buffer }

/** An absent value, while rows come. */
const absent = Number.NaN

export const createNumberColumn = (name: string) => {
  const list = growingNumbers()
  let least = Number.POSITIVE_INFINITY
  let greatest = Number.NEGATIVE_INFINITY
  let nullable = false
  return {
    push(value: number | undefined): void {
      if (value === undefined) {
        nullable = true
        list.push(absent)
        return
      }
      if (value < least) least = value
      if (value > greatest) greatest = value
      list.push(value)
    },
    /** Ends the column. Nothing where all values are absent. */
    done(): Built[] {
      if (greatest < least) return []
      const base = nullable ? least - 1 : least
      const width = greatest === base ? 0 : widthOf(greatest - base)
      // NaN, an absent value, stays what it is, and becomes 0 where bytes are taken of it.
      if (width > 0) list.change((value) => value - base)
      return [{ head: { name, kind: 'number', base, nullable, width }, raw: (from, to) => toPlanes(list.slice(from, to), width) }]
    },
  }
}

/** Dictionaries by name: columns may share one. */
export const createDictionaries = () => {
  const all = new Map<string, Dictionary>()
  return {
    all,
    named(name: string): Dictionary {
      const known = all.get(name)
      if (known) return known
      const dictionary = createDictionary()
      all.set(name, dictionary)
      return dictionary
    },
  }
}
export type Dictionaries = ReturnType<typeof createDictionaries>

/** What dictionaries have become: their texts, and the last code of each that was given. */
export type Finals = ReadonlyMap<string, { texts: string[]; final: Uint32Array }>

export const createTextColumn = (name: string, dictionaryName: string, dictionaries: Dictionaries) => {
  const dictionary = dictionaries.named(dictionaryName)
  const list = growingCodes()
  let last = -1
  let repeated = 0
  return {
    push(text: string | undefined): void {
      const code = dictionary.codeOf(text)
      if (code === last) repeated++
      last = code
      list.push(code)
    },
    /** Ends the column. Nothing where all texts are absent. */
    done(finals: Finals): Built[] {
      const { texts, final } = finals.get(dictionaryName)!
      if (repeated >= list.length - 1) return last <= 0 ? [] : [constantText(name, dictionaryName, final[last]!)]
      const repeats = texts.length > 255 && repeated >= list.length * repeatShare
      const width = widthOf(texts.length + (repeats ? 1 : 0))
      list.change((code) => final[code]!)
      const raw = (from: number, to: number) => {
        const codes = list.slice(from, to)
        return toPlanes(repeats ? withoutRepeats(codes) : codes, width)
      }
      return [{ head: textHead(name, dictionaryName, width, repeats), raw }]
    },
  }
}

/** Where at least this share of codes is that of the row before, it is worth saying so: as the page of an update is that of its pageview. */
const repeatShare = 0.25

/** 0 = the same as the row before (before the first: absent), else the code plus 1. */
const withoutRepeats = (codes: Uint32Array): Uint32Array => {
  const stored = new Uint32Array(codes.length)
  for (let i = 0; i < codes.length; i++) stored[i] = codes[i] === (i === 0 ? 0 : codes[i - 1]!) ? 0 : codes[i]! + 1
  return stored
}

export const textHead = (name: string, dictionary: string, width: number, repeats = false): ColumnHead => ({
  name,
  kind: 'text',
  dictionary,
  base: 0,
  repeats,
  width,
})

const constantText = (name: string, dictionary: string, code: number): Built => ({
  head: { name, kind: 'text', dictionary, base: code, repeats: false, width: 0 },
  raw: () => Buffer.alloc(0),
})

/** Hashes of visitors, sorted: `starts` says with which hash each group begins. */
export const builtHashes = (name: string, sorted: Float64Array, edges: readonly number[], starts: readonly number[]): Built => {
  const distances = new Float64Array(sorted.length)
  let most = 0
  for (let group = 0; group < edges.length - 1; group++) {
    let before = starts[group]!
    for (let i = edges[group]!; i < edges[group + 1]!; i++) {
      distances[i] = sorted[i]! - before
      before = sorted[i]!
      most = Math.max(most, distances[i]!)
    }
  }
  const width = widthOf(most)
  return { head: { name, kind: 'hash', width }, raw: (from, to) => toPlanes(distances.subarray(from, to), width) }
}
