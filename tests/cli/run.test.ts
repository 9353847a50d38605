import { describe, expect, it } from 'vitest'
import { FootfallError } from '#shared/errors.ts'
import { loadCommands } from '../../scripts/cli/run.ts'
import { aClosedPort, aFolder, type } from './terminal.ts'

const commands = await loadCommands()
const names = commands.map(({ name }) => name)

describe('help', () => {
  it.each([['--help'], ['-h'], ['help']])('%s lists every command', async (...argv) => {
    const { code, out } = await type(argv)
    expect(code).toBe(0)
    for (const { name, summary } of commands)
      expect(out.split('\n').some((line) => line.startsWith(`  ${name}`) && line.endsWith(summary))).toBe(true)
  })

  it('without anything typed is a wrong use', async () => {
    expect(await type([])).toMatchObject({ code: 2, out: '', err: expect.stringContaining('Usage:') })
  })

  it.each(commands.map((command) => [command.name, command] as const))('of %s names its options', async (name, command) => {
    const { code, out, err } = await type([...name.split(' '), '--help'])
    expect([code, err]).toEqual([0, ''])
    expect(out).toContain(`npm run footfall -- ${name}`)
    for (const [option, { help }] of Object.entries(command.options))
      expect(out.split('\n').some((line) => line.startsWith(`  --${option}`) && line.endsWith(help))).toBe(true)
    for (const line of out.split('\n')) expect(line.length).toBeLessThan(160)
  })

  it('of a group lists its commands', async () => {
    const { code, out } = await type(['site', '--help'])
    expect(code).toBe(0)
    expect(out).toContain('site remove')
    expect(out).not.toContain('key add')
  })

  it('works whatever the settings are', async () => {
    expect((await type(['site', 'add', '--help'], { env: { FOOTFALL_PORT: 'x' } })).code).toBe(0)
  })

  it('comes before what is missing', async () => {
    expect((await type(['site', 'add', '-h'])).code).toBe(0)
  })
})

it('says its version', async () => {
  expect(await type(['--version'])).toEqual({ code: 0, out: '1.2.3', err: '' })
})

it('commands are called one or two words, each once', () => {
  expect(new Set(names).size).toBe(names.length)
  for (const name of names) expect(name).toMatch(/^[a-z]+( [a-z]+)?$/)
})

describe('wrong use', () => {
  const table: [argv: string, sentence: string, cure: string][] = [
    ['sites', 'no command "sites"', 'site list'],
    ['site', 'site needs one more word', 'site add, site list'],
    ['site ad', 'no command "site ad"', 'Did you mean site add'],
    ['site zzzz', 'no command "site zzzz"', 'site add'],
    ['ste add example.com', 'no command "ste add"', 'site add'],
    ['doctr', 'no command "doctr"', 'doctor'],
    ['keys', 'no command "keys"', 'key revoke'],
    ['zzzzzz', 'no command "zzzzzz"', '--help'],
    ['--frob', 'no command ""', '--help'],
    ['constructor', 'no command "constructor"', '--help'],
    ['site add', 'DOMAIN is missing', 'site add DOMAIN'],
    ['site add a.example b.example', '"b.example" is one too many', 'site add DOMAIN'],
    ['site add a.example --timezon UTC', 'no option --timezon', '--timezone'],
    ['site add a.example --zzzzzz', 'no option --zzzzzz', 'site add --help'],
    ['site add a.example -z', 'no option -z', '--help'],
    ['site add a.example --timezone', "'--timezone <value>' argument missing", '--help'],
    ['site list --json=yes', "'--json' does not take an argument", '--help'],
    ['site set a.example --cut-at-midnight maybe', '--cut-at-midnight is "maybe"', 'yes or no'],
    ['site remove', 'DOMAIN is missing', 'site remove DOMAIN'],
    ['key revoke', 'ID is missing', 'key revoke ID'],
    ['key add example.com', '"example.com" is one too many', 'key add'],
    ['link x', '"x" is one too many', 'link'],
    ['query', 'JSON|- is missing', 'query JSON|-'],
    ['query {', 'not JSON', 'standard input'],
    ['query -', 'not JSON', 'standard input'],
    ['doctor ftp://example.com', 'no address of a page', 'https://example.com/'],
  ]
  it.each(table)('%s', async (argv, sentence, cure) => {
    const env = { FOOTFALL_PORT: String(await aClosedPort()), FOOTFALL_DATA: aFolder() }
    const open = { handle: () => Promise.reject(new Error('nothing was to be asked')), adminKey: '', close: async () => undefined }
    const { code, out, err } = await type(argv.split(' '), { env, world: { openFunctions: async () => open } })
    expect([code, out]).toEqual([2, ''])
    expect(err).toContain(sentence)
    expect(err).toContain(cure)
  })
})

describe('a failure', () => {
  const run = async (error: unknown, env = {}) =>
    type(['site', 'list'], {
      env: { FOOTFALL_PORT: String(await aClosedPort()), FOOTFALL_DATA: aFolder(), ...env },
      world: { openFunctions: () => Promise.reject(error) },
    })

  it('is told in the words of the catalogue, with its cure', async () => {
    const { code, out, err } = await run(new FootfallError('newer-format'))
    expect([code, out]).toEqual([1, ''])
    expect(err).toBe('The data folder was written by a newer version.\nStart that version, or restore a backup made by this one.')
  })

  it('of a setting names it, its value and the cure', async () => {
    const { code, err } = await type(['site', 'list'], { env: { FOOTFALL_PORT: 'eighty' } })
    expect(code).toBe(1)
    expect(err).toContain('FOOTFALL_PORT is "eighty".')
    expect(err).toContain('a port from 1 to 65535')
  })

  it('that nobody foresaw says so, and where on request', async () => {
    expect(await run(new TypeError('x is not a function'))).toMatchObject({ code: 1, err: expect.stringContaining('x is not a function') })
    expect((await run(new TypeError('x'), { FOOTFALL_LOG: 'debug' })).err).toContain('run.test.ts')
  })
})
