/**
 * What the script tag says; docs/tracker.md has every attribute. There is one tracker in a page, so its modules hold their state
 * themselves: what is no property has a name of one letter in the built script.
 */

/** Browsers tell it to a classic script while it runs, and to no other. */
const script = document.currentScript as HTMLScriptElement | null
const attribute = (name: string): string => script?.getAttribute(`data-${name}`) || ''

/** Empty where the tag names none: then nothing is counted. */
export const site = attribute('site')
/** Where hits go: beside the script, so that one address in the tag is enough. */
export const endpoint = (): string => new URL('api/hit', script!.src).href
export const isCookieless = attribute('identity') === 'cookieless'
export const hasHashRoutes = attribute('routing') === 'hash'
/** Signals of the browser that are honoured: `dnt`, `gpc`. */
export const respect = attribute('respect')
/** Hosts that are no way out, beside the site and its subdomains. */
export const hosts = attribute('hosts').split(/[\s,]+/)
