import { useEffect, useState } from 'preact/hooks'
import { api } from './api.ts'

/**
 * The live stream of a site. `news` counts up whenever questions should be asked again: pushed by the server while it is connected, every
 * few seconds while it is not. A page nobody sees holds no connection: browsers allow six to a server over HTTP/1.1.
 */
export type LiveHit = { time: number; name: string | null; page: string | null; country: string | null; source: string | null }
/** `heardAt`: when it was said, by performance.now(). */
export type Freshness = { as_of: string | null; lag_ms: number | null; heardAt: number }
export type Live = {
  state: 'connecting' | 'live' | 'polling'
  /** Visitors of the last five minutes; unknown until the server has said so. */
  current: number | undefined
  freshness: Freshness | undefined
  news: number
  /** The newest hits, newest first. */
  hits: readonly LiveHit[]
}

const pollMs = 5_000
const keptHits = 20
const nothing: Live = { state: 'connecting', current: undefined, freshness: undefined, news: 0, hits: [] }

const dataOf = <T>(event: Event): T | undefined => {
  try {
    return JSON.parse((event as MessageEvent<string>).data) as T
  } catch {
    return undefined // a message that is not ours changes nothing
  }
}

type Change = (next: (was: Live) => Live) => void

const listen = (site: string, change: Change): EventSource => {
  const stream = new EventSource(`/api/live/${encodeURIComponent(site)}`)
  stream.addEventListener('open', () => change((was) => ({ ...was, state: 'live', news: was.news + 1 })))
  stream.addEventListener('current', (event) => {
    const data = dataOf<{ visitors: number }>(event)
    if (data) change((was) => ({ ...was, current: data.visitors }))
  })
  stream.addEventListener('hit', (event) => {
    const hit = dataOf<LiveHit>(event)
    if (hit) change((was) => ({ ...was, hits: [hit, ...was.hits].slice(0, keptHits) }))
  })
  stream.addEventListener('freshness', (event) => {
    const data = dataOf<Omit<Freshness, 'heardAt'>>(event)
    if (data) change((was) => ({ ...was, freshness: { ...data, heardAt: performance.now() }, news: was.news + 1 }))
  })
  stream.addEventListener('error', () =>
    change((was) => ({ ...was, state: stream.readyState === EventSource.CLOSED ? 'polling' : 'connecting' })),
  )
  return stream
}

/** Without the stream: what it would have said is asked for. What fails is asked again with the next look. */
const poll = async (site: string, change: Change): Promise<void> => {
  try {
    const { results, meta } = await api.query({ site_id: site, metrics: ['visitors'], date_range: 'realtime' })
    const visitors = results[0]?.metrics[0]
    const freshness = { as_of: meta.as_of ?? null, lag_ms: meta.lag_ms ?? null, heardAt: performance.now() }
    change((was) => (was.state === 'live' ? was : { ...was, current: typeof visitors === 'number' ? visitors : was.current, freshness }))
  } catch {
    // Parts of the page that ask say what is wrong.
  }
}

/** Opens the stream while the page is seen; asks for a new one when the server has refused it. Answers how to end. */
const follow = (site: string, show: Change): (() => void) => {
  let stream: EventSource | undefined
  let isOver = false
  /** What is answered after the end is of a site that is no longer looked at. */
  const change: Change = (next) => {
    if (!isOver) show(next)
  }
  const open = () => {
    stream?.close()
    stream = document.hidden ? undefined : listen(site, change)
  }
  const look = setInterval(() => {
    if (document.hidden) return
    if (stream?.readyState === EventSource.OPEN) return
    change((was) => ({ ...was, news: was.news + 1 }))
    void poll(site, change)
    if (stream?.readyState === EventSource.CLOSED) open()
  }, pollMs)
  document.addEventListener('visibilitychange', open)
  open()
  return () => {
    isOver = true
    clearInterval(look)
    document.removeEventListener('visibilitychange', open)
    stream?.close()
  }
}

/** The live stream of `site`; of '' there is none. */
export const useLive = (site: string): Live => {
  const [live, setLive] = useState(nothing)
  useEffect(() => {
    setLive(nothing)
    return site === '' ? undefined : follow(site, setLive)
  }, [site])
  return live
}
