/**
 * An amount of 1/10,000 units (up to 19 digits, more than 64 bits with a sign hold) as two whole numbers, so that a column of them adds
 * up without a BigInt for each: `amount = high × 10^9 + low`, `0 ≤ low < 10^9`. `high` is 0 for everything below 100,000 units.
 */
const unit = 1_000_000_000
const digits = 9

export type Amount = { high: number; low: number }

export const amountOf = (text: string): Amount => {
  const negative = text.startsWith('-')
  const size = negative ? text.slice(1) : text
  const high = Number(size.slice(0, -digits))
  const low = Number(size.slice(-digits))
  if (!negative) return { high, low }
  return low === 0 ? { high: 0 - high, low } : { high: -1 - high, low: unit - low }
}

export const amountText = ({ high, low }: Amount): string => String(BigInt(high) * BigInt(unit) + BigInt(low))
