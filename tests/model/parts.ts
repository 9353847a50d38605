import { createHandler as createCollect } from '#functions/collect-hit/handler.ts'
import { createHandler as createEnrich } from '#functions/enrich-session/handler.ts'
import { createHandler as createQuery } from '#functions/query-metrics/handler.ts'
import { createHandler as createRollup } from '#functions/rollup-window/handler.ts'
import type { Memtables } from '#shared/ports/memtables.ts'
import type { Sessions } from '#shared/ports/sessions.ts'
import type { Ports as Stores } from '#shared/wire.ts'

/** Parts that a mutation replaces: a handler, or a port that keeps one rule less. */
export type Parts = {
  collect: typeof createCollect
  query: typeof createQuery
  enrich: typeof createEnrich
  rollup: typeof createRollup
  sessions: (sessions: Sessions, pause: () => Promise<void>) => Sessions
  memtables: (memtables: Memtables, pause: () => Promise<void>) => Memtables
  /** Ports of the life of a day. */
  life: (ports: LifeStores) => LifeStores
  /** The ports that questions read by. */
  reading: (ports: ReadingStores) => ReadingStores
}
type LifeStores = Pick<Stores, 'seals' | 'segments' | 'progress' | 'memtables'>
type ReadingStores = Pick<Stores, 'memtables' | 'segments'>

export const realParts: Parts = {
  collect: createCollect,
  query: createQuery,
  enrich: createEnrich,
  rollup: createRollup,
  sessions: (s) => s,
  memtables: (m) => m,
  life: (l) => l,
  reading: (r) => r,
}
