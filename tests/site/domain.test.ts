import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { hostName, siteName } from '#shared/site/domain.ts'

const long = (length: number) =>
  `${'a'.repeat(60)}.`
    .repeat(5)
    .slice(0, length - 3)
    .concat('.de')

describe('the name of a site', () => {
  const table: [text: string, name: string | undefined][] = [
    ['example.com', 'example.com'],
    [' Example.COM ', 'example.com'],
    ['example.com:8080', 'example.com'],
    ['example.com.', 'example.com'],
    ['www.example.com', 'example.com'],
    ['WWW.example.com:443', 'example.com'],
    ['www.www.example.com', 'example.com'],
    ['www.com', 'www.com'],
    ['www', 'www'],
    ['wwwx.example.com', 'wwwx.example.com'],
    ['localhost', 'localhost'],
    ['127.0.0.1', '127.0.0.1'],
    ['1.2.3', '1.2.3'],
    ['my_site.example', 'my_site.example'],
    ['Müller.example', 'xn--mller-kva.example'],
    ['www.münchen.de', 'xn--mnchen-3ya.de'],
    ['xn--mnchen-3ya.de', 'xn--mnchen-3ya.de'],
    ['例え.テスト', 'xn--r8jz45g.xn--zckzah'],
    ['ｅｘａｍｐｌｅ.com', 'example.com'],
    ['__proto__', '__proto__'],
    ['constructor', 'constructor'],
    [long(253), long(253)],
    [long(254), undefined],
    ['', undefined],
    [' ', undefined],
    ['.', undefined],
    ['example..com', undefined],
    ['.example.com', undefined],
    ['-example.com', undefined],
    ['example-.com', undefined],
    [`${'a'.repeat(64)}.com`, undefined],
    ['https://example.com', undefined],
    ['example.com/path', undefined],
    ['example.com?x=1', undefined],
    ['example.com#top', undefined],
    ['user@example.com', undefined],
    ['exa mple.com', undefined],
    ['%65xample.com', undefined],
    ['münchen.de/path', undefined],
    ['[::1]', undefined],
    ['::1', undefined],
    ['example.com:99999999', undefined],
    ['example.com\n', 'example.com'],
    ['exam\u0000ple.com', undefined],
    ['<script>', undefined],
    ['a'.repeat(100_000), undefined],
  ]
  it.each(table)('%j is %j', (text, name) => {
    expect(siteName(text)).toBe(name)
  })

  it('of a name is that name', () => {
    const part = fc.stringMatching(/^[a-zA-Z0-9_-]{1,12}$/)
    const domain = fc.tuple(
      fc.constantFrom('', 'www.', 'WWW.www.'),
      fc.array(fc.oneof(part, fc.string({ maxLength: 6 })), { minLength: 1, maxLength: 4 }),
    )
    fc.assert(
      fc.property(domain, ([prefix, parts]) => {
        const name = siteName(prefix + parts.join('.'))
        if (name !== undefined) expect(siteName(name)).toBe(name)
      }),
      { numRuns: 2_000 },
    )
  })
})

it('a host is stored without www.', () => {
  expect(hostName('www.example.com')).toBe('example.com')
  expect(hostName('shop.example.com')).toBe('shop.example.com')
})
