/** leases — who drives a partition. Only a hint that saves work: two holders at once are harmless, the fence decides. */
export type Leases = {
  /** Takes or prolongs the lease; false when another holder has it. Atomic. */
  hold(name: string, holder: string, ttlMs: number): Promise<boolean>
  /** Gives it up if `holder` has it. */
  release(name: string, holder: string): Promise<void>
}
