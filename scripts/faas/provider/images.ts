import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Launch } from '../../services/processes.ts'
import type { Deployment } from './deployment.ts'

/**
 * How an image is run without a container engine. `…/NAME:TAG` whose name is a function of Footfall: its main.ts, from the checkout, or from
 * the folder that was said to be TAG (a rolling upgrade has two). Any other image, with an `envProcess`: that command once per request, as
 * the classic watchdog does; OpenFaaS' own conformance suite deploys such functions.
 */
export type Images = {
  /** Undefined where there is no way to run it. */
  launchOf(deployment: Deployment, place: Place): Launch | undefined
}

/** Where a replica listens, and what it is given beside its own settings. */
export type Place = { host: string; port: number; folder: string; secrets: string }

/** Where functions expect their secrets. */
const secretsPath = '/var/openfaas/secrets'

const imageParts = /^(?:.*\/)?([^/:]+)(?::([^/:]+))?$/

const nodeOptions = '--disable-warning=ExperimentalWarning'

/** `roots`: folder of each tag; of any other it is `root`. */
export const createImages = (root: string, roots: ReadonlyMap<string, string>): Images => ({
  launchOf(deployment, { host, port, secrets }) {
    const [, image = '', tag = ''] = imageParts.exec(deployment.image) ?? []
    const from = roots.get(tag) ?? root
    const main = join(from, 'functions', image, 'main.ts')
    const given = Object.fromEntries(
      // A container has them mounted there; a process is told where they are.
      Object.entries(deployment.envVars).map(([name, value]) => [name, value.replaceAll(secretsPath, secrets)]),
    )
    const env = { ...given, OPENFAAS_NAME: deployment.service, OPENFAAS_NAMESPACE: 'openfaas-fn', NODE_OPTIONS: '' }
    if (existsSync(main))
      return {
        command: process.execPath,
        args: [nodeOptions, main],
        env: { ...env, FOOTFALL_HOST: host, FOOTFALL_PORT: String(port) },
      }
    if (deployment.envProcess === undefined || deployment.envProcess === '') return undefined
    const classic = join(import.meta.dirname, 'classic.ts')
    return { command: process.execPath, args: [nodeOptions, classic, host, String(port)], env: { ...env, fprocess: deployment.envProcess } }
  },
})
