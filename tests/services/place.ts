import { spawnSync } from 'node:child_process'
import { mkdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { install } from '../../scripts/services/install.ts'
import { choosePorts, type Ports } from '../../scripts/services/ports.ts'
import type { Server, Service, StartOptions } from '../../scripts/services/service.ts'
import { temporaryFolder } from '../fixtures/folder.ts'

/** Installs what a service needs, if `npm test` has not; answers why its tests cannot run, where they cannot. */
export const reasonAgainst = async (service: Service): Promise<string | undefined> => {
  try {
    await install([service], (text) => console.warn(text))
    return undefined
  } catch (error) {
    console.warn(`The tests of ${service.name} are skipped: ${error}`)
    return String(error)
  }
}

/** A service in a temporary folder, with ports of its own. Whatever was started in it ends with the test, and with this process at the latest. */
export type Place = {
  folder: string
  /** The small disk of node `node`, where there is one. */
  disk(node?: number): Disk | undefined
  ports: Ports
  /** Starts node `node`, anew or again. */
  start(options?: StartOptions): Promise<Server>
  /** Starts all nodes, at the same time, as those of one cluster are. */
  startAll(): Promise<Server[]>
  /** Kills what still runs, and removes the folder. */
  end(): Promise<void>
}

/** A file system of its own, on which nothing but a server's data lies. */
export type Disk = {
  /** Takes what is free, to the last byte. */
  fill(): void
  free(): void
}

/** Mounts a file system in memory at `path`; undefined where this process may not. */
const mount = (path: string, megabytes: number): (Disk & { end(): void }) | undefined => {
  mkdirSync(path, { recursive: true })
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', path]).status !== 0) return undefined
  const end = () => void spawnSync('umount', ['--lazy', path])
  // A run that is broken off leaves none behind.
  process.once('exit', end)
  const ballast = join(path, 'ballast')
  return {
    fill() {
      // The server writes meanwhile: what it gives back is taken as well.
      for (let free = 1, flag = 'w'; free > 0; flag = 'a') {
        const { bavail, bsize } = statfsSync(path)
        free = bavail * bsize
        try {
          writeFileSync(ballast, Buffer.alloc(free), { flag })
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
        }
      }
    },
    free: () => rmSync(ballast, { force: true }),
    end() {
      process.off('exit', end)
      end()
    },
  }
}

export type PlaceOptions = {
  /** Each node's data on a disk of so many megabytes, where this process may make one. */
  diskMegabytes?: number | undefined
}

export const aPlace = async (service: Service, nodes = 1, { diskMegabytes }: PlaceOptions = {}): Promise<Place> => {
  const { path, remove } = temporaryFolder()
  const ports = await choosePorts(nodes)
  const folderOf = (node = 1) => join(path, `n${node}`)
  const numbers = Array.from({ length: nodes }, (_, i) => i + 1)
  const disks = diskMegabytes === undefined ? [] : numbers.map((node) => mount(join(folderOf(node), 'data'), diskMegabytes))
  const start: Place['start'] = (options = {}) => service.start(folderOf(options.node), ports, { nodes, endsWithUs: true, ...options })
  return {
    folder: folderOf(),
    disk: (node = 1) => disks[node - 1],
    ports,
    start,
    startAll: () => Promise.all(numbers.map((node) => start({ node }))),
    end: async () => {
      for (const node of numbers) await service.find(folderOf(node), ports, node)?.kill()
      for (const disk of disks) disk?.end()
      remove()
    },
  }
}
