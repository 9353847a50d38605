import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { askHttp } from './ask.ts'
import { writeWhole } from './processes.ts'
import { serviceOf } from './service.ts'

/**
 * Prometheus from Debian's package. What it scrapes and which rules it has are files that may come and go while it runs:
 * `targets/*.json` (`[{"targets": ["127.0.0.1:8000"], "labels": {"job": "footfall"}}]`) are seen at once, `rules/*.yml` at `POST /-/reload`.
 */

const settingsIn = (folder: string, self: string) => ({
  global: { scrape_interval: '5s', evaluation_interval: '5s' },
  scrape_configs: [
    { job_name: 'prometheus', static_configs: [{ targets: [self] }] },
    { job_name: 'files', file_sd_configs: [{ files: [join(folder, 'targets', '*.json')] }] },
  ],
  rule_files: [join(folder, 'rules', '*.yml')],
})

/** The setting that sends alerts to Alertmanagers. */
export const alertingTo = (addresses: readonly string[]): Record<string, unknown> => ({
  alerting: { alertmanagers: [{ static_configs: [{ targets: addresses }] }] },
})

export const prometheus = serviceOf({
  name: 'prometheus',
  packages: { prometheus: '/usr/bin/prometheus' },
  clusters: false,
  startMs: 60_000,
  stopMs: 20_000,
  prepare: async ({ folder, data, host, ports, options }) => {
    const self = `${host}:${ports.client}`
    const config = join(folder, 'prometheus.yml')
    for (const name of ['targets', 'rules']) await mkdir(join(folder, name), { recursive: true })
    // JSON is YAML.
    await writeWhole(config, JSON.stringify({ ...settingsIn(folder, self), ...options.settings }, null, 2))
    const args = {
      'config.file': config,
      'storage.tsdb.path': data,
      'storage.tsdb.retention.time': '2d',
      'web.listen-address': self,
      // It knows its Alertmanagers only 5 s after its start, drops alerts until then, and would send them again after a minute.
      'rules.alert.resend-delay': '5s',
    }
    return {
      command: '/usr/bin/prometheus',
      args: [...Object.entries(args).map(([name, value]) => `--${name}=${value}`), '--web.enable-lifecycle'],
    }
  },
  answers: (host, port) => askHttp(host, port, '/-/ready'),
})
