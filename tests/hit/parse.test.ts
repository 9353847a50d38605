import { describe, expect, test } from 'vitest'
import {
  hitLimits,
  type ParseContext,
  type ParsedHit,
  parseHit,
  parsePageUrl,
  parseReferrer,
  parseSite,
  type Raw,
} from '#shared/hit/parse.ts'
import { refusalReasons } from '#shared/hit/record.ts'
import { aHit, hour, minute, noon } from '../fixtures/hit.ts'

const parse = (fields: Raw, context: Partial<ParseContext> = {}): ParsedHit | string => {
  const raw = JSON.parse(JSON.stringify(aHit(fields))) as Raw
  return parseHit(raw, 'example.com', { now: noon, trusted: false, keptParams: [], ...context })
}
const trusted = { trusted: true }
const parsed = (fields: Raw, context: Partial<ParseContext> = {}): ParsedHit => {
  const hit = parse(fields, context)
  if (typeof hit === 'string') throw new Error(`refused: ${hit}`)
  return hit
}
const long = (n: number) => 'x'.repeat(n)
const keys = (n: number, length = 0) => Object.fromEntries(Array.from({ length: n }, (_, i) => [`k${i}`.padEnd(length, 'k'), i]))

describe('site', () => {
  test.each([
    ['example.com', 'example.com'],
    ['WWW.Example.COM', 'example.com'],
    ['example.com:8080', 'example.com'],
    ['münchen.example', 'xn--mnchen-3ya.example'],
    ['localhost', 'localhost'],
  ])('%s is %s', (site, name) => {
    expect(parseSite({ site })).toMatchObject({ site: name })
  })

  test.each([
    ['not an object', 7],
    ['null', null],
    ['a list', [aHit()]],
    ['without site', { url: 'https://example.com/' }],
    ['a site that is no text', { site: 5 }],
    ['a site that is null', { site: null }],
  ])('%s is malformed', (_what, value) => {
    expect(parseSite(value)).toBe('malformed')
  })

  test.each(['', 'https://example.com', 'example.com/path', 'a b', long(300), '..'])('%s names no site', (site) => {
    expect(parseSite({ site })).toBe('unknown-site')
  })
})

describe('what is absent', () => {
  test('a hit needs a site and a url; the rest has its default', () => {
    expect(parse({})).toEqual({
      site: 'example.com',
      n: 'pageview',
      t: noon,
      url: { host: 'example.com', path: '/' },
      id: undefined,
      r: undefined,
      ti: undefined,
      p: undefined,
      rev: undefined,
      fg: undefined,
      sd: undefined,
      visitor: undefined,
      user: undefined,
      scr: undefined,
      lang: undefined,
      address: undefined,
      agent: undefined,
    })
  })

  test('null is absent, in every field', () => {
    const fields = [
      'id',
      'name',
      'referrer',
      'title',
      'props',
      'revenue',
      'visitor',
      'user',
      'queued',
      'engaged',
      'scroll',
      'screen',
      'language',
      'address',
      'agent',
      'time',
    ]
    expect(parse(Object.fromEntries(fields.map((name) => [name, null])))).toEqual(parse({}))
  })

  test('unknown fields are ignored', () => {
    expect(parse({ v: 3, cfg: 9, t: 1, bot: 'no', vis: 'me', constructor: {}, toString: 1 })).toEqual(parse({}))
  })
})

describe('texts that refuse a hit when they are over-long', () => {
  test.each<[string, Raw, Raw]>([
    ['id', { id: long(64) }, { id: long(65) }],
    ['name', { name: long(120) }, { name: long(121) }],
    ['url', { url: `https://example.com/${long(1_980)}` }, { url: `https://example.com/${long(1_981)}` }],
    ['visitor', { visitor: long(80) }, { visitor: long(81) }],
    ['user', { user: long(300) }, { user: long(301) }],
    ['prop key', { props: { [long(300)]: 1 } }, { props: { [long(301)]: 1 } }],
  ])('%s', (_field, fits, exceeds) => {
    expect(parse(fits)).toBeTypeOf('object')
    expect(parse(exceeds)).toBe('too-long')
  })

  test('an address of a trusted sender', () => {
    expect(parse({ address: long(60) }, trusted)).toBeTypeOf('object')
    expect(parse({ address: long(61) }, trusted)).toBe('too-long')
  })
})

describe('texts that are cut', () => {
  test.each([
    ['title', 300, (hit: ParsedHit) => hit.ti],
    ['agent', 512, (hit: ParsedHit) => hit.agent],
  ])('%s at %i', (field, limit, read) => {
    expect(read(parsed({ [field]: long(limit + 9) }, trusted))).toBe(long(limit))
  })

  test('a prop string at 2,000, and its neighbours stay', () => {
    expect(parsed({ props: { a: long(2_001), b: 'b' } }).p).toEqual({ a: long(2_000), b: 'b' })
  })

  test('a referrer at 2,000', () => {
    expect(parsed({ referrer: `https://other.example/${long(3_000)}` }).r).toBe(
      `other.example/${long(2_000 - 'https://other.example/'.length)}`,
    )
  })

  test('in UTF-16 units, never through the middle of a character', () => {
    const { ti } = parsed({ title: `${long(299)}😀` })
    expect(ti).toBe(`${long(299)}\ufffd`)
    expect(ti!.isWellFormed()).toBe(true)
  })

  test('halves of characters that were sent are mended everywhere', () => {
    const half = '\ud83d'
    const hit = parsed({ id: half, name: half, title: half, user: half, props: { [half]: half }, url: 'https://example.com/' })
    expect([hit.id, hit.n, hit.ti, hit.user, JSON.stringify(hit.p)]).toEqual([
      '\ufffd',
      '\ufffd',
      '\ufffd',
      '\ufffd',
      '{"\ufffd":"\ufffd"}',
    ])
  })
})

describe('wrong types are malformed', () => {
  test.each<[string, Raw]>([
    ['id', { id: 7 }],
    ['name', { name: {} }],
    ['url', { url: 7 }],
    ['referrer', { referrer: [] }],
    ['title', { title: true }],
    ['props as a list', { props: ['a'] }],
    ['props as a text', { props: 'a=b' }],
    ['visitor', { visitor: 12345678 }],
    ['visitor with other characters', { visitor: 'has blank!' }],
    ['visitor that is too short', { visitor: '1234567' }],
    ['user', { user: {} }],
    ['queued', { queued: '5' }],
  ])('%s', (_field, fields) => {
    expect(parse(fields)).toBe('malformed')
  })

  test.each<[string, Raw]>([
    ['address', { address: 7 }],
    ['agent', { agent: {} }],
    ['time', { time: true }],
    ['time that is no time', { time: 'yesterday' }],
    ['time that names no zone', { time: '2026-06-10T11:00:00' }],
    ['time that is a date', { time: '2026-06-10' }],
    ['time in words', { time: 'June 10 2026' }],
    ['time in words with a zone', { time: 'Wed, 10 Jun 2026 11:00:00 GMT' }],
    ['time of no day', { time: '2026-06-41T11:00:00Z' }],
    ['time that is far too long a text', { time: long(41) }],
  ])('%s of a trusted sender', (_field, fields) => {
    expect(parse(fields, trusted)).toBe('malformed')
  })

  test('what only describes is dropped when it has the wrong type', () => {
    const hit = parsed({ name: 'engagement', engaged: '5', scroll: [], screen: 7, language: {} })
    expect([hit.fg, hit.sd, hit.scr, hit.lang]).toEqual([undefined, undefined, undefined, undefined])
  })
})

describe('url', () => {
  test.each([
    ['ftp://example.com/', 'no http'],
    ['javascript:alert(1)', 'a script'],
    ['/docs', 'relative'],
    ['https://', 'no host'],
    ['no address', 'no URL'],
  ])('%s is refused: %s', (url) => {
    expect(parse({ url })).toBe('bad-url')
    expect(parse({ url, name: 'signup' })).toBe('bad-url')
  })

  test('a pageview needs one, an event does not', () => {
    expect(parse({ url: undefined })).toBe('bad-url')
    expect(parsed({ url: undefined, name: 'signup' }).url).toBeUndefined()
    expect(parsed({ url: '', name: 'engagement' }).url).toBeUndefined()
  })

  test.each([
    ['https://WWW.Example.com:8443/Docs?x=1#frag', { host: 'example.com', path: '/Docs' }],
    ['http://example.com', { host: 'example.com', path: '/' }],
    ['https://example.com/a%20b/%C3%BC', { host: 'example.com', path: '/a b/ü' }],
    ['https://example.com/%FF', { host: 'example.com', path: '/%FF' }],
    ['https://example.com/%', { host: 'example.com', path: '/%' }],
    ['https://user:secret@example.com/', { host: 'example.com', path: '/' }],
    ['https://bücher.example/', { host: 'xn--bcher-kva.example', path: '/' }],
    ['https://[2001:db8::1]:80/', { host: '[2001:db8::1]', path: '/' }],
  ])('%s', (url, page) => {
    expect(parsePageUrl(url)).toEqual({ ...page, ...(url.includes('?') && { q: undefined }) })
  })

  test('the query string is dropped but for campaigns, the network of a click id and what the site allows', () => {
    const url = 'https://example.com/?utm_source=News&gclid=secret-click&page=2&email=a@b.example&id=9'
    expect(parsePageUrl(url)).toEqual({ host: 'example.com', path: '/', q: { us: 'News', clk: 'Google' } })
    expect(parsePageUrl(url, ['id', 'page', 'absent'])!.path).toBe('/?id=9&page=2')
    expect(JSON.stringify(parsePageUrl(url, ['page']))).not.toMatch(/secret|@/)
  })

  test('a page is at most 2,000 characters when it is stored', () => {
    expect(parsePageUrl(`https://example.com/%${'€'.repeat(1_900)}`)!.path.length).toBeLessThanOrEqual(hitLimits.url)
  })

  test('a page with allowed parameters is cut at the limit of a url', () => {
    const url = `https://example.com/?q=${'%20'.repeat(600)}${long(30)}`
    expect(parsePageUrl(`https://example.com/${long(1_900)}?q=${long(70)}`, ['q'])!.path.length).toBeLessThanOrEqual(hitLimits.url)
    expect(parsePageUrl(url, ['q'])!.path.startsWith('/?q=')).toBe(true)
  })
})

describe('referrer', () => {
  test.each([
    ['https://www.other.example/path?secret=1#x', 'other.example/path'],
    ['https://OTHER.example', 'other.example/'],
    ['android-app://com.example.app/', 'com.example.app/'],
    ['about:blank', undefined],
    ['data:text/html,x', undefined],
    ['nothing', undefined],
  ])('%s', (referrer, kept) => {
    expect(parseReferrer(referrer)).toBe(kept)
  })

  test('is at most 2,000 characters when it is stored', () => {
    expect(parseReferrer(`https://other.example/${'€'.repeat(1_900)}`)!.length).toBeLessThanOrEqual(hitLimits.referrer)
  })

  test('one that is none does not refuse the hit', () => {
    expect(parsed({ referrer: 'nothing' }).r).toBeUndefined()
  })
})

describe('props', () => {
  test('more than fits a record is too long: only a write key could send it', () => {
    const fat = Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`k${i}`, '\u0001'.repeat(1_900)]))
    expect(parseHit({ ...aHit({ props: fat }) }, 'example.com', { now: noon, trusted: true, keptParams: [] })).toBe('too-long')
  })

  test('texts, numbers and truths stay; null is absent, lists and objects are dropped', () => {
    expect(parsed({ props: { s: 't', n: 1.5, b: false, gone: null, list: [1], object: { a: 1 } } }).p).toEqual({ s: 't', n: 1.5, b: false })
  })

  test('at most 30', () => {
    expect(Object.keys(parsed({ props: keys(30) }).p!)).toHaveLength(30)
    expect(parse({ props: keys(31) })).toBe('too-many')
  })

  test('a prop named __proto__ is a prop like any other', () => {
    const hit = parseHit(JSON.parse('{"url":"https://example.com/","props":{"__proto__":"mine","constructor":"too"}}'), 'example.com', {
      now: noon,
      trusted: false,
      keptParams: [],
    }) as ParsedHit
    expect(JSON.stringify(hit.p)).toBe('{"__proto__":"mine","constructor":"too"}')
    expect(({} as Record<string, unknown>)['mine']).toBeUndefined()
  })
})

describe('revenue', () => {
  test.each([
    ['12.99', '129900'],
    [12.99, '129900'],
    ['-5', '-50000'],
    [-0.5, '-5000'],
    ['0', '0'],
    ['-0.00', '0'],
    ['0.0001', '1'],
    ['007.10', '71000'],
    ['999999999999999.9999', '9999999999999999999'],
  ])('%s is %s ten-thousandths', (amount, a) => {
    expect(parsed({ revenue: { amount, currency: 'eur' } }).rev).toEqual({ a, c: 'EUR' })
  })

  test.each<[string, unknown]>([
    ['five decimals', { amount: '1.00001', currency: 'EUR' }],
    ['sixteen digits', { amount: '1234567890123456', currency: 'EUR' }],
    ['a float that has no short form', { amount: 0.1 + 0.2, currency: 'EUR' }],
    ['a huge number', { amount: 1e21, currency: 'EUR' }],
    ['a comma', { amount: '1,50', currency: 'EUR' }],
    ['a plus', { amount: '+1', currency: 'EUR' }],
    ['an empty amount', { amount: '', currency: 'EUR' }],
    ['no amount', { currency: 'EUR' }],
    ['no currency', { amount: '1' }],
    ['a currency that is none', { amount: '1', currency: 'EURO' }],
    ['an unknown currency', { amount: '1', currency: 'ZZZ' }],
    ['a text', '12 EUR'],
    ['a list', ['12', 'EUR']],
  ])('%s is refused', (_what, revenue) => {
    expect(parse({ revenue })).toBe('bad-revenue')
  })
})

describe('when it happened', () => {
  test.each([
    [0, noon],
    [1_500.9, noon - 1_500],
    [-5, noon],
    [72 * hour, noon - 72 * hour],
    [100 * hour, noon - 72 * hour],
  ])('queued %d ms', (queued, t) => {
    expect(parsed({ queued }).t).toBe(t)
  })

  test('an endless wait is 72 h', () => {
    const hit = parseHit(JSON.parse('{"url":"https://example.com/","queued":1e999}'), 'example.com', {
      now: noon,
      trusted: false,
      keptParams: [],
    })
    expect((hit as ParsedHit).t).toBe(noon - 72 * hour)
  })

  test.each<[unknown, number]>([
    [noon - 90_000, noon - 90_000],
    [noon - 0.5, noon - 1],
    ['2026-06-10T11:00:00Z', noon - hour],
    ['2026-06-10T11:00:00+02:00', noon - 3 * hour],
    ['2026-06-10T11:00:00+0200', noon - 3 * hour],
    ['2026-06-10T05:30-05', noon - 1.5 * hour],
    ['2026-06-10t11:00:00,25z', noon - hour + 250],
    ['2026-06-10T11:00:00.123456Z', noon - hour + 123],
    [noon + minute, noon],
    [noon - 72 * hour, noon - 72 * hour],
  ])('the time %s of a trusted sender wins over queued', (time, t) => {
    expect(parsed({ time, queued: 5_000 }, trusted).t).toBe(t)
  })

  test('a time more than 72 h ago is too old', () => {
    expect(parse({ time: noon - 72 * hour - 1 }, trusted)).toBe('too-old')
    expect(parse({ time: '1999-01-01T00:00:00Z' }, trusted)).toBe('too-old')
  })
})

test.each<[string, Raw]>([
  ['address', { address: '192.0.2.1' }],
  ['agent', { agent: 'curl' }],
  ['time', { time: noon }],
])('%s needs a write key', (_field, fields) => {
  expect(parse(fields)).toBe('needs-key')
  expect(parse(fields, trusted)).toBeTypeOf('object')
})

describe('engagement', () => {
  test('foreground time and scroll count with engagement only', () => {
    expect(parsed({ name: 'engagement', engaged: 1_200.4, scroll: 55.5 })).toMatchObject({ n: 'engagement', fg: 1_200, sd: 56 })
    expect(parsed({ engaged: 1_200, scroll: 55 })).toMatchObject({ fg: undefined, sd: undefined })
  })

  test.each([
    [-5, undefined],
    [0, undefined],
    [101, 100],
  ])('scroll %d becomes %s', (scroll, sd) => {
    expect(parsed({ name: 'engagement', scroll }).sd).toBe(sd)
  })

  test('foreground time is at most a day', () => {
    expect(parsed({ name: 'engagement', engaged: 1e15 }).fg).toBe(24 * hour)
  })
})

test('screen, language, visitor, user and id in their normal form', () => {
  expect(parsed({ screen: '1920 x 1080', language: 'de_ch', visitor: 'Abc_.-12', user: 42, id: 'i' })).toMatchObject({
    scr: '1920x1080',
    lang: 'de-CH',
    visitor: 'Abc_.-12',
    user: '42',
    id: 'i',
  })
})

test('the reasons are a closed list', () => {
  expect(refusalReasons).toEqual(
    'malformed unknown-site too-long too-many too-old bad-url bad-revenue needs-key needs-visitor rate over-quota erased'.split(' '),
  )
})
