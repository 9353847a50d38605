import { useEffect, useState } from 'preact/hooks'

/** A part of the page that is fetched when it is first shown; a failure is told, and may be tried again. */
export type Lazy<T> = { module: T | undefined; failed: boolean; retry(): void }

/** Fetches it while `isWanted`. What was fetched once is there at once. */
export const useLazy = <T>(load: () => Promise<T>, isWanted = true): Lazy<T> => {
  const [state, setState] = useState<{ module: T | undefined; failed: boolean }>({ module: undefined, failed: false })
  const [tries, setTries] = useState(0)
  useEffect(() => {
    if (!isWanted || state.module) return
    let isGone = false
    load().then(
      (module) => isGone || setState({ module, failed: false }),
      () => isGone || setState({ module: undefined, failed: true }),
    )
    return () => {
      isGone = true
    }
  }, [isWanted, tries])
  return { ...state, retry: () => setTries((n) => n + 1) }
}
