/** How far an answer reaches: what rollup has taken of the hits log, against what the log holds. */

/** One partition: the greatest hits offset taken, and the log as it stood after that was read. */
export type Standing = {
  /** Greatest hits offset taken (−1 = none) and log time then; undefined = there is no state at all. */
  fence: { src: number; logTime: number } | undefined
  ends: { earliest: number; end: number }
  /** Append time of the oldest record not taken that the log still holds. */
  oldest: number | undefined
  /** The state had taken more before: it was lost or set back, and is being folded again. */
  isSetBack?: boolean
  /** The log is another one than the state is of: it was made anew. */
  isOther?: boolean
}

export type Freshness = {
  asOf: number
  lagMs: number
  pendingRecords: number
  pendingMs: number
  /** Data from this instant on may be missing, because state or log was lost or is behind what was answered before. */
  incompleteSince: number | undefined
}

/** Offset of the oldest record not taken that can still be read; undefined = caught up, or the log holds less than was taken. */
export const oldestPending = ({ fence, ends }: Pick<Standing, 'fence' | 'ends'>): number | undefined => {
  const next = Math.max(fence ? fence.src + 1 : 0, ends.earliest)
  return next < ends.end ? next : undefined
}

/** Freshness of one partition. `now` was taken before the log was asked, so all that was durable then is in what stood. */
export const freshnessOf = ({ fence, ends, oldest, isSetBack = false, isOther = false }: Standing, now: number): Freshness => {
  if (isOther) return behind(fence?.logTime ?? now, now, ends.end - ends.earliest, fence?.logTime ?? now)
  const next = fence ? fence.src + 1 : 0
  if (fence && next > ends.end) {
    // The log was made anew or lost its end: what it holds now was never taken, and what it lost is not coming.
    return behind(fence.logTime, now, ends.end - ends.earliest, fence.logTime)
  }
  if (next >= ends.end) return { asOf: now, lagMs: 0, pendingRecords: 0, pendingMs: 0, incompleteSince: undefined }
  const records = ends.end - next
  const isFresh = !fence || fence.src < 0
  // Trimmed beyond what was taken (it waits in `events`): only the log time of the last one taken is certain.
  if (!isFresh && next < ends.earliest) return behind(fence.logTime, now, records, isSetBack ? fence.logTime : undefined)
  // State that has taken nothing beside a log that was taken from before: it was lost, whoever looked at it before.
  const since = oldest ?? now
  return behind(since, now, records, !fence || isSetBack || (isFresh && ends.earliest > 0) ? since : undefined)
}

const behind = (since: number, now: number, records: number, incompleteSince: number | undefined): Freshness => {
  const asOf = Math.min(since, now)
  return { asOf, lagMs: now - asOf, pendingRecords: records, pendingMs: now - asOf, incompleteSince }
}

/** The least fresh of several partitions speaks for all; what is pending adds up. */
export const together = (all: readonly Freshness[]): Freshness =>
  all.reduce((a, b) => ({
    asOf: Math.min(a.asOf, b.asOf),
    lagMs: Math.max(a.lagMs, b.lagMs),
    pendingRecords: a.pendingRecords + b.pendingRecords,
    pendingMs: Math.max(a.pendingMs, b.pendingMs),
    incompleteSince:
      a.incompleteSince === undefined || b.incompleteSince === undefined
        ? (a.incompleteSince ?? b.incompleteSince)
        : Math.min(a.incompleteSince, b.incompleteSince),
  }))

/** An instant of meta: UTC with milliseconds. */
export const isoTime = (t: number): string => new Date(t).toISOString()
