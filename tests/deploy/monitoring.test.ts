import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { systemClock } from '#shared/clock.ts'
import { needsOf } from '#shared/runtime/functions.ts'
import { createMetrics } from '#shared/runtime/metrics.ts'
import { type FunctionName, functionNames } from '#shared/runtime/routes.ts'
import { metricsText } from '#shared/trigger/metrics.ts'
import { root } from '../../scripts/run.ts'
import { temporaryFolder } from '../fixtures/folder.ts'

/** The alert rules and the dashboard: they name metrics that there are, and fire when they should (promtool plays time). */

const promtool = '/usr/bin/promtool'
const rules = join(root, 'deploy/prometheus/footfall.yml')
const dashboard = JSON.parse(readFileSync(join(root, 'deploy/grafana/footfall.json'), 'utf8'))

const ends: (() => unknown)[] = []
afterEach(() => {
  for (const end of ends.splice(0)) end()
})

const run = (...args: string[]): string => {
  const { status, stdout, stderr } = spawnSync(promtool, args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`promtool ${args.join(' ')}:\n${stdout}${stderr}`)
  return stdout
}

/** Metrics of others: of the gateway, and of HAProxy's exporter. */
const others = [
  'gateway_function_invocation_total',
  'gateway_service_count',
  'gateway_functions_seconds_bucket',
  'haproxy_frontend_http_responses_total',
]
const metricNames = /\b(footfall|gateway|haproxy)_[a-z0-9_]+/g

/** All metrics that a function has, whatever it has done. */
const pageOf = async (name: FunctionName): Promise<string> => {
  const usage = needsOf[name].includes('redis') ? { memory: async () => [] } : undefined
  const metrics = createMetrics(name, { clock: systemClock, inFlight: () => 0, isReady: async () => true, usage })
  return String((await metrics.page()).body)
}

/** Plays series from minute 0 on, and says which alerts stand after so many minutes. */
const alertsAfter = (minutes: number, series: Record<string, string>): string[] => {
  const { path, remove } = temporaryFolder()
  ends.push(remove)
  mkdirSync(path, { recursive: true })
  const names: string[] = parse(readFileSync(rules, 'utf8')).groups[0].rules.map(({ alert }: { alert: string }) => alert)
  const input = Object.entries(series).map(([name, values]) => ({ series: name, values }))
  const file = join(path, 'test.yml')
  // None is expected: promtool fails, and names those that there are.
  const wanted = names.map((alertname) => ({ eval_time: `${minutes}m`, alertname, exp_alerts: [] }))
  const tests = [{ interval: '1m', input_series: input, alert_rule_test: wanted }]
  writeFileSync(file, JSON.stringify({ rule_files: [rules], evaluation_interval: '1m', tests }))
  const { status, stdout, stderr } = spawnSync(promtool, ['test', 'rules', file], { encoding: 'utf8' })
  const there = names.filter((alertname) => new RegExp(`^ *alertname: ?${alertname},`, 'm').test(stdout + stderr))
  if ((status === 0) !== (there.length === 0)) throw new Error(`promtool:\n${stdout}${stderr}`)
  return there
}

const of = 'function="enrich-session",topic="hits",partition="0"'
const well = {
  [`footfall_trigger_position{${of}}`]: '1+100x30',
  [`footfall_trigger_lag_records{${of}}`]: '0x30',
  [`footfall_trigger_lag_seconds{${of}}`]: '3600x30',
  [`footfall_trigger_headroom_seconds{${of}}`]: '250000x30',
  [`footfall_trigger_failures{${of}}`]: '0x30',
  'gateway_function_invocation_total{function_name="collect-hit.openfaas-fn",code="202"}': '0+1000x30',
  'haproxy_frontend_http_responses_total{proxy="edge",code="2xx"}': '0+1000x30',
  ...Object.fromEntries(functionNames.map((name) => [`footfall_ready{function="${name}",instance="a"}`, '1x30'])),
  'footfall_unflushed_age_seconds{function="rollup-window"}': '3700x30',
  'footfall_dead_records_total{function="enrich-session"}': '7x30',
  'footfall_redis_up{function="enrich-session"}': '1x30',
  'footfall_redis_memory_used_bytes{function="enrich-session",node="r:6379"}': '100x30',
  'footfall_redis_memory_limit_bytes{function="enrich-session",node="r:6379"}': '256x30',
  'footfall_store_errors_total{function="collect-hit",store="kafka"}': '3x30',
}

describe.skipIf(!existsSync(promtool))('alert rules', () => {
  test('are rules to Prometheus', () => {
    expect(run('check', 'rules', rules)).toContain('SUCCESS')
  })

  test('are silent where all is well, also where nobody visits', () => {
    expect(alertsAfter(20, well)).toEqual([])
  })

  test.each([
    ['FootfallLag', { [`footfall_trigger_lag_records{${of}}`]: '500x30', [`footfall_trigger_lag_seconds{${of}}`]: '90x30' }],
    ['FootfallForgetsSoon', { [`footfall_trigger_headroom_seconds{${of}}`]: '80000x30' }],
    ['FootfallCallsFail', { [`footfall_trigger_failures{${of}}`]: '30x30' }],
    ['FootfallNoTrigger', { [`footfall_trigger_position{${of}}`]: '_x30' }],
    ['FootfallPassedOver', { [`footfall_trigger_skipped_total{${of}}`]: '0x10 1x20' }],
    ['FootfallErrors', { 'gateway_function_invocation_total{function_name="collect-hit.openfaas-fn",code="503"}': '0+50x30' }],
    ['FootfallEdgeErrors', { 'haproxy_frontend_http_responses_total{proxy="edge",code="5xx"}': '0+50x30' }],
    ['FootfallUnflushed', { 'footfall_unflushed_age_seconds{function="rollup-window"}': '7300x30' }],
    ['FootfallDead', { 'footfall_dead_records_total{function="enrich-session"}': '7x10 8x20' }],
    ['FootfallRedisMemory', { 'footfall_redis_memory_used_bytes{function="enrich-session",node="r:6379"}': '220x30' }],
    ['FootfallRedisAway', { 'footfall_redis_up{function="enrich-session"}': '0x30' }],
    ['FootfallStoreErrors', { 'footfall_store_errors_total{function="collect-hit",store="kafka"}': '0+30x30' }],
    ['FootfallNotReady', { 'footfall_ready{function="query-metrics",instance="b"}': '0x30' }],
    ['FootfallNobodyReady', { 'footfall_ready{function="query-metrics",instance="a"}': '_x30' }],
  ])('%s fires for what it is for, and nothing else does', (name, series) => {
    expect(alertsAfter(15, { ...well, ...series })).toEqual([name])
  })
})

test('every alert says what it means and what to do, and stands in the documentation', () => {
  const { groups } = parse(readFileSync(rules, 'utf8'))
  const page = readFileSync(join(root, 'docs/operations.md'), 'utf8').split('## Alarms')[1] ?? ''
  for (const { alert, labels, annotations } of groups[0].rules) {
    expect(['warning', 'critical']).toContain(labels.severity)
    expect(annotations.summary.length, alert).toBeGreaterThan(10)
    expect(annotations.description.length, alert).toBeGreaterThan(20)
    expect(page).toContain(`| \`${alert}\` |`)
  }
})

test('rules and dashboard name metrics that there are', async () => {
  const pages = await Promise.all(functionNames.map(pageOf))
  const types = [await metricsText([], [], 0), ...pages].flatMap((page) => [...page.matchAll(/^# TYPE (\S+) (\S+)$/gm)])
  const ours = types.flatMap(([, name, type]) => (type === 'histogram' ? [`${name}_bucket`, `${name}_count`, `${name}_sum`] : [name!]))
  const used = new Set([...`${readFileSync(rules, 'utf8')} ${JSON.stringify(dashboard)}`.matchAll(metricNames)].map(([name]) => name))
  expect([...used].filter((name) => ![...ours, ...others].includes(name))).toEqual([])
  expect(used.size).toBeGreaterThan(20)
})

test('every panel of the dashboard asks for something, in its own place', () => {
  const places = dashboard.panels.map(({ gridPos: { x, y } }: { gridPos: { x: number; y: number } }) => `${x} ${y}`)
  expect(new Set(places).size).toBe(dashboard.panels.length)
  for (const { targets, title } of dashboard.panels) expect([title, targets.length > 0]).toEqual([title, true])
})
