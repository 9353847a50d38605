/** A bound on what is done at once: who comes when all slots are taken waits, first come first served. */
export type Slots = { run<T>(work: () => Promise<T>): Promise<T> }

export const createSlots = (count: number): Slots => {
  let free = count
  const waiting: (() => void)[] = []

  const take = (): Promise<void> => {
    if (free > 0) {
      free--
      return Promise.resolve()
    }
    return new Promise((resolve) => waiting.push(resolve))
  }
  const give = (): void => {
    const next = waiting.shift()
    if (next) next()
    else free++
  }

  return {
    async run(work) {
      await take()
      try {
        return await work()
      } finally {
        give()
      }
    },
  }
}

/** Waits for the end of all of them, also where one fails, and throws what the first one threw: nothing goes on behind its caller's back. */
export const allOf = async <T>(work: readonly Promise<T>[]): Promise<T[]> => {
  const ends = await Promise.allSettled(work)
  return ends.map((end) => {
    if (end.status === 'rejected') throw end.reason
    return end.value
  })
}

/** Does it for each of a list, so many at once; answers in order. As `allOf` it waits for all that was begun; what was not is left out then. */
export const eachAtOnce = <T, R>(list: readonly T[], count: number, work: (one: T) => Promise<R>): Promise<R[]> => {
  const slots = createSlots(count)
  let hasFailed = false
  return allOf(
    list.map((one) =>
      slots.run(async () => {
        if (hasFailed) throw new Error('Left out: one before it has failed.')
        try {
          return await work(one)
        } catch (error) {
          hasFailed = true
          throw error
        }
      }),
    ),
  )
}
