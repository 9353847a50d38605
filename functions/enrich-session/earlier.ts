import { FootfallError } from '#shared/errors.ts'
import type { Generation } from '#shared/ports/generations.ts'
import type { LogReader } from '#shared/ports/log.ts'
import type { EnrichState, HitId, ImportSource, Sessions } from '#shared/ports/sessions.ts'
import type { SiteConfig } from '#shared/site/config.ts'
import { type GenerationList, generationOf } from '#shared/site/generations.ts'
import { partitionsOf } from '#shared/site/shards.ts'
import { retryHorizonMs } from '#shared/visit/step.ts'

/**
 * What generations before this one know of hits: a hit that was taken by one of them is a repeat in the next. Their state is only read, and
 * only when nothing can change it any more: all of their hits are taken, and no other one can come. So it says the same to everybody,
 * and what followed from it stands in the event, as all that state is folded of.
 */

/** What is asked for, with the newest known configuration of each site among it. */
export type AskedEarlier = {
  ids: readonly HitId[]
  sources: readonly ImportSource[]
  sites: ReadonlyMap<string, SiteConfig>
  /** Append time of the oldest record. */
  from: number
}

type KnownEarlier = Pick<EnrichState, 'ids' | 'lines'>

const at = <T>(list: readonly T[], indices: readonly number[]): T[] => indices.map((index) => list[index]!)

const greater = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined || b === undefined ? (a ?? b) : Math.max(a, b)

/** Clocks of brokers and of who ended a generation may differ by so much. */
const skewMs = 3_600_000

/** Whether no hit of a generation can be repeated by one that was appended at `from` (ms UTC): only lines of imports are known for longer. */
const isOver = ({ state, at: since }: Generation, from: number): boolean =>
  state !== 'waiting' && state !== 'open' && from - since > retryHorizonMs + skewMs

/** Where in the list what may be known in a partition stands, for each partition. */
const byPartition = (list: readonly { site: string }[], places: ReadonlyMap<string, readonly number[]>): Map<number, number[]> => {
  const indices = new Map<number, number[]>()
  for (const [index, { site }] of list.entries())
    for (const partition of places.get(site) ?? []) {
      const known = indices.get(partition)
      if (known) known.push(index)
      else indices.set(partition, [index])
    }
  return indices
}

export const createEarlier = ({ log, sessions, generations }: { log: LogReader; sessions: Sessions; generations: GenerationList }) => {
  /** Ends of hits logs that take no more. */
  const ends = new Map<number, number>()

  const notYet = (partition: number): FootfallError =>
    new FootfallError('not-drained', { detail: `Hits of partition ${partition} come before these, and are not all taken yet.` })

  const endOf = async (partition: number): Promise<number> => {
    const known = ends.get(partition)
    if (known !== undefined) return known
    const { end } = await log.ends('hits', partition)
    ends.set(partition, end)
    return end
  }

  /** Throws unless the fence stands behind the last hit that there will ever be. */
  const checkTaken = async ({ state }: Generation, partition: number, { fence }: EnrichState): Promise<void> => {
    if (state === 'gone') return // whatever it has taken by now is all
    if (state !== 'ended' && state !== 'cut') throw notYet(partition)
    // Of hits that were lost it has what it has written to events, which others may have to fold again.
    const isWhole =
      fence?.mode === '' &&
      (state === 'cut' ? fence.ev === (await log.ends('events', partition)).end : fence.next >= (await endOf(partition)))
    if (!isWhole) throw notYet(partition)
  }

  /** Adds what one generation knows: an id counts from when it first came, of lines the highest stands. */
  const addFrom = async (generation: Generation, { ids, sources, sites, from }: AskedEarlier, known: KnownEarlier): Promise<void> => {
    const places = new Map([...sites].map(([site, config]) => [site, partitionsOf(site, config, [generation])]))
    const idsAt = byPartition(ids, places)
    const sourcesAt = byPartition(sources, places)
    for (const partition of new Set([...idsAt.keys(), ...sourcesAt.keys()])) {
      const idAt = idsAt.get(partition) ?? []
      const sourceAt = sourcesAt.get(partition) ?? []
      if (sourceAt.length === 0 && isOver(generation, from)) continue
      const state = await sessions.load(partition, [], at(ids, idAt), at(sources, sourceAt))
      if (!isOver(generation, from)) await checkTaken(generation, partition, state)
      for (const [i, index] of idAt.entries()) known.ids[index] ??= state.ids[i]
      for (const [i, index] of sourceAt.entries()) known.lines[index] = greater(known.lines[index], state.lines[i])
    }
  }

  /**
   * The same as was loaded, with what earlier generations know where the partition itself does not.
   * Throws `not-drained` while one of them still has hits that come first.
   */
  const withEarlier = async (partition: number, asked: AskedEarlier, loaded: EnrichState): Promise<EnrichState> => {
    if (generationOf(partition) === 0) return loaded
    const list = await generations.list()
    const known = { ids: [...loaded.ids], lines: [...loaded.lines] }
    for (const generation of list.toReversed()) if (generation.number < generationOf(partition)) await addFrom(generation, asked, known)
    return { ...loaded, ...known }
  }

  return { withEarlier }
}
