import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { describe, expect, test } from 'vitest'

/**
 * Fails when an import arrow turns round (architecture.md "Which way imports point"), when pure code looks at a clock, and when the
 * tree is not as tidy as it promises. It reads sources as text and runs nothing.
 */
const root = join(import.meta.dirname, '..')
const read = (path: string): string => readFileSync(join(root, path), 'utf8')
const json = (path: string) => JSON.parse(read(path))

const filesOf = (folder: string, pattern: RegExp): string[] =>
  readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && pattern.test(entry.name))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .sort()

/** Page and tracker run in a browser, and have rules of their own below. */
const isOfBrowser = (path: string) => /\/(page|tracker|demo|built)\//.test(path)
const sources = [...filesOf('shared', /\.ts$/), ...filesOf('functions', /\.ts$/)].filter((path) => !isOfBrowser(path))
const browser = filesOf('functions', /\.tsx?$/).filter((path) => isOfBrowser(path) && !path.includes('/built/'))
const scripts = filesOf('scripts', /\.(ts|mjs)$/)
const tests = filesOf('tests', /\.ts$/)

type Import = { from: string; to: string; typeOnly: boolean }

/** A path of this repository, or the name of a package, or `node:…`. */
const target = (from: string, name: string): string => {
  if (name.startsWith('#')) return name.slice(1)
  if (name.startsWith('.')) return join(dirname(from), name)
  return name.startsWith('node:') ? name : name.split('/', name.startsWith('@') ? 2 : 1).join('/')
}

const isTypeOnly = (what: string): boolean => {
  const names = /^\{(.*)\}$/s.exec(what.trim())?.[1]
  return what.startsWith('type ') || names?.split(',').every((name) => name.trim() === '' || name.trim().startsWith('type ')) === true
}

const importsOf = (from: string): Import[] => {
  const text = read(from)
  const found: Import[] = []
  for (const [, what, name] of text.matchAll(
    /^(?:import|export) ((?:type )?(?:[\w*$, ]+|\{[^}]*\}|[\w$]+, \{[^}]*\}|\* as \w+)) from '([^']+)'/gm,
  ))
    found.push({ from, to: target(from, name!), typeOnly: isTypeOnly(what!) })
  for (const [, name] of text.matchAll(/(?:^import |\bimport\()'([^']+)'/gm)) found.push({ from, to: target(from, name!), typeOnly: false })
  return found
}
const imports = sources.flatMap(importsOf)
const show = ({ from, to, typeOnly }: Import): string => `${from} → ${to}${typeOnly ? ' (types)' : ''}`
const under = (path: string, ...folders: string[]): boolean => folders.some((folder) => path === folder || path.startsWith(`${folder}/`))
const among = (...folders: string[]): Import[] => imports.filter(({ from }) => under(from, ...folders))
const wrong = (list: readonly Import[], allowed: (one: Import) => boolean): string[] => list.filter((one) => !allowed(one)).map(show)

const pure = ['shared/site', 'shared/hit', 'shared/visit', 'shared/rollup', 'shared/segment', 'shared/query']

test('there is something to look at', () => {
  expect(imports.length).toBeGreaterThan(200)
  expect(imports.filter(({ typeOnly }) => typeOnly).length).toBeGreaterThan(50)
  const importing = sources.filter((path) => /^import /m.test(read(path)))
  expect(importing.filter((path) => !imports.some(({ from }) => from === path))).toEqual([])
})

describe('which way imports point', () => {
  test('pure folders know each other, errors, and of the rest only types; no driver, no engine, no I/O', () => {
    const computing = ['node:crypto', 'node:url', 'node:zlib', 'zod', 're2js', 'isbot', 'my-ua-parser', 'mmdb-lib', 'hyparquet-writer']
    const typed = ['shared/ports', 'shared/clock.ts', 'shared/handler.ts']
    expect(
      wrong(
        among(...pure),
        ({ to, typeOnly }) =>
          under(to, ...pure, 'shared/errors.ts', 'shared/recent.ts') || computing.includes(to) || (typeOnly && under(to, ...typed)),
      ),
    ).toEqual([])
  })

  test('ports import only types', () => {
    expect(wrong(among('shared/ports'), ({ to, typeOnly }) => typeOnly && under(to, 'shared/ports', ...pure))).toEqual([])
  })

  test('an engine imports ports, types of the domain, and one driver', () => {
    const drivers: Record<string, string> = {
      sqlite: 'node:sqlite',
      kafka: '@platformatic/kafka',
      redis: 'ioredis',
      cassandra: 'cassandra-driver',
      nats: '@nats-io/transport-node',
    }
    const own = (from: string) => from.split('/').slice(0, 3).join('/')
    expect(
      wrong(among('shared/engines'), ({ from, to, typeOnly }) => {
        if (under(to, own(from), 'shared/errors.ts') || to === drivers[from.split('/')[2]!]) return true
        if (to.startsWith('node:')) return to !== 'node:sqlite'
        return typeOnly && under(to, 'shared/ports', 'shared/clock.ts', ...pure)
      }),
    ).toEqual([])
  })

  test('only wire.ts imports engines, and values of them lazily', () => {
    const allowed = ({ from, to }: Import) => !under(to, 'shared/engines') || from === 'shared/wire.ts' || under(from, 'shared/engines')
    expect(wrong([...imports, ...scripts.flatMap(importsOf)], allowed)).toEqual([])
    const lines = read('shared/wire.ts').match(/^import .*engines.*$/gm) ?? []
    expect(lines.filter((line) => !line.startsWith('import type'))).toEqual([])
  })

  test('handlers import domain, ports, envelope, errors and what is their own', () => {
    const shared = ['shared/errors.ts', 'shared/handler.ts', 'shared/clock.ts', 'shared/recent.ts', 'shared/trigger/envelope.ts', ...pure]
    const nodes: Record<string, string[]> = {
      'collect-hit': ['node:util', 'node:zlib', 'node:fs', 'node:crypto'],
      'serve-dashboard': ['node:fs', 'node:crypto', 'node:zlib'],
    }
    expect(
      wrong(among('functions'), ({ from, to, typeOnly }) => {
        const name = from.split('/')[1]!
        if (from === `functions/${name}/main.ts`) return to === 'shared/runtime/main.ts'
        if (under(to, `functions/${name}`, ...shared) || to === 'zod' || nodes[name]?.includes(to)) return true
        return typeOnly && under(to, 'shared/ports')
      }),
    ).toEqual([])
  })

  test('nobody imports from functions but the runtime, in one file', () => {
    const allowed = ({ from, to }: Import) => !under(to, 'functions') || under(from, 'functions') || from === 'shared/runtime/functions.ts'
    expect(wrong([...imports, ...scripts.flatMap(importsOf)], allowed)).toEqual([])
  })

  test('the trigger knows ports and handlers, never the domain', () => {
    const allowed = [
      'shared/trigger',
      'shared/clock.ts',
      'shared/handler.ts',
      'shared/errors.ts',
      'node:http',
      'croner',
      'prom-client',
      'yaml',
      'zod',
    ]
    expect(wrong(among('shared/trigger'), ({ to, typeOnly }) => under(to, ...allowed) || (typeOnly && under(to, 'shared/ports')))).toEqual(
      [],
    )
  })

  test('the runtime knows ports and HTTP; of the domain only what opens functions, and keys', () => {
    const keys = ['shared/site/access.ts']
    expect(
      wrong(
        among('shared/runtime'),
        ({ from, to, typeOnly }) => typeOnly || !under(to, ...pure) || from === 'shared/runtime/functions.ts' || under(to, ...keys),
      ),
    ).toEqual([])
  })

  test('what everybody imports imports hardly anything', () => {
    const leaves: Record<string, string[]> = {
      'shared/errors.ts': [],
      'shared/handler.ts': [],
      'shared/clock.ts': ['node:crypto'],
      'shared/config.ts': ['node:crypto', 'node:fs', 'node:path', 'zod', 'shared/errors.ts'],
    }
    for (const [path, allowed] of Object.entries(leaves)) expect(wrong(among(path), ({ to }) => allowed.includes(to))).toEqual([])
  })

  test('imports within the folders go by files that are there', () => {
    const all = new Set(sources)
    expect(wrong(imports, ({ to }) => !/^(shared|functions)\//.test(to) || all.has(to))).toEqual([])
  })
})

/** Lines of code that match, without comments. */
const linesWith = (paths: readonly string[], pattern: RegExp): string[] =>
  paths.flatMap((path) =>
    read(path)
      .split('\n')
      .map((line, i) => ({ line: line.replace(/(^|\s)\/\/.*|^\s*(\/\*|\*).*/, ''), i }))
      .filter(({ line }) => pattern.test(line))
      .map(({ line, i }) => `${path}:${i + 1} ${line.trim()}`),
  )

describe('what runs in a browser', () => {
  const built = ['preact', 'uplot', 'd3-geo', 'topojson-client', 'topojson-specification', 'world-atlas', 'vite']

  test('page and tracker import what is their own, and of packages only those that are built into the page', () => {
    const own = (path: string) => /^functions\/[\w-]+\/(page|tracker)/.exec(path)![0]
    const found = browser.flatMap(importsOf)
    expect(found.length).toBeGreaterThan(50)
    expect(wrong(found, ({ from, to }) => under(to, own(from)) || (from.includes('/page/') && built.includes(to)))).toEqual([])
    expect(
      wrong(
        found.filter(({ from }) => from.includes('/tracker/')),
        ({ to }) => to.startsWith('functions/'),
      ),
    ).toEqual([])
  })

  test('what is built into the page has a line that says why', () => {
    const page = read('docs/dependencies.md')
    const names = Object.keys(json('package.json').devDependencies).filter((name) => built.includes(name))
    expect(names.length).toBeGreaterThan(4)
    expect(names.filter((name) => !page.split('\n').some((line) => line.startsWith('|') && line.includes(`\`${name}\``)))).toEqual([])
  })
})

describe('time, chance and environment are inputs', () => {
  const clocks =
    /\bDate\.now\(|\bnew Date\(\)|\bMath\.random\(|\b(setTimeout|setInterval)\(|\brandom(UUID|Bytes)\(|\bperformance\.now\(|\bhrtime\b/

  test('only clock.ts reads clock, timers and chance', () => {
    // The server cuts connections after a grace that is about the machine, not about the domain.
    const allowed = ['shared/clock.ts', 'shared/runtime/server.ts']
    expect(
      linesWith(
        sources.filter((path) => !allowed.includes(path)),
        clocks,
      ),
    ).toEqual([])
  })

  test('the pattern finds what it is for', () => {
    for (const code of ['Date.now()', 'new Date()', 'Math.random()', 'setTimeout(x, 1)', 'crypto.randomUUID()'])
      expect(clocks.test(code)).toBe(true)
    expect(clocks.test('new Date(t)')).toBe(false)
  })

  test('nothing below scripts looks at the environment', () => {
    // A function's main.ts is where its process begins: it hands the environment on.
    expect(
      linesWith(
        sources.filter((path) => !/^functions\/[^/]+\/main\.ts$/.test(path)),
        /process\.env/,
      ),
    ).toEqual([])
  })
})

describe('the tree', () => {
  test('no file over 400 lines, but lists of data', () => {
    const lists = ['shared/visit/sources.ts']
    const long = [...sources, ...browser, ...scripts].filter((path) => !lists.includes(path) && read(path).split('\n').length > 401)
    expect(long).toEqual([])
  })

  test('nothing is left to do', () => {
    const self = 'tests/tidy.test.ts'
    const marks = [...sources, ...browser, ...scripts, ...tests].filter((path) => path !== self && /\b(TODO|FIXME|XXX)\b/.test(read(path)))
    expect(marks).toEqual([])
  })

  test('no test stands alone, and none is skipped', () => {
    const pattern = /\b(test|it|describe)\.(only|skip|todo)\b/
    expect(linesWith(tests, pattern).filter((line) => !line.startsWith('tests/tidy.test.ts'))).toEqual([])
  })

  test('no utils, helpers, managers', () => {
    const names = [...sources, ...browser, ...scripts, ...tests].filter((path) => /\b(utils?|helpers?|manager|common|misc)\b/.test(path))
    expect(names).toEqual([])
  })

  test('modules open with what they are for', () => {
    const silent = [...sources, ...browser].filter((path) => !/\/\*\*/.test(read(path)))
    expect(silent).toEqual([])
  })
})

describe('dependencies', () => {
  const manifest = json('package.json') as Record<'dependencies' | 'devDependencies' | 'optionalDependencies', Record<string, string>>
  type Locked = { version: string; resolved?: string; integrity?: string; license?: string; dev?: true; hasInstallScript?: true }
  const locked = Object.entries(json('package-lock.json').packages as Record<string, Locked>).filter(([path]) => path !== '')

  test('have exact versions', () => {
    const all = { ...manifest.dependencies, ...manifest.devDependencies, ...manifest.optionalDependencies }
    expect(Object.entries(all).filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))).toEqual([])
  })

  test('are locked with integrity, and run nothing when they are installed', () => {
    expect(locked.filter(([, { integrity }]) => !integrity).map(([path]) => path)).toEqual([])
    expect(locked.filter(([, { hasInstallScript }]) => hasInstallScript).map(([path]) => path)).toEqual([])
  })

  test('the lock file names no registry: it holds for everybody', () => {
    expect(locked.filter(([, { resolved }]) => resolved !== undefined).map(([path]) => path)).toEqual([])
  })

  test('have a licence that is allowed', () => {
    const free = [
      'MIT',
      'ISC',
      'BSD-2-Clause',
      'BSD-3-Clause',
      'Apache-2.0',
      '0BSD',
      'Unlicense',
      'CC0-1.0',
      'PDDL-1.0',
      'CC-BY-4.0',
      'BlueOak-1.0.0',
    ]
    const isAllowed = ({ license = 'none', dev }: Locked) =>
      license
        .replace(/[()]/g, '')
        .split(' OR ')
        .some((one) => free.includes(one) || (dev && one === 'MPL-2.0'))
    expect(locked.filter(([, one]) => !isAllowed(one)).map(([path, { license }]) => `${path} ${license}`)).toEqual([])
  })

  test('that the product runs with each have a line that says why', () => {
    const page = read('docs/dependencies.md')
    const names = Object.keys({ ...manifest.dependencies, ...manifest.optionalDependencies })
    expect(names.filter((name) => !page.split('\n').some((line) => line.startsWith('|') && line.includes(`\`${name}\``)))).toEqual([])
  })

  test('are used, and all that is used is one', () => {
    const packages = new Set(imports.map(({ to }) => to).filter((to) => !to.startsWith('node:') && !/^(shared|functions)\//.test(to)))
    const known = Object.keys(manifest.dependencies)
    expect([...packages].filter((name) => !known.includes(name))).toEqual([])
    const text = [...sources, ...scripts].map(read).join('\n')
    expect(known.filter((name) => !text.includes(`'${name}`))).toEqual([])
  })
})
