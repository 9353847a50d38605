/**
 * sessions — enrich's fenced state: the latest session per visitor, known hit ids, highest import lines. A crash may set it back,
 * always state and fence together; it is a cache of the log.
 */

/** Where a partition stands: `next` hits offset to take, `ev` events offset that the next result must get. */
export type EnrichFence = {
  gen: number
  /** Identity of the hits topic that `next` counts in. */
  topic: string
  next: number
  ev: number
  /** Running maximum of the append times taken so far, ms UTC. */
  logTime: number
  /** `restore` while the state is being folded anew from the log. */
  mode: '' | 'restore'
}

export type SessionKey = { site: string; key: string }
/** `state` is packed by the domain; `lt` is the log time of the record that last touched it. */
export type HeldSession = { state: string; lt: number }
export type HitId = { site: string; id: string }
export type ImportSource = { site: string; source: string }

export type EnrichState = {
  fence: EnrichFence | undefined
  /** Same order and length as asked; undefined = not held. */
  sessions: (HeldSession | undefined)[]
  /** Log time (ms) of the record that first brought the id. */
  ids: (number | undefined)[]
  lines: (number | undefined)[]
}

export type EnrichChange = {
  sessions: (SessionKey & HeldSession)[]
  dropped: SessionKey[]
  ids: (HitId & { lt: number })[]
  lines: (ImportSource & { line: number })[]
}

/** Rows that are older than these log times count as absent already; sweeping them changes no answer. */
export type SweepHorizon = { sessionsBefore: number; idsBefore: number }

export type Sessions = {
  /** Fence and state in one atomic read. */
  load(partition: number, sessions: readonly SessionKey[], ids: readonly HitId[], sources: readonly ImportSource[]): Promise<EnrichState>
  /**
   * Writes the fence when there is none, or when it equals `instead` (gen, next, ev): of that one all state is forgotten. Answers the fence
   * that stands afterwards. Atomic.
   */
  init(partition: number, fence: EnrichFence, instead?: EnrichFence): Promise<EnrichFence>
  /** The fence that a crash would leave: older than what was committed last, when commits are written behind. */
  durable(partition: number): Promise<EnrichFence | undefined>
  /** If the stored fence equals `was` (gen, next, ev): writes the change and `now`, all or nothing; else changes nothing: `stale`. */
  commit(partition: number, was: EnrichFence, now: EnrichFence, change: EnrichChange): Promise<'done' | 'stale'>
  /** Removes what is older than the horizon among the next `limit` sessions and ids (it goes round); answers how many went. */
  sweep(partition: number, horizon: SweepHorizon, limit: number): Promise<number>
}
