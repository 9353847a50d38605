import type { Clock } from '#shared/clock.ts'
import type { BuiltRecord } from '#shared/hit/batch.ts'
import type { RefusalReason } from '#shared/hit/record.ts'
import { createRefusals } from '#shared/hit/refusals.ts'
import type { Generation } from '#shared/ports/generations.ts'
import type { LogWriter } from '#shared/ports/log.ts'
import { type KnownGenerations, openIn } from '#shared/site/generations.ts'
import { partitionOf } from '#shared/site/shards.ts'

/** Refusals that no hit takes along are appended after this long. */
export const refusalsMs = 1_000

/** What is appended to `hits`: the records of hits, and with them the refusals counted so far. */
export type Ledger = {
  /** Counts refused hits under a registered site, or ''. They are appended with the next hits, or after a second by themselves. */
  count(site: string, reason: RefusalReason, hits?: number): void
  /** Appends records and the refusals counted so far, one append per partition. */
  append(records: readonly BuiltRecord[]): Promise<unknown>
  /** Appends the refusals that no hit has taken along yet. */
  flush(): Promise<void>
}

/** Records go to the generation that is open. `onError` is told of refusals whose append failed. */
export const createLedger = (log: LogWriter, generations: KnownGenerations, clock: Clock, onError: (error: unknown) => void): Ledger => {
  const refusals = createRefusals()
  let cancelFlush: (() => void) | undefined

  /** A log that takes nothing may have been followed by another one. */
  const appendTo = async (partition: number, bodies: readonly string[]): Promise<unknown> => {
    try {
      return await log.append('hits', partition, bodies)
    } catch (error) {
      generations.forget()
      throw error
    }
  }

  const appendIn = (open: Generation, records: readonly BuiltRecord[]): Promise<unknown> => {
    const byPartition = new Map<number, string[]>()
    const put = ({ site, sh, body }: BuiltRecord) => {
      const partition = partitionOf(site, sh, open)
      const bodies = byPartition.get(partition)
      if (bodies) bodies.push(body)
      else byPartition.set(partition, [body])
    }
    for (const record of records) put(record)
    if (refusals.size > 0) for (const record of refusals.take(clock.now())) put({ site: record.site, sh: 0, body: JSON.stringify(record) })
    const appends = [...byPartition].map(([partition, bodies]) => appendTo(partition, bodies))
    return appends.length === 1 ? appends[0]! : Promise.all(appends)
  }

  const append: Ledger['append'] = (records) => {
    const list = generations.list()
    return list instanceof Promise ? list.then((known) => appendIn(openIn(known), records)) : appendIn(openIn(list), records)
  }

  const flush = async (): Promise<void> => {
    cancelFlush?.()
    cancelFlush = undefined
    if (refusals.size > 0) await append([])
  }

  return {
    count(site, reason, hits = 1) {
      refusals.add(site, reason, hits)
      // An append of sums with an unknown outcome is not repeated (it could count twice); the outage itself is told to the hits.
      cancelFlush ??= clock.after(refusalsMs, () => void flush().catch(onError))
    },
    append,
    flush,
  }
}
