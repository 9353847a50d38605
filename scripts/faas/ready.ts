import type { Packages } from '../services/service.ts'
import type { System } from './system.ts'

/** What the system needs of this machine, and when what was deployed serves. */

export const packages: Packages = {
  haproxy: '/usr/sbin/haproxy',
  iproute2: '/usr/sbin/ip',
  prometheus: '/usr/bin/prometheus',
  'prometheus-alertmanager': '/usr/bin/prometheus-alertmanager',
}

const withinMs = 180_000
const lookEveryMs = 500
const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

/**
 * Resolves when every function has as many replicas as it is to have, all of its newest deployment: faas-cli deploys and does not wait. Rejects
 * after three minutes, with what is missing.
 */
export const deployedWhen = async (system: System, progress: (text: string) => void): Promise<void> => {
  const deadline = performance.now() + withinMs
  for (let said = ''; ; ) {
    const missing = (await system.unsettled()).join(', ')
    if (missing === '') return
    if (performance.now() > deadline) throw new Error(`${missing} did not start: \`faas-cli logs\`, or the provider's log, say why.`)
    if (missing !== said) progress(`waiting for ${missing} …`)
    said = missing
    await sleep(lookEveryMs)
  }
}
