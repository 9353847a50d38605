import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { installPackages } from '../../scripts/ops/packages.ts'
import { root } from '../../scripts/run.ts'
import { temporaryFolder } from '../fixtures/folder.ts'
import { until } from '../process/server.ts'

/**
 * Two HAProxy with a floating address by deploy/keepalived, each in a network namespace, on a wire with a visitor and a gateway: whatever of the
 * one that has the address dies, hits go on.
 */

const packages = { keepalived: '/usr/sbin/keepalived', haproxy: '/usr/sbin/haproxy', iproute2: '/usr/sbin/ip', curl: '/usr/bin/curl' }
const reason = (): string | undefined => {
  const absent = installPackages(packages)
  if (absent.length > 0) return `Debian packages are missing: ${absent.join(' ')}`
  return process.getuid?.() === 0 ? undefined : 'network namespaces take root'
}
const why = reason()

const ip = (...args: string[]): string => {
  const { status, stdout, stderr } = spawnSync('ip', args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`ip ${args.join(' ')}: ${stderr}`)
  return stdout
}

const id = Math.floor(Math.random() * 1e5)
const wire = `footfall-wire-${id}`
const floating = '192.0.2.10'
const hosts = { one: '192.0.2.11', two: '192.0.2.12', visitor: '192.0.2.20' } as const
type Host = keyof typeof hosts
const namespace = (host: Host): string => `footfall-${host}-${id}`

describe.skipIf(why !== undefined)(`two edges with a floating address${why === undefined ? '' : ` (${why})`}`, () => {
  const ends: (() => unknown)[] = []
  const processes = new Map<string, ChildProcess>()
  let folder: string

  /** Runs a command in the network of a host; it ends with the test. */
  const start = (name: string, host: Host, command: readonly string[], env: Record<string, string> = {}): void => {
    const child = spawn('ip', ['netns', 'exec', namespace(host), 'setpriv', '--pdeathsig', 'KILL', ...command], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    for (const output of [child.stdout!, child.stderr!]) output.resume()
    processes.set(name, child)
  }

  const kill = async (name: string): Promise<void> => {
    const child = processes.get(name)!
    const gone = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGKILL')
    await gone
  }

  const startEdge = (host: 'one' | 'two'): void => {
    start(`haproxy ${host}`, host, [packages.haproxy, '-db', '-f', join(root, 'haproxy.cfg')], {
      FOOTFALL_EDGE_BIND: '0.0.0.0:80',
      FOOTFALL_EDGE_STATS: '127.0.0.1:8404',
      FOOTFALL_EDGE_GATEWAY: `${hosts.visitor}:8080`,
      FOOTFALL_EDGE_LIVE: `${hosts.visitor}:8080`,
    })
  }

  const startKeepalived = (host: 'one' | 'two'): void => {
    const other = host === 'one' ? 'two' : 'one'
    const config = readFileSync(join(root, 'deploy/keepalived/keepalived.conf'), 'utf8')
      .replace(/unicast_src_ip \S+/, `unicast_src_ip ${hosts[host]}`)
      .replace(/(unicast_peer \{\s+)\S+/, `$1${hosts[other]}`)
    const path = join(folder, `${host}.conf`)
    writeFileSync(path, config)
    // In the foreground, with its pid files apart from those of the machine's own.
    start(`keepalived ${host}`, host, [packages.keepalived, '-n', '-l', '-f', path, '-p', `${path}.pid`, '-r', `${path}.vrrp`])
  }

  const holder = (): Host | undefined =>
    (['one', 'two'] as const).find((host) => ip('-n', namespace(host), 'addr', 'show', 'eth0').includes(`${floating}/`))

  beforeAll(async () => {
    const temporary = temporaryFolder()
    ends.push(temporary.remove)
    folder = temporary.path
    mkdirSync(folder, { recursive: true })
    ip('netns', 'add', wire)
    ends.push(() => ip('netns', 'del', wire))
    ip('-n', wire, 'link', 'add', 'bridge', 'type', 'bridge')
    ip('-n', wire, 'link', 'set', 'bridge', 'up')
    for (const [host, address] of Object.entries(hosts) as [Host, string][]) {
      ip('netns', 'add', namespace(host))
      ends.push(() => ip('netns', 'del', namespace(host)))
      ip('-n', wire, 'link', 'add', host, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace(host))
      ip('-n', wire, 'link', 'set', host, 'master', 'bridge', 'up')
      ip('-n', namespace(host), 'addr', 'add', `${address}/24`, 'dev', 'eth0')
      for (const link of ['eth0', 'lo']) ip('-n', namespace(host), 'link', 'set', link, 'up')
    }
    ends.push(() => Promise.all([...processes.keys()].map((name) => processes.get(name)!.exitCode ?? processes.get(name)!.kill('SIGKILL'))))
    const gateway = join(folder, 'gateway.mjs')
    writeFileSync(
      gateway,
      `import { createServer } from 'node:http'
       createServer((request, response) => request.resume().on('end', () => response.writeHead(request.url === '/healthz' ? 200 : 202, { 'content-type': 'application/json' }).end('{}'))).listen(8080)`,
    )
    start('gateway', 'visitor', [process.execPath, gateway])
    for (const host of ['one', 'two'] as const) startEdge(host)
    for (const host of ['one', 'two'] as const) startKeepalived(host)
    await until('one of them to take the address', () => holder(), 30_000)
  }, 60_000)

  afterAll(async () => {
    for (const end of ends.reverse()) await end()
  })

  /** What a visitor is answered at the floating address; 0 without an answer. */
  const hit = (): Promise<number> =>
    new Promise((resolve) => {
      const args = ['-s', '-m', '1', '-o', '/dev/null', '-w', '%{http_code}', '-d', '{}', `http://${floating}/api/hit`]
      const curl = spawn('ip', ['netns', 'exec', namespace('visitor'), 'curl', ...args])
      let said = ''
      curl.stdout.on('data', (part: Buffer) => {
        said += part.toString()
      })
      curl.once('close', () => resolve(Number(said)))
    })

  /** As the tracker does: what is not answered is sent again. Answers how long it took, ms. */
  const sendUntilTaken = async (): Promise<number> => {
    const began = performance.now()
    await until('the hit to be taken', async () => (await hit()) === 202 || undefined, 30_000)
    return performance.now() - began
  }

  it('are one address, which one of them has', async () => {
    await sendUntilTaken()
    expect(holder()).toBeDefined()
  })

  it.each(['haproxy', 'keepalived'] as const)('go on when the %s of the active one is killed', async (what) => {
    await sendUntilTaken()
    const active = holder() as 'one' | 'two'
    if (what === 'haproxy') await kill(`haproxy ${active}`)
    else {
      // As when the machine dies: all of it, and its wire.
      await kill(`keepalived ${active}`)
      ip('-n', wire, 'link', 'set', active, 'down')
    }
    const ms = await sendUntilTaken()
    console.info(`the ${what} of the active one was killed: taken again after ${(ms / 1000).toFixed(1)} s`)
    const passive = active === 'one' ? 'two' : 'one'
    expect(ip('-n', namespace(passive), 'addr', 'show', 'eth0')).toContain(`${floating}/`)
    if (what === 'haproxy') {
      await until(
        'the address to be given up',
        () => !ip('-n', namespace(active), 'addr', 'show', 'eth0').includes(`${floating}/`) || undefined,
      )
      startEdge(active)
      // It is well again, and does not take the address back.
      for (let i = 0; i < 5; i++) await sendUntilTaken()
      expect(holder()).toBe(passive)
    }
  })
})
