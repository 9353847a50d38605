import type { Replays, Versions } from '#shared/ports/replays.ts'
import { badQuery } from '#shared/query/names.ts'

/**
 * The preview of a replay: a question with `include.replay` is answered from the version that the replay has made of its days, whichever
 * stands. Asked with and without it, the difference is what a switch changes.
 */

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value)

/** The id of the replay that a body asks for, and the body as any other question. Throws `bad-query` for what is no id. */
export const previewAsked = (body: unknown): { replay: string | undefined; rest: unknown } => {
  if (!isObject(body) || !isObject(body['include']) || !Object.hasOwn(body['include'], 'replay')) return { replay: undefined, rest: body }
  const { replay, ...include } = body['include']
  if (typeof replay !== 'string') throw badQuery('include.replay', 'expected the id of a replay')
  return { replay, rest: { ...body, include } }
}

/** The version that is to be read. Throws `bad-query` for a replay that is not there, or not made whole. */
export const previewed = async (
  { replays, versions }: { replays: Pick<Replays, 'find'>; versions: Pick<Versions, 'job'> },
  site: string,
  partitions: readonly number[],
  id: string | undefined,
): Promise<number | undefined> => {
  if (id === undefined) return undefined
  const order = await replays.find(site, id)
  if (!order) throw badQuery('include.replay', 'this site has no such replay; GET /api/replays lists them')
  const jobs = await Promise.all(partitions.map((partition) => versions.job(partition, id)))
  if (order.wanted === 'dropped') throw badQuery('include.replay', 'this replay was dropped; order it again')
  if (!jobs.every((job) => job !== undefined && job.state !== 'waiting' && job.state !== 'working' && job.state !== 'dropped'))
    throw badQuery('include.replay', 'this replay is not ready yet; GET /api/replays says how far it is')
  return order.ver
}
