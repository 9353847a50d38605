import { Counter, Gauge, Registry } from 'prom-client'
import type { LoopReport, Subscription } from './loop.ts'
import type { Watched } from './watch.ts'

/** What a trigger tells Prometheus. A partition that another trigger drives has no lines here. */

type Metric = { name: string; type: 'gauge' | 'counter'; help: string; of(report: LoopReport, now: number): number | undefined }

const metrics: readonly Metric[] = [
  {
    name: 'footfall_trigger_lag_records',
    type: 'gauge',
    help: 'Records of the topic that the function has not taken yet.',
    of: ({ position, end }) => (position === undefined || end === undefined ? undefined : Math.max(0, end - position)),
  },
  {
    name: 'footfall_trigger_lag_seconds',
    type: 'gauge',
    help: 'Age of the newest record taken; grows only while there are others to take, or the function does not answer.',
    of: ({ logTime }, now) => (logTime === undefined ? undefined : Math.max(0, now - logTime) / 1_000),
  },
  {
    name: 'footfall_trigger_position',
    type: 'gauge',
    help: 'Offset of the next record to hand over.',
    of: ({ position }) => position,
  },
  { name: 'footfall_trigger_taken_total', type: 'counter', help: 'Records handed over and answered for.', of: ({ taken }) => taken },
  {
    name: 'footfall_trigger_skipped_total',
    type: 'counter',
    help: 'Single records that were passed over: given up after their attempts, or forgotten by the log before they were taken.',
    of: ({ skipped }) => skipped,
  },
  { name: 'footfall_trigger_calls_total', type: 'counter', help: 'Calls that were answered, empty ones too.', of: ({ calls }) => calls },
  {
    name: 'footfall_trigger_failures',
    type: 'gauge',
    help: 'Calls that failed one after the other, until now.',
    of: ({ failures }) => failures,
  },
]

const labelNames = ['function', 'topic', 'partition'] as const
const labelsOf = ({ subscription: { name, topic, partition } }: { subscription: Subscription }) => ({ function: name, topic, partition })

/** The metrics of all loops at `now` (ms UTC), and what was watched. */
export const metricsText = (reports: readonly LoopReport[], watched: readonly Watched[], now: number): Promise<string> => {
  // The reports keep the sums: at each scrape they are put down as they are.
  const registers = [new Registry()]
  for (const { name, type, help, of } of metrics) {
    const metric = new (type === 'gauge' ? Gauge : Counter)({ name, help, labelNames, registers })
    for (const report of reports) {
      const value = of(report, now)
      if (value !== undefined) metric.inc(labelsOf(report), value)
    }
  }
  const headroom = new Gauge({
    name: 'footfall_trigger_headroom_seconds',
    help: 'Time until the log forgets the next record that was not taken.',
    labelNames,
    registers,
  })
  for (const one of watched) headroom.set(labelsOf(one), one.headroomMs / 1_000)
  return registers[0]!.metrics()
}
