import { expect, test } from 'vitest'
import { createReadings, type Stand } from '#functions/query-metrics/readings.ts'

/** Questions that begin their work, stand on a reading and end, each when the test says so. Readings are numbered as they are begun. */
const aWorld = () => {
  const readings = createReadings<number>()
  let begun = 0
  const ask = async (name = 'a site') => {
    const asked = Promise.withResolvers<Stand<number>>()
    const over = Promise.withResolvers<void>()
    const done = readings(name, async (stand) => {
      asked.resolve(stand)
      await over.promise
    })
    const stand = await asked.promise
    return {
      stand: () => stand(async () => ++begun),
      end: async () => {
        over.resolve()
        await done
      },
    }
  }
  return { ask, begun: () => begun }
}

test('a question stands on a reading that was begun after it was asked, and on no other one', async () => {
  const { ask } = aWorld()
  const [first, second] = [await ask(), await ask()]
  expect(await first.stand()).toBe(1)
  const late = await ask()
  expect(await second.stand()).toBe(1)
  expect(await late.stand()).toBe(2)
  const other = await ask('another site')
  expect(await other.stand()).toBe(3)
})

test('a reading whose rows were moved is of no use to the others', async () => {
  const { ask } = aWorld()
  const [first, second, third] = [await ask(), await ask(), await ask()]
  expect([await first.stand(), await second.stand()]).toEqual([1, 1])
  expect(await first.stand()).toBe(2)
  expect(await third.stand()).toBe(2)
  // The second one finds so later: what was begun meanwhile will do.
  expect(await second.stand()).toBe(2)
  expect(await second.stand()).toBe(3)
  expect(await first.stand()).toBe(3)
})

test('nothing is kept when nobody asks', async () => {
  const { ask } = aWorld()
  const [first, second] = [await ask(), await ask()]
  expect(await first.stand()).toBe(1)
  await first.end()
  expect(await second.stand()).toBe(1)
  await second.end()
  expect(await (await ask()).stand()).toBe(2)
})
