import { existsSync } from 'node:fs'
import { mkdtemp, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Progress } from './downloads.ts'
import { archiveOf } from './java.ts'
import { choosePorts } from './ports.ts'
import type { Service } from './service.ts'

/** Makes the archive of classes of a Java server (java.ts), by a first start that writes it at its end. Does nothing where there is one. */
export const ensureArchive = async (service: Service, set: string, progress: Progress): Promise<void> => {
  const path = archiveOf(set)
  if (existsSync(path)) return
  progress(`${service.name}: a first start, so that later ones are faster …`)
  const folder = await mkdtemp(join(tmpdir(), `footfall-${service.name}-`))
  // Beside its place, and moved there when it is whole.
  const fresh = `${path}.${process.pid}`
  try {
    const server = await service.start(folder, await choosePorts(), { jvm: [`-XX:ArchiveClassesAtExit=${fresh}`], endsWithUs: true })
    await server.stop()
    if (existsSync(fresh)) await rename(fresh, path)
    else progress(`${service.name}: this Java could not keep its classes; starts take longer, all else is the same`)
  } finally {
    await rm(fresh, { force: true })
    await rm(folder, { recursive: true, force: true })
  }
}
