/**
 * Whole numbers as byte planes: all lowest bytes first, then all second ones, … High bytes hardly differ, so they compress to nothing,
 * and a byte order is no question.
 */

export type Numbers = Uint8Array | Uint16Array | Uint32Array | Float64Array

/** Numbers below 2^53 have at most seven bytes. */
export const mostWidth = 7

/** Bytes that the numbers up to `most` take. */
export const widthOf = (most: number): number => {
  let width = 1
  for (let limit = 256; most >= limit; limit *= 256) width++
  return width
}

/** `values` (each ≥ 0 and of at most `width` bytes) as planes. */
export const toPlanes = (values: ArrayLike<number>, width: number): Buffer => {
  const count = values.length
  const planes = Buffer.allocUnsafe(count * width)
  for (let i = 0; i < count; i++) {
    const value = values[i]!
    // Shifts are of 32 bits: what is above goes by division.
    const low = value >>> 0
    planes[i] = low
    if (width === 1) continue
    planes[count + i] = low >>> 8
    if (width > 2) planes[2 * count + i] = low >>> 16
    if (width > 3) planes[3 * count + i] = low >>> 24
    if (width > 4) highPlanes(planes, (value - low) / 2 ** 32, i, count, width)
  }
  return planes
}

const highPlanes = (planes: Buffer, high: number, i: number, count: number, width: number): void => {
  for (let plane = 4; plane < width; plane++) planes[plane * count + i] = high >>> (8 * (plane - 4))
}

/** Numbers of one byte are a view of what is given; others are copied. */
export const fromPlanes = (planes: Buffer, count: number, width: number): Numbers => {
  if (width === 1) return new Uint8Array(planes.buffer, planes.byteOffset, count)
  if (width === 2) return pairs(planes, count)
  const low = lowBytes(planes, count, Math.min(width, 4))
  return width <= 4 ? low : withHigh(low, planes, count, width)
}

const pairs = (planes: Buffer, count: number): Uint16Array => {
  const values = new Uint16Array(count)
  for (let i = 0; i < count; i++) values[i] = planes[i]! | (planes[count + i]! << 8)
  return values
}

const lowBytes = (planes: Buffer, count: number, width: number): Uint32Array => {
  const values = new Uint32Array(count)
  const [second, third, fourth] = [count, 2 * count, 3 * count]
  if (width === 3) for (let i = 0; i < count; i++) values[i] = planes[i]! | (planes[second + i]! << 8) | (planes[third + i]! << 16)
  else
    for (let i = 0; i < count; i++)
      values[i] = planes[i]! | (planes[second + i]! << 8) | (planes[third + i]! << 16) | (planes[fourth + i]! << 24)
  return values
}

const withHigh = (low: Uint32Array, planes: Buffer, count: number, width: number): Float64Array => {
  const values = new Float64Array(count)
  const [fifth, sixth, seventh] = [4 * count, 5 * count, 6 * count]
  for (let i = 0; i < count; i++) {
    let high = planes[fifth + i]!
    if (width > 5) high |= planes[sixth + i]! << 8
    if (width > 6) high |= planes[seventh + i]! << 16
    values[i] = high * 2 ** 32 + low[i]!
  }
  return values
}
