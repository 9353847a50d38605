import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { closeNetwork } from '../../scripts/faas/network.ts'
import { endReplicas } from '../../scripts/faas/provider/replicas.ts'
import { deployedWhen, packages } from '../../scripts/faas/ready.ts'
import { createSystem, planSystem, type SystemPart } from '../../scripts/faas/system.ts'
import { ensureTools } from '../../scripts/faas/tools.ts'
import { installPackages } from '../../scripts/ops/packages.ts'

/** OpenFaaS on this machine for a test: the real gateway, faas-cli and HAProxy, our provider; all of it ends with the test. */

/** Why it cannot be had here; undefined where it can. */
export const reasonAgainstOpenFaas = async (): Promise<string | undefined> => {
  const absent = installPackages(packages)
  if (absent.length > 0) return `Debian packages are missing: ${absent.join(' ')}`
  // The gateway's ports are fixed: without a network of its own two tests would meet.
  if (process.getuid?.() !== 0) return 'a network namespace takes root'
  if (spawnSync('go', ['version']).status !== 0) return 'Go is missing (1.24 or newer)'
  await ensureTools(['gateway', 'faas-cli'], (text) => console.warn(text))
  return undefined
}

/** Without Alertmanager nobody scales but the test. */
export const withoutScaling = ['prometheus', 'data-path', 'provider', 'gateway', 'edge', 'trigger'] as const satisfies readonly SystemPart[]

export type OpenFaas = Awaited<ReturnType<typeof anOpenFaas>>

export type OpenFaasOptions = {
  folder: string
  /** Settings of the functions and of the trigger; without them there is no trigger. */
  env?: Readonly<Record<string, string>>
  roots?: Readonly<Record<string, string>>
  parts?: readonly SystemPart[]
  edgeConfig?: string
}

export const anOpenFaas = async ({ folder, env = {}, roots = {}, parts, edgeConfig }: OpenFaasOptions) => {
  const home = join(folder, 'faas')
  const state = await planSystem(home, 'a password of a test')
  const system = createSystem({ folder: home, state, env, roots, edgeConfig })
  const close = async () => {
    for (const name of [...system.names].reverse()) await system.find(name)?.kill()
    await endReplicas(system.replicasFolder)
    closeNetwork(state.network)
  }
  const start = (name: SystemPart) => system.start(name, { endsWithUs: true })
  try {
    for (const name of parts ?? system.names) await start(name)
    await system.signIn()
    return {
      ...system,
      close,
      /** Starts a part again after it was killed. */
      startAgain: start,
      ready: () => deployedWhen(system, () => undefined),
    }
  } catch (error) {
    await close()
    throw error
  }
}
