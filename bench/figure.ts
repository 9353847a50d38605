/** One figure of a benchmark, as printed: one JSON line. `ratio` is value / against, both of one run. */
export type Figure = { name: string; value: number; unit: string; against?: string; ratio?: number }

export const print = ({ value, ratio, ...rest }: Figure): void => {
  const short = (n: number) => Number(n.toPrecision(4))
  process.stdout.write(`${JSON.stringify({ ...rest, value: short(value), ...(ratio === undefined ? {} : { ratio: short(ratio) }) })}\n`)
}

export const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!
