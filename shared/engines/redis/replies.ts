/** What scripts answer, as values. Another shape than is expected is a bug, and thrown as such. */

export const listOf = (reply: unknown): unknown[] => {
  if (!Array.isArray(reply)) throw new TypeError(`Redis has answered ${JSON.stringify(reply)} where a list is expected.`)
  return reply
}

/** Texts; numbers that a script answers as such are texts too. */
export const textsOf = (reply: unknown): string[] => listOf(reply).map(textOf)

const textOf = (value: unknown): string => {
  if (typeof value !== 'string' && typeof value !== 'number')
    throw new TypeError(`Redis has answered ${JSON.stringify(value)} where a text is expected.`)
  return String(value)
}

/** Texts, `undefined` where there is none. */
export const maybeTextsOf = (reply: unknown): (string | undefined)[] =>
  listOf(reply).map((value) => (value === null || value === undefined ? undefined : textOf(value)))

export const stringAt = (texts: readonly string[], i: number): string => {
  const text = texts[i]
  if (text === undefined) throw new TypeError(`Redis has answered ${JSON.stringify(texts)}: there is no text at ${i}.`)
  return text
}

export const numberAt = (texts: readonly string[], i: number): number => numberOf(stringAt(texts, i))

export const numberOf = (text: string): number => {
  const number = Number(text)
  if (text === '' || !Number.isSafeInteger(number))
    throw new TypeError(`Redis has answered ${JSON.stringify(text)} where a number is expected.`)
  return number
}

/** Lists such as a hash gives them, in tuples of `size`. */
export const tuplesOf = (reply: unknown, size: number): string[][] => {
  const texts = textsOf(reply)
  return Array.from({ length: texts.length / size }, (_, i) => texts.slice(i * size, (i + 1) * size))
}

/** Fields and values of a hash. */
export const fieldsOf = (reply: unknown): ReadonlyMap<string, string> => new Map(tuplesOf(reply, 2).map((pair) => [pair[0]!, pair[1]!]))

export const fieldOf = (fields: ReadonlyMap<string, string>, name: string): string => {
  const value = fields.get(name)
  if (value === undefined) throw new TypeError(`Redis holds no ${name}.`)
  return value
}
