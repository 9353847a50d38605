import { expect, test } from 'vitest'
import { campaignLimits, campaignOf } from '../../shared/visit/campaign.ts'

const of = (query: string): ReturnType<typeof campaignOf> => campaignOf(new URLSearchParams(query))

test.each([
  ['', undefined],
  ['page=2&q=utm_source', undefined],
  [
    'utm_source=news&utm_medium=email&utm_campaign=may&utm_content=top&utm_term=shoes',
    { us: 'news', um: 'email', uc: 'may', un: 'top', ut: 'shoes' },
  ],
  ['utm_source=%20news%20&utm_medium=', { us: 'news' }],
  ['utm_source=%20&utm_medium=%09', undefined],
  ['utm_source=a&utm_source=b', { us: 'a' }],
  ['utm_source=&utm_source=b', { us: 'b' }],
  ['UTM_SOURCE=a', undefined],
  ['gclid=abc', { clk: 'Google' }],
  ['gbraid=abc', { clk: 'Google' }],
  ['wbraid=abc', { clk: 'Google' }],
  ['msclkid=abc', { clk: 'Bing' }],
  ['fbclid=abc', { clk: 'Facebook' }],
  ['ttclid=abc', { clk: 'TikTok' }],
  ['twclid=abc', { clk: 'Twitter' }],
  ['li_fat_id=abc', { clk: 'LinkedIn' }],
  ['dclid=abc', { clk: 'Google Display' }],
  ['gclid=', undefined],
  ['fbclid=1&gclid=2', { clk: 'Google' }],
  ['gclid=2&fbclid=1', { clk: 'Google' }],
  ['fbclid=1&utm_source=x', { us: 'x', clk: 'Facebook' }],
  ['__proto__=1&constructor=2&toString=3', undefined],
  ['utm_source=__proto__', { us: '__proto__' }],
  ['utm_source=a%00b%0d%0ac', { us: 'a b c' }],
])('%s', (query, expected) => {
  expect(of(query)).toEqual(expected)
})

test('the value of a click id is nowhere in the answer', () => {
  expect(JSON.stringify(of('gclid=PERSONAL&fbclid=PERSONAL&utm_source=x'))).not.toContain('PERSONAL')
})

test('a value is cut at its limit, and never through a character', () => {
  expect(of(`utm_source=${'a'.repeat(100_000)}`)?.us?.length).toBe(campaignLimits.chars)
  expect(of(`utm_source=${'a'.repeat(campaignLimits.chars - 1)}😀`)?.us?.isWellFormed()).toBe(true)
})
