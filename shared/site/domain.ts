import { domainToASCII } from 'node:url'

/** Longest domain that DNS can carry. */
const domainLimit = 253
const plain = /^[a-z0-9._-]+$/
const international = /^[a-z0-9._\-\u0080-\u{10ffff}]+$/u
const label = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/

/**
 * A domain as sites are named: lower case, punycode, without `www.`, port and trailing dot; `undefined` when it is none.
 * `localhost` and other single labels are accepted, as are IPv4 addresses; a path or a scheme is not.
 */
export const siteName = (text: string): string | undefined => {
  if (text.length > domainLimit + 10) return undefined
  const bare = text
    .trim()
    .toLowerCase()
    .replace(/:\d{1,5}$/, '')
    .replace(/\.$/, '')
  // A name that is plain ASCII already stays as it is: domainToASCII costs a microsecond, reads 1.2.3 as an address and cuts at / and #.
  const ascii = plain.test(bare) ? bare : international.test(bare) ? domainToASCII(bare) : ''
  let name = ascii
  while (name.startsWith('www.') && name.indexOf('.', 4) !== -1) name = name.slice(4)
  if (name === '' || name.length > domainLimit) return undefined
  return name.split('.').every((part) => label.test(part)) ? name : undefined
}

/** A URL's host as it is stored: lower case, without `www.` (a URL's `hostname` is lower case and punycode already). */
export const hostName = (hostname: string): string => (hostname.startsWith('www.') ? hostname.slice(4) : hostname)
