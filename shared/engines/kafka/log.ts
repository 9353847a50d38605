import type { Clock } from '../../clock.ts'
import { FootfallError } from '../../errors.ts'
import type { LogKeeper, LogReader, LogTrimmer, LogWriter } from '../../ports/log.ts'
import type { Positions } from '../../ports/positions.ts'
import type { TopicPlace } from '../../site/generations.ts'
import { openAsker } from './asker.ts'
import { closeNow, createAdmin, type KafkaAccess } from './clients.ts'
import { within } from './errors.ts'
import { createFetchers } from './fetchers.ts'
import { headroomOf } from './headroom.ts'
import { createPositions } from './positions.ts'
import { createProducers } from './producers.ts'
import { createReader } from './reader.ts'
import { type PlaceOf, settingsAt } from './topics.ts'
import { createWriter, defaultWriterLimits, type WriterLimits } from './writer.ts'

/** log on Kafka. docs/engines-kafka.md says what it promises, and what it cannot tell. */

export type KafkaOptions = KafkaAccess & {
  clock: Clock
  /** In front of the topics' names at the brokers. */
  prefix?: string
  /** Where a partition is; without it in the topic of that name, under the same number. */
  placeOf?: PlaceOf
  limits?: Partial<WriterLimits & { deliveryMs: number }>
}

export type KafkaLog = LogKeeper & {
  log: LogWriter & LogReader & LogTrimmer
  positions: Positions
  /** Answers what was appended, then closes all connections. */
  close(): Promise<void>
}

/** A batch that was not taken by then is given up for good, with its producer: no copy of it is sent later (data.md 5). */
const deliveryMs = 120_000

/** For an administrator's question. */
const adminMs = 10_000

/** Settings of topics are read again after this. */
const settingsMs = 60_000

const samePlace: PlaceOf = (topic, partition) => ({ name: topic, partition })

/** Does no I/O: connects when it is first asked, and again whenever it must. The topics must be there (topics.ts). */
export const openKafka = ({ clock, prefix = '', placeOf: placeIn = samePlace, limits = {}, ...access }: KafkaOptions): KafkaLog => {
  const placeOf: PlaceOf = async (topic, partition) => {
    const place = await placeIn(topic, partition)
    return { ...place, name: `${prefix}${place.name}` }
  }
  const producers = createProducers(access, clock, limits.deliveryMs ?? deliveryMs)
  const asker = openAsker(access, clock)
  const fetchers = createFetchers(access, clock)
  const admin = createAdmin(access)
  const reader = createReader(asker, fetchers, clock, placeOf)
  const settings = new Map<string, { at: number; values: Map<string, string> }>()

  const settingOf = async (name: string, setting: string): Promise<number> => {
    let known = settings.get(name)
    if (!known || Math.abs(clock.now() - known.at) > settingsMs) {
      known = { at: clock.now(), values: await within(clock, adminMs, 'tell the settings of a topic', settingsAt(admin, name)) }
      settings.set(name, known)
    }
    return Number(known.values.get(setting))
  }

  /** Throws where a record could not be written: no leader answers, or too few brokers have the partition's records. */
  const writableEnd = async ({ name, partition }: TopicPlace): Promise<number> => {
    const [needed, all] = await Promise.all([settingOf(name, 'min.insync.replicas'), asker.partitions(name)])
    const insync = all[partition]?.insync ?? 0
    if (insync < needed)
      throw new FootfallError('log-unavailable', { detail: `Kafka: ${insync} brokers have ${name} ${partition}, ${needed} must.` })
    return (await asker.ends(name, partition)).end
  }

  const writer = createWriter(producers, clock, placeOf, writableEnd, { ...defaultWriterLimits, ...limits })

  const trim: LogTrimmer['trim'] = async (topic, part, offset) => {
    const { name, partition } = await placeOf(topic, part)
    const { earliest, end } = await asker.ends(name, partition)
    const to = Math.min(offset, end)
    if (to <= earliest) return
    const partitions = [{ partition, offset: BigInt(to) }]
    await within(clock, adminMs, 'forget records', admin.deleteRecords({ topics: [{ name, partitions }] }))
  }

  return {
    log: { append: writer.append, ...reader, trim },
    positions: createPositions(admin, clock, placeOf),
    async headroom(topic, partition, position) {
      const { name } = await placeOf(topic, partition)
      return headroomOf(reader, topic, partition, position, await settingOf(name, 'retention.ms'), clock.now())
    },
    async close() {
      await writer.drain()
      await Promise.all([producers.close(), fetchers.close(), asker.close(), closeNow(admin)])
    },
  }
}
