/**
 * Public paths and the functions that answer them (interface.md "URLs"). What is not listed belongs to the page.
 * enrich-session and rollup-window have no public path: only the trigger calls them.
 */
export const functionNames = ['collect-hit', 'enrich-session', 'rollup-window', 'query-metrics', 'manage-sites', 'serve-dashboard'] as const
export type FunctionName = (typeof functionNames)[number]

const exact: ReadonlyMap<string, FunctionName> = new Map([
  ['/api/hit', 'collect-hit'],
  ['/pixel.gif', 'collect-hit'],
  ['/footfall.js', 'collect-hit'],
  ['/api/import', 'collect-hit'],
  ['/api/ledger', 'query-metrics'],
  ['/api/links', 'manage-sites'],
  ['/api/sign-in', 'manage-sites'],
  ['/api/sign-out', 'manage-sites'],
  ['/api/me', 'manage-sites'],
])

const below: readonly (readonly [string, FunctionName])[] = [
  ['/api/v2', 'query-metrics'],
  ['/api/live', 'query-metrics'],
  ['/api/sites', 'manage-sites'],
  ['/api/keys', 'manage-sites'],
  ['/api/replays', 'manage-sites'],
]

/** Paths of other products' endpoints, kept free for compatible ones, and our own that come later: 404 until then. */
const reserved = [
  '/collect',
  '/batch',
  '/g/collect',
  '/gtag/js',
  '/mp/collect',
  '/debug',
  '/v1beta',
  '/v1',
  '/api',
  '/matomo.php',
  '/i',
  '/com.snowplowanalytics.snowplow',
  '/function',
  '/schedule',
  '/system',
  '/_',
]

const isBelow = (path: string, root: string): boolean => path === root || path.startsWith(`${root}/`)

const largeBody = 1_048_576
const body = 65_536

/**
 * Largest body of a path, bytes. A large one is only for hits and log lines with a key, and pieces of a backup: anybody may make the
 * server hold what this allows. For hits of visitors it is twice what collect-hit takes, so that collect-hit itself refuses what is a
 * little too long: a page of another origin can read that answer, and the ledger counts it. The runtime's own 413 is for what no honest
 * sender sends.
 */
export const maxBodyBytes = (path: string, hasAuthorization: boolean): number => {
  if (isBelow(path, '/api/restores')) return largeBody
  if (path === '/api/import') return hasAuthorization ? largeBody : body
  if (path !== '/api/hit') return body
  return hasAuthorization ? largeBody : 2 * body
}

/** A path as metrics have it: one of few, whatever was sent. */
export const routeClassOf = (path: string): string => {
  if (path === '/' || path === '/share' || exact.has(path)) return path
  return below.find(([root]) => isBelow(path, root))?.[0] ?? 'other'
}

/** The function of a public path; `health` and `backups` are the process's own, `undefined` is a 404. */
export const routeOf = (path: string): FunctionName | 'health' | 'backups' | undefined => {
  if (path === '/health') return 'health'
  if (isBelow(path, '/api/backups') || isBelow(path, '/api/restores')) return 'backups'
  const found = exact.get(path) ?? below.find(([root]) => isBelow(path, root))?.[1]
  if (found) return found
  return reserved.some((root) => isBelow(path, root)) ? undefined : 'serve-dashboard'
}
