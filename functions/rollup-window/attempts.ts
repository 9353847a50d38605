import type { SiteDay } from '#shared/ports/seals.ts'

/**
 * Work on many copies and days of which each may fail by itself: what fails is told and tried again at the next tick, behind what did not
 * fail, so that it can neither stop the others nor take all their time.
 */
export type OnError = (error: unknown) => void

/** So much is told of one tick: a full disk fails for every site, and its log must not fill it further. */
export const toldAtOnce = 10

export const dayText = ({ site, day }: SiteDay): string =>
  `${day < 0 ? 'the ledger' : 'the rows'} of ${JSON.stringify(site)}, day ${Math.abs(day)}`

export const createAttempts = (onError: OnError) => {
  /** What failed between the last two ticks, and since the last one. */
  let failed = new Set<string>()
  let failedNow = new Set<string>()

  return {
    /** A tick: all is tried again. */
    begin(): void {
      failed = failedNow
      failedNow = new Set()
    },
    /** In their order, but those that failed last. */
    inTurn: <T>(all: readonly T[], name: (one: T) => string): T[] => [
      ...all.filter((one) => !failed.has(name(one))),
      ...all.filter((one) => failed.has(name(one))),
    ],
    /** True when the work was done; false when it failed, now or since the last tick. `name` says what to whom: `x could not be flushed`. */
    async attempt(name: string, work: () => Promise<unknown>): Promise<boolean> {
      if (failedNow.has(name)) return false
      try {
        await work()
        return true
      } catch (cause) {
        failedNow.add(name)
        if (failedNow.size <= toldAtOnce) onError(new Error(`${name}; it is tried again`, { cause }))
        return false
      }
    },
  }
}
export type Attempts = ReturnType<typeof createAttempts>
