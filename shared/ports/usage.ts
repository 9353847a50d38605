/** usage — how full the servers are that hold the hot state: one that is full takes nothing more. */

/** A server and the memory it has taken, of what it may take. */
export type MemoryUsage = { node: string; usedBytes: number; limitBytes: number }

export type Usage = {
  /** Of each server that takes writes. Throws `store-unavailable` when one cannot be asked. */
  memory(): Promise<MemoryUsage[]>
}
