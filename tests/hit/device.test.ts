import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { expect, test } from 'vitest'
import { agentReasons, createAgents } from '../../shared/hit/device.ts'

const agents = createAgents()
const told = (ua: string): string => {
  const { device, bot } = agents(ua)
  return [device.br, device.brv, device.os, device.osv, device.type, bot ?? ''].join('|')
}

const khtml = '(KHTML, like Gecko)'
const chrome = (system: string, rest: string): string => `Mozilla/5.0 (${system}) AppleWebKit/537.36 ${khtml} ${rest}`
const apple = (system: string, rest: string): string => `Mozilla/5.0 (${system}) AppleWebKit/605.1.15 ${khtml} ${rest}`
const windows = 'Windows NT 10.0; Win64; x64'
const mac = 'Macintosh; Intel Mac OS X 10_15_7'
const iphone = (version: string): string => `iPhone; CPU iPhone OS ${version} like Mac OS X`
const ipad = (version: string): string => `iPad; CPU OS ${version} like Mac OS X`

test.each([
  // desktops
  [chrome(windows, 'Chrome/126.0.0.0 Safari/537.36'), 'Chrome|126|Windows|10|Desktop|'],
  [chrome('Windows NT 6.1; WOW64', 'Chrome/109.0.0.0 Safari/537.36'), 'Chrome|109|Windows|7|Desktop|'],
  [chrome(mac, 'Chrome/126.0.0.0 Safari/537.36'), 'Chrome|126|macOS|10.15|Desktop|'],
  [chrome('X11; Linux x86_64', 'Chrome/126.0.0.0 Safari/537.36'), 'Chrome|126|Linux||Desktop|'],
  [chrome('X11; CrOS x86_64 14541.0.0', 'Chrome/126.0.0.0 Safari/537.36'), 'Chrome|126|ChromeOS||Desktop|'],
  [chrome(windows, 'Chrome/126.0.0.0 Safari/537.36 Edg/126.0.2592.56'), 'Edge|126|Windows|10|Desktop|'],
  [chrome(windows, 'Chrome/64.0.3282.140 Safari/537.36 Edge/18.17763'), 'Edge|18|Windows|10|Desktop|'],
  [chrome(windows, 'Chrome/124.0.0.0 Safari/537.36 OPR/110.0.0.0'), 'Opera|110|Windows|10|Desktop|'],
  [chrome(windows, 'Chrome/124.0.0.0 YaBrowser/24.6.0.0 Safari/537.36'), 'Yandex Browser|24|Windows|10|Desktop|'],
  [chrome(windows, 'Chrome/124.0.0.0 Safari/537.36 Vivaldi/6.7.3329.41'), 'Vivaldi|6|Windows|10|Desktop|'],
  [chrome('X11; Linux x86_64', 'Ubuntu Chromium/80.0.3987.87 Chrome/80.0.3987.87 Safari/537.36'), 'Chromium|80|Linux||Desktop|'],
  [chrome(mac, 'Chrome/153.0.8010.48 Safari/537.36 Honorlock'), 'Chrome|153|macOS|10.15|Desktop|'],
  [chrome(mac, 'Slack/4.38.125 Chrome/124.0.6367.243 Electron/30.1.0 Safari/537.36'), 'Electron|30|macOS|10.15|Desktop|'],
  [apple(mac, 'Version/17.5 Safari/605.1.15'), 'Safari|17|macOS|10.15|Desktop|'],
  [apple(mac, 'Version/26.5.2 Safari/605.1.15 Ddg/26.5.2'), 'DuckDuckGo|26|macOS|10.15|Desktop|'],
  ['Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:127.0) Gecko/20100101 Firefox/127.0', 'Firefox|127|Windows|10|Desktop|'],
  ['Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:127.0) Gecko/20100101 Firefox/127.0', 'Firefox|127|macOS|10.15|Desktop|'],
  ['Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0', 'Firefox|127|Linux||Desktop|'],
  ['Mozilla/5.0 (X11; FreeBSD amd64; rv:127.0) Gecko/20100101 Firefox/127.0', 'Firefox|127|FreeBSD||Desktop|'],
  ['Mozilla/5.0 (Windows NT 10.0; rv:91.0) Gecko/20100101 Firefox/91.0 SeaMonkey/2.53.18', 'SeaMonkey|2|Windows|10|Desktop|'],
  ['Mozilla/5.0 (Windows NT 6.3; Trident/7.0; rv:11.0) like Gecko', 'Internet Explorer|11|Windows|8.1|Desktop|'],
  ['Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 5.1; Trident/4.0)', 'Internet Explorer|8|Windows|XP|Desktop|'],
  ['Opera/9.80 (Windows NT 6.1; U; en) Presto/2.12.388 Version/12.18', 'Opera|12|Windows|7|Desktop|'],
  // hands
  [apple(iphone('17_4_1'), 'Version/17.4.1 Mobile/15E148 Safari/604.1'), 'Safari|17|iOS|17.4|Mobile|'],
  [apple(iphone('18_6'), 'Version/26.1 Mobile/15E148 Safari/604.1'), 'Safari|26|iOS|26.1|Mobile|'],
  [apple(iphone('17_5'), 'CriOS/126.0.6478.54 Mobile/15E148 Safari/604.1'), 'Chrome|126|iOS|17.5|Mobile|'],
  [apple(iphone('17_5'), 'FxiOS/127.0 Mobile/15E148 Safari/605.1.15'), 'Firefox|127|iOS|17.5|Mobile|'],
  [apple(iphone('17_5'), 'Version/17.0 EdgiOS/125.0.2535.96 Mobile/15E148 Safari/604.1'), 'Edge|125|iOS|17.5|Mobile|'],
  [apple(iphone('17_5'), 'GSA/320.0.643 Mobile/15E148 Safari/604.1'), 'Google App|320|iOS|17.5|Mobile|'],
  [apple(iphone('17_5'), 'Mobile/15E148'), 'iOS WebView||iOS|17.5|Mobile|'],
  [apple(iphone('17_4'), 'Mobile/15E148 [FBAN/FBIOS;FBAV/455.0.0.40.107;FBDV/iPhone14,5;FBSN/iOS]'), 'Facebook|455|iOS|17.4|Mobile|'],
  [apple(iphone('17_4'), 'Mobile/15E148 Instagram 336.0.8.22.89 (iPhone14,5; iOS 17_4; de_DE)'), 'Instagram|336|iOS|17.4|Mobile|'],
  [apple(iphone('17_4'), 'Mobile/15E148 [LinkedInApp]/9.29.7321'), 'LinkedIn|9|iOS|17.4|Mobile|'],
  [chrome('Linux; Android 10; K', 'Chrome/126.0.0.0 Mobile Safari/537.36'), 'Chrome|126|Android|10|Mobile|'],
  [
    chrome('Linux; Android 14; SM-S921B', 'SamsungBrowser/25.0 Chrome/121.0.0.0 Mobile Safari/537.36'),
    'Samsung Internet|25|Android|14|Mobile|',
  ],
  [
    chrome('Linux; Android 13; Pixel 7; wv', 'Version/4.0 Chrome/126.0.6478.50 Mobile Safari/537.36'),
    'Android WebView|126|Android|13|Mobile|',
  ],
  [
    chrome('Linux; Android 13; Pixel 7; wv', 'Version/4.0 Chrome/126 Mobile Safari/537.36 [FB_IAB/FB4A;FBAV/468.0.0;]'),
    'Facebook|468|Android|13|Mobile|',
  ],
  ['Mozilla/5.0 (Android 14; Mobile; rv:127.0) Gecko/127.0 Firefox/127.0', 'Firefox|127|Android|14|Mobile|'],
  [
    'Mozilla/5.0 (Linux; U; Android 4.0.3; de-de) AppleWebKit/534.30 (KHTML, like Gecko) Version/4.0 Mobile Safari/534.30',
    'Android Browser|4|Android|4.0|Mobile|',
  ],
  ['Opera/9.80 (Android; Opera Mini/36.2.2254/191.273; U; en) Presto/2.12.423 Version/12.16', 'Opera Mini|36|Android||Mobile|'],
  [
    'Mozilla/5.0 (Windows Phone 10.0; Android 6.0.1; Microsoft; Lumia 650) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/52.0.2743.116 Mobile Safari/537.36 Edge/15.15063',
    'Edge|15|Windows Phone|10.0|Mobile|',
  ],
  ['Mozilla/5.0 (Mobile; Nokia_8110_4G; rv:48.0) Gecko/48.0 Firefox/48.0 KAIOS/2.5', 'Firefox|48|KaiOS|2.5|Mobile|'],
  ['BlackBerry9700/5.0.0.862 Profile/MIDP-2.1 Configuration/CLDC-1.1 VendorID/331', '||BlackBerry|5.0|Mobile|'],
  // tablets
  [apple(ipad('16_6'), 'Version/16.6 Mobile/15E148 Safari/604.1'), 'Safari|16|iPadOS|16.6|Tablet|'],
  [chrome('Linux; Android 14; SM-X910', 'Chrome/126.0.0.0 Safari/537.36'), 'Chrome|126|Android|14|Tablet|'],
  ['Mozilla/5.0 (Android 13; Tablet; rv:127.0) Gecko/127.0 Firefox/127.0', 'Firefox|127|Android|13|Tablet|'],
  [chrome('Linux; Android 9; KFMAWI', 'Silk/112.5.1 like Chrome/112.0.5615.213 Safari/537.36'), 'Silk|112|Android|9|Tablet|'],
  // televisions and the rest
  ['Mozilla/5.0 (SMART-TV; LINUX; Tizen 6.0) AppleWebKit/537.36 (KHTML, like Gecko) 76.0.3809.146/6.0 TV Safari/537.36', '||Tizen|6.0|TV|'],
  [chrome('Web0S; Linux/SmartTV', 'Chrome/79.0.3945.79 Safari/537.36 WebAppManager'), 'Chrome|79|webOS||TV|'],
  [chrome('Linux; Android 12; Chromecast Build/STTE', 'Chrome/110.0.0.0 Safari/537.36 CrKey/1.56.500000'), 'Chrome|110|Android|12|TV|'],
  [chrome('Linux; Android 11; AFTKA', 'Silk/112.5.1 like Chrome/112.0.5615.213 Safari/537.36'), 'Silk|112|Android|11|TV|'],
  [chrome('Linux; Android 12; Google TV Streamer', 'Chrome/126.0.0.0 Safari/537.36'), 'Chrome|126|Android|12|TV|'],
  ['Roku/DVP-12.5 (12.5.0.4178-88)', '||Roku|12.5|TV|'],
  [
    'Mozilla/5.0 (PlayStation; PlayStation 5/6.50) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/15.4 Safari/605.1.15',
    '||PlayStation||Other|',
  ],
  [chrome('Windows NT 10.0; Win64; x64; Xbox; Xbox One', 'Chrome/124.0.0.0 Safari/537.36 Edg/124.0.0.0'), 'Edge|124|Xbox||Other|'],
  [chrome('X11; Linux x86_64; Quest 3', 'OculusBrowser/33.2 Chrome/124.0.0.0 VR Safari/537.36'), 'Oculus Browser|33|Linux||Other|'],
  // no persons
  ['', '||||Other|no-agent'],
  ['   ', '||||Other|no-agent'],
  ['-', '||||Other|agent'],
  ['Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)', '||||Other|agent'],
  [
    chrome(
      'Linux; Android 6.0.1; Nexus 5X Build/MMB29P',
      'Chrome/126.0.0.0 Mobile Safari/537.36 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)',
    ),
    'Chrome|126|Android|6.0|Mobile|agent',
  ],
  ['Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko); compatible; GPTBot/1.1; +https://openai.com/gptbot', '||||Other|agent'],
  [chrome('X11; Linux x86_64', 'HeadlessChrome/120.0.0.0 Safari/537.36'), 'Chrome|120|Linux||Desktop|headless'],
  ['Mozilla/5.0 (Unknown; Linux x86_64) AppleWebKit/538.1 (KHTML, like Gecko) PhantomJS/2.1.1 Safari/538.1', '||Linux||Desktop|headless'],
  ['curl/8.7.1', '||||Other|library'],
  ['python-requests/2.32.3', '||||Other|library'],
  ['Go-http-client/2.0', '||||Other|library'],
  ['okhttp/4.12.0', '||||Other|library'],
])('%s', (ua, expected) => {
  expect(told(ua)).toBe(expected)
})

test('the native app of a site owner is a person', () => {
  expect(agents('MyApp/1.0 CFNetwork/1474 Darwin/23.0.0').bot).toBeUndefined()
  expect(told('Dalvik/2.1.0 (Linux; U; Android 13; SM-S901B Build/TP1A.220624.014)')).toBe('||Android|13|Mobile|')
})

test('every reason has its sentence, and no reason is given that has none', () => {
  for (const sentence of Object.values(agentReasons)) expect(sentence).toMatch(/^The .+\.$/)
})

test('real agents of the npm package user-agents: each has browser, system and the same kind of device, none is a robot', () => {
  type Entry = { userAgent: string; deviceCategory: string }
  const file = createRequire(import.meta.url)
    .resolve('user-agents')
    .replace(/index\.\w+$/, 'user-agents.json')
  const entries: Entry[] = JSON.parse(readFileSync(file, 'utf8'))
  expect(entries.length).toBeGreaterThan(1000)
  let alike = 0
  for (const { userAgent, deviceCategory } of entries) {
    const { device, bot } = agents(userAgent)
    expect([userAgent, device.br !== '', device.os !== '', bot]).toEqual([userAgent, true, true, undefined])
    if (device.type.toLowerCase() === deviceCategory) alike += 1
  }
  // The package's own category comes from another parser and from screens; they differ on a few.
  expect(alike / entries.length).toBeGreaterThan(0.98)
})

test('an answer is the same object while it is remembered, and cannot be changed', () => {
  const ua = chrome(windows, 'Chrome/126.0.0.0 Safari/537.36')
  const few = createAgents(4)
  expect(few(ua)).toBe(few(Buffer.from(ua).toString()))
  expect(() => {
    few(ua).device.br = 'x'
  }).toThrow(TypeError)
  const first = few(ua)
  for (let at = 0; at < 8; at += 1) few(`${ua} ${at}`)
  expect(few(ua)).not.toBe(first)
  expect(few(ua)).toEqual(first)
})

test.each([
  ['prototype words', '__proto__'],
  ['constructor', 'constructor'],
  ['toString', 'toString'],
  ['NUL and control characters', 'Mozilla/5.0\u0000\r\n\u001b[31m'],
  ['lone surrogate', 'Mozilla/5.0 \ud800'],
  ['100 kB of one letter', 'a'.repeat(100_000)],
  ['100 kB of spaces', ' '.repeat(100_000)],
  ['100 kB of brackets', '('.repeat(100_000)],
  ['repeated version/', 'version/1 '.repeat(10_000)],
  ['repeated opera', `opera mobi${' version/'.repeat(10_000)}`],
  ['repeated droid', 'droid 1; '.repeat(10_000)],
  ['repeated mobile safari', 'Version/1.1 Mobile/1 safar '.repeat(5_000)],
  ['a version without end', `Mozilla/5.0 (Linux; Android ${'1.'.repeat(50_000)})`],
])('hostile: %s', (_, ua) => {
  const { device } = agents(ua)
  for (const value of Object.values(device)) expect(value.length).toBeLessThan(24)
})

test('the parser is never asked about naver(, for which its expression is of the fourth degree', () => {
  const old = 'BlackBerry9700/5.0.0.862 Profile/MIDP-2.1 Configuration/CLDC-1.1 VendorID/331'
  expect(agents(old).device.os).toBe('BlackBerry')
  for (const mark of ['NAVER(', 'naver(', 'nAvEr(']) expect([mark, agents(`${old} ${mark}1.1)`).device.os]).toEqual([mark, ''])
  expect(agents(`Mozilla/5.0 ${'naver('.repeat(70)}${'1.'.repeat(50)}`).device.br).toBe('')
})

test('what stands behind 512 characters is not read', () => {
  expect(agents(`${' '.repeat(512)}curl/8.0`).bot).toBe('no-agent')
  expect(agents(`${'x '.repeat(256)}Firefox/1.0`).device.br).toBe('')
})

test('an agent cannot make up names: whatever the letters, the browser is one of ours', () => {
  const names = new Set(
    ['Seamonkey', 'SEAMONKEY', 'seaMonkey', 'sEaMoNkEy'].map((name) => agents(`Mozilla/5.0 (Zzz) Gecko ${name}/1.0`).device.br),
  )
  expect(names).toEqual(new Set(['Seamonkey']))
  expect(agents(`Mozilla/5.0 (X11; Linux) Iron${'9'.repeat(200)}/1`).device.brv.length).toBeLessThan(5)
})
