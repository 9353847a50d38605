import { describe, expect, test } from 'vitest'
import { checkRun } from './check.ts'

/** Each port call of a small run fails once, before its work and after it. `MODEL_CALLS=all` leaves out none; else some per seed. */
const pointsPerSeed = process.env['MODEL_CALLS'] === 'all' ? Number.POSITIVE_INFINITY : 50

describe('a failure at any port call loses nothing and counts nothing twice', () => {
  for (let seed = 1; seed <= 20; seed++) {
    test(`seed ${seed}`, { timeout: 120_000 }, async () => {
      const small = { seed, hits: 12, questions: 2, asking: 0 }
      const calls = await checkRun(small)
      expect(calls).toBeGreaterThan(40)
      const stride = Math.max(1, Math.ceil(calls / pointsPerSeed))
      for (let call = seed % stride; call < calls; call += stride)
        for (const after of [false, true]) await checkRun({ ...small, nth: { call, after } })
    })
  }
})
