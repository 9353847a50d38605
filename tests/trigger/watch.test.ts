import { describe, expect, test } from 'vitest'
import type { LoopReport } from '#shared/trigger/loop.ts'
import { metricsText } from '#shared/trigger/metrics.ts'
import { createWatch, type Watched, watchLimits } from '#shared/trigger/watch.ts'
import { noon } from '../fixtures/hit.ts'
import { settle } from '../fixtures/settle.ts'
import { createRandom } from '../model/random.ts'
import { createVirtualClock } from '../model/virtual-clock.ts'

const hour = 3_600_000
const aReport = (partition: number, position: number | undefined): LoopReport => ({
  subscription: { name: 'enrich-session', topic: 'hits', partition },
  position,
  ...{ end: 9, logTime: noon - 2_000, taken: 5, skipped: 0, calls: 3, failures: 0, error: undefined },
})
describe('what the log will forget', () => {
  test('is looked at each minute, and told when less than a day is left', async () => {
    const clock = createVirtualClock(noon, createRandom(1))
    const left = new Map<number, number | undefined>([
      [0, 70 * hour],
      [1, 23 * hour],
      [2, undefined],
    ])
    const asked: unknown[] = []
    const keeper = {
      headroom: async (topic: string, partition: number, position: number) => {
        asked.push([topic, partition, position])
        if (partition === 4) throw new Error('out of reach')
        return { records: 1, ms: left.get(partition) }
      },
    }
    const alarms: Watched[] = []
    const loops = [aReport(0, 4), aReport(1, 5), aReport(2, 6), aReport(3, undefined), aReport(4, 7)].map((report) => ({
      report: () => report,
    }))
    const failures: unknown[] = []
    const told = { onAlarm: (alarm: Watched) => alarms.push(alarm), onFailure: (error: unknown) => failures.push(error) }
    const watch = createWatch(loops, { keeper, clock }, told)
    const abort = new AbortController()
    const running = watch.run(abort.signal)
    clock.advance(watchLimits.everyMs)
    await settle()
    expect(asked).toEqual([
      ['hits', 0, 4],
      ['hits', 1, 5],
      ['hits', 2, 6],
      ['hits', 4, 7],
    ])
    expect(alarms).toEqual([{ subscription: aReport(1, 5).subscription, headroomMs: 23 * hour }])
    expect(failures).toEqual([new Error('out of reach')])
    expect(watch.last().map(({ headroomMs }) => headroomMs)).toEqual([70 * hour, 23 * hour])
    abort.abort()
    await running
  })
})

describe('metrics', () => {
  test('name each partition that this trigger drives, and no other', async () => {
    const other = { ...aReport(1, undefined), end: undefined, logTime: undefined }
    const watched = [{ subscription: aReport(0, 4).subscription, headroomMs: 5_000 }]
    const lines = (await metricsText([aReport(0, 4), other], watched, noon)).split('\n')
    const labels = '{function="enrich-session",topic="hits",partition="0"}'
    expect(lines).toContain(`footfall_trigger_lag_records${labels} 5`)
    expect(lines).toContain(`footfall_trigger_lag_seconds${labels} 2`)
    expect(lines).toContain(`footfall_trigger_headroom_seconds${labels} 5`)
    expect(lines).toContain('# TYPE footfall_trigger_taken_total counter')
    expect(lines.filter((line) => line.startsWith('footfall_trigger_lag') && line.includes('partition="1"'))).toEqual([])
  })
})
