import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '#shared/clock.ts'
import { readConfig } from '#shared/config.ts'
import type { Handler, Request } from '#shared/handler.ts'
import { openFunction } from '#shared/runtime/functions.ts'
import { newSite } from '#shared/site/change.ts'
import { type BatchAnswer, encodeBatch } from '#shared/trigger/envelope.ts'
import { type Stores, wire } from '#shared/wire.ts'

/**
 * CPU per hit of each function alone, in one thread over a real data folder: what a hit costs, apart from sockets and threads.
 * One hit per request and record, 20,000 visitors, a batch size as under full load.
 */
export type StageFigure = { name: string; hits: number; cpuMicros: number; wallMicros: number }

const agent = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'

const hitRequest = (i: number): Request => {
  const visitor = (i * 7919) % 20_000
  const body = `{"site":"localhost","id":"${Date.now().toString(36)}${i.toString(36).padStart(6, '0')}","url":"http://localhost/section-${i % 17}/page-${i % 500}","referrer":"https://www.google.com/","title":"A page of the site","visitor":"v${visitor}-abcdefgh.20261001","screen":"1920x1080","language":"de-DE"}`
  const headers = { 'user-agent': agent, 'x-forwarded-for': `10.${visitor >> 8}.${visitor & 255}.7` }
  return { method: 'POST', path: '/api/hit', query: '', headers, body: Buffer.from(body), address: '127.0.0.1' }
}

const timed = async (name: string, hits: number, work: () => Promise<void>): Promise<StageFigure> => {
  const cpu = process.cpuUsage()
  const begin = performance.now()
  await work()
  const wall = performance.now() - begin
  const { user, system } = process.cpuUsage(cpu)
  return { name, hits, cpuMicros: (user + system) / hits, wallMicros: (wall * 1000) / hits }
}

/** Hands a whole topic to a function in batches. */
const feed = async (stores: Stores, handler: Handler, name: string, topic: 'hits' | 'events', size: number): Promise<void> => {
  let position = 0
  let catchup: number | undefined
  for (;;) {
    const from = catchup === undefined ? topic : 'events'
    const records = await stores.log.read(from, 0, catchup ?? position, { records: size, bytes: 2_000_000, waitMs: 0 })
    if (records.length === 0 && catchup === undefined) return
    const mode = catchup === undefined ? '' : 'catchup'
    const batch = {
      topic: from,
      partition: 0,
      logTime: Date.now(),
      logId: '',
      logEnd: 0,
      caughtUp: false,
      retry: false,
      mode,
      records,
    } as const
    const { status, body } = await handler(encodeBatch(name, batch))
    if (status !== 200 && status !== 409) throw new Error(String(body))
    const answer = JSON.parse(String(body)) as BatchAnswer
    catchup = 'catchup' in answer ? answer.catchup : undefined
    if ('seek' in answer) position = answer.seek
    else if ('next' in answer) position = answer.next
  }
}

export const measureStages = async (hits: number, batch: number): Promise<StageFigure[]> => {
  const folder = mkdtempSync(join(tmpdir(), 'footfall-bench-'))
  const config = readConfig({ FOOTFALL_DATA: folder, FOOTFALL_RATE: '0' })
  const { holdFolder } = await import('#shared/wire.ts')
  const release = await holdFolder(folder, systemClock)
  const stores = await wire(folder, 'all', systemClock)
  try {
    await stores.sites.put(newSite('localhost', {}, { now: Date.now(), key: 'bench' }))
    const open = async (name: Parameters<typeof openFunction>[0]) => (await openFunction(name, stores, config, systemClock)).handle
    stores.files.log.exec('PRAGMA synchronous = OFF') // the disk is measured elsewhere
    const { log } = stores
    // 64 requests at a time share a commit, as they do behind sockets.
    const shared: string[] = []
    stores.log = { ...log, append: async (_topic, _partition, bodies) => shared.push(...bodies) }
    const collect = await open('collect-hit')
    const figures = [
      await timed('collect-hit', hits, async () => {
        for (let i = 0; i < hits; i++) {
          await collect(hitRequest(i))
          if (shared.length >= 64 || i === hits - 1) await log.append('hits', 0, shared.splice(0))
        }
      }),
    ]
    stores.log = log
    const enrich = await open('enrich-session')
    figures.push(await timed('enrich-session', hits, () => feed(stores, enrich, 'enrich-session', 'hits', batch)))
    const rollup = await open('rollup-window')
    figures.push(await timed('rollup-window', hits, () => feed(stores, rollup, 'rollup-window', 'events', batch)))
    return figures
  } finally {
    stores.close()
    release()
    rmSync(folder, { recursive: true, force: true })
  }
}
