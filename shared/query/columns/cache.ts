/**
 * Decoded columns and texts of segments that were read lately. What they hold never changes, so nothing is ever out of date; what was not
 * asked for the longest goes when there is no room for more.
 */
export type Cache = {
  get<T>(key: string): T | undefined
  put<T>(key: string, value: T, bytes: number): T
}

export const createCache = (mostBytes: number): Cache => {
  const held = new Map<string, { value: unknown; bytes: number }>()
  let bytes = 0
  return {
    get<T>(key: string) {
      const found = held.get(key)
      if (!found) return undefined
      // A Map keeps the order in which keys came: the one asked for comes anew, so the first one is the oldest.
      held.delete(key)
      held.set(key, found)
      return found.value as T
    },
    put(key, value, size) {
      if (size > mostBytes) return value
      bytes += size - (held.get(key)?.bytes ?? 0)
      held.delete(key)
      held.set(key, { value, bytes: size })
      for (const [oldest, { bytes: freed }] of held) {
        if (bytes <= mostBytes) break
        held.delete(oldest)
        bytes -= freed
      }
      return value
    },
  }
}

/** For readings of which nothing is asked again. */
export const noCache: Cache = { get: () => undefined, put: (_key, value) => value }
