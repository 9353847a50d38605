import { type ErrorCode, FootfallError, replyOf } from '#shared/errors.ts'
import type { Reply } from '#shared/handler.ts'
import type { RefusalReason } from '#shared/hit/record.ts'
import type { Outcome } from './intake.ts'

/** What collect-hit answers. Every reply can be read by a page of another origin, the reason of a refusal included. */

const cors = { 'access-control-allow-origin': '*', 'access-control-expose-headers': 'x-footfall-refused, retry-after' }
const jsonHeaders = { 'content-type': 'application/json', 'access-control-allow-origin': '*' }

const acceptedAll = (n: number): Reply => ({ status: 202, headers: jsonHeaders, body: `{"accepted":${n},"refused":[]}` })
const acceptedOne = acceptedAll(1)

export const preflight: Reply = {
  status: 204,
  headers: {
    'access-control-allow-origin': '*',
    'access-control-allow-methods': 'POST',
    'access-control-allow-headers': 'content-type, content-encoding, authorization',
    'access-control-max-age': '86400',
  },
}

/** A transparent GIF of one pixel, 43 bytes. */
const gif = Buffer.from('R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAICRAEAOw==', 'base64')
const gifHeaders = { 'content-type': 'image/gif', 'cache-control': 'no-store', ...cors }

/** The word for a request that is refused as a whole. */
const reasons: Partial<Record<ErrorCode, RefusalReason>> = {
  'not-json': 'malformed',
  'bad-encoding': 'malformed',
  empty: 'malformed',
  'too-many-hits': 'too-many',
  'too-large': 'too-long',
  'unknown-site': 'unknown-site',
  rate: 'rate',
}
export const reasonOf = (error: unknown): RefusalReason | undefined => (error instanceof FootfallError ? reasons[error.code] : undefined)

const reasonHeader = (reason: string | undefined): Record<string, string> => (reason ? { 'x-footfall-refused': reason } : {})
const reasonsOf = ({ refused }: Outcome): string => [...new Set(refused.map(({ reason }) => reason))].join(', ')

/** The reply to an error of the catalogue. */
export const errorReply = (error: FootfallError): Reply => {
  const { status, headers, body } = replyOf(error)
  return { status, headers: { ...headers, ...cors, ...reasonHeader(reasonOf(error)) }, body }
}

export const wrongMethod = (allow: string): Reply => {
  const reply = errorReply(new FootfallError('wrong-method'))
  return { ...reply, headers: { ...reply.headers, allow } }
}

export const outcomeReply = (outcome: Outcome): Reply => {
  const { accepted, refused } = outcome
  if (refused.length === 0) return accepted === 1 ? acceptedOne : acceptedAll(accepted)
  const reason = reasonsOf(outcome)
  if (accepted === 0 && reason === 'unknown-site') return errorReply(new FootfallError('unknown-site'))
  return { status: 202, headers: { ...jsonHeaders, ...cors, ...reasonHeader(reason) }, body: JSON.stringify(outcome) }
}

/** The image, whatever was refused. */
export const pixelReply = (outcome: Outcome): Reply => ({
  status: 200,
  headers: { ...gifHeaders, ...reasonHeader(reasonsOf(outcome)) },
  body: gif,
})

/** The image with an error: a refusal is 200 too; only where the hit could not be made durable the status says so (never a 2xx then). */
export const pixelErrorReply = (error: FootfallError): Reply => {
  const reason = reasonOf(error)
  if (reason) return { status: 200, headers: { ...gifHeaders, ...reasonHeader(reason) }, body: gif }
  const { status, headers } = replyOf(error)
  return { status, headers: { ...gifHeaders, 'retry-after': headers['retry-after'] ?? '1' }, body: gif }
}
