import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createHandler } from '#functions/rollup-window/handler.ts'
import { type Clock, systemClock } from '#shared/clock.ts'
import { encodeSegment, segmentName } from '#shared/segment/encode.ts'
import { mergeRows } from '#shared/segment/merge.ts'
import { newSite } from '#shared/site/change.ts'
import { encodeBatch } from '#shared/trigger/envelope.ts'
import { wire } from '#shared/wire.ts'
import { dayRows } from './day-rows.ts'
import { print } from './figure.ts'

/**
 * Closing a day of 200,000 visits that was flushed in six pieces: how long, at the longest, nothing else of the thread had its turn, how
 * long it takes, and what memory it needs.
 */
const visits = 200_000
const pieces = 6
const [site, day] = ['example.com', 20260315]
const hourMs = 3_600_000

/** A clock that runs, some hours after the end of the day. */
const lateClock = (): Clock => {
  const ahead = Date.UTC(2026, 2, 16, 20) - Date.now()
  return { ...systemClock, now: () => Date.now() + ahead }
}

/** Rounds of the event loop, until it is stopped: the longest that one took. */
const watch = () => {
  let longest = 0
  let most = 0
  let last = performance.now()
  let isOver = false
  const round = () => {
    const now = performance.now()
    longest = Math.max(longest, now - last)
    last = now
    const { heapUsed, arrayBuffers, external } = process.memoryUsage()
    most = Math.max(most, heapUsed + Math.max(arrayBuffers, external))
    if (!isOver) setImmediate(round)
  }
  setImmediate(round)
  return () => {
    isOver = true
    return { longest: Math.max(longest, performance.now() - last), most }
  }
}

const flushed = (clock: Clock) => {
  const { parts, to } = dayRows(visits)
  const size = Math.ceil(parts.length / pieces)
  const entries = []
  for (let from = 0; from < parts.length; from += size) {
    const interval = { from: from * 20_000, to: Math.min((from + size) * 20_000, to) }
    const rows = mergeRows(parts.slice(from, from + size).flat())
    const segment = encodeSegment(rows, interval)
    const hits = rows.reduce((sum, { h }) => sum + h.length, 0)
    const entry = { site, day, ...interval, level: 0 as const, ver: 0, name: segmentName(segment), rows: rows.length, hits, bytes: 0 }
    entries.push({ entry: { ...entry, at: clock.now() - 20 * hourMs }, ...segment })
  }
  return { entries, to }
}

export const benchClosing = async (): Promise<void> => {
  const folder = mkdtempSync(join(tmpdir(), 'footfall-closing-'))
  const clock = lateClock()
  const stores = await wire(folder, 'all', clock)
  try {
    // With its site a closed day gets cells.
    await stores.sites.put(newSite(site, {}, { now: 0, key: '' }))
    const { entries, to } = flushed(clock)
    for (const { entry, head, chunks } of entries) await stores.segments.put(0, entry, head, chunks)
    entries.length = 0
    const handle = createHandler({ ...stores, clock }, {}, (error) => {
      throw error
    })
    const tick = () =>
      handle(
        encodeBatch('rollup-window', {
          ...{
            topic: 'events',
            partition: 0,
            logTime: clock.now(),
            logId: '',
            logEnd: 0,
            caughtUp: true,
            retry: false,
            mode: '',
            records: [],
          },
        }),
      )
    await tick() // no state yet: it begins one
    globalThis.gc?.()
    const { heapUsed, arrayBuffers } = process.memoryUsage()
    const begin = performance.now()
    const end = watch()
    let ticks = 0
    const isClosed = async () => (await stores.segments.list(0, site, day, day)).some(({ level, to: end }) => level === 1 && end === to)
    for (; !(await isClosed()) && ticks < 1_000; ticks++) await tick()
    const { longest, most } = end()
    print({ name: 'closing-longest-stretch', value: longest, unit: 'ms' })
    print({ name: 'closing-time', value: performance.now() - begin, unit: 'ms' })
    print({ name: 'closing-ticks', value: ticks, unit: 'ticks' })
    print({ name: 'closing-memory', value: (most - heapUsed - arrayBuffers) / 1_000_000, unit: 'MB' })
  } finally {
    stores.close()
    rmSync(folder, { recursive: true })
  }
}
