import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'

/**
 * Debian packages that tests need, installed where the machine lacks them. Only on a Debian-like machine and as root; elsewhere the
 * tests that need them are skipped by name (with CI=true that is a failure).
 */
const packages: Readonly<Record<string, string>> = {
  strace: '/usr/bin/strace',
  chromium: '/usr/bin/chromium',
  'nginx-light': '/usr/sbin/nginx',
  caddy: '/usr/bin/caddy',
  haproxy: '/usr/sbin/haproxy',
  openssl: '/usr/bin/openssl',
  systemd: '/usr/bin/systemd-analyze',
  'docker.io': '/usr/sbin/dockerd',
  'busybox-static': '/bin/busybox',
}

/** In run level 1 Debian starts no server that it installs: tests start their own, on ports of their own. */
const run = (...args: string[]): boolean =>
  spawnSync('apt-get', args, { stdio: ['ignore', 2, 2], env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' } })
    .status === 0

/** Installs those of `wanted` (package → a file of it) that are missing; answers which are missing still. */
export const installPackages = (wanted: Readonly<Record<string, string>>): string[] => {
  const missing = () => Object.keys(wanted).filter((name) => !existsSync(wanted[name]!))
  const before = missing()
  if (before.length === 0 || process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) return before
  process.stderr.write(`footfall: installing ${before.join(', ')} …\n`)
  return run('update', '-q') && run('install', '-q', '-y', '--no-install-recommends', ...before) ? missing() : before
}

/** Installs what the tests need and is missing; says what it could not. */
export const ensurePackages = (): void => {
  const missing = installPackages(packages)
  if (missing.length > 0)
    process.stderr.write(`footfall: ${missing.join(', ')} could not be installed; install it, or run the tests as root on Debian.\n`)
}
