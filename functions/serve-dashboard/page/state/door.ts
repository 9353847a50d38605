import { useCallback, useEffect, useRef, useState } from 'preact/hooks'
import { ApiError, api, type Me, type Site, whenUnauthorised } from './api.ts'

/**
 * Who looks at the page, and what sites they see: asked at the start, again when any question is refused as unauthorised, and by itself
 * for as long as there is something to wait for, such as a sign-in link that is opened in another tab.
 */
export type Door =
  | { state: 'asking' }
  | { state: 'signed-out' }
  | { state: 'write-only' }
  | { state: 'unreachable'; error: ApiError }
  | { state: 'no-site'; me: Me }
  | { state: 'in'; me: Me; sites: readonly Site[] }

/** How long until it is asked again by itself; where nothing is said, not at all. */
const againMs: Partial<Record<Door['state'], number>> = { 'signed-out': 4_000, 'write-only': 10_000, unreachable: 2_000, 'no-site': 2_000 }

const knock = async (): Promise<Door> => {
  try {
    const me = await api.me()
    if (me.role === 'write') return { state: 'write-only' }
    const sites = await api.sites()
    return sites.length === 0 ? { state: 'no-site', me } : { state: 'in', me, sites }
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
    return error.status === 401 ? { state: 'signed-out' } : { state: 'unreachable', error }
  }
}

/** A server that cannot be reached for a moment does not take the page away from who is in: its parts say so themselves. */
const next = (was: Door, now: Door): Door => (was.state === 'in' && now.state === 'unreachable' ? was : now)

/** The door, and how to knock at once. */
export const useDoor = (): { door: Door; ask(): void } => {
  const [door, setDoor] = useState<Door>({ state: 'asking' })
  const isAsking = useRef(false)

  const ask = useCallback(() => {
    if (isAsking.current) return
    isAsking.current = true
    void knock()
      .then((now) => setDoor((was) => next(was, now)))
      .finally(() => {
        isAsking.current = false
      })
  }, [])

  useEffect(() => {
    ask()
    const seen = () => {
      if (!document.hidden) ask()
    }
    const end = whenUnauthorised(() => {
      if (!isAsking.current) ask()
    })
    document.addEventListener('visibilitychange', seen)
    return () => {
      end()
      document.removeEventListener('visibilitychange', seen)
    }
  }, [ask])

  useEffect(() => {
    const ms = againMs[door.state]
    if (ms === undefined) return
    const timer = setInterval(() => {
      if (!document.hidden) ask()
    }, ms)
    return () => clearInterval(timer)
  }, [door.state, ask])

  return { door, ask }
}
