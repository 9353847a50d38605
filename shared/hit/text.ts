/** Normal forms of the small texts a browser sends with a hit. Pure; none of it throws. */

/** Longest language tag and screen size that are read; Accept-Language may be longer, only its first tag counts. */
export const textLimits = { languageChars: 35, screenChars: 16 } as const

/** Codes that ISO 639 has replaced and old systems still send. */
const renamed: ReadonlyMap<string, string> = new Map([
  ['iw', 'he'],
  ['in', 'id'],
  ['ji', 'yi'],
])

/**
 * A language in the canonical form of BCP 47, `de`, `de-CH`, `zh-Hant-TW`, or undefined. Variants and extensions are read and dropped;
 * `_` counts as `-`; of a list such as Accept-Language the first tag counts.
 */
export const languageTag = (text: string): string | undefined => {
  const first = text
    .slice(0, textLimits.languageChars + 1)
    .split(/[,;]/, 1)[0]!
    .trim()
  if (first.length > textLimits.languageChars) return undefined
  const found = /^([a-z]{2,3})(?:-([a-z]{4}))?(?:-([a-z]{2}|\d{3}))?(?:-[a-z\d]{1,8})*$/.exec(first.replaceAll('_', '-').toLowerCase())
  if (found === null) return undefined
  const [, language = '', script, region] = found
  return [renamed.get(language) ?? language, script && script[0]!.toUpperCase() + script.slice(1), region?.toUpperCase()]
    .filter((part) => part !== undefined)
    .join('-')
}

/** A screen in CSS pixels as `1920x1080`, or undefined. Reads `x`, `X`, `×` and spaces around it; each side 1 to 99,999. */
export const screenSize = (text: string): string | undefined => {
  if (text.length > textLimits.screenChars) return undefined
  const [, width, height] = /^(\d{1,5}) ?[x×] ?(\d{1,5})$/i.exec(text.trim()) ?? []
  return Number(width) > 0 && Number(height) > 0 ? `${Number(width)}x${Number(height)}` : undefined
}
