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

/** How far the log is from forgetting what has not been read yet, where it forgets by age. */
export type Headroom = {
  /** Records between the earliest one and the position. Below 0: so many were forgotten unread. */
  records: number
  /** Time until the record at the position may be forgotten; undefined when nothing will be: it is not written yet, or kept for ever. */
  ms: number | undefined
}

/** What a log that keeps records for a time tells beside. */
export type LogKeeper = {
  /** For an alarm before age takes what was not read. */
  headroom(topic: Topic, partition: number, position: number): Promise<Headroom>
}

export type TopicNames = Readonly<Record<Topic, string>>

export type TopicPlan = {
  partitions: number
  /** On how many machines each record is. */
  copies: number
  /** Topics that are there already may have more partitions than that. */
  mayHaveMore?: boolean
}

/** Topics as who sets the log up sees them, by name. */
export type LogTopics = {
  /**
   * Makes what is missing, and looks whether what is there will do. Answers the identities. May be repeated, and done by several at once.
   * Errors: `bad-setting` with what differs and the cure; `log-unavailable`.
   */
  make(names: TopicNames, plan: TopicPlan): Promise<{ hits: string; events: string }>
  /** Identities of those that are there. */
  ids(names: readonly string[]): Promise<Map<string, string>>
  /**
   * Closes a topic to appends: when this is answered no partition takes a record any more, whoever tries; what it has stays readable. `probe`
   * is the record by which that is tried: copies of it may be the last ones. May be repeated.
   */
  close(name: string, probe: string): Promise<void>
}

export type LogTrimmer = {
  /** Forgets records below `offset`; earlier offsets stay unused for ever. */
  trim(topic: Topic, partition: number, offset: number): Promise<void>
}
