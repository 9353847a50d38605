import { accessSync, constants, existsSync, statSync } from 'node:fs'
import { statfs } from 'node:fs/promises'
import type { Config } from '#shared/config.ts'
import { FootfallError } from '#shared/errors.ts'
import { createCidrs } from '#shared/hit/address.ts'
import { baseOf, type Client, checkFootfall, clientAt, urlOf } from './client.ts'
import { Failure, type World } from './command.ts'
import { ask, reasonOf } from './http.ts'

/** What `footfall doctor` looks at. Each check answers findings and throws nothing that it foresees. */

export type Finding = { check: string; state: 'ok' | 'warn' | 'fail'; text: string; cure?: string }

const ok = (check: string, text: string): Finding => ({ check, state: 'ok', text })
const warn = (check: string, text: string, cure: string): Finding => ({ check, state: 'warn', text, cure })
const fail = (check: string, text: string, cure: string): Finding => ({ check, state: 'fail', text, cure })

/** Any error as a finding: ours with their cure, others with what the system says. */
export const failed = (check: string, error: unknown, cure: string): Finding =>
  error instanceof FootfallError || error instanceof Failure ? fail(check, error.message, error.hint) : fail(check, reasonOf(error), cure)

/** The settings of this environment. */
export const checkSettings = (config: Config): Finding => {
  try {
    createCidrs(config.trustedProxies)
  } catch (cause) {
    return fail(
      'settings',
      `FOOTFALL_TRUSTED_PROXIES: ${(cause as Error).message}.`,
      'Set it to addresses or CIDRs with commas between them.',
    )
  }
  if (config.geo !== undefined && !existsSync(config.geo))
    return fail('settings', `FOOTFALL_GEO: ${config.geo} is not there.`, 'Set it to the path of an .mmdb file.')
  return ok('settings', `port ${config.port}, folder ${config.data}, public address ${config.url}`)
}

/** The data folder: writable, of a known format, its key private. Opens the files for reading only, beside whoever holds them. */
export const checkFolder = async (world: World): Promise<Finding[]> => {
  const { data } = world.config()
  if (!existsSync(data)) return [warn('folder', `${data} is not there yet.`, 'The first `npm start` makes it; else set FOOTFALL_DATA.')]
  if (!statSync(data).isDirectory()) return [fail('folder', `${data} is not a folder.`, 'Set FOOTFALL_DATA to a folder.')]
  try {
    accessSync(data, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch {
    return [fail('folder', `${data} is not writable for this user.`, 'Give it to the user that runs Footfall, or set FOOTFALL_DATA.')]
  }
  const findings: Finding[] = []
  try {
    await world.checkFolder(world.config())
    findings.push(ok('folder', `${data} is writable, its files are of a known format`))
  } catch (error) {
    findings.push(failed('folder', error, 'Restore the last backup with `footfall restore FILE`.'))
  }
  const key = statSync(`${data}/admin.key`, { throwIfNoEntry: false })
  if (key && (key.mode & 0o077) !== 0) findings.push(warn('folder', 'Other users can read admin.key.', `chmod 600 ${data}/admin.key`))
  return findings
}

const mib = 1024 * 1024
const gib = 1024 * mib

/** Room on the folder's disk. */
export const checkDisk = async (folder: string): Promise<Finding[]> => {
  if (!existsSync(folder)) return []
  const { bavail, blocks, bsize } = await statfs(folder)
  const [free, share] = [bavail * bsize, bavail / blocks]
  const text = `${(free / gib).toFixed(1)} GiB free (${Math.floor(share * 100)} %)`
  const cure = 'Free disk space: a full disk answers hits with 503.'
  if (free < 200 * mib) return [fail('disk', text, cure)]
  return [free < gib || share < 0.05 ? warn('disk', text, cure) : ok('disk', text)]
}

const clockWarnMs = 2_000
const clockFailMs = 60_000

/** The server's clock by its Date header (whole seconds) against this machine's. */
export const checkClock = (date: string | undefined, now: number): Finding => {
  const theirs = Date.parse(date ?? '')
  if (Number.isNaN(theirs)) return warn('clock', 'The server sends no Date header.', 'A proxy in between may have dropped it.')
  const off = Math.max(0, Math.abs(now - theirs - 500) - 500)
  const text = `the server's clock and this one are ${off < 1000 ? 'together' : `${(off / 1000).toFixed(0)} s apart`}`
  const cure = 'Let NTP set both clocks: the server decides by its own when a hit was.'
  if (off > clockFailMs) return fail('clock', text, cure)
  return off > clockWarnMs ? warn('clock', text, cure) : ok('clock', text)
}

/** The server: there, itself, able to make hits durable. The client is given where a key is at hand and right. */
export const checkServer = async (world: World): Promise<{ findings: Finding[]; client?: Client }> => {
  const base = baseOf(world)
  if (!base) return { findings: [warn('server', 'FOOTFALL_PORT is 0, so its port is unknown here.', 'Set FOOTFALL_URL to its address.')] }
  const findings: Finding[] = []
  try {
    const { headers } = await checkFootfall(base)
    findings.push(checkClock(headers['date'], world.clock.now()))
    const health = await ask({ method: 'GET', url: urlOf(base, '/health'), timeoutMs: 10_000, limitBytes: mib })
    if (health.status === 200) findings.unshift(ok('server', `${base.origin} is up and can make hits durable`))
    else
      findings.unshift(
        fail('server', `${base.origin}/health answers ${health.status}: ${health.text.slice(0, 200)}`, 'Look into the log of the server.'),
      )
  } catch (error) {
    return { findings: [failed('server', error, 'Start it with `npm start`.')] }
  }
  try {
    const client = clientAt(base, world.config())
    const { role, site } = (await client.ask('GET', '/api/me')) as { role: string; site: string | null }
    return { findings: [...findings, ok('key', `the key has the role ${role} for ${site ?? 'all sites'}`)], client }
  } catch (error) {
    return { findings: [...findings, failed('key', error, 'Set FOOTFALL_KEY.')] }
  }
}

type Ledger = { pending?: { records: number; age_ms: number }; balanced?: boolean }

const lagWarnMs = 10_000
const lagFailMs = 5 * 60_000
const siteLimit = 200

/** How far counting is behind, and whether the ledger adds up, over all sites the key sees. */
export const checkLag = async (client: Client, now: number): Promise<{ findings: Finding[]; sites: string[] }> => {
  const { sites: views } = (await client.ask('GET', '/api/sites')) as { sites: { site: string }[] }
  const sites = views.map(({ site }) => site)
  if (sites.length === 0) return { findings: [warn('sites', 'There is no site.', 'Add one with `footfall site add DOMAIN`.')], sites }
  const [from, to] = [now - 24 * 3_600_000, now].map((t) => new Date(t).toISOString())
  const off: string[] = []
  let [records, age] = [0, 0]
  for (const site of sites.slice(0, siteLimit)) {
    const { pending, balanced } = (await client.ask('GET', `/api/ledger?${new URLSearchParams({ site, from: from!, to: to! })}`)) as Ledger
    records = Math.max(records, pending?.records ?? 0)
    age = Math.max(age, pending?.age_ms ?? 0)
    if (balanced === false) off.push(site)
  }
  const lag = records === 0 ? 'nothing is pending' : `${records} records are pending, the oldest for ${(age / 1000).toFixed(1)} s`
  const cure = 'Wait and look again; if it grows, see the log of the server and docs/operations.md.'
  const findings = [age > lagFailMs ? fail('lag', lag, cure) : age > lagWarnMs ? warn('lag', lag, cure) : ok('lag', lag)]
  if (off.length > 0)
    findings.push(fail('ledger', `it does not add up for ${off.join(', ')}`, 'Keep a backup and report it: this must never happen.'))
  else
    findings.push(
      ok('ledger', `received = counted + flagged + refused + repeated + dead for ${sites.length} site${sites.length === 1 ? '' : 's'}`),
    )
  return { findings, sites }
}
