/** Every limit of a query, in one place; docs/plausible.md repeats them for users. */
export const queryLimits = {
  bodyBytes: 64_000,
  metrics: 20,
  dimensions: 3,
  filterDepth: 10,
  filterLeaves: 100,
  valuesPerFilter: 1_000,
  valueLength: 2_000,
  propKeyLength: 300,
  /** A pattern's text, and the instructions it compiles to: matching one value costs at most their product with its length. */
  patternLength: 500,
  patternProgram: 1_000,
  /** Answers of a pattern kept per query, so that a page seen a million times is matched once. */
  patternMemo: 50_000,
  /** Rows of one answer. */
  pageRows: 10_000,
  /** Groups of one answer before paging; the tail beyond is `(other)`, exactly. */
  groups: 100_000,
  /** Time buckets of one answer. */
  buckets: 10_000,
  rangeDays: 5_000,
  rangeMonths: 100,
  /** A question that takes longer is given up (`timeout`). */
  timeMs: 20_000,
  /** The event loop is let go at least this often while a question is worked on. */
  sliceMs: 10,
  ledgerDays: 400,
} as const
