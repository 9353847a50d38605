import { damaged } from './damaged.ts'
import type { DictionaryHead } from './head.ts'
import { fromPlanes, toPlanes } from './planes.ts'

/**
 * Dictionaries: the different texts of one or more columns, sorted by code point. A column holds codes: 0 = absent, 1 = the first text.
 * So texts of one prefix have codes side by side, and a filter that finds its text in no dictionary needs no column at all.
 */

/** While rows come, codes are given in the order of their coming; `done` says which code each has for good. */
export const createDictionary = () => {
  const codes = new Map<string, number>()
  return {
    codeOf(text: string | undefined): number {
      if (text === undefined) return 0
      let code = codes.get(text)
      if (code === undefined) {
        code = codes.size + 1
        codes.set(text, code)
      }
      return code
    },
    /** The texts in order, and for each code that was given (0 too) its last one. */
    done(): { texts: string[]; final: Uint32Array } {
      const texts = sorted([...codes.keys()])
      const final = new Uint32Array(texts.length + 1)
      texts.forEach((text, i) => {
        final[codes.get(text)!] = i + 1
      })
      return { texts, final }
    },
  }
}
export type Dictionary = ReturnType<typeof createDictionary>

/** JavaScript compares UTF-16 units, which is the order of code points but where surrogates meet what lies behind them. */
const sorted = (texts: string[]): string[] => (texts.some((text) => /[\ud800-\uffff]/.test(text)) ? texts.sort(byCodePoint) : texts.sort())

const place = (unit: number): number => (unit < 0xd800 ? unit : unit < 0xe000 ? unit + 0x2000 : unit - 0x800)

export const byCodePoint = (a: string, b: string): number => {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const [one, other] = [a.charCodeAt(i), b.charCodeAt(i)]
    if (one !== other) return place(one) - place(other)
  }
  return a.length - b.length
}

/** The code of a text in a decoded dictionary, 0 when it has none. */
export const codeIn = (texts: readonly string[], text: string): number => {
  let from = 1
  let to = texts.length
  while (from < to) {
    const middle = (from + to) >>> 1
    const order = byCodePoint(texts[middle]!, text)
    if (order === 0) return middle
    if (order < 0) from = middle + 1
    else to = middle
  }
  return 0
}

/** A part ends with the text that reaches one of these: no chunk becomes large, and none is read whole for little. */
const partLimits = { texts: 65_536, units: 262_144 } as const
const lengthWidth = 4

/** A dictionary as parts: the lengths of its texts in UTF-16 units, as planes; then the texts. */
export const toParts = (texts: readonly string[]): { encoding: DictionaryHead['encoding']; parts: { count: number; raw: Buffer }[] } => {
  // A lone half of a surrogate pair has no UTF-8.
  const encoding = texts.every((text) => text.isWellFormed()) ? 'utf8' : 'utf16le'
  const parts: { count: number; raw: Buffer }[] = []
  for (let from = 0; from < texts.length; ) {
    const part = texts.slice(from, partEnd(texts, from))
    const lengths = toPlanes(
      part.map(({ length }) => length),
      lengthWidth,
    )
    parts.push({ count: part.length, raw: Buffer.concat([lengths, Buffer.from(part.join(''), encoding)]) })
    from += part.length
  }
  return { encoding, parts }
}

const partEnd = (texts: readonly string[], from: number): number => {
  let units = 0
  let end = from
  while (end < texts.length && end - from < partLimits.texts && units < partLimits.units) units += texts[end++]!.length
  return end
}

/** Puts the texts of a part behind those that are there. */
export const readPart = (raw: Buffer, count: number, encoding: DictionaryHead['encoding'], into: string[], where: string): void => {
  const lengths = fromPlanes(raw, count, lengthWidth)
  const all = raw.toString(encoding, count * lengthWidth)
  let at = 0
  for (let i = 0; i < count; i++) {
    into.push(all.slice(at, at + lengths[i]!))
    at += lengths[i]!
  }
  if (at !== all.length) throw damaged(where, 'its lengths do not add up')
}
