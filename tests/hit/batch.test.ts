import { describe, expect, test } from 'vitest'
import { buildRecords, type ResolvedHit } from '#shared/hit/batch.ts'
import type { ParsedHit } from '#shared/hit/parse.ts'
import { type HitsRecord, recordLimits } from '#shared/hit/record.ts'
import { aSiteConfig, noon, aResolvedHit as resolved } from '../fixtures/hit.ts'

const records = (hits: readonly ResolvedHit[]): HitsRecord[] => buildRecords(hits).map(({ body }) => JSON.parse(body))

test('no hits, no records', () => {
  expect(buildRecords([])).toEqual([])
})

test('a hit with everything keeps everything, and nothing that must not be stored', () => {
  const hit: Partial<ParsedHit> = {
    id: 'mine',
    n: 'buy',
    t: noon - 5,
    url: { host: 'shop.example.com', path: '/cart', q: { us: 'mail' } },
    r: 'other.example/',
    ti: 'Cart',
    p: { plan: 'pro' },
    rev: { a: '129900', c: 'EUR' },
    visitor: 'SECRET-VISITOR',
    user: 'SECRET-USER',
    scr: '800x600',
    lang: 'de',
    address: 'SECRET-ADDRESS',
    agent: 'SECRET-AGENT',
  }
  const parts = {
    id: 'mine',
    vprev: 'bbbbbbbbbbbb',
    fs: 20260610,
    user: 'cccccccccccc',
    geo: { c: 'DE', r: 'DE-BY', ci: 'München' },
    rule: 'address',
    bot: 'agent',
  }
  const [record] = buildRecords([resolved({ hit, ...parts })])
  expect(record!.site).toBe('example.com')
  expect(record!.body).not.toContain('SECRET')
  expect(JSON.parse(record!.body)).toEqual({
    v: 1,
    cfg: 1,
    site: 'example.com',
    sh: 0,
    vis: 'aaaaaaaaaaaa',
    vprev: 'bbbbbbbbbbbb',
    fs: 20260610,
    user: 'cccccccccccc',
    geo: { c: 'DE', r: 'DE-BY', ci: 'München' },
    net: { rule: 'address' },
    dev: { br: 'Firefox', brv: '140', os: 'Linux', osv: '', type: 'Desktop' },
    bot: 'agent',
    lang: 'de',
    scr: '800x600',
    ev: [
      {
        id: 'mine',
        t: noon - 5,
        n: 'buy',
        host: 'shop.example.com',
        path: '/cart',
        q: { us: 'mail' },
        r: 'other.example/',
        ti: 'Cart',
        p: { plan: 'pro' },
        rev: { a: '129900', c: 'EUR' },
      },
    ],
  })
})

test("one visitor's hits share a record, in time order; equal times keep their order", () => {
  const hits = [
    resolved({ id: 'third', hit: { t: noon + 2 } }),
    resolved({ id: 'first', hit: { t: noon } }),
    resolved({ id: 'second', hit: { t: noon } }),
  ]
  const [record, ...more] = records(hits)
  expect(more).toEqual([])
  expect(record!.ev.map(({ id }) => id)).toEqual(['first', 'second', 'third'])
})

describe('what a record says once must be the same for all its hits', () => {
  test.each<[string, Parameters<typeof resolved>[0]]>([
    ['site', { hit: { site: 'other.example' } }],
    ['version of the site', { config: aSiteConfig({ version: 2 }) }],
    ['visitor', { vis: 'bbbbbbbbbbbb' }],
    ['visitor under the salt of yesterday', { vprev: 'bbbbbbbbbbbb' }],
    ['first day', { fs: 20260101 }],
    ['user', { user: 'cccccccccccc' }],
    ['country', { geo: { c: 'DE' } }],
    ['region', { geo: { r: 'DE-BY' } }],
    ['city', { geo: { ci: 'Ulm' } }],
    ['rule', { rule: 'address' }],
    ['verdict', { bot: 'agent' }],
    ['language', { hit: { lang: 'de' } }],
    ['screen', { hit: { scr: '1x1' } }],
    ['device', { dev: { br: 'Firefox', brv: '141', os: 'Linux', osv: '', type: 'Desktop' } }],
  ])('another %s makes another record', (_what, fields) => {
    expect(records([resolved(), resolved(fields), resolved()]).map(({ ev }) => ev.length)).toEqual([2, 1])
  })
})

describe('limits', () => {
  test('at most 100 hits', () => {
    const hits = Array.from({ length: 250 }, (_, i) => resolved({ hit: { t: noon + i } }))
    const split = records(hits)
    expect(split.map(({ ev }) => ev.length)).toEqual([100, 100, 50])
    expect(split.flatMap(({ ev }) => ev.map(({ t }) => t))).toEqual(hits.map(({ hit }) => hit.t))
  })

  const fat = (text: string) => Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`k${i}`, text.repeat(1_900)]))
  const sizes = (hits: ResolvedHit[]) => buildRecords(hits).map(({ body }) => Buffer.byteLength(body))

  test('at most 256 kB, of plain text', () => {
    const all = sizes(Array.from({ length: 20 }, () => resolved({ hit: { p: fat('x') } })))
    expect(all.length).toBeGreaterThan(1)
    // The envelope of a record is not counted with its hits; it is a few hundred bytes.
    for (const size of all) expect(size).toBeLessThan(recordLimits.bytes + 1_000)
  })

  test('at most 256 kB, of any text', () => {
    for (const size of sizes(Array.from({ length: 20 }, () => resolved({ hit: { p: fat('€') } }))))
      expect(size).toBeLessThan(recordLimits.bytes + 1_000)
  })
})

test('records of several sites each name theirs', () => {
  const made = buildRecords([resolved({ hit: { site: 'b.example' } }), resolved({ hit: { site: 'a.example' } })])
  expect(made.map(({ site, body }) => [site, JSON.parse(body).site])).toEqual([
    ['b.example', 'b.example'],
    ['a.example', 'a.example'],
  ])
})
