/** Text for terminals. What visitors sent (titles, referrers) may carry control sequences; none of them reaches a terminal. */

/** C0 and C1 controls, line separators, and marks that turn the direction of writing. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it is about
const unsafe = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g

/** Text that cannot do anything but be read. */
export const safeText = (text: string): string => text.replace(unsafe, '\ufffd')

/** JSON on several lines, with everything escaped that could move a terminal. */
export const safeJson = (value: unknown): string =>
  JSON.stringify(value, null, 2).replace(unsafe, (char) =>
    char === '\n' ? char : `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )

const wide = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Emoji_Presentation}]/u

/** Columns that text takes on a terminal, near enough to align. */
const widthOf = (text: string): number => {
  let width = 0
  for (const char of text) width += /\p{Mark}/u.test(char) ? 0 : wide.test(char) ? 2 : 1
  return width
}

const padded = (text: string, width: number, right: boolean): string => {
  const space = ' '.repeat(Math.max(0, width - widthOf(text)))
  return right ? space + text : text + space
}

const isNumber = (text: string): boolean => /^[-+]?[\d.,]+%?$/.test(text) || text === '–'

/** Rows under a head, in columns; a column of numbers stands to the right. */
export const table = (head: readonly string[], rows: readonly (readonly string[])[]): string[] => {
  const safe = rows.map((row) => row.map(safeText))
  const widths = head.map((title, i) => Math.max(widthOf(title), ...safe.map((row) => widthOf(row[i] ?? ''))))
  const right = head.map((_, i) => safe.length > 0 && safe.every((row) => isNumber(row[i] ?? '')))
  return [head, ...safe].map((row) =>
    head
      .map((_, i) => padded(row[i] ?? '', widths[i]!, right[i]!))
      .join('  ')
      .trimEnd(),
  )
}
