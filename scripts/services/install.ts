import { mkdir } from 'node:fs/promises'
import { installPackages } from '../ops/packages.ts'
import { ensureArchive } from './archive.ts'
import { ensureJars, type Progress, servicesFolder } from './downloads.ts'
import type { Packages, Service } from './service.ts'

/** Brings what servers run from to this machine. Does nothing, and takes a fraction of a second, when all is there. */

const packagesOf = (services: readonly Service[]): Packages => Object.assign({}, ...services.map(({ packages }) => packages))

/** Installs packages and fetches jars, where they are missing. Throws with the cure what cannot be had. */
export const install = async (services: readonly Service[], progress: Progress): Promise<void> => {
  const absent = installPackages(packagesOf(services))
  if (absent.length > 0)
    throw new Error(
      `These Debian packages are missing: ${absent.join(' ')}. Run \`npm run services -- install\` as root on a Debian with apt, or install them by hand: \`apt-get install --no-install-recommends ${absent.join(' ')}\`.`,
    )
  await mkdir(servicesFolder, { recursive: true })
  for (const service of services) {
    const { jars } = service
    if (jars === undefined) continue
    if (await ensureJars(jars, progress)) progress(`${jars}: jars are there, and checked`)
    await ensureArchive(service, jars, progress)
  }
}
