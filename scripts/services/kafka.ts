import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { ask } from './ask.ts'
import { classPath, java, javaPackages, jvmOptions, partOf, sharedClasses } from './java.ts'
import { hostOf, type Ports } from './ports.ts'
import { writeWhole } from './processes.ts'
import { type Node, serviceOf } from './service.ts'

/**
 * Kafka from its jars, in KRaft mode: each node is broker and controller, there is no ZooKeeper. The second port is the controller's.
 * With three nodes every topic has three copies, two of which must have a record before it is acknowledged.
 */

const set = 'kafka'
const logging = `-Dlog4j2.configurationFile=${partOf(set, 'log4j2.properties')}`

/** All nodes of all clusters: a cluster is told from another by its ports. */
export const clusterId = 'Rm9vdGZhbGwtc2VydmljZQ'

const voters = (nodes: number, { peer }: Ports): string =>
  Array.from({ length: nodes }, (_, i) => `${i + 1}@${hostOf(i + 1)}:${peer}`).join(',')

/** The settings of a node: server.properties. */
export const settingsOf = ({ data, host, ports, options: { node = 1, nodes = 1 } }: Node): Record<string, unknown> => {
  const copies = nodes >= 3 ? 3 : 1
  const needed = nodes >= 3 ? 2 : 1
  return {
    'process.roles': 'broker,controller',
    'node.id': node,
    'controller.quorum.voters': voters(nodes, ports),
    listeners: `PLAINTEXT://${host}:${ports.client},CONTROLLER://${host}:${ports.peer}`,
    'advertised.listeners': `PLAINTEXT://${host}:${ports.client}`,
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAINTEXT',
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'log.dirs': data,

    // Topics are made on purpose, never by a typing error.
    'auto.create.topics.enable': false,
    'num.partitions': 1,
    'default.replication.factor': copies,
    'min.insync.replicas': needed,
    'unclean.leader.election.enable': false,

    // Internal topics: one partition each starts faster and needs fewer files.
    'offsets.topic.num.partitions': 1,
    'offsets.topic.replication.factor': copies,
    'transaction.state.log.num.partitions': 1,
    'transaction.state.log.replication.factor': copies,
    'transaction.state.log.min.isr': needed,
    'share.coordinator.state.topic.num.partitions': 1,
    'share.coordinator.state.topic.replication.factor': copies,
    'share.coordinator.state.topic.min.isr': needed,
    'group.initial.rebalance.delay.ms': 0,

    // Small: the log cleaner alone would take 128 MiB of heap.
    'log.cleaner.dedupe.buffer.size': 4_194_304,
    'log.cleaner.io.buffer.size': 65_536,
    'log.segment.bytes': 67_108_864,
    'log.index.size.max.bytes': 1_048_576,
    'num.network.threads': 2,
    'num.io.threads': 2,
    'num.recovery.threads.per.data.dir': 1,
    'background.threads': 2,
    'metadata.log.segment.bytes': 8_388_608,

    // After kill -9 the controller refuses the broker until its old session has run out (by default 9 s): so a restart takes seconds.
    'broker.session.timeout.ms': 3_000,
    'broker.heartbeat.interval.ms': 500,
  }
}

/** A new data folder is given the cluster's id, once. */
const format = async (data: string, config: string): Promise<void> => {
  if (existsSync(join(data, 'meta.properties'))) return
  const options = ['-Xmx128m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', ...sharedClasses(set), logging]
  await promisify(execFile)(java, [...options, '-cp', classPath(set), 'kafka.tools.StorageTool', 'format', '-t', clusterId, '-c', config])
}

/** ApiVersions, version 0, as request 1 of a client without a name; the answer repeats the 1, then says that nothing was wrong. */
const question = Uint8Array.of(0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 1, 0xff, 0xff)
const isAnswer = (got: Buffer): boolean => got.length >= 10 && got.readInt32BE(4) === 1 && got.readInt16BE(8) === 0

export const kafka = serviceOf({
  name: 'kafka',
  packages: javaPackages,
  jars: set,
  clusters: true,
  setting: { name: 'FOOTFALL_KAFKA', value: (addresses) => addresses.join(',') },
  startMs: 120_000,
  stopMs: 30_000,
  prepare: async (node) => {
    const { folder, data, options } = node
    const config = join(folder, 'server.properties')
    const settings = { ...settingsOf(node), ...options.settings }
    await writeWhole(
      config,
      Object.entries(settings)
        .map(([name, value]) => `${name}=${value}\n`)
        .join(''),
    )
    await format(data, config)
    const heap = options.heap ?? ((options.nodes ?? 1) > 1 ? '192m' : '256m')
    const jvm = [`-Xms${heap}`, `-Xmx${heap}`, ...jvmOptions(set), logging, ...(options.jvm ?? [])]
    return { command: java, args: [...jvm, '-cp', classPath(set), 'kafka.Kafka', config] }
  },
  // Its client port opens when the broker has joined the cluster and may serve.
  answers: (host, port) => ask(host, port, question, isAnswer),
})
