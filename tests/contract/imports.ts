import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { emptyTally } from '#shared/hit/import-tally.ts'
import type { Import, ImportKeys, Imports } from '#shared/ports/imports.ts'

/** What every imports engine must do. */
export type ImportsUnderTest = { imports: Imports; importKeys: ImportKeys; close(): Promise<void> | void }

const anImport = (fields: Partial<Import> = {}): Import => ({
  site: 'a.example',
  source: 'one',
  next: 2,
  begun: 1,
  at: 1,
  tally: { ...emptyTally(), read: 1, flagged: { __proto__: null, agent: 1 } as never },
  ...fields,
})
const hour = 3_600_000
const key = (day: number, text = `key of ${day}`) => ({ day, key: Buffer.from(text) })

export const importsContract = (name: string, open: () => Promise<ImportsUnderTest>): void => {
  describe(`imports: ${name}`, () => {
    let under: ImportsUnderTest
    beforeEach(async () => {
      under = await open()
    })
    afterEach(() => under.close())

    test('an import begins at line 1, and is found as it was written', async () => {
      expect(await under.imports.find('a.example', 'one')).toBeUndefined()
      expect(await under.imports.advance(anImport(), 1)).toBe('done')
      expect(await under.imports.find('a.example', 'one')).toEqual(JSON.parse(JSON.stringify(anImport())))
      expect(await under.imports.find('b.example', 'one')).toBeUndefined()
      expect(await under.imports.find('a.example', 'two')).toBeUndefined()
    })

    test('it moves only from where it stands', async () => {
      expect(await under.imports.advance(anImport(), 5)).toBe('stale')
      expect(await under.imports.find('a.example', 'one')).toBeUndefined()
      await under.imports.advance(anImport({ next: 9 }), 1)
      expect(await under.imports.advance(anImport({ next: 20 }), 1)).toBe('stale')
      expect(await under.imports.advance(anImport({ next: 20 }), 9)).toBe('done')
      expect((await under.imports.find('a.example', 'one'))?.next).toBe(20)
    })

    test('of two that move it at once one does', async () => {
      const both = await Promise.all([7, 8].map((next) => under.imports.advance(anImport({ next }), 1)))
      expect(both.toSorted()).toEqual(['done', 'stale'])
    })

    test('the list has the latest first, and those of other sites not at all', async () => {
      for (const [source, at] of [
        ['one', 5],
        ['two', 9],
        ['three', 7],
      ] as const)
        await under.imports.advance(anImport({ source, at }), 1)
      await under.imports.advance(anImport({ site: 'b.example', at: 99 }), 1)
      expect((await under.imports.list('a.example', 10)).map(({ source }) => source)).toEqual(['two', 'three', 'one'])
      expect((await under.imports.list('a.example', 1)).map(({ source }) => source)).toEqual(['two'])
      expect(await under.imports.list('c.example', 10)).toEqual([])
    })

    test('the key of a day is made once, for each site its own', async () => {
      expect(await under.importKeys.use('a.example', [key(20260610), key(20260611)], 0)).toEqual([key(20260610), key(20260611)])
      expect(await under.importKeys.use('a.example', [key(20260611, 'another'), key(20260612)], 1)).toEqual([key(20260611), key(20260612)])
      expect(await under.importKeys.use('b.example', [key(20260611, 'of b')], 1)).toEqual([key(20260611, 'of b')])
      expect(await under.importKeys.find('a.example', [20260609, 20260611])).toEqual([key(20260611)])
      expect(await under.importKeys.find('a.example', [])).toEqual([])
    })

    test('a key goes when it has not been used for long; being asked for is no use', async () => {
      await under.importKeys.use('a.example', [key(20260610), key(20260611)], 0)
      await under.importKeys.use('a.example', [key(20260611)], 3 * hour)
      await under.importKeys.find('a.example', [20260610])
      expect(await under.importKeys.dropUnused(hour)).toBe(1)
      expect(await under.importKeys.find('a.example', [20260610, 20260611])).toEqual([key(20260611)])
      expect(await under.importKeys.use('a.example', [key(20260610, 'a new one')], 4 * hour)).toEqual([key(20260610, 'a new one')])
      expect(await under.importKeys.dropUnused(hour)).toBe(0)
    })

    test('a clock that went back does not make a key older', async () => {
      await under.importKeys.use('a.example', [key(20260610)], 5 * hour)
      await under.importKeys.use('a.example', [key(20260610)], 0)
      expect(await under.importKeys.dropUnused(4 * hour)).toBe(0)
    })
  })
}
