import type { Question } from './question.ts'

/**
 * The server, as the page asks it. Failures are `ApiError`s whose text can be shown; a 401 is told to whoever listens besides, since it
 * may mean that the session has ended.
 */
export type Money = { value: string; currency: string }
export type MetricValue = number | null | Money | readonly Money[]
export type Row = {
  dimensions: readonly string[]
  metrics: readonly MetricValue[]
  comparison?: { dimensions: readonly string[]; metrics: readonly MetricValue[]; change: readonly (number | null)[] } | null
}
export type Meta = {
  as_of?: string | null
  lag_ms?: number | null
  incomplete_since?: string
  /** Rows before it are no longer kept, and the question reaches back beyond it. */
  complete_from?: string
  /** False where a share `sampled` of the visitors was counted; an estimate of all is within `relative_error` 19 times of 20. */
  exact?: boolean
  sampled?: number
  relative_error?: number
  time_labels?: readonly string[]
  total_rows?: number
  comparison_date_range?: readonly [string, string]
  /** Days of which some may be answered by old rules and some by new ones: a switch is under way. */
  replaying?: { from: string; to: string }
  metric_warnings?: Record<string, { code: string; warning: string }>
}
export type Answer = { results: readonly Row[]; meta: Meta; query: { date_range: readonly [string, string] } }

export type Goal = { name: string; page?: string; event?: string; scroll?: number; props?: Record<string, readonly string[]> }
/** Filters under a name, in the API's form. */
export type Segment = { name: string; filters: readonly unknown[] }
export type Site = {
  site: string
  /** Of its settings: who changes them says which version they had before them. */
  version: number
  goals: readonly Goal[]
  segments: readonly Segment[]
  timezone: string
  identity: 'cookie' | 'cookieless'
  script: string
  bounce: string
  session_timeout: number
}
/** What of a site the page changes. */
export type Settings = Pick<Site, 'goals' | 'segments'>
export type Me = { role: 'read' | 'write' | 'own'; site: string | null; via: string }

export type LedgerHour = {
  from: string
  received: number
  counted: number
  flagged: Record<string, number>
  refused: Record<string, number>
  repeated: number
  dead: number
  lost: number
}
export type Ledger = { hours: readonly LedgerHour[]; pending: { records: number; age_ms: number }; balanced: boolean }

/** Questions about numbers: each is `POST /api/v2/…`. */
export type Asking = 'query' | 'funnel' | 'paths' | 'retention' | 'why'

/** Answers that may be another one when the same is asked again. */
const retryable = (status: number): boolean => status === 0 || status === 429 || status >= 500

export class ApiError extends Error {
  readonly status: number
  readonly code: string
  readonly hint: string
  constructor(status: number, code: string, text: string, hint: string) {
    super(text)
    this.status = status
    this.code = code
    this.hint = hint
  }
  get isRetryable(): boolean {
    return retryable(this.status)
  }
}

const listeners = new Set<() => void>()

/** Calls `listener` after every 401: the session has ended, or the site is seen no more. Answers how to end. */
export const whenUnauthorised = (listener: () => void): (() => void) => {
  listeners.add(listener)
  return () => void listeners.delete(listener)
}

const unreachable = (): ApiError =>
  new ApiError(
    0,
    'unreachable',
    'The server cannot be reached.',
    'It is asked again by itself; look whether it runs and whether you are online.',
  )

const errorOf = async (response: Response): Promise<ApiError> => {
  try {
    const { error, code, hint } = (await response.json()) as { error: string; code: string; hint?: string }
    return new ApiError(response.status, code, error, hint ?? '')
  } catch {
    // Not our server's error: a proxy in front of it answers.
    return new ApiError(response.status, 'proxy', `The server answered ${response.status}.`, 'Look at the proxy in front of Footfall.')
  }
}

export const request = async <T>(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<T> => {
  let response: Response
  try {
    response = await fetch(path, {
      method,
      headers: body === undefined ? {} : { 'content-type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal,
    })
  } catch (error) {
    if (signal?.aborted) throw error
    throw unreachable()
  }
  if (response.status === 401) for (const listener of listeners) listener()
  if (!response.ok) throw await errorOf(response)
  return (response.status === 204 ? undefined : await response.json()) as T
}

export const api = {
  me: () => request<Me>('GET', '/api/me'),
  sites: async () => (await request<{ sites: Site[] }>('GET', '/api/sites')).sites,
  signOut: () => request<void>('POST', '/api/sign-out'),
  ask: <T>(kind: Asking, question: unknown, signal?: AbortSignal) => request<T>('POST', `/api/v2/${kind}`, question, signal),
  query: (question: Question, signal?: AbortSignal) => api.ask<Answer>('query', question, signal),
  site: (site: string) => request<Site>('GET', `/api/sites/${encodeURIComponent(site)}`),
  setSite: ({ site, version }: Pick<Site, 'site' | 'version'>, settings: Partial<Settings>) =>
    request<Site>('PATCH', `/api/sites/${encodeURIComponent(site)}`, { version, ...settings }),
  ledger: (site: string, from: string, to: string, signal?: AbortSignal) =>
    request<Ledger>('GET', `/api/ledger?${new URLSearchParams({ site, from, to })}`, undefined, signal),
}
