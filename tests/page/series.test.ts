import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Answer } from '#functions/serve-dashboard/page/state/api.ts'
import { type Step, steps } from '#functions/serve-dashboard/page/state/intervals.ts'
import { daysBetweenPoints, labelNow, seriesOf, stepOfLabels } from '#functions/serve-dashboard/page/state/series.ts'
import { bucketLabel, spanLabel, tickLabel } from '#functions/serve-dashboard/page/state/spans.ts'
import { ticksOf } from '#functions/serve-dashboard/page/state/ticks.ts'
import { bucketsOf } from '#shared/query/buckets.ts'
import { calendarOf } from '#shared/site/zone.ts'
import { anyInstant, anyZone } from './arbitrary.ts'

type Given = {
  labels: string[]
  rows?: Record<string, number | null>
  earlier?: Record<string, [string, number]>
  compared?: [string, string]
}

const anAnswer = ({ labels, rows = {}, earlier = {}, compared }: Given): Answer => ({
  results: Object.entries(rows).map(([label, value]) => ({
    dimensions: [label],
    metrics: [value],
    ...(earlier[label] ? { comparison: { dimensions: [earlier[label][0]], metrics: [earlier[label][1]], change: [null] } } : {}),
  })),
  meta: { time_labels: labels, ...(compared ? { comparison_date_range: compared } : {}) },
  query: { date_range: ['', ''] },
})

const now = Date.parse('2026-11-24T14:30:00Z')
const how = { step: 'hour' as Step, timeZone: 'UTC', now, isCount: true }
const hours = ['12', '13', '14', '15'].map((hour) => `2026-11-24 ${hour}:00:00`)

describe('the bucket that is now', () => {
  it('has the label that the server gives it, in every zone', () => {
    fc.assert(
      fc.property(anyZone, anyInstant, fc.constantFrom(...steps), (tz, t, step) => {
        const buckets = bucketsOf(`time:${step}`, { from: t - 3_600_000, to: t + 1_000 }, calendarOf([{ tz, from: 0 }]))
        expect(labelNow(step, tz, t)).toBe(buckets.labels[buckets.at(t)])
      }),
    )
  })
})

describe('the lines of the chart', () => {
  it('have 0 for an empty bucket of a count, nothing for one of a rate, and nothing for what has not come', () => {
    const answer = anAnswer({ labels: hours, rows: { [hours[1]!]: 5 } })
    expect(seriesOf(answer, how).points.map(({ value }) => value)).toEqual([0, 5, 0, null])
    expect(seriesOf(answer, { ...how, isCount: false }).points.map(({ value }) => value)).toEqual([null, 5, null, null])
  })

  it('know which bucket is not over and which has not begun', () => {
    const { points } = seriesOf(anAnswer({ labels: hours }), how)
    expect(points.map(({ isOpen, isAhead }) => [isOpen, isAhead])).toEqual([
      [false, false],
      [false, false],
      [true, false],
      [false, true],
    ])
  })

  it('show a value also where the data was thought not to reach', () => {
    expect(seriesOf(anAnswer({ labels: hours, rows: { [hours[3]!]: 2 } }), how).points[3]).toMatchObject({
      value: 2,
      isOpen: true,
      isAhead: false,
    })
  })

  it('have the earlier period beside them, with 0 where neither has a row, as far as it reaches', () => {
    const { points } = seriesOf(
      anAnswer({
        labels: hours,
        rows: { [hours[0]!]: 5, [hours[2]!]: 1 },
        earlier: { [hours[0]!]: ['2026-11-23 12:00:00', 7] },
        compared: ['2026-11-23T12:00:00+00:00', '2026-11-23T14:30:00+00:00'],
      }),
      how,
    )
    expect(points.map(({ earlier }) => earlier)).toEqual([
      { label: '2026-11-23 12:00:00', value: 7 },
      { label: '2026-11-23 13:00:00', value: 0 },
      { label: '2026-11-23 14:00:00', value: 0 },
      undefined,
    ])
  })

  it('have the same days of months of different length', () => {
    const labels = ['2026-03-30', '2026-03-31']
    const { points } = seriesOf(anAnswer({ labels, compared: ['2026-02-27T00:00:00+01:00', '2026-02-28T23:59:59+01:00'] }), {
      ...how,
      step: 'day',
    })
    expect(points.map(({ earlier }) => earlier?.label)).toEqual(['2026-02-27', '2026-02-28'])
  })

  it.each([
    [['2026-11-24 00:00:00', '2026-11-24 01:00:00'], 'hour'],
    [['2026-11-24 00:59:00', '2026-11-24 01:00:00'], 'minute'],
    [['2026-11-24 00:01:00', '2026-11-24 00:02:00'], 'minute'],
    [['2026-11-24', '2026-11-25'], 'day'],
    [['2026-11-23', '2026-11-30'], 'week'],
    [['2026-02-01', '2026-03-01'], 'month'],
    [['2026-02-01'], 'day'],
    [[], 'day'],
  ])('%j are by %s', (labels, step) => {
    expect(stepOfLabels(labels)).toBe(step)
  })
})

describe('a stretch of the chart', () => {
  const series = (step: Step, labels: string[]) => seriesOf(anAnswer({ labels }), { ...how, step })
  const days = ['2026-11-01', '2026-11-02', '2026-11-03', '2026-11-04']

  it('is days', () => {
    expect(daysBetweenPoints(series('day', days), 1, 2, '2026-11-04')).toEqual(['2026-11-02', '2026-11-03'])
    expect(daysBetweenPoints(series('day', days), 2, 3, '2026-11-04')).toEqual(['2026-11-03', '2026-11-04'])
    expect(daysBetweenPoints(series('week', ['2026-11-02', '2026-11-09', '2026-11-16']), 0, 1, '2026-11-24')).toEqual([
      '2026-11-02',
      '2026-11-15',
    ])
    expect(daysBetweenPoints(series('month', ['2026-09-01', '2026-10-01', '2026-11-01']), 1, 2, '2026-11-24')).toEqual([
      '2026-10-01',
      '2026-11-24',
    ])
  })

  it('is none where it is all of it, or lies within one day', () => {
    expect(daysBetweenPoints(series('day', days), 0, 3, '2026-11-04')).toBeUndefined()
    expect(daysBetweenPoints(series('hour', hours), 1, 2, '2026-11-24')).toBeUndefined()
    expect(daysBetweenPoints(series('hour', ['2026-11-23 23:00:00', ...hours]), 1, 2, '2026-11-24')).toEqual(['2026-11-24', '2026-11-24'])
  })
})

describe('labels', () => {
  it('are few enough, in order, and on round times', () => {
    const ranges: [Step, number][] = [
      ['minute', 86_400_000],
      ['hour', 31 * 86_400_000],
      ['day', 5_000 * 86_400_000],
      ['week', 5_000 * 86_400_000],
      ['month', 5_000 * 86_400_000],
    ]
    for (const [step, ms] of ranges) {
      const { labels } = bucketsOf(`time:${step}`, { from: now - ms, to: now }, calendarOf([{ tz: 'Europe/Berlin', from: 0 }]))
      for (const most of [1, 4, 12, 20]) {
        const ticks = ticksOf(labels, step, most)
        expect(ticks.length, `${step} ${most}`).toBeLessThanOrEqual(most + 1)
        expect(ticks).toEqual([...new Set(ticks)].sort((a, b) => a - b))
      }
    }
    const day = Array.from({ length: 24 }, (_, hour) => `2026-11-24 ${String(hour).padStart(2, '0')}:00:00`)
    expect(ticksOf(day, 'hour', 12)).toEqual([0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22])
  })

  it('are of the site’s clock, never shifted', () => {
    expect(bucketLabel('2026-11-24 02:00:00', 'hour')).toContain('02:00')
    expect(bucketLabel('2026-11-01', 'day')).toContain('1')
    expect(tickLabel('2026-11-24 00:00:00', 'hour', undefined, false)).toBe('00:00')
    expect(tickLabel('2026-11-24 00:00:00', 'hour', undefined, true)).toMatch(/Nov/)
    expect(tickLabel('2026-01-01', 'month', '2025-12-01', true)).toBe('2026')
    expect(spanLabel(['2026-11-24T00:00:00+01:00', '2026-11-24T23:59:59+01:00'])).toMatch(/^\D*24\D*2026$/)
    expect(spanLabel(['2026-11-24T00:00:00+01:00', '2026-11-24T14:03:07+01:00'])).toContain('00:00 – 14:03')
  })
})
