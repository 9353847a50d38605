import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { ask } from './ask.ts'
import { classPath, java, javaPackages, jvmOptions, partOf } from './java.ts'
import { hostOf } from './ports.ts'
import { writeWhole } from './processes.ts'
import { type Node, serviceOf } from './service.ts'

/**
 * Cassandra from its jars. Three nodes start at the same time: each is a seed and has a token of its own, so none has to stream from
 * another or to wait. The second port is the one by which nodes talk.
 */

const set = 'cassandra'

/** The ring in three equal parts; a node alone has all of it whatever its token is. */
const tokens = ['-9223372036854775808', '-3074457345618258603', '3074457345618258602']

/** The only data centre, as SimpleSnitch calls it; clients must name it. */
export const dataCentre = 'datacenter1'

/**
 * Three nodes acknowledge a write before its commit log is synced, as Cassandra comes: kill -9 of one node loses its last 100 ms or so
 * (what no marker was set behind yet is not replayed; this was seen), and the other two have it. A node alone has nobody: it syncs first.
 */
const commitLog = (nodes: number): Record<string, unknown> =>
  nodes > 1 ? { commitlog_sync: 'periodic', commitlog_sync_period: '10000ms' } : { commitlog_sync: 'batch' }

/** The settings of a node: cassandra.yaml. */
export const settingsOf = ({ data, host, ports, options: { node = 1, nodes = 1 } }: Node): Record<string, unknown> => ({
  cluster_name: 'footfall',
  num_tokens: 1,
  initial_token: tokens[node - 1],
  auto_bootstrap: false,
  partitioner: 'org.apache.cassandra.dht.Murmur3Partitioner',
  endpoint_snitch: 'SimpleSnitch',
  seed_provider: [
    {
      class_name: 'org.apache.cassandra.locator.SimpleSeedProvider',
      parameters: [{ seeds: Array.from({ length: nodes }, (_, i) => `${hostOf(i + 1)}:${ports.peer}`).join(',') }],
    },
  ],
  listen_address: host,
  rpc_address: host,
  storage_port: ports.peer,
  native_transport_port: ports.client,
  start_native_transport: true,

  data_file_directories: [join(data, 'data')],
  commitlog_directory: join(data, 'commitlog'),
  saved_caches_directory: join(data, 'saved_caches'),
  hints_directory: join(data, 'hints'),
  cdc_raw_directory: join(data, 'cdc_raw'),

  ...commitLog(nodes),
  commitlog_segment_size: '8MiB',
  commitlog_total_space: '128MiB',
  max_mutation_size: '4MiB',

  // A small heap.
  memtable_heap_space: '64MiB',
  memtable_offheap_space: '64MiB',
  memtable_allocation_type: 'heap_buffers',
  key_cache_size: '4MiB',
  row_cache_size: '0MiB',
  counter_cache_size: '0MiB',
  file_cache_size: '32MiB',
  networking_cache_size: '16MiB',
  native_transport_max_frame_size: '16MiB',
  concurrent_reads: 4,
  concurrent_writes: 8,
  concurrent_counter_writes: 2,
  concurrent_materialized_view_writes: 2,
  concurrent_compactors: 1,
  native_transport_max_threads: 16,

  hinted_handoff_enabled: true,
  auto_snapshot: false,
  snapshot_before_compaction: false,
  disk_failure_policy: 'stop',
  commit_failure_policy: 'stop',
  authenticator: 'AllowAllAuthenticator',
  authorizer: 'AllowAllAuthorizer',
  role_manager: 'CassandraRoleManager',
  read_request_timeout: '10000ms',
  write_request_timeout: '10000ms',
  range_request_timeout: '20000ms',
  cas_contention_timeout: '5000ms',
  request_timeout: '20000ms',
  sstable: { selected_format: 'bti' },
  storage_compatibility_mode: 'NONE',
})

/** As root it would lock its whole heap in memory, which takes 2 s and makes all of it resident: so it is not given the right to. */
const withoutLock = (): string[] => {
  const dropping = ['setpriv', '--bounding-set', '-ipc_lock']
  return process.getuid?.() === 0 && spawnSync(dropping[0]!, [...dropping.slice(1), 'true']).status === 0 ? dropping : []
}

/** Properties of the JVM: where things are, and that a ring on one machine need not be waited for. */
const properties = ({ folder, data }: Node, config: string): string[] =>
  Object.entries({
    'cassandra.config': `file://${config}`,
    'logback.configurationFile': partOf(set, 'logback.xml'),
    'cassandra.storagedir': data,
    'cassandra.logdir': folder,
    'java.io.tmpdir': folder,
    'jna.tmpdir': folder,
    'cassandra.ring_delay_ms': 2_000,
    'cassandra.skip_wait_for_gossip_to_settle': 0,
    'cassandra.superuser_setup_delay_ms': 0,
    'cassandra-foreground': 'yes',
  }).map(([name, value]) => `-D${name}=${value}`)

/** OPTIONS of version 4 of its protocol, which is answered with SUPPORTED. */
const question = Uint8Array.of(0x04, 0, 0, 0, 0x05, 0, 0, 0, 0)
const isAnswer = (got: Buffer): boolean => got.length >= 9 && got[0] === 0x84 && got[4] === 0x06

export const cassandra = serviceOf({
  name: 'cassandra',
  packages: javaPackages,
  jars: set,
  clusters: true,
  setting: { name: 'FOOTFALL_CASSANDRA', value: (addresses) => `${addresses.join(',')};${dataCentre}` },
  startMs: 180_000,
  stopMs: 60_000,
  prepare: async (node) => {
    const { folder, options } = node
    const config = join(folder, 'cassandra.yaml')
    // JSON is YAML.
    await writeWhole(config, JSON.stringify({ ...settingsOf(node), ...options.settings }, null, 2))
    const heap = options.heap ?? ((options.nodes ?? 1) > 1 ? '384m' : '512m')
    const jvm = ['-Xms128m', `-Xmx${heap}`, ...jvmOptions(set), ...properties(node, config), ...(options.jvm ?? [])]
    const [command, ...args] = [...withoutLock(), java, ...jvm, '-cp', classPath(set), 'org.apache.cassandra.service.CassandraDaemon']
    return { command: command!, args }
  },
  answers: (host, port) => ask(host, port, question, isAnswer),
})
