import { expect, test } from 'vitest'
import { eventText, sessionText } from '#shared/visit/event.ts'
import { applyEvent, changeOf, emptyState, loadedState } from '#shared/visit/state.ts'
import { anEvent, aSession, aTouch, noon } from '../fixtures/hit.ts'

const applied = (...events: Parameters<typeof anEvent>[0][]) => {
  const state = emptyState()
  for (const event of events) applyEvent(state, anEvent(event))
  return changeOf(state)
}

test('nothing applied, nothing changed', () => {
  expect(applied()).toEqual({ sessions: [], dropped: [], ids: [], lines: [] })
  expect(applied({ n: { dead: 1 } })).toEqual({ sessions: [], dropped: [], ids: [], lines: [] })
})

test("a touch puts the session under its key, with the event's log time, and its hits' ids", () => {
  const { sessions, ids } = applied({
    site: 'a.example',
    lt: noon + 5,
    x: [aTouch({ key: 'k', s: { id: '7' }, h: [{ id: 'one' }, { id: 'two' }] })],
  })
  expect(sessions).toEqual([{ site: 'a.example', key: 'k', lt: noon + 5, state: JSON.stringify(aSession({ id: '7' })) }])
  expect(ids).toEqual([
    { site: 'a.example', id: 'one', lt: noon + 5 },
    { site: 'a.example', id: 'two', lt: noon + 5 },
  ])
})

test('of several touches the last one that is not beside stands', () => {
  const { sessions, ids } = applied({
    x: [
      aTouch({ key: 'k', s: { id: 'first' } }),
      aTouch({ key: 'k', s: { id: 'second' } }),
      aTouch({ key: 'k', side: 1, s: { id: 'side' }, h: [{ id: 'late' }] }),
    ],
  })
  expect(sessions.map(({ state }) => JSON.parse(state).id)).toEqual(['second'])
  expect(ids.map(({ id }) => id)).toContain('late')
})

test('a session that moves is dropped under its old key; one that comes back is not', () => {
  const moved = aTouch({ key: 'new', from: 'old' })
  expect(applied({ x: [aTouch({ key: 'old' })] }, { x: [moved] })).toMatchObject({ sessions: [{ key: 'new' }], dropped: [{ key: 'old' }] })
  const back = applied({ x: [moved] }, { x: [aTouch({ key: 'old' })] })
  expect(back.sessions.map(({ key }) => key).sort()).toEqual(['new', 'old'])
  expect(back.dropped).toEqual([])
})

test('ids of hits that stand in no touch', () => {
  expect(applied({ lt: noon, ids: ['e'] }).ids).toEqual([{ site: 'example.com', id: 'e', lt: noon }])
})

test('import lines only grow', () => {
  const lines = (...all: number[]) => applied(...all.map((line) => ({ imp: { src: 'file', line } }))).lines
  expect(lines(5, 3)).toEqual([{ site: 'example.com', source: 'file', line: 5 }])
  expect(lines(3, 5)).toEqual([{ site: 'example.com', source: 'file', line: 5 }])
})

test('ids of imported hits are not kept: their lines tell a repeat', () => {
  const { ids, sessions, lines } = applied({ imp: { src: 'file', line: 7 }, x: [aTouch({ key: 'k', h: [{ id: 'one' }] })] })
  expect([ids, sessions.length, lines.length]).toEqual([[], 1, 1])
})

test('names that objects have of their own are names like any other', () => {
  const odd = applied({ site: '__proto__', ids: ['__proto__', 'constructor'], x: [aTouch({ key: '__proto__' })] })
  expect(odd.sessions[0]).toMatchObject({ site: '__proto__', key: '__proto__' })
  expect(odd.ids).toHaveLength(3)
})

test('what was loaded is found again and is no change', () => {
  const asked = {
    sessions: [
      { site: 'a.example', key: 'k' },
      { site: 'a.example', key: 'none' },
    ],
    ids: [{ site: 'a.example', id: 'i' }],
    sources: [{ site: 'a.example', source: 'f' }],
  }
  const state = loadedState(asked, {
    fence: undefined,
    sessions: [{ state: JSON.stringify(aSession({ id: '9' })), lt: 4 }, undefined],
    ids: [5],
    lines: [6],
  })
  expect(state.sessions.get('a.example\0k')).toEqual({ s: aSession({ id: '9' }), lt: 4 })
  expect([state.sessions.size, state.ids.get('a.example\0i'), state.lines.get('a.example\0f')]).toEqual([1, 5, 6])
  expect(changeOf(state)).toEqual({ sessions: [], dropped: [], ids: [], lines: [] })
})

test('the state after events is the same whether they come alone or together (R2)', () => {
  const events = [
    { at: 0, lt: 1, x: [aTouch({ key: 'a', s: { pv: 1 }, h: [{ id: '1' }] })] },
    { at: 1, lt: 2, x: [aTouch({ key: 'b', from: 'a', s: { pv: 2 }, h: [{ id: '2' }] })] },
    { at: 2, lt: 3, ids: ['3'], x: [aTouch({ key: 'b', s: { pv: 3 }, h: [{ id: '4' }] })] },
  ]
  const together = applied(...events)
  const alone = events.map((event) => applied(event))
  expect(together.sessions).toEqual(alone.at(-1)!.sessions)
  expect(together.dropped).toEqual(alone[1]!.dropped)
  expect(together.ids).toEqual(alone.flatMap(({ ids }) => ids))
})

test('an event and a session are written as JSON.stringify would, if not in the same order', () => {
  const event = anEvent({ at: 3, ids: ['i'], x: [aTouch({ side: 1, s: { entry: '/ü"\\' }, h: [{ p: { a: 1 } }] }), aTouch()] })
  expect(JSON.parse(eventText(event))).toEqual(JSON.parse(JSON.stringify(event)))
  expect(JSON.parse(eventText(anEvent()))).toEqual(JSON.parse(JSON.stringify(anEvent())))
  const session = aSession({ city: 'Ü' })
  expect(sessionText(session)).toBe(JSON.stringify(session))
  expect(sessionText(session)).toBe(sessionText(session))
})
