/**
 * Lists of numbers that grow: rows come one after the other, and a million of them must not be a million objects. They lie in blocks, since
 * one array that doubles would be copied each time, and memory that comes and goes beside the heap makes the collector walk all of it.
 */

type Numbers = Float64Array | Uint32Array
export type Growing<A extends Numbers> = {
  readonly length: number
  push(value: number): void
  at(i: number): number
  /** A copy of some of them. */
  slice(from: number, to: number): A
  /** Puts another value in the place of each. */
  change(to: (value: number) => number): void
}

const blockLength = 65_536
const firstLength = 64

const growing = <A extends Numbers>(make: (length: number) => A): Growing<A> => {
  let last = make(firstLength)
  const blocks = [last]
  let used = 0

  const grow = (): void => {
    if (last.length === blockLength) {
      last = make(blockLength)
      blocks.push(last)
      used = 0
      return
    }
    const longer = make(2 * last.length)
    longer.set(last)
    last = longer
    blocks[0] = last
  }

  return {
    get length() {
      return (blocks.length - 1) * blockLength + used
    },
    push(value) {
      if (used === last.length) grow()
      last[used++] = value
    },
    at: (i) => blocks[Math.floor(i / blockLength)]![i % blockLength]!,
    slice(from, to) {
      const copy = make(to - from)
      for (let at = from; at < to; ) {
        const start = at % blockLength
        const end = Math.min(blockLength, start + to - at)
        copy.set(blocks[(at - start) / blockLength]!.subarray(start, end), at - from)
        at += end - start
      }
      return copy
    },
    change(to) {
      for (const block of blocks) {
        const end = block === last ? used : blockLength
        for (let i = 0; i < end; i++) block[i] = to(block[i]!)
      }
    },
  }
}

export const growingNumbers = () => growing((length) => new Float64Array(length))
export const growingCodes = () => growing((length) => new Uint32Array(length))
