import { expect, test } from 'vitest'
import { languageTag, screenSize } from '../../shared/hit/text.ts'

test.each([
  ['de', 'de'],
  ['DE', 'de'],
  ['de-ch', 'de-CH'],
  ['de_CH', 'de-CH'],
  [' en-US ', 'en-US'],
  ['zh-hant-tw', 'zh-Hant-TW'],
  ['es-419', 'es-419'],
  ['sr-LATN', 'sr-Latn'],
  ['gsw', 'gsw'],
  ['iw-IL', 'he-IL'],
  ['de-CH-1996', 'de-CH'],
  ['de-DE-u-co-phonebk', 'de-DE'],
  ['de-CH,de;q=0.9,en;q=0.8', 'de-CH'],
  [`fr-FR,${'x,'.repeat(50_000)}`, 'fr-FR'],
  ['', undefined],
  ['*', undefined],
  ['C', undefined],
  ['english', undefined],
  ['de-', undefined],
  ['de--CH', undefined],
  ['de-CH\u0000', undefined],
  ['__proto__', undefined],
  ['constructor', undefined],
  ['a'.repeat(100_000), undefined],
  [`de${'-a'.repeat(50_000)}`, undefined],
  [`de-${'abcdefgh-'.repeat(4)}`, undefined],
])('language %j', (text, expected) => {
  expect(languageTag(text)).toBe(expected)
})

test.each([
  ['1920x1080', '1920x1080'],
  ['1920X1080', '1920x1080'],
  ['1920 × 1080', '1920x1080'],
  ['0390x0844', '390x844'],
  ['0x1080', undefined],
  ['1920x', undefined],
  ['1920', undefined],
  ['-1x5', undefined],
  ['1e3x5', undefined],
  ['100000x100000', undefined],
  ['1920x1080x24', undefined],
  ['NaNxNaN', undefined],
  ['', undefined],
  ['__proto__', undefined],
  [`${' '.repeat(100_000)}1x1`, undefined],
])('screen %j', (text, expected) => {
  expect(screenSize(text)).toBe(expected)
})
