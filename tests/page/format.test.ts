import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { dimensions } from '#functions/serve-dashboard/page/state/dimensions.ts'
import { brief, changed, valueLabel, written } from '#functions/serve-dashboard/page/state/format.ts'
import { excludedOf } from '#functions/serve-dashboard/page/state/ledger.ts'
import { reachOf } from '#functions/serve-dashboard/page/state/reach.ts'
import { anyText, hostile } from './arbitrary.ts'

describe('numbers', () => {
  it.each([
    [null, 'count', '–'],
    [undefined, 'percent', '–'],
    [0, 'count', '0'],
    [1_234_567, 'count', '1,234,567'],
    [4.27, 'ratio', '4.27'],
    [43, 'percent', '43%'],
    [0, 'duration', '0s'],
    [59.6, 'duration', '1m 00s'],
    [125, 'duration', '2m 05s'],
    [3_725, 'duration', '1h 02m'],
  ] as const)('%j as %s is %s', (value, unit, text) => {
    expect(written(value, unit)).toBe(text)
  })

  it('are short where they are large', () => {
    expect([brief(9_999, 'count'), brief(12_345, 'count'), brief(12_345, 'duration')]).toEqual(['9,999', '12.3K', '3h 25m'])
  })

  it.each([
    [12, 'more', '↑ 12%', 'good', 'up 12 per cent'],
    [12, 'less', '↑ 12%', 'bad', 'up 12 per cent'],
    [-1_234, 'less', '↓ 1,234%', 'good', 'down 1,234 per cent'],
    [0, 'more', '0%', 'same', 'no change'],
  ] as const)('a change of %i where %s is better', (change, better, text, tone, spoken) => {
    expect(changed(change, better)).toEqual({ text, tone, spoken })
  })

  it('have no change where there is nothing to compare with', () => {
    expect([changed(null, 'more'), changed(undefined, 'more')]).toEqual([undefined, undefined])
  })
})

describe('values', () => {
  it.each([
    ['country', 'DE', 'Germany'],
    ['country', '(not set)', '(not set)'],
    ['country', 'ZZZ', 'ZZZ'],
    ['language', 'de-CH', 'Swiss High German'],
    ['language', '(not set)', '(not set)'],
    ['weekday', '1', 'Monday'],
    ['weekday', '9', '9'],
    ['hour', '07', '07:00'],
    ['page', '/DE', '/DE'],
  ])('%s %s is called %s', (key, value, label) => {
    expect(valueLabel(key, value)).toBe(label)
  })

  it('are called something whatever they are', () => {
    const keys = [...dimensions.map(({ key }) => key), ...hostile.map((text) => `prop.${text}`), ...hostile]
    fc.assert(fc.property(fc.constantFrom(...keys), anyText, (key, value) => void expect(typeof valueLabel(key, value)).toBe('string')))
  })
})

describe('what was left out', () => {
  const hour = { from: '', received: 10, counted: 4, flagged: { agent: 2 }, refused: { rate: 1 }, repeated: 2, dead: 1, lost: 0 }

  it('adds up over the hours, most first', () => {
    expect(excludedOf([hour, { ...hour, flagged: { agent: 1, headless: 5 } }])).toEqual({
      received: 20,
      counted: 8,
      flagged: [
        ['headless', 5],
        ['agent', 3],
      ],
      refused: [['rate', 2]],
      repeated: 4,
      dead: 2,
      lost: 0,
    })
    expect(excludedOf([])).toMatchObject({ received: 0, flagged: [] })
  })
})

describe('how far the numbers reach', () => {
  const said = { as_of: '2026-11-24T12:00:00.000Z', lag_ms: 0, heardAt: 1_000 }
  const at = Date.parse(said.as_of)

  it('is what the server said', () => {
    expect(reachOf(said, 'live', 1_500)).toEqual({ until: at, lagMs: 0 })
    expect(reachOf({ ...said, lag_ms: 400 }, 'live', 90_000)).toEqual({ until: at, lagMs: 400 })
    expect(reachOf({ ...said, as_of: null }, 'live', 0)).toBeUndefined()
  })

  it('goes on while the stream is open and silent, but for the time between two looks of the server', () => {
    expect(reachOf(said, 'live', 66_000)).toEqual({ until: at + 60_000, lagMs: 0 })
    expect(reachOf(said, 'connecting', 66_000)).toEqual({ until: at, lagMs: 0 })
    expect(reachOf(said, 'polling', 66_000)).toEqual({ until: at, lagMs: 0 })
  })
})
