import { join } from 'node:path'
import { askHttp } from './ask.ts'
import { writeWhole } from './processes.ts'
import { serviceOf } from './service.ts'

/** Alertmanager from Debian's package. It tells nobody of an alert unless it is given receivers; its API has it all the same. */

const settings = { route: { receiver: 'nobody', group_wait: '1s', group_interval: '5s' }, receivers: [{ name: 'nobody' }] }

export const alertmanager = serviceOf({
  name: 'alertmanager',
  packages: { 'prometheus-alertmanager': '/usr/bin/prometheus-alertmanager' },
  clusters: false,
  startMs: 30_000,
  stopMs: 10_000,
  prepare: async ({ folder, data, host, ports, options }) => {
    const config = join(folder, 'alertmanager.yml')
    // JSON is YAML.
    await writeWhole(config, JSON.stringify({ ...settings, ...options.settings }, null, 2))
    const args = {
      'config.file': config,
      'storage.path': data,
      'web.listen-address': `${host}:${ports.client}`,
      'cluster.listen-address': '',
    }
    return { command: '/usr/bin/prometheus-alertmanager', args: Object.entries(args).map(([name, value]) => `--${name}=${value}`) }
  },
  answers: (host, port) => askHttp(host, port, '/-/ready'),
})
