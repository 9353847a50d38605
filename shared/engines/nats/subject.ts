import { createHash } from 'node:crypto'

/** Apart from whatever else uses the server. */
const prefix = 'footfall.'

/** A server closes the connection of who names a longer one (its limit is 4 kB for the whole line). */
const longest = 1_000

const escaped = (char: string): string =>
  [...Buffer.from(char)].map((byte) => `=${byte.toString(16).toUpperCase().padStart(2, '0')}`).join('')

/**
 * A subject as NATS takes it: letters, digits, `-`, `_` and single dots within stay; everything else (blanks, line ends, `*`, `>`, dots
 * that would make an empty part) is written as `=` and its bytes in hex. Different subjects stay different. A long one becomes its digest.
 */
export const natsSubject = (subject: string): string => {
  const text = subject.replace(/[^A-Za-z0-9_.-]|^\.|\.$|\.(?=\.)/gu, escaped)
  if (text === '') return `${prefix}=`
  return prefix + (text.length <= longest ? text : `=digest.${createHash('sha256').update(subject).digest('hex')}`)
}
