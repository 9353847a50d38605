/** User agents of the traffic: what browsers, apps and robots of these years send, written down by us. */

export type Kind = 'desktop' | 'mobile' | 'tablet'
type Weighted = readonly [weight: number, agent: string]

const windows = '(Windows NT 10.0; Win64; x64)'
const mac = '(Macintosh; Intel Mac OS X 10_15_7)'
const linux = '(X11; Linux x86_64)'
const webkit = 'AppleWebKit/537.36 (KHTML, like Gecko)'
const apple = 'AppleWebKit/605.1.15 (KHTML, like Gecko)'

const chrome = (system: string, version: number, more = '') =>
  `Mozilla/5.0 ${system} ${webkit} Chrome/${version}.0.0.0 Safari/537.36${more}`
const firefox = (system: string, version: number) => `Mozilla/5.0 (${system}; rv:${version}.0) Gecko/20100101 Firefox/${version}.0`
const safari = (version: string) => `Mozilla/5.0 ${mac} ${apple} Version/${version} Safari/605.1.15`
const android = (version: number, model: string, browser: number, more = '') =>
  `Mozilla/5.0 (Linux; Android ${version}; ${model}) ${webkit} ${more}Chrome/${browser}.0.0.0 Mobile Safari/537.36`
const slate = (version: number, model: string, browser: number, more = '') =>
  `Mozilla/5.0 (Linux; Android ${version}; ${model}) ${webkit} ${more}Chrome/${browser}.0.0.0 Safari/537.36`
const iphone = (system: string, browser: string) => `Mozilla/5.0 (iPhone; CPU iPhone OS ${system} like Mac OS X) ${apple} ${browser}`
const ipad = (system: string, browser: string) => `Mozilla/5.0 (iPad; CPU OS ${system} like Mac OS X) ${apple} ${browser}`

const desktop: readonly Weighted[] = [
  [90, chrome(windows, 141)],
  [60, chrome(windows, 140)],
  [20, chrome(windows, 139)],
  [8, chrome(windows, 138)],
  [6, chrome(windows, 109)],
  [45, chrome(mac, 141)],
  [25, chrome(mac, 140)],
  [6, chrome(mac, 139)],
  [10, chrome(linux, 141)],
  [5, chrome(linux, 140)],
  [3, chrome('(X11; CrOS x86_64 14541.0.0)', 139)],
  [28, chrome(windows, 141, ' Edg/141.0.0.0')],
  [14, chrome(windows, 140, ' Edg/140.0.0.0')],
  [3, chrome(mac, 141, ' Edg/141.0.0.0')],
  [8, chrome(windows, 139, ' OPR/123.0.0.0')],
  [2, chrome(mac, 139, ' OPR/123.0.0.0')],
  [2, chrome(windows, 140, ' Vivaldi/7.6.3797.52')],
  [3, chrome(windows, 138, ' YaBrowser/25.8.0.0')],
  [24, firefox('Windows NT 10.0; Win64; x64', 143)],
  [10, firefox('Windows NT 10.0; Win64; x64', 140)],
  [3, firefox('Windows NT 10.0; Win64; x64', 115)],
  [9, firefox('Macintosh; Intel Mac OS X 10.15', 143)],
  [12, firefox('X11; Linux x86_64', 143)],
  [4, firefox('X11; Ubuntu; Linux x86_64', 142)],
  [26, safari('18.6')],
  [14, safari('26.0')],
  [6, safari('17.6')],
  [3, safari('16.6')],
]

const mobile: readonly Weighted[] = [
  [60, iphone('18_6', 'Version/18.6 Mobile/15E148 Safari/604.1')],
  [30, iphone('18_5', 'Version/18.5 Mobile/15E148 Safari/604.1')],
  [20, iphone('17_6_1', 'Version/17.6 Mobile/15E148 Safari/604.1')],
  [8, iphone('16_7_11', 'Version/16.6 Mobile/15E148 Safari/604.1')],
  [25, iphone('18_6_2', 'Version/26.0 Mobile/15E148 Safari/604.1')],
  [16, iphone('18_6', 'CriOS/141.0.7390.41 Mobile/15E148 Safari/604.1')],
  [3, iphone('18_6', 'FxiOS/143.0 Mobile/15E148 Safari/605.1.15')],
  [3, iphone('18_6', 'EdgiOS/140.0.3485.81 Version/18.0 Mobile/15E148 Safari/604.1')],
  [9, iphone('18_6', 'GSA/386.0.813127302 Mobile/15E148 Safari/604.1')],
  [7, iphone('18_6', 'Mobile/15E148 Instagram 401.0.0.26.162 (iPhone15,2; iOS 18_6; de_DE; de; scale=3.00; 1179x2556; 800000000)')],
  [6, iphone('18_6', 'Mobile/15E148 [FBAN/FBIOS;FBAV/533.0.0.45.108;FBBV/800000001;FBDV/iPhone14,5;FBMD/iPhone;FBSN/iOS;FBSV/18.6]')],
  [70, android(10, 'K', 141)],
  [35, android(10, 'K', 140)],
  [10, android(10, 'K', 139)],
  [6, android(14, 'Pixel 8', 140)],
  [6, android(15, 'Pixel 9 Pro', 141)],
  [8, android(14, 'SM-S921B', 139)],
  [5, android(13, 'SM-A536B', 138)],
  [4, android(12, 'M2101K6G', 137)],
  [3, android(13, '2201117TY', 136)],
  [18, android(10, 'K', 136, 'SamsungBrowser/28.0 ')],
  [6, android(10, 'K', 130, 'SamsungBrowser/27.0 ')],
  [3, 'Mozilla/5.0 (Android 14; Mobile; rv:143.0) Gecko/143.0 Firefox/143.0'],
  [3, `${android(10, 'K', 137)} OPR/91.0.0.0`],
]

const tablet: readonly Weighted[] = [
  [10, ipad('18_6', 'Version/18.6 Mobile/15E148 Safari/604.1')],
  [6, ipad('17_6_1', 'Version/17.6 Mobile/15E148 Safari/604.1')],
  [3, ipad('18_6', 'CriOS/141.0.7390.41 Mobile/15E148 Safari/604.1')],
  [1, ipad('16_7_11', 'GSA/380.0.801245512 Mobile/15E148 Safari/604.1')],
  [4, slate(13, 'SM-X700', 140)],
  [3, slate(14, 'SM-X210', 139)],
  [2, slate(12, 'Lenovo TB-X606F', 138)],
  [1, slate(11, 'KFTRWI', 120, 'Silk/120.6.1 like ')],
]

/** Visitors' agents by kind of device, with the share of each kind. */
export const kinds: readonly (readonly [weight: number, kind: Kind])[] = [
  [44, 'desktop'],
  [51, 'mobile'],
  [5, 'tablet'],
]
export const agents: Readonly<Record<Kind, readonly Weighted[]>> = { desktop, mobile, tablet }

/** Robots of today begin like a browser and then say what they are. */
const gecko = 'Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko'

/** Robots that say so. */
export const robots: readonly string[] = [
  'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)',
  `Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5X Build/MMB29P) ${webkit} Chrome/141.0.7390.54 Mobile Safari/537.36 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)`,
  `${gecko}; compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm) Chrome/136.0.0.0 Safari/537.36`,
  'Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)',
  'Mozilla/5.0 (compatible; SemrushBot/7~bl; +http://www.semrush.com/bot.html)',
  'Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)',
  `${gecko}; compatible; GPTBot/1.2; +https://openai.com/gptbot)`,
  `${gecko}; compatible; ClaudeBot/1.0; +claudebot@anthropic.com)`,
  'facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)',
  'Mozilla/5.0 (compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)',
  `Mozilla/5.0 ${linux} ${webkit} HeadlessChrome/141.0.0.0 Safari/537.36`,
  'python-requests/2.32.3',
  'curl/8.7.1',
]
