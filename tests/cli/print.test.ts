import { describe, expect, it } from 'vitest'
import { safeJson, safeText, table } from '../../scripts/cli/print.ts'

describe('text for a terminal', () => {
  it.each([
    ['plain', 'plain'],
    ['umlauts äöü, 日本語, 👍🏽', 'umlauts äöü, 日本語, 👍🏽'],
    ['\u001b[2J', '\ufffd[2J'],
    ['a\r\nb\tc', 'a\ufffd\ufffdb\ufffdc'],
    ['\u009b31m', '\ufffd31m'],
    ['gpj.\u202eexe', 'gpj.\ufffdexe'],
    ['\u0000\u0007\u2028', '\ufffd\ufffd\ufffd'],
  ])('%j is %j', (text, safe) => {
    expect(safeText(text)).toBe(safe)
  })

  it('as JSON stays the same value', () => {
    const value = { title: '\u001b]0;owned\u0007\u009b\u202e', n: [1, null] }
    for (const char of ['\u001b', '\u0007', '\u009b', '\u202e']) expect(safeJson(value)).not.toContain(char)
    expect(JSON.parse(safeJson(value))).toEqual(value)
  })
})

describe('a table', () => {
  it('aligns words left, numbers right, and wide characters by what they take', () => {
    const rows = [
      ['東京', '7', '1.5'],
      ['a', '1234', '–'],
    ]
    expect(table(['page', 'visitors', 'rate'], rows)).toEqual(['page  visitors  rate', '東京         7   1.5', 'a         1234     –'])
  })

  it('without rows is its head', () => {
    expect(table(['a', 'b'], [])).toEqual(['a  b'])
  })
})
