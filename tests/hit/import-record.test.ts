import { expect, test } from 'vitest'
import { createImportRecords, type ImportedHit } from '#shared/hit/import-record.ts'
import { addTally, createTally, emptyTally, sampleLimits } from '#shared/hit/import-tally.ts'
import { readRecord } from '#shared/hit/read-record.ts'
import { recordLimits } from '#shared/hit/record.ts'
import { aResolvedHit, noon } from '../fixtures/hit.ts'
import { createRandom } from '../model/random.ts'

/** Hits of an import as records, and the sums of its lines. */

const aHit = (line: number, vis = 'aaaaaaaaaaaa', path = '/', t = noon): ImportedHit => ({
  ...aResolvedHit({ hit: { t, url: { host: 'example.com', path } }, id: `id-${line}`, vis }),
  line,
})
const buildImportRecords = (hits: readonly ImportedHit[], source: string) => {
  const { records, add } = createImportRecords(source)
  for (const hit of hits) add(hit)
  return records
}
const linesOf = (hits: readonly ImportedHit[]) => buildImportRecords(hits, 'the-source').map(({ ev }) => ev.map(({ l }) => l))

test('a run of one visitor is a record; an other one in between ends it', () => {
  expect(linesOf([aHit(1), aHit(3), aHit(4, 'bbbbbbbbbbbb'), aHit(9)])).toEqual([[1, 3], [4], [9]])
  expect(buildImportRecords([], 'the-source')).toEqual([])
})

test('the order is that of the lines, whatever the times say', () => {
  expect(linesOf([aHit(1, 'a', '/', noon), aHit(2, 'a', '/', noon - 5)])).toEqual([[1, 2]])
})

test('a record is one that is read, and names its source', () => {
  const [record] = buildImportRecords([aHit(7)], 'the-source')
  expect(record).toMatchObject({ imp: { src: 'the-source' }, ev: [{ l: 7 }] })
  expect(readRecord(JSON.stringify(record))).toEqual(JSON.parse(JSON.stringify(record)))
})

test('limits cut a run, never its order', () => {
  const many = Array.from({ length: 250 }, (_, i) => aHit(i + 1))
  expect(linesOf(many).map(({ length }) => length)).toEqual([recordLimits.hits, recordLimits.hits, 50])
  const large = Array.from({ length: 90 }, (_, i) => aHit(i + 1, 'aaaaaaaaaaaa', `/${'ä'.repeat(1_900)}`))
  const records = buildImportRecords(large, 'the-source')
  expect(records.length).toBeGreaterThan(1)
  for (const record of records) expect(Buffer.byteLength(JSON.stringify(record))).toBeLessThan(recordLimits.bytes + 2_000)
  expect(records.flatMap(({ ev }) => ev.map(({ l }) => l))).toEqual(large.map(({ line }) => line))
})

test('every line of a record lies before every line of the next one', () => {
  const random = createRandom(5)
  const hits = Array.from({ length: 2_000 }, (_, i) => aHit(i * 2 + 1, random.pick(['a', 'b', 'c'])))
  const all = linesOf(hits)
  expect(all.flat()).toEqual(hits.map(({ line }) => line))
  for (let i = 1; i < all.length; i++) expect(Math.min(...(all[i] as number[]))).toBeGreaterThan(Math.max(...(all[i - 1] as number[])))
})

test('a tally adds up, and keeps a few samples of each reason', () => {
  const { tally, samples, page, skip, unreadable } = createTally()
  page(undefined, 20260610)
  page('agent', 20260608)
  page('__proto__', 20260609)
  for (let line = 1; line <= 5; line++) skip(line, 'asset', 'x'.repeat(1_000))
  skip(6, 'blank', '')
  unreadable(7, 'form', 'junk')
  expect(tally).toMatchObject({ read: 10, counted: 1, unreadable: 1, from: 20260608, to: 20260610 })
  expect(Object.entries(tally.flagged)).toEqual([
    ['agent', 1],
    ['__proto__', 1],
  ])
  expect(Object.entries(tally.skipped)).toEqual([
    ['asset', 5],
    ['blank', 1],
  ])
  expect(samples.map(({ line }) => line)).toEqual([1, 2, 7])
  expect(samples[0]!.text.length).toBe(sampleLimits.chars)
  const sum = addTally(addTally(emptyTally(), tally), tally)
  expect([sum.read, sum.skipped['asset'], Object.entries(sum.flagged).length, sum.from]).toEqual([20, 10, 2, 20260608])
  expect(addTally(emptyTally(), emptyTally())).toEqual(emptyTally())
})
