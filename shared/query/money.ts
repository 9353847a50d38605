/** Exact money: integers of 1/10,000 of the currency unit, as BigInt; decimal text only at the very end, never a float. */

/** One currency of a group: the sum, and how many hits brought it. */
export type MoneySum = { amount: bigint; hits: number }
export type Money = { value: string; currency: string }

const unit = 10_000n
const fractionDigits = 4
const digitsOf = new Map<string, number>()

/** Decimals that a currency is usually written with (EUR 2, JPY 0, KWD 3). */
const usualDigits = (currency: string): number => {
  let digits = digitsOf.get(currency)
  if (digits === undefined) {
    digits = Math.min(
      new Intl.NumberFormat('en', { style: 'currency', currency }).resolvedOptions().maximumFractionDigits ?? 2,
      fractionDigits,
    )
    digitsOf.set(currency, digits)
  }
  return digits
}

/** `12.99`: at least the currency's usual decimals, more only where the amount has them. */
export const decimal = (amount: bigint, currency: string): string => {
  const size = amount < 0n ? -amount : amount
  const digits = String(size % unit).padStart(fractionDigits, '0')
  let length = fractionDigits
  while (length > usualDigits(currency) && digits[length - 1] === '0') length--
  return `${amount < 0n ? '-' : ''}${size / unit}${length > 0 ? `.${digits.slice(0, length)}` : ''}`
}

/** `amount / n`, rounded half away from zero to 1/10,000 of the unit. */
export const divided = (amount: bigint, n: number): bigint => {
  const by = BigInt(n)
  const size = amount < 0n ? -amount : amount
  const rounded = (size * 2n + by) / (by * 2n)
  return amount < 0n ? -rounded : rounded
}
