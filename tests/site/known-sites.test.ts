import { beforeEach, describe, expect, it } from 'vitest'
import type { Sites } from '#shared/ports/sites.ts'
import { newSite, removeSite } from '#shared/site/change.ts'
import { createKnownSites, type KnownSites } from '#shared/site/known-sites.ts'
import { aClock, type HandClock, start } from './installation.ts'

const hour = 3_600_000
const first = newSite('a.example', {}, { now: start, key: 'k' })

let clock: HandClock
let stored: (typeof first)[]
let isDown: boolean
let asked: number
let known: KnownSites

beforeEach(() => {
  clock = aClock()
  stored = [first]
  isDown = false
  asked = 0
  const answer = async <T>(value: T): Promise<T> => {
    asked++
    if (isDown) throw new Error('down')
    return value
  }
  const sites: Sites = {
    find: (site) => answer(stored.findLast((config) => config.site === site)),
    at: (site, version) => answer(stored.find((config) => config.site === site && config.version === version)),
    list: () => answer(stored),
    put: async () => 'done',
  }
  known = createKnownSites(sites, clock)
})

describe('the newest version', () => {
  it('is asked for once, then held for half a second', async () => {
    expect(await known.newest('a.example')).toEqual(first)
    clock.turn(499)
    expect(known.newest('a.example')).toEqual(first) // at once, not as a promise
    expect(asked).toBe(1)
    stored.push({ ...first, version: 2 })
    clock.turn(1)
    expect(await known.newest('a.example')).toMatchObject({ version: 2 })
  })

  it('is none for a site that is not there, and for one that was removed', async () => {
    expect(await known.newest('b.example')).toBeUndefined()
    stored.push(removeSite(first, start))
    expect(await known.newest('a.example')).toBeUndefined()
  })

  it('stands for a day while the store is down, then it is an outage and never "no such site"', async () => {
    await known.newest('a.example')
    isDown = true
    clock.turn(24 * hour - 1)
    expect(await known.newest('a.example')).toEqual(first)
    clock.turn(1)
    await expect(known.newest('a.example')).rejects.toMatchObject({ code: 'store-unavailable' })
    isDown = false
    expect(await known.newest('a.example')).toEqual(first)
  })

  it('is an outage where nothing was ever heard', async () => {
    isDown = true
    await expect(known.newest('a.example')).rejects.toMatchObject({ code: 'store-unavailable', retryable: true })
  })

  it('is asked for anew when the clock has been set back', async () => {
    await known.newest('a.example')
    clock.turn(-hour)
    await known.newest('a.example')
    expect(asked).toBe(2)
  })
})

describe('one version', () => {
  it('never changes, so it is asked for once', async () => {
    expect(await known.version('a.example', 1)).toEqual(first)
    clock.turn(48 * hour)
    isDown = true
    expect(known.version('a.example', 1)).toEqual(first)
  })

  it('that is not there is asked for again: it may have been on its way', async () => {
    expect(await known.version('a.example', 2)).toBeUndefined()
    stored.push({ ...first, version: 2 })
    expect(await known.version('a.example', 2)).toMatchObject({ version: 2 })
  })

  it('that cannot be read is an outage', async () => {
    isDown = true
    await expect(known.version('a.example', 1)).rejects.toMatchObject({ code: 'store-unavailable' })
  })
})
