import { FootfallError } from '../errors.ts'
import type { SegmentEntry, Segments } from '../ports/segments.ts'
import type { FetchChunks } from './stream.ts'

/** Rows were moved on while they were read: who begins again finds them where they are then. A store that fails is another matter. */
export class Moved extends FootfallError {
  constructor(why: string) {
    super('store-unavailable', { detail: `Its state ${why} while it was read.` })
  }
}

const dropped = () => new Moved('was dropped')

/** Fetches chunks of a listed segment; throws `Moved` when one is missing and it is listed no more. What else is missing is damage. */
export const fetchListed =
  (segments: Pick<Segments, 'head' | 'read'>, partition: number, entry: SegmentEntry): FetchChunks =>
  async (names) => {
    const chunks = await segments.read(partition, entry, names)
    if (chunks.includes(undefined) && !(await segments.head(partition, entry))) throw dropped()
    return chunks
  }

/** The head of a listed segment and how its chunks are fetched; throws `Moved` when it is listed no more. */
export const openListed = async (
  segments: Pick<Segments, 'head' | 'read'>,
  partition: number,
  entry: SegmentEntry,
): Promise<{ head: Buffer; fetch: FetchChunks }> => {
  const head = await segments.head(partition, entry)
  if (!head) throw dropped()
  return { head, fetch: fetchListed(segments, partition, entry) }
}
