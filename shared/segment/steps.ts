/**
 * Work that takes long with many rows is a generator: between two steps, who runs it may let others have their turn. A step takes some ten
 * milliseconds with a million hits.
 */
export type Steps<T> = Generator<void, T, void>

/** What the steps come to, all of them done at once. */
export const finish = <T>(steps: Steps<T>): T => {
  for (;;) {
    const { done, value } = steps.next()
    if (done) return value
  }
}
