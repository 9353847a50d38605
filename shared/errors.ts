/**
 * Every error a person or a client can meet, in one catalogue: status, sentence, cure, and whether the same request may simply
 * be sent again (`retryable`, told by Retry-After). A handler answers `replyOf(error)`.
 */
type Entry = { status: number; error: string; hint: string; retryable?: true }

export const catalogue = {
  'not-json': { status: 400, error: 'The body is not JSON.', hint: 'Send one hit as an object or {"hits":[…]} as UTF-8 JSON.' },
  empty: { status: 400, error: 'The request has no hits.', hint: 'Send one hit as an object or {"hits":[…]} with at least one hit.' },
  'too-many-hits': { status: 400, error: 'Too many hits in one request.', hint: 'Send at most 25 hits, or 1,000 with a write key.' },
  'bad-encoding': {
    status: 400,
    error: 'The body cannot be inflated.',
    hint: 'Use Content-Encoding gzip or none, and send the whole body.',
  },
  'too-large': { status: 413, error: 'The body is too large.', hint: 'Send at most 64 kB (1 MB with a write key), also after inflating.' },
  'wrong-key': {
    status: 401,
    error: 'The key is missing or wrong, or it cannot see this site.',
    hint: 'Send "Authorization: Bearer KEY"; `footfall key add` makes one.',
  },
  'wrong-role': {
    status: 403,
    error: 'The key may not do this.',
    hint: 'Use a key with the role that this path needs; `footfall key add --role …` makes one.',
  },
  'cross-site': {
    status: 403,
    error: 'A change with the page cookie must come from the page itself.',
    hint: 'Use a key in the Authorization header instead of the cookie.',
  },
  'unknown-site': {
    status: 404,
    error: 'The site is not registered.',
    hint: 'Add it with `footfall site add DOMAIN`, and send its domain as "site".',
  },
  'not-found': { status: 404, error: 'There is nothing at this path.', hint: 'See docs/api.md for the paths.' },
  'wrong-method': { status: 405, error: 'This path does not take that method.', hint: 'See docs/api.md for the methods.' },
  rate: {
    status: 429,
    error: 'Too many hits from this network.',
    hint: 'Wait as Retry-After says, or send with a write key; FOOTFALL_RATE sets the limit.',
    retryable: true,
  },
  'bad-query': { status: 400, error: 'The query cannot be understood.', hint: 'See docs/plausible.md for what a query may hold.' },
  'bad-request': { status: 400, error: 'The request cannot be understood.', hint: 'See docs/api.md for the fields of this path.' },
  conflict: { status: 409, error: 'It was changed by somebody else meanwhile.', hint: 'Read it again and repeat the change.' },
  'import-position': {
    status: 409,
    error: 'The import goes on at another line.',
    hint: 'Send the lines from `next` on; what lies before it has been imported.',
  },
  'site-exists': { status: 409, error: 'The site exists already.', hint: 'Use `footfall site set` to change it.' },
  'link-used': { status: 401, error: 'This sign-in link was used or has run out.', hint: 'Print a new one with `footfall link`.' },
  'log-unavailable': {
    status: 503,
    error: 'The log cannot be reached.',
    hint: 'The request may be sent again with the same ids.',
    retryable: true,
  },
  'disk-full': {
    status: 503,
    error: 'The disk is full.',
    hint: 'Free disk space; then send the request again with the same ids.',
    retryable: true,
  },
  'store-unavailable': { status: 503, error: 'A store cannot be reached.', hint: 'Send the request again.', retryable: true },
  'no-salt': { status: 503, error: 'The salt of this day is not made yet.', hint: 'Send the request again in a minute.', retryable: true },
  'not-drained': {
    status: 503,
    error: 'Earlier hits are not all taken yet.',
    hint: 'It goes on by itself when they are; `footfall migrate` says what it waits for.',
    retryable: true,
  },
  starting: {
    status: 503,
    error: 'The server is starting.',
    hint: 'Send the request again.',
    retryable: true,
  },
  stopping: { status: 503, error: 'The server is stopping.', hint: 'Send the request again.', retryable: true },
  overloaded: { status: 503, error: 'The server is overloaded.', hint: 'Send the request again after Retry-After.', retryable: true },
  timeout: { status: 503, error: 'The question took too long.', hint: 'Ask for a shorter range or fewer dimensions.', retryable: true },
  'partition-stopped': {
    status: 500,
    error: 'The partition is stopped: the log does not continue where the state ends.',
    hint: 'See "a stopped partition" in docs/operations.md.',
  },
  'damaged-segment': {
    status: 500,
    error: 'A segment of the stored rows is damaged.',
    hint: 'Restore the last backup with `footfall restore FILE`.',
  },
  internal: {
    status: 500,
    error: 'Something unforeseen happened.',
    hint: 'The log of the server has the details, at the same time.',
    retryable: true,
  },
  'folder-in-use': {
    status: 1,
    error: 'Another Footfall process holds the data folder.',
    hint: 'Stop it, or set FOOTFALL_DATA to another folder.',
  },
  'newer-format': {
    status: 1,
    error: 'The data folder was written by a newer version.',
    hint: 'Start that version, or restore a backup made by this one.',
  },
  'not-a-folder': {
    status: 1,
    error: 'The data folder cannot be used.',
    hint: 'Make it a folder this user can write to, or set FOOTFALL_DATA.',
  },
  'damaged-file': {
    status: 1,
    error: 'A file of the data folder is damaged.',
    hint: 'Restore the last backup with `footfall restore FILE`.',
  },
  'port-taken': { status: 1, error: 'The port is taken.', hint: 'Stop what listens there, or set FOOTFALL_PORT to a free port.' },
  'bad-setting': { status: 1, error: 'A setting has an unusable value.', hint: 'See docs/settings.md.' },
} as const satisfies Record<string, Entry>

export type ErrorCode = keyof typeof catalogue

export class FootfallError extends Error {
  readonly code: ErrorCode
  /** What the message says beyond the catalogue's sentence. */
  readonly detail: string | undefined
  readonly retryable: boolean
  readonly status: number
  readonly hint: string
  readonly retryAfterS: number | undefined

  constructor(code: ErrorCode, options: { detail?: string; hint?: string; cause?: unknown; retryAfterS?: number } = {}) {
    const entry: Entry = catalogue[code]
    super(options.detail ? `${entry.error} ${options.detail}` : entry.error, { cause: options.cause })
    this.name = 'FootfallError'
    this.code = code
    this.detail = options.detail
    this.status = entry.status
    this.hint = options.hint ?? entry.hint
    this.retryable = entry.retryable ?? false
    this.retryAfterS = options.retryAfterS ?? (this.retryable ? 1 : undefined)
  }
}

/** An error as a reply: `{"error","code","hint"}`. What is not a FootfallError becomes `internal` without its text. */
export const replyOf = (error: unknown): { status: number; headers: Record<string, string>; body: string } => {
  const known = error instanceof FootfallError ? error : new FootfallError('internal', { cause: error })
  const headers: Record<string, string> = { 'content-type': 'application/json', 'cache-control': 'no-store' }
  if (known.retryAfterS !== undefined) headers['retry-after'] = String(known.retryAfterS)
  const status = known.status < 100 ? 500 : known.status
  return { status, headers, body: JSON.stringify({ error: known.message, code: known.code, hint: known.hint }) }
}
