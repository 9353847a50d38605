import { expect, test } from 'vitest'
import { createReached } from '#functions/query-metrics/reached.ts'
import { FootfallError } from '#shared/errors.ts'
import { reachedMark } from '#shared/rollup/reached.ts'

/** A state and its mark, moved by hand; `asked` lists what was read, in order. */
const aWorld = () => {
  const world = { now: 0, topic: 'events', src: 5 as number | undefined, mark: undefined as number | undefined, isAway: false }
  const asked: string[] = []
  const reached = createReached({
    clock: { now: () => world.now },
    memtables: {
      fence: async (partition) => {
        asked.push(`fence ${partition}`)
        return world.src === undefined ? undefined : { gen: 1, topic: world.topic, next: 0, src: world.src, logTime: 0 }
      },
    },
    progress: {
      get: async (stage, partition) => {
        asked.push(`${stage} ${partition}`)
        if (world.isAway) throw new FootfallError('store-unavailable')
        return world.mark === undefined ? undefined : { next: 0, src: world.mark }
      },
    },
  })
  const isBehind = async (partition = 0): Promise<boolean> => (await reached.fence(partition)).isBehind
  return { world, asked, reached, isBehind }
}

test('a state is behind what this process has seen, until it is there again', async () => {
  const { world, isBehind } = aWorld()
  expect(await isBehind()).toBe(false)
  world.src = 4
  expect([await isBehind(), await isBehind(), await isBehind(1)]).toEqual([true, true, false])
  world.src = 5
  expect(await isBehind()).toBe(false)
  world.topic = 'events anew'
  world.src = 1
  expect(await isBehind()).toBe(false)
})

test('a state is behind the mark that is kept of it, whoever has seen it', async () => {
  const { world, isBehind } = aWorld()
  world.mark = 6
  expect(await isBehind()).toBe(true)
  world.src = 6
  expect(await isBehind()).toBe(false)
})

test('the mark is read before the fence, and every five seconds', async () => {
  const { world, asked, isBehind } = aWorld()
  await isBehind(3)
  world.now = 4_999
  await isBehind(3)
  world.now = 5_000
  await isBehind(3)
  expect(asked).toEqual([`${reachedMark} 3`, 'fence 3', 'fence 3', `${reachedMark} 3`, 'fence 3'])
})

test('while no mark can be read the one of before stands; without one there is no answer', async () => {
  const { world, isBehind } = aWorld()
  world.mark = 6
  expect(await isBehind()).toBe(true)
  world.isAway = true
  world.now = 60_000
  expect(await isBehind()).toBe(true)
  await expect(isBehind(1)).rejects.toMatchObject({ code: 'store-unavailable' })
})

test('where there is no state there is no fence, and nothing is behind', async () => {
  const { world, reached } = aWorld()
  world.src = undefined
  expect(await reached.fence(0)).toEqual({ fence: undefined, isBehind: false })
})
