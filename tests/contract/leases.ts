import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Leases } from '#shared/ports/leases.ts'

/** What every leases engine must do. */
export type LeasesUnderTest = { leases: Leases; advance(ms: number): void | Promise<void>; close(): Promise<void> | void }

export const leasesContract = (name: string, open: () => Promise<LeasesUnderTest>): void => {
  describe(`leases: ${name}`, () => {
    let under: LeasesUnderTest
    beforeEach(async () => {
      under = await open()
    })
    afterEach(() => under.close())

    test('one holds, the other waits, until it is given up', async () => {
      expect(await under.leases.hold('p', 'a', 1_000)).toBe(true)
      expect(await under.leases.hold('p', 'b', 1_000)).toBe(false)
      expect(await under.leases.hold('p', 'a', 1_000)).toBe(true)
      expect(await under.leases.hold('q', 'b', 1_000)).toBe(true)
      await under.leases.release('p', 'b')
      expect(await under.leases.hold('p', 'b', 1_000)).toBe(false)
      await under.leases.release('p', 'a')
      expect(await under.leases.hold('p', 'b', 1_000)).toBe(true)
    })

    test('a lease runs out', async () => {
      await under.leases.hold('p', 'a', 1_000)
      await under.advance(1_001)
      expect(await under.leases.hold('p', 'b', 1_000)).toBe(true)
    })
  })
}
