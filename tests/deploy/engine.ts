import { spawn, spawnSync } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { until } from '../process/server.ts'

/**
 * A container engine of the test's own: Debian's dockerd with its own folders and socket and no network of its own (so it needs no
 * rights over the machine's), and a base image made of what this machine has, since there may be no registry to take one from.
 */
export const engineProgram = '/usr/sbin/dockerd'

export type Engine = {
  /** Where it listens, as DOCKER_HOST has it. */
  host: string
  /** Runs `docker …`; throws with what it said unless it succeeds. */
  docker(...args: string[]): string
  /** What `docker …` answers, whatever its exit code. */
  try(...args: string[]): { status: number | null; out: string }
  stop(): Promise<void>
}

/** What the daemon leaves mounted in its folders, the innermost first. */
const unmountBelow = (folder: string): void => {
  const mounted = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((path) => path.startsWith(folder))
  for (const path of mounted.reverse()) spawnSync('umount', [path])
}

/** Starts it; `undefined` where a daemon cannot run (containers in containers that allow none). */
export const startEngine = async (): Promise<Engine | undefined> => {
  const folder = mkdtempSync(join(tmpdir(), 'footfall-engine-'))
  const host = `unix://${folder}/socket`
  const args = ['--iptables=false', '--ip6tables=false', '--bridge=none', '--data-root', `${folder}/data`]
  const daemon = spawn(engineProgram, [...args, '--exec-root', `${folder}/exec`, '--pidfile', `${folder}/pid`, '-H', host], {
    stdio: 'ignore',
  })
  const ended = new Promise<void>((resolve) => daemon.once('close', () => resolve()))
  const run = (...words: string[]) =>
    spawnSync('docker', words, {
      encoding: 'utf8',
      env: { ...process.env, DOCKER_HOST: host, DOCKER_BUILDKIT: '0' },
      maxBuffer: 64e6,
    })
  const stop = async () => {
    daemon.kill('SIGTERM')
    await ended
    unmountBelow(folder)
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    await until('the engine', () => daemon.exitCode !== null || run('version').status === 0)
  } catch {
    // It neither ended nor answered: as good as none.
  }
  if (daemon.exitCode !== null || run('version').status !== 0) {
    await stop()
    return undefined
  }
  return {
    host,
    docker: (...words) => {
      const { status, stdout, stderr } = run(...words)
      if (status !== 0) throw new Error(`docker ${words[0]} failed: ${stdout.slice(-4_000)}\n${stderr.slice(-4_000)}`)
      return stdout.trim()
    },
    try: (...words) => {
      const { status, stdout, stderr } = run(...words)
      return { status, out: `${stdout}${stderr}` }
    },
    stop,
  }
}

const busybox = '/bin/busybox'
const applets = ['sh', 'mkdir', 'chown', 'cat', 'ls', 'id', 'env', 'rm', 'cp', 'test', 'touch']
const certificates = '/etc/ssl/certs/ca-certificates.crt'

/** Files that a program is linked against. */
const librariesOf = (program: string): string[] =>
  [...spawnSync('ldd', [program], { encoding: 'utf8' }).stdout.matchAll(/(\/\S+) \(0x/g)].map(([, path]) => path!)

const copy = (root: string, path: string): void => {
  mkdirSync(join(root, dirname(path)), { recursive: true })
  copyFileSync(realpathSync(path), join(root, path))
}

/** Makes the image `name`: Node as this project runs it, npm of this machine, and a shell. It stands in for `node:24-…`. */
export const makeBaseImage = ({ docker }: Engine, name: string): void => {
  const root = mkdtempSync(join(tmpdir(), 'footfall-base-'))
  for (const path of ['bin', 'usr/bin', 'usr/local/bin', 'usr/local/lib/node_modules', 'etc', 'tmp', 'root'])
    mkdirSync(join(root, path), { recursive: true })
  chmodSync(join(root, 'tmp'), 0o1777)
  copyFileSync(busybox, join(root, 'bin/busybox'))
  for (const applet of applets) symlinkSync('busybox', join(root, 'bin', applet))
  symlinkSync('/bin/env', join(root, 'usr/bin/env'))
  const node = realpathSync(process.execPath)
  copyFileSync(node, join(root, 'usr/local/bin/node'))
  const names = ['libpthread.so.0', 'libdl.so.2', 'librt.so.1', 'libresolv.so.2', 'libnss_dns.so.2', 'libnss_files.so.2']
  const beside = dirname(librariesOf(node).find((path) => path.includes('libc.so'))!)
  for (const path of [...librariesOf(node), ...names.map((one) => join(beside, one))]) if (existsSync(path)) copy(root, path)
  const npmRoot = spawnSync('npm', ['root', '-g'], { encoding: 'utf8' }).stdout.trim()
  cpSync(join(npmRoot, 'npm'), join(root, 'usr/local/lib/node_modules/npm'), { recursive: true })
  symlinkSync('../lib/node_modules/npm/bin/npm-cli.js', join(root, 'usr/local/bin/npm'))
  writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n')
  if (existsSync(certificates)) copy(root, certificates)
  const archive = `${root}.tar`
  const packed = spawnSync('tar', ['-C', root, '-cf', archive, '.'])
  if (packed.status !== 0) throw new Error(String(packed.stderr))
  docker('import', '-c', `ENV PATH=/usr/local/bin:/usr/bin:/bin NODE_EXTRA_CA_CERTS=${certificates}`, archive, name)
  rmSync(root, { recursive: true })
  rmSync(archive)
}
