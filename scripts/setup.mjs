// Set-up of a checkout, on any Node >= 18: installs what the lockfile names when it changed, links the project's own Node,
// checks its version, and builds page and tracker when their sources changed. Does nothing when nothing is to do. The scripts behind it run on that Node, whatever the machine has.
import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const quiet = process.argv.includes('--quiet')
const stampPath = join(root, 'node_modules', '.footfall-setup')
const nodePath = join(root, 'node_modules', '.bin', 'node')
const say = (text) => process.stderr.write(`footfall: ${text}\n`)

const fail = (text, cure) => {
  say(text)
  process.stderr.write(`  ${cure}\n`)
  process.exit(1)
}

const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const nodePackage = `node-${process.platform}-${process.arch}`
const nodeVersion = manifest.optionalDependencies[nodePackage]
if (!nodeVersion)
  fail(
    `There is no Node for ${process.platform} on ${process.arch} in package.json.`,
    'Footfall runs on Linux on x64 and arm64; use one of those (a container will do).',
  )

const stamp = createHash('sha256')
  .update(readFileSync(join(root, 'package.json')))
  .update(readFileSync(join(root, 'package-lock.json')))
  .digest('hex')

const npm = (...args) => {
  // npm_execpath is the npm that runs this script; a bare `npm` would be another one where several are installed.
  const cli = process.env.npm_execpath
  const [command, first] = cli?.endsWith('.js') ? [process.execPath, [cli]] : ['npm', []]
  // NODE_ENV=production would leave the build and test tools out.
  const env = { ...process.env, NODE_ENV: '' }
  return (
    spawnSync(command, [...first, ...args, '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], {
      cwd: root,
      stdio: ['ignore', 2, 2],
      env,
    }).status === 0
  )
}

const install = () => {
  if (!quiet || !existsSync(join(root, 'node_modules'))) say('installing what package-lock.json names …')
  // Some registries lack the optional packages of other platforms, which `npm ci` insists on.
  if (!npm('ci') && !npm('install', '--no-save'))
    fail('npm could not install the dependencies.', 'See the messages above; a network and npm >= 11 are needed the first time.')
}

const isInstalled = () => existsSync(stampPath) && readFileSync(stampPath, 'utf8') === stamp && existsSync(nodePath)

if (!isInstalled()) {
  install()
  const binary = join(root, 'node_modules', nodePackage, 'bin', 'node')
  if (!existsSync(binary))
    fail(`npm has not installed ${nodePackage}.`, 'Run `npm ci --include=optional`, and look whether npm is set to omit optional packages.')
  if (!existsSync(nodePath)) {
    mkdirSync(dirname(nodePath), { recursive: true })
    symlinkSync(join('..', nodePackage, 'bin', 'node'), nodePath)
  }
  const version = execFileSync(nodePath, ['--version'], { encoding: 'utf8' }).trim()
  if (version !== `v${nodeVersion}`)
    fail(`node_modules/.bin/node is ${version}, not v${nodeVersion}.`, 'Remove node_modules and start again.')
  writeFileSync(stampPath, stamp)
}

// What a browser loads is built from these; the stamp lies with what was built, so that deleting one deletes both.
const builtFrom = ['functions/serve-dashboard/page', 'functions/collect-hit/tracker', 'scripts/build.ts']
const builtStamp = join(root, 'functions', 'collect-hit', 'built', '.stamp')
const filesBelow = (path) => {
  const whole = join(root, path)
  if (whole.endsWith('.ts')) return [whole]
  return readdirSync(whole, { withFileTypes: true })
    .flatMap((entry) => (entry.isDirectory() ? filesBelow(join(path, entry.name)) : [join(whole, entry.name)]))
    .sort()
}
const buildHash = createHash('sha256').update(stamp)
for (const path of builtFrom.flatMap(filesBelow)) buildHash.update(path.slice(root.length)).update(readFileSync(path))
const built = buildHash.digest('hex')
const isBuilt =
  existsSync(builtStamp) &&
  readFileSync(builtStamp, 'utf8') === built &&
  existsSync(join(root, 'functions', 'serve-dashboard', 'built', 'index.html'))

if (!isBuilt) {
  if (!quiet) say('building the page and the tracker …')
  const { status } = spawnSync(nodePath, ['--disable-warning=ExperimentalWarning', join(root, 'scripts', 'build.ts')], {
    cwd: root,
    stdio: ['ignore', 2, 2],
  })
  if (status !== 0) fail('The page and the tracker could not be built.', 'See the messages above.')
  writeFileSync(builtStamp, built)
}
