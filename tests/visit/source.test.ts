import { expect, test } from 'vitest'
import type { Campaign } from '../../shared/hit/record.ts'
import { kindOf, sourceOf } from '../../shared/visit/source.ts'
import { clickIds, type SourceKind, sources } from '../../shared/visit/sources.ts'

const isOwnHost = (host: string): boolean => host === 'example.com' || host.endsWith('.example.com')
const from = (r?: string, q?: Campaign): string => {
  const { src, med, ref } = sourceOf({ q, r, isOwnHost })
  return [src, med ?? '-', ref ?? '-'].join(' | ')
}

test.each([
  [undefined, '(direct) | (none) | -'],
  ['', '(direct) | (none) | -'],
  ['example.com/page', '(direct) | (none) | -'],
  ['shop.example.com/', '(direct) | (none) | -'],
  ['blog.org/post', 'blog.org | referral | blog.org/post'],
  ['blog.org:8080/post', 'blog.org | referral | blog.org:8080/post'],
  ['notexample.com/', 'notexample.com | referral | notexample.com/'],
  ['google.com/', 'Google | organic | google.com/'],
  ['google.de/', 'Google | organic | google.de/'],
  ['google.co.uk/', 'Google | organic | google.co.uk/'],
  ['google.com.br/', 'Google | organic | google.com.br/'],
  ['www.google.fr/', 'Google | organic | www.google.fr/'],
  ['com.google.android.googlequicksearchbox/', 'Google | organic | com.google.android.googlequicksearchbox/'],
  ['android-app://com.google.android.googlequicksearchbox', 'Google | organic | android-app://com.google.android.googlequicksearchbox'],
  ['bing.com/search', 'Bing | organic | bing.com/search'],
  ['search.yahoo.co.jp/', 'Yahoo | organic | search.yahoo.co.jp/'],
  ['duckduckgo.com/', 'DuckDuckGo | organic | duckduckgo.com/'],
  ['m.facebook.com/', 'Facebook | referral | m.facebook.com/'],
  ['l.facebook.com/l.php', 'Facebook | referral | l.facebook.com/l.php'],
  ['t.co/abc', 'Twitter | referral | t.co/abc'],
  ['x.com/', 'Twitter | referral | x.com/'],
  ['out.reddit.com/', 'Reddit | referral | out.reddit.com/'],
  ['pinterest.co.uk/', 'Pinterest | referral | pinterest.co.uk/'],
  ['youtube.com/watch', 'YouTube | referral | youtube.com/watch'],
  ['amazon.co.jp/', 'Amazon | referral | amazon.co.jp/'],
  ['de.wikipedia.org/wiki/X', 'Wikipedia | referral | de.wikipedia.org/wiki/X'],
  ['chatgpt.com/', 'ChatGPT | ai-assistant | chatgpt.com/'],
  ['gemini.google.com/app', 'Gemini | ai-assistant | gemini.google.com/app'],
  ['mail.google.com/mail', 'Gmail | email | mail.google.com/mail'],
  ['com.google.android.gm/', 'Gmail | email | com.google.android.gm/'],
  ['mail.yahoo.com/', 'Yahoo Mail | email | mail.yahoo.com/'],
  ['news.google.de/', 'Google News | referral | news.google.de/'],
  ['shopping.google.com.au/', 'Google Shopping | referral | shopping.google.com.au/'],
  ['market.yandex.ru/', 'Yandex Market | referral | market.yandex.ru/'],
  // strangers that borrow a name
  ['google.evil.com/', 'google.evil.com | referral | google.evil.com/'],
  ['google.com.evil.ru/', 'google.com.evil.ru | referral | google.com.evil.ru/'],
  ['google.click/', 'google.click | referral | google.click/'],
  ['notgoogle.com/', 'notgoogle.com | referral | notgoogle.com/'],
  ['netflix.com/', 'Netflix | referral | netflix.com/'],
  ['max.com/', 'HBO Max | referral | max.com/'],
  ['evilt.co/', 'evilt.co | referral | evilt.co/'],
  ['__proto__/', '__proto__ | referral | __proto__/'],
  ['constructor.constructor/x', 'constructor.constructor | referral | constructor.constructor/x'],
  ['[2001:db8::1]/x', '[2001:db8::1] | referral | [2001:db8::1]/x'],
  ['com/', 'com | referral | com/'],
  ['.../', '... | referral | .../'],
])('referrer %s', (r, expected) => {
  expect(from(r)).toBe(expected)
})

test.each<[Campaign, string | undefined, string]>([
  [{ us: 'google', um: 'CPC' }, undefined, 'Google | cpc | -'],
  [{ us: 'Google Ads' }, undefined, 'Google | - | -'],
  [{ us: 'google.de', um: 'organic' }, undefined, 'Google | organic | -'],
  [{ us: 'https://www.google.com/search' }, undefined, 'Google | - | -'],
  [{ us: 'FB', um: 'paid' }, undefined, 'Facebook | paid | -'],
  [{ us: 'm.facebook.com' }, undefined, 'Facebook | - | -'],
  [{ us: 'facebook-ads' }, undefined, 'Facebook | - | -'],
  [{ us: 'ig', um: 'social' }, undefined, 'Instagram | social | -'],
  [{ us: 'chatgpt.com' }, 'chatgpt.com/', 'ChatGPT | - | chatgpt.com/'],
  [{ us: 'twitter' }, undefined, 'Twitter | - | -'],
  [{ us: 'X' }, undefined, 'Twitter | - | -'],
  [{ us: 'My Newsletter', um: 'Email' }, undefined, 'My Newsletter | email | -'],
  [{ us: '__proto__' }, undefined, '__proto__ | - | -'],
  [{ us: 'constructor' }, undefined, 'constructor | - | -'],
  // utm_source goes before the click id, that before the referrer
  [{ us: 'partner', clk: 'Google' }, 'bing.com/', 'partner | cpc | bing.com/'],
  [{ us: 'newsletter', clk: 'Facebook' }, 'l.facebook.com/', 'newsletter | - | l.facebook.com/'],
  [{ clk: 'Google' }, 'bing.com/', 'Google | cpc | bing.com/'],
  [{ clk: 'Google', um: 'display' }, undefined, 'Google | display | -'],
  [{ clk: 'Google' }, 'example.com/', 'Google | cpc | -'],
  [{ clk: 'Facebook' }, undefined, 'Facebook | referral | -'],
  [{ clk: 'Google Display' }, undefined, 'Google Display | cpm | -'],
  // a campaign without a source
  [{ um: 'email' }, undefined, '(direct) | email | -'],
  [{ uc: 'may' }, 'google.com/', 'Google | organic | google.com/'],
  [{ uc: 'may' }, undefined, '(direct) | (none) | -'],
])('campaign %j', (q, r, expected) => {
  expect(from(r, q)).toBe(expected)
})

test('a host of any length is looked up and cut', () => {
  expect(sourceOf({ r: `${'a.'.repeat(50_000)}com/`, isOwnHost }).src.length).toBe(253)
  expect(sourceOf({ r: 'a'.repeat(100_000), isOwnHost }).src.length).toBe(253)
})

const fold = (text: string): string => text.toLowerCase().replace(/[\s_-]/g, '')
const entries = (Object.keys(sources) as SourceKind[]).flatMap((kind) => sources[kind].map((entry) => ({ kind, entry })))

test('in the lists no name, host or spelling stands for two sources', () => {
  const owners = new Map<string, string>()
  for (const { entry } of entries) {
    const [name, hosts, more = ''] = entry
    const spellings = new Set([name, ...more.split(' ')].filter(Boolean).map((word) => `spelling ${fold(word)}`))
    for (const key of [...hosts.split(/\s+/).map((host) => `host ${host}`), ...spellings]) {
      expect([key, owners.get(key) ?? name]).toEqual([key, name])
      owners.set(key, name)
    }
  }
  expect(new Set(entries.map(({ entry }) => entry[0])).size).toBe(entries.length)
})

test('every source is found by its name and by each host, as referrer and as utm_source, and has its kind', () => {
  for (const { kind, entry } of entries) {
    const [name, hosts, more = ''] = entry
    expect([name, kindOf(name)]).toEqual([name, kind])
    for (const word of [name, name.toUpperCase(), ...more.split(' ').filter(Boolean)]) {
      expect([word, sourceOf({ q: { us: word }, isOwnHost }).src]).toEqual([word, name])
    }
    for (const host of hosts.split(/\s+/).map((text) => text.replace('.*', '.co.uk'))) {
      expect([host, sourceOf({ r: `${host}/`, isOwnHost }).src]).toEqual([host, name])
      expect([host, sourceOf({ q: { us: host }, isOwnHost }).src]).toEqual([host, name])
    }
  }
})

test('the networks of click ids are sources of the lists', () => {
  for (const [, source] of clickIds) expect([source, kindOf(source) !== undefined]).toEqual([source, true])
})

test('unknown names have no kind', () => {
  for (const name of ['', 'google', '__proto__', 'toString']) expect(kindOf(name)).toBeUndefined()
})
