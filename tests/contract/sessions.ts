import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { EnrichChange, EnrichFence, Sessions } from '#shared/ports/sessions.ts'

/** What every sessions engine must do. */
export type SessionsUnderTest = { sessions: Sessions; close(): Promise<void> | void }

const fence: EnrichFence = { gen: 7, topic: 't', next: 0, ev: 0, logTime: 0, mode: '' }
const nothing: EnrichChange = { sessions: [], dropped: [], ids: [], lines: [] }
const visitor = { site: 'a.example', key: 'abc' }
const held = { state: '{"s":"ü"}', lt: 5 }

export const sessionsContract = (name: string, open: () => Promise<SessionsUnderTest>): void => {
  describe(`sessions: ${name}`, () => {
    let under: SessionsUnderTest
    beforeEach(async () => {
      under = await open()
    })
    afterEach(() => under.close())

    const load = (partition = 0) =>
      under.sessions.load(partition, [visitor], [{ site: 'a.example', id: 'i1' }], [{ site: 'a.example', source: 'file' }])

    test('nothing is there at first', async () => {
      expect(await load()).toEqual({ fence: undefined, sessions: [undefined], ids: [undefined], lines: [undefined] })
    })

    test('the first of two beginners writes the fence, both are told which stands', async () => {
      expect(await under.sessions.init(0, fence)).toEqual(fence)
      expect(await under.sessions.init(0, { ...fence, gen: 8 })).toEqual(fence)
      expect((await load()).fence).toEqual(fence)
    })

    test('a state is begun anew instead of the one that is meant, and no other; nothing of it is left', async () => {
      await under.sessions.init(0, fence)
      const old = { ...fence, next: 1, ev: 1 }
      const change = { ...nothing, sessions: [{ ...visitor, ...held }], ids: [{ site: 'a.example', id: 'i1', lt: 1 }] }
      const lines = [{ site: 'a.example', source: 'file', line: 12 }]
      await under.sessions.commit(0, fence, old, { ...change, lines })
      const now = { ...fence, gen: 8, ev: 5, mode: 'restore' as const }
      for (const other of [{ gen: 9 }, { next: 2 }, { ev: 2 }]) expect(await under.sessions.init(0, now, { ...old, ...other })).toEqual(old)
      expect((await load()).lines).toEqual([12])
      expect(await under.sessions.init(0, now, old)).toEqual(now)
      expect(await load()).toEqual({ fence: now, sessions: [undefined], ids: [undefined], lines: [undefined] })
      expect(await under.sessions.commit(0, old, { ...old, next: 2 }, nothing)).toBe('stale')
    })

    test('what a crash would leave is no newer than what was committed', async () => {
      expect(await under.sessions.durable(0)).toBeUndefined()
      await under.sessions.init(0, fence)
      expect(await under.sessions.durable(0)).toEqual(fence)
      const now = { ...fence, next: 1, ev: 1 }
      await under.sessions.commit(0, fence, now, nothing)
      expect([fence, now]).toContainEqual(await under.sessions.durable(0))
      await under.sessions.sweep(0, { sessionsBefore: 0, idsBefore: 0 }, 1)
      expect(await under.sessions.durable(0)).toEqual(now)
    })

    test('without a fence nothing can be committed', async () => {
      expect(await under.sessions.commit(0, fence, { ...fence, next: 1 }, { ...nothing, sessions: [{ ...visitor, ...held }] })).toBe(
        'stale',
      )
      expect((await load()).sessions).toEqual([undefined])
    })

    test('a commit moves fence and state together', async () => {
      await under.sessions.init(0, fence)
      const now = { ...fence, next: 3, ev: 4, logTime: 99, mode: 'restore' as const }
      const change = {
        sessions: [{ ...visitor, ...held }],
        dropped: [],
        ids: [{ site: 'a.example', id: 'i1', lt: 11 }],
        lines: [{ site: 'a.example', source: 'file', line: 12 }],
      }
      expect(await under.sessions.commit(0, fence, now, change)).toBe('done')
      expect(await load()).toEqual({ fence: now, sessions: [held], ids: [11], lines: [12] })
    })

    test.each([
      ['generation', { gen: 8 }],
      ['next', { next: 1 }],
      ['event offset', { ev: 1 }],
    ])('a commit from another %s changes nothing', async (_what, other) => {
      await under.sessions.init(0, fence)
      const change = { ...nothing, sessions: [{ ...visitor, ...held }], ids: [{ site: 'a.example', id: 'i1', lt: 1 }] }
      expect(await under.sessions.commit(0, { ...fence, ...other }, { ...fence, next: 9 }, change)).toBe('stale')
      expect(await load()).toEqual({ fence, sessions: [undefined], ids: [undefined], lines: [undefined] })
    })

    test('the same commit twice: the second is stale', async () => {
      await under.sessions.init(0, fence)
      const now = { ...fence, next: 1, ev: 1 }
      expect(await under.sessions.commit(0, fence, now, nothing)).toBe('done')
      expect(await under.sessions.commit(0, fence, now, nothing)).toBe('stale')
    })

    test('a session is replaced and dropped', async () => {
      await under.sessions.init(0, fence)
      const one = { ...fence, next: 1 }
      const two = { ...fence, next: 2 }
      await under.sessions.commit(0, fence, one, { ...nothing, sessions: [{ ...visitor, ...held }] })
      await under.sessions.commit(0, one, two, { ...nothing, sessions: [{ ...visitor, state: 'new', lt: 6 }] })
      expect((await load()).sessions).toEqual([{ state: 'new', lt: 6 }])
      await under.sessions.commit(0, two, { ...fence, next: 3 }, { ...nothing, dropped: [visitor] })
      expect((await load()).sessions).toEqual([undefined])
    })

    test('sites, visitors and partitions are apart, whatever they are called', async () => {
      await under.sessions.init(0, fence)
      await under.sessions.init(1, { ...fence, gen: 1 })
      const odd = [
        { site: '__proto__', key: 'toString' },
        { site: 'a.example', key: 'ab' },
        { site: 'a.exampl', key: 'eabc' },
      ]
      await under.sessions.commit(
        0,
        fence,
        { ...fence, next: 1 },
        { ...nothing, sessions: odd.map((key, i) => ({ ...key, state: `${i}`, lt: i })) },
      )
      const { sessions } = await under.sessions.load(0, [...odd, visitor], [], [])
      expect(sessions.map((session) => session?.state)).toEqual(['0', '1', '2', undefined])
      expect((await under.sessions.load(1, odd, [], [])).sessions).toEqual([undefined, undefined, undefined])
    })

    test('ids are per site and told apart to the letter', async () => {
      await under.sessions.init(0, fence)
      await under.sessions.commit(
        0,
        fence,
        { ...fence, next: 1 },
        {
          ...nothing,
          ids: [
            { site: 'a.example', id: 'I1', lt: 3 },
            { site: 'b.example', id: 'i1', lt: 4 },
          ],
        },
      )
      expect((await load()).ids).toEqual([undefined])
    })

    test('sweeping drops what is older than the horizon and nothing else', async () => {
      await under.sessions.init(0, fence)
      const sessions = Array.from({ length: 20 }, (_, i) => ({ site: 'a.example', key: `k${i}`, state: 's', lt: i }))
      const ids = Array.from({ length: 20 }, (_, i) => ({ site: 'a.example', id: `i${i}`, lt: i }))
      await under.sessions.commit(0, fence, { ...fence, next: 1 }, { ...nothing, sessions, ids })
      let gone = 0
      for (let round = 0; round < 10; round++) gone += await under.sessions.sweep(0, { sessionsBefore: 10, idsBefore: 5 }, 7)
      expect(gone).toBe(15)
      const left = await under.sessions.load(0, sessions, ids, [])
      expect(left.sessions.map((session) => session?.lt)).toEqual(sessions.map(({ lt }) => (lt < 10 ? undefined : lt)))
      expect(left.ids).toEqual(ids.map(({ lt }) => (lt < 5 ? undefined : lt)))
    })
  })
}
