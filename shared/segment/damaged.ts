import { FootfallError } from '../errors.ts'

/** What a segment that cannot be trusted ends with: always this error, with the part that is damaged, never a number made of it. */
export const damaged = (where: string, why: string, cause?: unknown): FootfallError =>
  new FootfallError('damaged-segment', { detail: `${where}: ${why}.`, cause })

/** A chunk as errors name it. */
export const chunkName = (column: string, group: number): string => `Column ${column}, group ${group}`
