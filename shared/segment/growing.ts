/** Lists of numbers that grow by doubling: rows come one after the other, and a million of them must not be a million objects. */

type Numbers = Float64Array | Uint32Array
type Growing<A extends Numbers> = {
  readonly length: number
  push(value: number): void
  /** A view: it is good until the next push. */
  values(): A
}

const growing = <A extends Numbers>(make: (length: number) => A): Growing<A> => {
  let held = make(64)
  let length = 0
  return {
    get length() {
      return length
    },
    push(value) {
      if (length === held.length) {
        const longer = make(2 * length)
        longer.set(held)
        held = longer
      }
      held[length++] = value
    },
    values: () => held.subarray(0, length) as A,
  }
}

export const growingNumbers = () => growing((length) => new Float64Array(length))
export const growingCodes = () => growing((length) => new Uint32Array(length))
