import { expect, test } from 'vitest'
import { FootfallError } from '#shared/errors.ts'
import { createOnce } from '#shared/query/once.ts'

/** Work that ends by hand. */
const aWork = () => {
  const begun: PromiseWithResolvers<string>[] = []
  const work = (): Promise<string> => {
    const one = Promise.withResolvers<string>()
    begun.push(one)
    return one.promise
  }
  return { work, begun }
}
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

test('what several want at the same time is done once, and done again for who comes later', async () => {
  const once = createOnce<string>()
  const { work, begun } = aWork()
  const first = [once('a', work), once('a', work)]
  const other = once('b', work)
  begun[0]!.resolve('done')
  begun[1]!.resolve('other')
  expect(await Promise.all([...first, other])).toEqual(['done', 'done', 'other'])
  const later = once('a', work)
  begun[2]!.resolve('anew')
  expect([await later, begun.length]).toEqual(['anew', 3])
})

test('a failure is that of all who wait, and of nobody later', async () => {
  const once = createOnce<string>()
  const { work, begun } = aWork()
  const both = Promise.allSettled([once('a', work), once('a', work)])
  begun[0]!.reject(new FootfallError('store-unavailable'))
  expect((await both).map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  const later = once('a', work)
  begun[1]!.resolve('anew')
  expect([await later, begun.length]).toEqual(['anew', 2])
})

test('where the time of the first one is up, one of the others does it', async () => {
  const once = createOnce<string>()
  const { work, begun } = aWork()
  const all = Promise.allSettled([once('a', work), once('a', work), once('a', work)])
  begun[0]!.reject(new FootfallError('timeout'))
  await settle()
  expect(begun).toHaveLength(2)
  begun[1]!.resolve('done')
  expect(await all).toMatchObject([{ reason: { code: 'timeout' } }, { value: 'done' }, { value: 'done' }])
  expect(begun).toHaveLength(2)
})
