/** bus — fire-and-forget live feed. A message may be lost; nothing is ever counted from it. */
export type Bus = {
  publish(subject: string, message: string): void
  /** Calls `take` for each message; the answer ends it. */
  subscribe(subject: string, take: (message: string) => void): () => void
}
