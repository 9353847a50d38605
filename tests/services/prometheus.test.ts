import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { alertmanager } from '../../scripts/services/alertmanager.ts'
import { alertingTo, prometheus } from '../../scripts/services/prometheus.ts'
import type { Server } from '../../scripts/services/service.ts'
import { aPlace, type Place, reasonAgainst } from './place.ts'

/** Prometheus and Alertmanager together: what the one finds wrong, the other knows. */

const reason = (await reasonAgainst(prometheus)) ?? (await reasonAgainst(alertmanager))
const inTime = { timeout: 40_000, interval: 250 }

describe.skipIf(reason !== undefined)('prometheus and alertmanager', () => {
  let places: { prometheus: Place; alertmanager: Place }
  let alerts: Server
  let server: Server
  const start = () =>
    places.prometheus.start({ settings: { global: { scrape_interval: '1s', evaluation_interval: '1s' }, ...alertingTo([alerts.address]) } })
  beforeAll(async () => {
    places = { prometheus: await aPlace(prometheus), alertmanager: await aPlace(alertmanager) }
    alerts = await places.alertmanager.start()
    server = await start()
  })
  afterAll(async () => {
    await places.prometheus.end()
    await places.alertmanager.end()
  })

  type Result = { data: { result: { metric: Record<string, string>; value: [number, string] }[] } }
  const query = async (text: string, time?: number): Promise<Result['data']['result']> => {
    const at = time === undefined ? '' : `&time=${time}`
    const answer = await fetch(`http://${server.address}/api/v1/query?query=${encodeURIComponent(text)}${at}`)
    return ((await answer.json()) as Result).data.result
  }

  it('scrapes what a file in its folder names', async () => {
    const target = [{ targets: [alerts.address], labels: { job: 'alertmanager' } }]
    writeFileSync(join(places.prometheus.folder, 'targets', 'alertmanager.json'), JSON.stringify(target))
    await expect.poll(async () => (await query('up{job="alertmanager"} == 1')).length, inTime).toBe(1)
  })

  it('has what it scraped after kill -9', async () => {
    const [sample] = await query('up{job="alertmanager"}')
    await server.kill()
    server = await start()
    expect((await query('up{job="alertmanager"}', sample!.value[0])).length).toBe(1)
  })

  it('sends an alert on', async () => {
    const rules = { groups: [{ name: 'test', rules: [{ alert: 'Always', expr: 'vector(1)' }] }] }
    writeFileSync(join(places.prometheus.folder, 'rules', 'always.yml'), JSON.stringify(rules))
    expect((await fetch(`http://${server.address}/-/reload`, { method: 'POST' })).status).toBe(200)
    const names = async () =>
      ((await (await fetch(`http://${alerts.address}/api/v2/alerts`)).json()) as { labels: { alertname: string } }[]).map(
        ({ labels }) => labels.alertname,
      )
    await expect.poll(names, inTime).toEqual(['Always'])
  })

  it('ends when it is told to, as does the other', async () => {
    expect(await Promise.all([server.stop(), alerts.stop()])).toEqual([true, true])
    expect(server.running() || alerts.running()).toBe(false)
  })
})
