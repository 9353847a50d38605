import type { EnrichChange, EnrichState, HitId, ImportSource, SessionKey } from '../ports/sessions.ts'
import { type EventRecord, type Session, sessionText } from './event.ts'

/**
 * enrich's state during one batch: what was loaded, what the batch's own events have made of it. `applyEvent` is the only
 * function that changes it, in the normal path, in catch-up and in a restore alike: state is the fold of events (R2).
 */
export type VisitState = {
  sessions: Map<string, { s: Session; lt: number }>
  ids: Map<string, number>
  lines: Map<string, number>
  /** What has changed since it was loaded, by the same names. */
  changed: {
    sessions: Map<string, SessionKey>
    dropped: Map<string, SessionKey>
    ids: Map<string, HitId & { lt: number }>
    lines: Map<string, ImportSource & { line: number }>
  }
}

export const nameOf = (site: string, part: string): string => `${site}\0${part}`

/** Nothing loaded: what a catch-up starts with, since it only overwrites. */
export const emptyState = (): VisitState => ({
  sessions: new Map(),
  ids: new Map(),
  lines: new Map(),
  changed: { sessions: new Map(), dropped: new Map(), ids: new Map(), lines: new Map() },
})

/** The state of one batch from what the port has loaded, in the order it was asked for. */
export const loadedState = (
  asked: { sessions: readonly SessionKey[]; ids: readonly HitId[]; sources: readonly ImportSource[] },
  loaded: EnrichState,
): VisitState => {
  const state = emptyState()
  asked.sessions.forEach(({ site, key }, i) => {
    const held = loaded.sessions[i]
    if (held) state.sessions.set(nameOf(site, key), { s: JSON.parse(held.state), lt: held.lt })
  })
  asked.ids.forEach(({ site, id }, i) => {
    const lt = loaded.ids[i]
    if (lt !== undefined) state.ids.set(nameOf(site, id), lt)
  })
  asked.sources.forEach(({ site, source }, i) => {
    const line = loaded.lines[i]
    if (line !== undefined) state.lines.set(nameOf(site, source), line)
  })
  return state
}

const putId = (state: VisitState, site: string, id: string, lt: number) => {
  const name = nameOf(site, id)
  state.ids.set(name, lt)
  state.changed.ids.set(name, { site, id, lt })
}

/** Applies one accepted event to the state. */
export const applyEvent = (state: VisitState, { site, lt, x, ids, imp }: EventRecord): void => {
  for (const { key, from, side, s, h } of x) {
    // A repeat of an imported hit is told by its line: a million ids a day would fill the state for nothing.
    if (!imp) for (const { id } of h) putId(state, site, id, lt)
    if (side) continue
    const name = nameOf(site, key)
    state.sessions.set(name, { s, lt })
    state.changed.sessions.set(name, { site, key })
    state.changed.dropped.delete(name)
    if (from === undefined) continue
    const old = nameOf(site, from)
    state.sessions.delete(old)
    state.changed.sessions.delete(old)
    state.changed.dropped.set(old, { site, key: from })
  }
  for (const id of ids ?? []) putId(state, site, id, lt)
  if (!imp) return
  const name = nameOf(site, imp.src)
  const line = Math.max(imp.line, state.lines.get(name) ?? 0)
  state.lines.set(name, line)
  state.changed.lines.set(name, { site, source: imp.src, line })
}

/** What the batch has changed, for the fenced commit. */
export const changeOf = ({ sessions, changed }: VisitState): EnrichChange => ({
  sessions: [...changed.sessions].map(([name, key]) => {
    const { s, lt } = sessions.get(name)!
    return { ...key, lt, state: sessionText(s) }
  }),
  dropped: [...changed.dropped.values()],
  ids: [...changed.ids.values()],
  lines: [...changed.lines.values()],
})
