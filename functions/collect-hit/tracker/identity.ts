import { cookieAgeS } from './limits.ts'
import { quiet } from './quiet.ts'
import { isCookieless } from './tag.ts'

/** Who a browser is: a random number in a first-party cookie, set once and not renewed, with the day of the first visit behind it. */

const form = /(^|; )_ff=([\w.-]{8,80})/

/** 128 random bits, as hex. */
export const random = (): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => (byte + 256).toString(16).slice(1)).join('')

const read = (): string | undefined => form.exec(document.cookie)?.[2]

/**
 * Sets the cookie for the widest domain that takes it, so that all hosts of a site share it: browsers refuse `com` and `co.uk`, so
 * the shortest that they keep is the site's own. Without a domain (an address, `localhost`) it is the host's.
 */
const write = (value: string, ageS: number): void => {
  const labels = location.hostname.split('.')
  const domains = labels.map((_, i) => labels.slice(i).join('.')).reverse()
  const secure = location.protocol === 'https:' ? ';secure' : ''
  for (const domain of [...domains, '']) {
    // biome-ignore lint/suspicious/noDocumentCookie: the Cookie Store API is missing in too many browsers
    document.cookie = `_ff=${value};max-age=${ageS};path=/;samesite=lax${secure};domain=${domain}`
    if (value && read() === value) return
  }
}

/** The browser's own date: what is nearest to the site's day for most of its visitors. */
const today = (): number => {
  const now = new Date()
  return now.getFullYear() * 10_000 + (now.getMonth() + 1) * 100 + now.getDate()
}

/**
 * The visitor's id, made where there is none; undefined on a cookieless site and where the browser keeps no cookie. It is read anew for
 * each hit, so that two tabs that began at once soon agree.
 */
export const visitorId = quiet((): string | undefined => {
  if (isCookieless) return undefined
  if (!read()) write(`${random()}.${today()}`, cookieAgeS)
  return read()
})

export const forgetVisitor = quiet(() => isCookieless || write('', 0))
