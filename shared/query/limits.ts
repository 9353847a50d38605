/** Every limit of a query, in one place; docs/plausible.md repeats them for users. */
export const queryLimits = {
  bodyBytes: 64_000,
  metrics: 20,
  dimensions: 3,
  filterDepth: 10,
  filterLeaves: 100,
  valuesPerFilter: 1_000,
  /** Values of all conditions together. */
  values: 10_000,
  valueLength: 2_000,
  propKeyLength: 300,
  /** A pattern's text, and the instructions it and all together compile to: matching one value costs at most their product with its length. */
  patternLength: 500,
  patternProgram: 1_000,
  patternPrograms: 5_000,
  /** Characters of answers of conditions that are kept, so that a page seen a million times is searched once. */
  memoCharacters: 5_000_000,
  /** Rows of one answer. */
  pageRows: 10_000,
  /** Groups of one answer before paging; the tail beyond is `(other)`, exactly. */
  groups: 100_000,
  /** Groups that may come to be while an answer is made; one with more is refused. */
  allGroups: 1_000_000,
  /** Visits (of a day) that are counted one by one; of more, a share of all visitors is counted and the rest estimated. */
  countedVisits: 30_000_000,
  /** Time buckets of one answer. */
  buckets: 10_000,
  rangeDays: 5_000,
  rangeMonths: 100,
  /** A question that takes longer is given up (`timeout`). */
  timeMs: 20_000,
  /** The event loop is let go at least this often while a question is worked on. */
  sliceMs: 10,
  /** Work (about one a character that a filter looks at) after which it is asked whether it is time to. */
  sliceWork: 200_000,
  /** Questions worked on at a time, of all and of one key; others wait so long, and so many of them. */
  running: 4,
  runningPerKey: 2,
  waiting: 64,
  waitingPerKey: 32,
  waitMs: 20_000,
  ledgerDays: 400,
  /** Explorations (docs/explorations.md). */
  funnelSteps: 8,
  stepName: 100,
  windowDays: 366,
  /** Values of a funnel's dimension that are shown; the rest is `(other)`, exactly. */
  funnelValues: 100,
  pathSteps: 10,
  /** Nodes of a level of a tree that are shown, and how many where none is asked for. */
  pathNodes: 50,
  pathNodesDefault: 5,
  retentionPeriods: 120,
  whyRows: 1_000,
  whyRowsDefault: 100,
} as const
