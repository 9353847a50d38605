import { type Command, Failure, textOf, UsageError, type Values } from '../command.ts'
import { migrateTopics } from '../topics.ts'

const replicationFrom = (text: string | undefined): number => {
  if (text === undefined) return 3
  if (/^[1-9]$/.test(text)) return Number(text)
  throw new UsageError(`--replication is ${JSON.stringify(text)}.`, 'Give a number from 1 to 9, such as --replication 3.')
}

const partitionsFrom = (text: string | undefined): number | undefined => {
  if (text === undefined) return undefined
  if (/^[1-9]\d{0,2}$/.test(text) && Number(text) <= 512) return Number(text)
  throw new UsageError(`--partitions is ${JSON.stringify(text)}.`, 'Give a number from 1 to 512, such as --partitions 64.')
}

/** The generation that is to be begun, if one is. */
const nextFrom = (values: Values): { partitions: number | undefined } | undefined => {
  const partitions = partitionsFrom(textOf(values, 'partitions'))
  if (values['new-topics'] === true) return { partitions }
  if (partitions !== undefined)
    throw new UsageError('--partitions is for new topics.', 'Topics keep the number they were made with; say --new-topics as well.')
  return undefined
}

const migrate: Command = {
  name: 'migrate',
  summary: 'makes tables in Cassandra and topics in Kafka, or brings them to this version (distributed mode)',
  takes: [],
  options: {
    replication: { type: 'string', value: 'N', help: 'copies of each row and record, where they are made anew (3; single nodes: 1)' },
    'new-topics': {
      type: 'boolean',
      help: 'moves to new topics: for another number of partitions, or where topics were deleted or made anew',
    },
    partitions: { type: 'string', value: 'N', help: 'partitions of the new topics (as many as now)' },
    lost: { type: 'boolean', help: 'gives up what older topics hold and is not taken: for partitions that stay stopped' },
  },
  more: [
    'FOOTFALL_CASSANDRA names the nodes, their data centre and, if it is not footfall, the keyspace: 10.0.0.1:9042,10.0.0.2:9042;dc1;stats',
    'FOOTFALL_KAFKA names the brokers, FOOTFALL_PARTITIONS how many partitions the first topics are given; without it no topic is looked at.',
    'FOOTFALL_KAFKA_USER, FOOTFALL_CASSANDRA_USER and what belongs to them say who we are, where the servers ask (docs/settings.md).',
    'May be run again, also after it was interrupted. Tables and columns are only added: running servers go on meanwhile.',
    'Moving to new topics takes half a minute, in which hits are taken as ever. docs/distributed.md tells what it does.',
  ],
  run: async ({ values }, world) => {
    const replication = replicationFrom(textOf(values, 'replication'))
    const next = nextFrom(values)
    const { cassandra, kafka, partitions } = world.config()
    if (!cassandra)
      throw new Failure('FOOTFALL_CASSANDRA is not set.', 'Set it to nodes and data centre, such as 10.0.0.1:9042,10.0.0.2:9042;dc1.')
    if (next && !kafka) throw new Failure('FOOTFALL_KAFKA is not set.', 'Set it to the brokers as host:port with commas between them.')
    const { ran } = await world.migrate({ ...cassandra, replication })
    const what = ran.length === 0 ? 'has all tables already' : `has run migration ${ran.join(', ')}`
    world.out(`Keyspace ${cassandra.keyspace} ${what}.`)
    if (!kafka) return 0
    const { close, ...ports } = await world.openTopics({ kafka, cassandra })
    try {
      const plan = { partitions, copies: replication, isLost: values['lost'] === true, ...(next ? { next } : {}) }
      await migrateTopics({ ...ports, clock: world.clock, out: world.out }, plan)
    } finally {
      await close()
    }
    return 0
  },
}

export const commands: readonly Command[] = [migrate]
