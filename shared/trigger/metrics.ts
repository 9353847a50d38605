import type { LoopReport, Subscription } from './loop.ts'
import type { Watched } from './watch.ts'

/** What a trigger tells Prometheus (text format 0.0.4). A partition that another trigger drives has no lines here. */

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

const labelsOf = ({ subscription: { name, topic, partition } }: { subscription: Subscription }): string =>
  `{function="${name}",topic="${topic}",partition="${partition}"}`

const headroom = 'footfall_trigger_headroom_seconds'

/** The metrics of all loops at `now` (ms UTC), and what was watched. */
export const metricsText = (reports: readonly LoopReport[], watched: readonly Watched[], now: number): string =>
  [
    ...metrics.flatMap(({ name, type, help, of }) => [
      `# HELP ${name} ${help}`,
      `# TYPE ${name} ${type}`,
      ...reports.flatMap((report) => {
        const value = of(report, now)
        return value === undefined ? [] : [`${name}${labelsOf(report)} ${value}`]
      }),
    ]),
    `# HELP ${headroom} Time until the log forgets the next record that was not taken.`,
    `# TYPE ${headroom} gauge`,
    ...watched.map((one) => `${headroom}${labelsOf(one)} ${one.headroomMs / 1_000}`),
  ]
    .map((line) => `${line}\n`)
    .join('')
