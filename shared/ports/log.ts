/**
 * log — append durably in order per partition, telling the offsets; read from an offset.
 * Topics: `hits` (collect-hit → enrich-session), `events` (enrich-session → everybody), `dead` (what a handler could not use).
 */
export type Topic = 'hits' | 'events' | 'dead'

/** `time` is the append time (ms UTC) as the log saw it, never decreasing within a partition. */
export type LogRecord = { offset: number; time: number; body: string }

export type ReadLimits = {
  records: number
  /** Characters of all bodies together (bytes, for the ASCII that JSON mostly is). */
  bytes: number
  /** Wait this long for a first record; 0 = answer at once. */
  waitMs: number
  signal?: AbortSignal
}

export type LogEnds = {
  /** Identity of the topic; another one means it was made anew and offsets mean nothing. */
  id: string
  earliest: number
  /** Offset the next record will get. */
  end: number
}

export type LogWriter = {
  /**
   * Appends all bodies at consecutive offsets and answers the first, once they are durable (`hits`) or ordered (`events`, `dead`).
   * Atomic: all or none, unless it throws, which means unknown. Errors: `log-unavailable`, `disk-full` (both retryable).
   */
  append(topic: Topic, partition: number, bodies: readonly string[]): Promise<number>
}

export type LogReader = {
  /** Records from `offset` on, in order; at least one when there is one, whatever its size. */
  read(topic: Topic, partition: number, offset: number, limits: ReadLimits): Promise<LogRecord[]>
  ends(topic: Topic, partition: number): Promise<LogEnds>
  /** Offset of the first record appended at or after `time`; the end when there is none. */
  offsetAt(topic: Topic, partition: number, time: number): Promise<number>
}

export type LogTrimmer = {
  /** Forgets records below `offset`; earlier offsets stay unused for ever. */
  trim(topic: Topic, partition: number, offset: number): Promise<void>
}
