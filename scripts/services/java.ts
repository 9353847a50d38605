import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { jarsFolder } from './downloads.ts'
import type { Packages } from './service.ts'

/** Java 17, which both Kafka 4.4 and Cassandra 5.0 run on, whatever else the machine has; and Maven, which fetches their jars. */

const debianNames: Partial<Record<NodeJS.Architecture, string>> = { x64: 'amd64', arm64: 'arm64' }
export const java = `/usr/lib/jvm/java-17-openjdk-${debianNames[process.arch]}/bin/java`

export const javaPackages: Packages = { 'openjdk-17-jre-headless': java, maven: '/usr/bin/mvn' }

/** The class path of a set of jars. */
export const classPath = (set: string): string => join(jarsFolder(set), '*')

/** A file beside this one that belongs to a set. */
export const partOf = (set: string, file: string): string => join(import.meta.dirname, set, file)

/**
 * Classes of a set as the JVM has them in memory: with it a server starts in two thirds of the time. `install` makes it (archive.ts). The
 * JVM ignores one that does not fit its version or the jars.
 */
export const archiveOf = (set: string): string => join(jarsFolder(set), 'classes.jsa')

/** Options of every JVM of a set: those of its file `jvm.options`, one a line, and the archive where there is one. */
export const jvmOptions = (set: string): string[] => [
  ...readFileSync(partOf(set, 'jvm.options'), 'utf8').trim().split('\n'),
  ...sharedClasses(set),
]

export const sharedClasses = (set: string): string[] => (existsSync(archiveOf(set)) ? [`-XX:SharedArchiveFile=${archiveOf(set)}`] : [])
