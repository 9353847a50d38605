import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { createInterface } from 'node:readline'
import { root } from '../run.ts'

/**
 * Jars of Kafka and Cassandra. Maven fetches what `<set>/pom.xml` names; what it brings must be, byte for byte, what
 * `<set>/jars.sha256` names. They lie under .services/cache, in a folder named after that list, and are fetched once.
 */

/** Says how far one is: whole lines, or parts of one that replace each other. */
export type Progress = (text: string) => void

const plugin = 'org.apache.maven.plugins:maven-dependency-plugin:2.8:copy-dependencies'

/** Where everything of `npm run services` lies. */
export const servicesFolder = join(root, '.services')

const partOf = (set: string, file: string): string => join(import.meta.dirname, set, file)

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

/** Name of jar → SHA-256, as `sha256sum` writes them. */
const lockOf = (set: string): Map<string, string> =>
  new Map(
    readFileSync(partOf(set, 'jars.sha256'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => {
        const [hash, name] = line.split(/\s+/)
        return [name!, hash!]
      }),
  )

/** The folder with the jars of a set. */
export const jarsFolder = (set: string): string =>
  join(servicesFolder, 'cache', `${set}-${sha256(readFileSync(partOf(set, 'jars.sha256'))).slice(0, 12)}`)

/** What in `folder` is not as the lock file says; empty when all is well. */
const wrongIn = async (folder: string, lock: ReadonlyMap<string, string>): Promise<string[]> => {
  const present = (await readdir(folder).catch(() => [])).filter((name) => name.endsWith('.jar'))
  const unknown = present.filter((name) => !lock.has(name)).map((name) => `${name} is not in the lock file`)
  const wrong: string[] = []
  for (const [name, hash] of lock) {
    if (!present.includes(name)) wrong.push(`${name} is missing`)
    else if (sha256(await readFile(join(folder, name))) !== hash) wrong.push(`${name} has another checksum`)
  }
  return [...unknown, ...wrong]
}

/** Copies the jars into `folder`; Maven fetches those that its own store lacks, and checks each against the checksum beside it (`-C`). */
const runMaven = (set: string, folder: string, jars: ReadonlyMap<string, string>, progress: Progress): Promise<void> =>
  new Promise((resolve, reject) => {
    const options = ['-B', '-C', '-f', partOf(set, 'pom.xml'), plugin, '-DincludeScope=runtime', `-DoutputDirectory=${folder}`]
    const maven = spawn('mvn', options, { cwd: servicesFolder, stdio: ['ignore', 'pipe', 'pipe'] })
    const lines: string[] = []
    let files = 0
    let fetched = 0
    const onLine = (line: string): void => {
      lines.push(line)
      const url = /Downloaded(?: from \S+)?: (\S+) /.exec(line)?.[1]
      if (!url) return
      if (jars.has(basename(url))) fetched++
      progress(`${set}: ${fetched} of ${jars.size} jars, ${++files} files fetched`)
    }
    createInterface({ input: maven.stdout }).on('line', onLine)
    createInterface({ input: maven.stderr }).on('line', onLine)
    maven.once('error', (error) =>
      reject(new Error('Maven could not be run: install it (Debian: `apt-get install maven`).', { cause: error })),
    )
    maven.once('close', (code) =>
      code === 0
        ? resolve()
        : reject(
            new Error(`Maven could not fetch the jars of ${set}; a network is needed the first time.\n${lines.slice(-15).join('\n')}`),
          ),
    )
  })

/** Sees to it that the jars of a set are there; answers whether any had to be fetched. */
export const ensureJars = async (set: string, progress: Progress): Promise<boolean> => {
  const folder = jarsFolder(set)
  const lock = lockOf(set)
  if ((await wrongIn(folder, lock)).length === 0) return false
  progress(`${set}: fetching ${lock.size} jars …`)
  // Beside its place, and moved there when it is whole: another process sees all of it or nothing.
  const fresh = `${folder}.${process.pid}`
  await rm(fresh, { recursive: true, force: true })
  await mkdir(fresh, { recursive: true })
  try {
    await runMaven(set, fresh, lock, progress)
    const wrong = await wrongIn(fresh, lock)
    if (wrong.length > 0)
      throw new Error(
        `The jars of ${set} are not those that were pinned: ${wrong.join(', ')}. If Maven's store (~/.m2/repository) is damaged, remove these there and start again; if a version was changed on purpose, write scripts/services/${set}/jars.sha256 anew (docs/services.md).`,
      )
    await rm(folder, { recursive: true, force: true })
    await rename(fresh, folder)
  } finally {
    await rm(fresh, { recursive: true, force: true })
  }
  return true
}
