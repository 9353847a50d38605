import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../run.ts'
import { askHttp } from '../services/ask.ts'
import { writeWhole } from '../services/processes.ts'
import { type Service, serviceOf } from '../services/service.ts'
import { type DataPathPlace, writeDataPath } from './provider/data-path.ts'
import type { ProviderSettings } from './provider/main.ts'

/** The provider in two processes: HAProxy, through which requests go, and the control plane, which may be away meanwhile. */

const packages = { haproxy: '/usr/sbin/haproxy' }

/** Files of both lie in `folder`; `listen` is what the gateway calls, `control` where HAProxy finds the control plane. */
export const dataPathPlace = (folder: string, listen: string, control: string): DataPathPlace => ({
  config: join(folder, 'data-path.cfg'),
  names: join(folder, 'data-path.map'),
  socket: join(folder, 'data-path.sock'),
  listen,
  control,
})

/** `host`: where the gateway finds it. */
export const dataPathService = (place: DataPathPlace, host: string): Service =>
  serviceOf({
    name: 'data-path',
    packages,
    clusters: false,
    host,
    startMs: 20_000,
    stopMs: 140_000,
    prepare: async () => {
      // The control plane writes it again whenever something changes: a start finds what was last.
      if (!existsSync(place.config)) await writeDataPath(place, [])
      return { command: packages.haproxy, args: ['-db', '-f', place.config] }
    },
    answers: (at, port) => askHttp(at, port, '/healthz/data-path'),
  })

export type ControlOptions = Pick<ProviderSettings, 'folder' | 'user' | 'password' | 'dataPath' | 'roots'>

export const controlService = (options: ControlOptions): Service =>
  serviceOf({
    name: 'provider',
    packages: {},
    clusters: false,
    startMs: 60_000,
    stopMs: 140_000,
    prepare: async ({ folder, host, ports }) => {
      const path = join(folder, 'provider.json')
      await writeWhole(path, JSON.stringify({ ...options, host, port: ports.client } satisfies ProviderSettings, null, 2))
      return {
        command: process.execPath,
        args: ['--disable-warning=ExperimentalWarning', join(root, 'scripts/faas/provider/main.ts'), path],
      }
    },
    answers: (host, port) => askHttp(host, port, '/healthz'),
  })
