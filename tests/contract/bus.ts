import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Bus } from '#shared/ports/bus.ts'

/** What every bus must do. `near` and `far` may be two ends of one bus, or the same. */
export type BusUnderTest = {
  near: Bus
  far: Bus
  /** Waits until what `far` has subscribed is known to where `near` publishes, for a bus between processes. */
  settled?(): Promise<void>
  close(): Promise<void> | void
}

const first = (bus: Bus, subject: string) =>
  new Promise<string>((resolve) => {
    const leave = bus.subscribe(subject, (message) => {
      leave()
      resolve(message)
    })
  })

export const busContract = (name: string, open: () => Promise<BusUnderTest>): void => {
  describe(`bus: ${name}`, () => {
    let under: BusUnderTest
    beforeEach(async () => {
      under = await open()
    })
    afterEach(() => under.close())

    test('a message reaches who has subscribed, with its text', async () => {
      const got = first(under.far, 'live.a.example')
      await under.settled?.()
      under.near.publish('live.a.example', '{"ü":1}')
      expect(await got).toBe('{"ü":1}')
    })

    test('subjects are apart, and who has left hears nothing', async () => {
      const heard: string[] = []
      const leave = under.far.subscribe('a', (message) => heard.push(message))
      const end = first(under.far, 'end')
      await under.settled?.()
      under.near.publish('b', 'other')
      under.near.publish('a', 'mine')
      under.near.publish('end', '')
      await end
      leave()
      const again = first(under.far, 'end')
      await under.settled?.()
      under.near.publish('a', 'late')
      under.near.publish('end', '')
      await again
      expect(heard).toEqual(['mine'])
    })

    test('publishing to nobody is fine', () => {
      expect(() => under.near.publish('nobody', 'x')).not.toThrow()
    })
  })
}
