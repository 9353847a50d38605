import { readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { expect, it } from 'vitest'

/** What every visitor of every site loads. */
const script = readFileSync(new URL('../../functions/collect-hit/built/footfall.js', import.meta.url))

it('is at most 3 kB on the way', () => {
  expect(gzipSync(script, { level: 9 }).length).toBeLessThanOrEqual(3_000)
})

it('asks a strict policy for nothing: no evaluation, no markup, no style, no import', () => {
  expect(script.toString()).not.toMatch(/\beval\b|Function\(|innerHTML|insertAdjacent|document\.write|\.style\b|\bimport\b|setAttribute/)
})

it('leaves one name in the page', () => {
  const text = script.toString()
  expect(text.startsWith('(function(){')).toBe(true)
  expect(text.trim().endsWith('})();')).toBe(true)
  expect([...text.matchAll(/window\.(\w+)\s*=[^=]/g)].map(([, name]) => name)).toEqual(['footfall'])
})
