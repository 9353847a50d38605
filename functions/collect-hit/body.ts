import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { FootfallError } from '#shared/errors.ts'
import type { Request } from '#shared/handler.ts'

const inflate = promisify(gunzip)

const inflateText = async (body: Buffer, limit: number): Promise<string> => {
  try {
    return (await inflate(body, { maxOutputLength: limit })).toString('utf8')
  } catch (cause) {
    throw new FootfallError((cause as { code?: string }).code === 'ERR_BUFFER_TOO_LARGE' ? 'too-large' : 'bad-encoding', { cause })
  }
}

/** The body as text. `limit` is in bytes and about the inflated size too, so that a bomb stops where the limit is. */
export const readText = ({ body, headers }: Request, limit: number): string | Promise<string> => {
  if (body.length > limit) throw new FootfallError('too-large')
  const encoding = headers['content-encoding']?.trim().toLowerCase() ?? 'identity'
  if (encoding === 'identity' || encoding === '') return body.toString('utf8')
  if (encoding !== 'gzip' && encoding !== 'x-gzip') throw new FootfallError('bad-encoding')
  return inflateText(body, limit)
}

/** The hits of a JSON body: the list under `hits`, else the value itself. Throws `not-json`. */
export const readHits = (text: string): unknown[] => {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new FootfallError('not-json', { cause })
  }
  const list = typeof value === 'object' && value !== null ? (value as { hits?: unknown }).hits : undefined
  return Array.isArray(list) ? list : [value]
}

/** Fields that an image request may carry; the others need a body. */
const pixelTexts = ['site', 'id', 'name', 'url', 'referrer', 'title', 'user', 'screen', 'language'] as const
const pixelNumbers = ['queued', 'engaged', 'scroll'] as const

/** The hit of a pixel request: parameters are field names, the page is the Referer header unless `url` says otherwise. */
export const pixelHit = ({ query, headers }: Request): Record<string, unknown> => {
  const params = new URLSearchParams(query)
  const hit: Record<string, unknown> = {}
  for (const name of pixelTexts) if (params.has(name)) hit[name] = params.get(name)
  for (const name of pixelNumbers) {
    const value = params.get(name)
    if (value !== null && value !== '') hit[name] = Number.isFinite(Number(value)) ? Number(value) : value
  }
  hit['url'] ??= headers['referer']
  return hit
}
