import { z } from 'zod'

/**
 * How often and when a single record is handed over again, by OpenFaaS' own annotations (com.openfaas.retry.*), which its queue-worker has for
 * calls that nobody waits for; names and defaults are those of its documentation.
 */
export type Retries = {
  /** So often is a record handed over at the most, the first time included. */
  attempts: number
  /** Statuses of an answer after which it is handed over again; any other one is an answer for good. */
  codes: readonly number[]
  /** Pause before the second attempt. It doubles for each further one. */
  minWaitMs: number
  maxWaitMs: number
}

const prefix = 'com.openfaas.retry.'

/** Whether an annotation is one of those that are read here, or is meant to be. */
export const isOfRetries = (annotation: string): boolean => annotation.startsWith(prefix)

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }
const durationCure = 'expected a duration such as 500ms, 10s or 1m30s, of at most 24h'

/** A duration as Go writes it, in ms; undefined when it is none. */
const durationOf = (text: string): number | undefined => {
  if (text === '0') return 0
  if (!/^(\d+(\.\d+)?(ms|s|m|h))+$/.test(text)) return undefined
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)]
  return parts.reduce((sum, [, count, unit]) => sum + Number(count) * unitMs[unit!]!, 0)
}

const duration = (byDefault: string) =>
  z
    .string()
    .default(byDefault)
    .transform((text) => durationOf(text) ?? Number.NaN)
    .refine((ms) => ms <= 24 * 3_600_000, durationCure)

const attemptsCure = 'expected a whole number from 1 to 1000'
const codesCure = 'expected statuses from 300 to 599 with commas between them, such as 429,503'

const listOf = (text: string): number[] => text.split(',').map((part) => Number(part.trim() || Number.NaN))

const schema = z.strictObject({
  attempts: z
    .string()
    .default('10')
    .transform(Number)
    .refine((count) => Number.isInteger(count) && count >= 1 && count <= 1_000, attemptsCure),
  codes: z
    .string()
    .default('408,429,500,502,504')
    .transform(listOf)
    .refine((codes) => codes.every((code) => Number.isInteger(code) && code >= 300 && code <= 599), codesCure),
  min_wait: duration('10s'),
  max_wait: duration('120s'),
})

/** Retries as a function's annotations say. Answers a text where one of them cannot be used: which, and the cure. */
export const readRetries = (annotations: Readonly<Record<string, string>>): Retries | string => {
  const said = Object.entries(annotations).filter(([name]) => isOfRetries(name))
  const read = schema.safeParse(Object.fromEntries(said.map(([name, value]) => [name.slice(prefix.length), value])))
  if (!read.success) {
    const [issue] = read.error.issues
    if (issue!.code === 'unrecognized_keys')
      return `${prefix}${issue.keys[0]}: there are ${prefix}attempts, .codes, .min_wait and .max_wait`
    const name = `${prefix}${issue!.path.join('.')}`
    return `${name} is ${JSON.stringify(annotations[name])}: ${issue!.message}`
  }
  const { attempts, codes, min_wait: minWaitMs, max_wait: maxWaitMs } = read.data
  return { attempts, codes, minWaitMs, maxWaitMs }
}

/** Pause after the attempt of this number, the first one being 1. */
export const waitAfter = ({ minWaitMs, maxWaitMs }: Retries, attempt: number): number =>
  Math.min(minWaitMs * 2 ** Math.min(attempt - 1, 30), maxWaitMs)
