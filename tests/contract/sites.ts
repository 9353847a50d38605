import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Salts, Secret, Secrets, Sites } from '#shared/ports/sites.ts'
import { newSite } from '#shared/site/change.ts'

/** What every sites engine must do. */
export type SitesUnderTest = { sites: Sites; salts: Salts; secrets: Secrets; close(): Promise<void> | void }

const config = (site: string, version = 1) => ({ ...newSite(site, {}, { now: 1, key: 'k' }), version })
const secret = (hash: string, more: Partial<Secret> = {}): Secret => ({
  hash,
  kind: 'key',
  role: 'read',
  site: '',
  label: 'l',
  created: 1,
  until: 0,
  ...more,
})

export const sitesContract = (name: string, open: () => Promise<SitesUnderTest>): void => {
  describe(`sites: ${name}`, () => {
    let under: SitesUnderTest
    beforeEach(async () => {
      under = await open()
    })
    afterEach(() => under.close())

    test('a site is found by its newest version, and each version stays', async () => {
      expect(await under.sites.find('a.example')).toBeUndefined()
      expect(await under.sites.put(config('a.example'))).toBe('done')
      expect(await under.sites.put({ ...config('a.example', 2), bounce: 'single-page' })).toBe('done')
      expect(await under.sites.find('a.example')).toEqual({ ...config('a.example', 2), bounce: 'single-page' })
      expect(await under.sites.at('a.example', 1)).toEqual(config('a.example'))
      expect(await under.sites.at('a.example', 3)).toBeUndefined()
    })

    test('a version is written once', async () => {
      await under.sites.put(config('a.example'))
      expect(await under.sites.put({ ...config('a.example'), bounce: 'single-page' })).toBe('stale')
      expect(await under.sites.find('a.example')).toEqual(config('a.example'))
    })

    test('the list has the newest versions by name, without removed sites', async () => {
      await under.sites.put(config('b.example'))
      await under.sites.put(config('a.example'))
      await under.sites.put({ ...config('a.example', 2), hosts: ['x.example'] })
      await under.sites.put(config('c.example'))
      await under.sites.put({ ...config('c.example', 2), removed: true })
      expect((await under.sites.list()).map(({ site, version }) => `${site} ${version}`)).toEqual(['a.example 2', 'b.example 1'])
      expect((await under.sites.find('c.example'))?.removed).toBe(true)
    })

    test('of two makers of a salt one wins, and both get his', async () => {
      const [one, two] = await Promise.all([under.salts.make(20261025, Buffer.from('one')), under.salts.make(20261025, Buffer.from('two'))])
      expect(one.equals(two)).toBe(true)
      expect((await under.salts.get(20261025))?.equals(one)).toBe(true)
    })

    test('old salts are gone, newer ones stay', async () => {
      for (const day of [20261023, 20261024, 20261025]) await under.salts.make(day, Buffer.from(`${day}`))
      expect(await under.salts.dropBefore(20261025)).toBe(2)
      expect(await under.salts.get(20261024)).toBeUndefined()
      expect((await under.salts.get(20261025))?.toString()).toBe('20261025')
    })

    test('secrets are found, listed by kind and dropped when they expire', async () => {
      await under.secrets.put(secret('h1', { created: 2 }))
      await under.secrets.put(secret('h2', { created: 1, until: 100 }))
      await under.secrets.put(secret('h3', { kind: 'session', until: 50 }))
      expect(await under.secrets.find('h1')).toEqual(secret('h1', { created: 2 }))
      expect(await under.secrets.find('h9')).toBeUndefined()
      expect((await under.secrets.list('key')).map(({ hash }) => hash)).toEqual(['h2', 'h1'])
      expect(await under.secrets.dropExpired(60)).toBe(1)
      expect(await under.secrets.find('h3')).toBeUndefined()
      expect(await under.secrets.find('h1')).toBeDefined()
    })

    test('of two takers of a secret one gets it', async () => {
      await under.secrets.put(secret('link', { kind: 'link', until: 9 }))
      const taken = await Promise.all([under.secrets.take('link'), under.secrets.take('link')])
      expect(taken.filter((one) => one !== undefined)).toEqual([secret('link', { kind: 'link', until: 9 })])
      expect(await under.secrets.take('link')).toBeUndefined()
    })
  })
}
