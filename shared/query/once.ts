import { FootfallError } from '../errors.ts'

/**
 * What several want at the same time is done by the first of them, for all: its result is theirs, and so is its failure. Only that the time of the
 * first one was up (`timeout`) says nothing to the others: one of them does it then.
 */
export type Once<T> = (key: string, work: () => Promise<T>) => Promise<T>

const isItsOwn = (error: unknown): boolean => error instanceof FootfallError && error.code === 'timeout'

export const createOnce = <T>(): Once<T> => {
  const running = new Map<string, Promise<T>>()
  return async (key, work) => {
    for (let other = running.get(key); other; other = running.get(key))
      try {
        return await other
      } catch (error) {
        if (!isItsOwn(error)) throw error
      }
    const own = work().finally(() => running.delete(key))
    running.set(key, own)
    return await own
  }
}
