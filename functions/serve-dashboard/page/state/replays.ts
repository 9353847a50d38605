import { type Answer, type MetricValue, request } from './api.ts'
import { dimensionOf } from './dimensions.ts'
import type { Question } from './question.ts'

/** Replays, days that are over counted again under the rules of today, as the server has them (docs/replay.md), and what one would change. */
export type ReplayState = 'waiting' | 'working' | 'ready' | 'switching' | 'switched' | 'undoing' | 'undone' | 'dropped'
export type ReplayRule = 'channels' | 'exclusions' | 'goals' | 'session_timeout'
export type Replay = {
  id: string
  site: string
  /** Dates, both inclusive. */
  from: string
  to: string
  rules: readonly ReplayRule[]
  state: ReplayState
  done: { days: number; of: number }
  /** What it waits for, a sentence. */
  waits_for?: string
  at: string
  error?: string
}
/** What an owner may ask of one. */
export type Turn = 'switched' | 'undone' | 'dropped'

export const replays = {
  list: async (site: string, signal?: AbortSignal) =>
    (await request<{ replays: Replay[] }>('GET', `/api/replays?${new URLSearchParams({ site })}`, undefined, signal)).replays,
  add: (order: Pick<Replay, 'site' | 'from' | 'to' | 'rules'>) => request<Replay>('POST', '/api/replays', order),
  turn: ({ id, site }: Pick<Replay, 'id' | 'site'>, state: Turn) =>
    request<Replay>('PATCH', `/api/replays/${encodeURIComponent(id)}`, { site, state }),
}

/** What each rule makes anew, in a sentence. */
export const ruleMeanings: readonly (readonly [rule: ReplayRule, label: string, means: string])[] = [
  [
    'channels',
    'Sources and channels',
    'Source, medium and channel of each visit, by the lists of this version; own hosts of today are no source.',
  ],
  [
    'exclusions',
    'Exclusions',
    'Hits are left out where today’s hosts, paths or countries say so, and are counted again where they do no more.',
  ],
  [
    'goals',
    'Goals',
    'Whether a visit met one of today’s goals, and so did not bounce. Who met a goal is counted by today’s goals already.',
  ],
  [
    'session_timeout',
    'Session timeout',
    'Where visits begin and end, and so how many there are, by today’s timeout. Each day by itself: visits over midnight stay as they were.',
  ],
]

/** What is counted again unless it is said otherwise, as by the API: visits are not cut anew unasked. */
export const defaultRules: readonly ReplayRule[] = ruleMeanings.map(([rule]) => rule).filter((rule) => rule !== 'session_timeout')

type Standing = { label: string; moves: boolean; preview: boolean; turns: readonly Turn[] }

/** What each state is called, whether it changes by itself, whether it can be looked at beforehand, and what may follow. */
export const standings: Readonly<Record<ReplayState, Standing>> = {
  waiting: { label: 'Waiting', moves: true, preview: false, turns: ['dropped'] },
  working: { label: 'Counting', moves: true, preview: false, turns: ['dropped'] },
  ready: { label: 'Ready: not shown yet', moves: false, preview: true, turns: ['switched', 'dropped'] },
  switching: { label: 'Switching', moves: true, preview: false, turns: [] },
  switched: { label: 'Shown', moves: false, preview: false, turns: ['undone'] },
  undoing: { label: 'Undoing', moves: true, preview: false, turns: [] },
  undone: { label: 'Undone: not shown', moves: false, preview: true, turns: ['switched', 'dropped'] },
  dropped: { label: 'Dropped', moves: false, preview: false, turns: [] },
}

/** Metrics that are looked at beforehand: goals change the bounce rate alone. */
export const previewMetrics = ['visitors', 'visits', 'pageviews', 'bounce_rate'] as const

/** The API's most rows: with fewer, a row that is not there could not be told from one that has no room. */
export const mostRows = 10_000

/** The question of a preview: by a dimension, or of the whole; under the rules that are shown, or those of the replay. */
export const previewQuestion = (replay: Replay, dimension: string, isAfter: boolean): Question => ({
  site_id: replay.site,
  date_range: [replay.from, replay.to],
  metrics: previewMetrics,
  ...(dimension === '' ? {} : { dimensions: [dimensionOf(dimension)!.api], pagination: { limit: mostRows, offset: 0 } }),
  ...(isAfter ? { include: { replay: replay.id } } : {}),
})

export type Compared = { value: string; now: number | null; after: number | null; difference: number | null }

const numberOf = (value: MetricValue | undefined): number | null => (typeof value === 'number' ? value : null)

/** Differences of rates are of two decimals, as the rates are. */
const less = (after: number | null, now: number | null): number | null =>
  after === null || now === null ? null : Math.round((after - now) * 100) / 100

/** A rate that comes or goes has no difference, and is changed all the same. */
export const isChanged = ({ now, after }: Compared): boolean => now !== after
const sizeOf = ({ difference }: Compared): number => Math.abs(difference ?? 0)
const mostOf = ({ now, after }: Compared): number => Math.max(now ?? 0, after ?? 0)

/** Rows of both answers by value, those that change first, by the size of the difference. A row that one of them lacks has nothing there: 0 of a count, no rate. */
export const comparedRows = (
  now: Pick<Answer, 'results'>,
  after: Pick<Answer, 'results'>,
  metric: (typeof previewMetrics)[number],
): Compared[] => {
  const at = previewMetrics.indexOf(metric)
  const none = metric === 'bounce_rate' ? null : 0
  const of = ({ results }: Pick<Answer, 'results'>) => new Map(results.map((row) => [row.dimensions[0] ?? '', numberOf(row.metrics[at])]))
  const [before, then] = [of(now), of(after)]
  return [...new Set([...before.keys(), ...then.keys()])]
    .map((value) => {
      const pair = { now: before.has(value) ? before.get(value)! : none, after: then.has(value) ? then.get(value)! : none }
      return { value, ...pair, difference: less(pair.after, pair.now) }
    })
    .sort(
      (a, b) =>
        Number(isChanged(b)) - Number(isChanged(a)) || sizeOf(b) - sizeOf(a) || mostOf(b) - mostOf(a) || (a.value < b.value ? -1 : 1),
    )
}
