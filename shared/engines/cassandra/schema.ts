/**
 * The tables of the cold store and of what is configured (docs/engines-cassandra.md says why each is as it is). Migrations are only ever
 * added, and only add: a server of the version before goes on with tables of the next. Each statement may be repeated.
 */

/**
 * A replica that does not answer is passed over soon. As Cassandra comes, that takes 5 s until a table's latencies are known, and a node that
 * has just died is asked for some 15 s more.
 */
const passOver = "speculative_retry = 'MIN(99p,100ms)'"

const table = (name: string, columns: string, key: string, ...options: string[]): string =>
  `CREATE TABLE IF NOT EXISTS ${name} (${columns}, PRIMARY KEY (${key})) WITH ${[passOver, ...options].join(' AND ')}`

/** Rows whose return from the dead would be harmless: their tombstones are kept for an hour, not for ten days. */
const shortGrace = 'gc_grace_seconds = 3600'

/**
 * What is destroyed on time leaves the files on time too: every hour what is in memory is written, and this strategy merges two files as
 * soon as there are two, by which a deleted value goes.
 */
const destroyed = `${shortGrace} AND memtable_flush_period_in_ms = 3600000
    AND compaction = {'class': 'LeveledCompactionStrategy'} AND compression = {'enabled': 'false'}`
/** For where nobody destroys: a salt is used for 6 days. */
const saltTtl = 'default_time_to_live = 864000'

const blobs = "compression = {'enabled': 'false'} AND compaction = {'class': 'UnifiedCompactionStrategy'}"
const newestFirst = (columns: string) => `CLUSTERING ORDER BY (${columns})`

const chunkTable = (level: 0 | 1): string =>
  table(`chunk_${level}`, 'id ascii, col text, rg int, piece int, pieces int, data blob', '(id), col, rg, piece', blobs)

/** What is of a partition and a site, a day, or all of the partition. */
const cold: readonly string[] = [
  table(
    'manifest',
    `part int, site text, day int, level tinyint, ver int, "from" bigint, "to" bigint, name text, id ascii, state ascii, rows bigint,
      hits bigint, bytes bigint, at bigint, begun bigint`,
    '(part, site), day, level, ver, "from", "to", name, id',
  ),
  chunkTable(0),
  chunkTable(1),
  table('cold_site', 'part int, site text', '(part), site'),
  table(
    'unclosed',
    'part int, site text, day int, "to" bigint, id ascii, at bigint, sure boolean, begun bigint',
    '(part), site, day, "to", id',
    shortGrace,
  ),
  table(
    'closed_day',
    'part int, day int, site text, "to" bigint, id ascii, at bigint, sure boolean, begun bigint',
    '(part, day), site, "to", id',
  ),
  table('superseding', 'part int, at bigint, site text, day int', '(part), at, site, day', shortGrace),
  table('dropped_day', 'part int, site text, day int', '(part, site), day', newestFirst('day DESC')),
  table('progress', 'stage text, part int, next bigint, src bigint', '(stage, part), next', newestFirst('next DESC'), shortGrace),
  table('version', 'part int, site text, ver int', '(part), site, ver'),
  table('version_day', 'part int, site text, ver int, day int', '(part, site), ver, day'),
  table('reading', 'part int, site text, active map<int, int>, transit map<text, text>, dropped map<int, bigint>', '(part, site)'),
  table('replay_job', 'part int, id text, state ascii, doc text', '(part), id'),
]

/** What is configured. */
const configured: readonly string[] = [
  table('replay', 'shelf int, site text, ver int, id text, wanted ascii, doc text', '(shelf), site, ver'),
  table('site_cfg', 'shelf int, site text, ver int, doc text', '(shelf), site, ver', newestFirst('site ASC, ver DESC')),
  table('salt', 'shelf int, day int, value blob', '(shelf), day', destroyed, saltTtl),
  table('secret', 'hash text, kind ascii, role ascii, site text, label text, created bigint, until bigint', '(hash)'),
  table('import', 'site text, source text, next bigint, at bigint, doc text', '(site), source'),
  table('import_key', 'site text, day int, value blob, used bigint', '(site), day', destroyed),
]

export type Migration = { version: number; statements: readonly string[] }

export const migrations: readonly Migration[] = [
  { version: 1, statements: [...cold, ...configured] },
  { version: 2, statements: [table('generation', 'shelf int, number int, state ascii, at bigint, doc text', '(shelf), number')] },
]

/** The table that says which migrations ran; it is there before the first. */
export const migrationTable = table('migration', 'version int, at timestamp', '(version)')

/** A keyspace's name goes into CQL as it is. */
export const isKeyspace = (name: string): boolean => /^[a-z][a-z0-9_]{0,47}$/.test(name)
