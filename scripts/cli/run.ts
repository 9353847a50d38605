import { readdirSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { FootfallError } from '#shared/errors.ts'
import { near } from '#shared/site/near.ts'
import { type Args, type Command, Failure, UsageError, type World } from './command.ts'
import { commandHelp, listHelp, shapeOf } from './help.ts'
import { safeText } from './print.ts'

/** Finds the command, reads its arguments, runs it, and turns every end into an exit code: 0 done, 1 failed, 2 wrong use. */

const folder = new URL('./commands/', import.meta.url)

/** All commands, in the order of their files: a file in commands/ is all it takes. */
export const loadCommands = async (): Promise<Command[]> => {
  const files = readdirSync(folder).filter((name) => name.endsWith('.ts'))
  const modules = await Promise.all(
    files.sort().map((name) => import(new URL(name, folder).href) as Promise<{ commands: readonly Command[] }>),
  )
  return modules.flatMap(({ commands }) => commands)
}

const groupOf = ({ name }: Command): string => name.split(' ')[0]!

const unknownCommand = (commands: readonly Command[], words: readonly string[]): UsageError => {
  const inGroup = commands.filter((command) => groupOf(command) === words[0])
  if (inGroup.length > 0 && words.length === 1)
    return new UsageError(`${words[0]} needs one more word.`, `There is ${inGroup.map(({ name }) => name).join(', ')}.`)
  const [first = ''] = words
  const groups = near(first, [...new Set(commands.map(groupOf))])
  const inNear = commands.filter((command) => groups.includes(groupOf(command))).map(({ name }) => name)
  const alike = [...new Set([...near(words.join(' '), words.length > 1 ? commands.map(({ name }) => name) : []), ...inNear])]
  const hint = alike.length > 0 ? `Did you mean ${alike.join(' or ')}?` : 'npm run footfall -- --help lists the commands.'
  return new UsageError(`There is no command ${JSON.stringify(words.join(' '))}.`, hint)
}

const findCommand = (commands: readonly Command[], argv: readonly string[]): { command: Command; rest: string[] } => {
  const at = argv.findIndex((word) => word.startsWith('-'))
  const words = argv.slice(0, Math.min(2, at === -1 ? 2 : at))
  for (const count of [2, 1]) {
    const command = commands.find(({ name }) => words.length >= count && name === words.slice(0, count).join(' '))
    if (command) return { command, rest: argv.slice(count) }
  }
  throw unknownCommand(commands, words)
}

const codeOf = (error: unknown): string => String((error as { code?: unknown }).code ?? '')

/** What parseArgs throws, in our words. */
const argumentError = (command: Command, error: unknown): unknown => {
  if (!codeOf(error).startsWith('ERR_PARSE_ARGS')) return error
  const [sentence = ''] = (error as Error).message.split('. ')
  const option = /^Unknown option '(?<name>[^']+)'/.exec(sentence)?.groups?.['name']
  const alike = option ? near(option, Object.keys(command.options)).map((name) => `--${name}`) : []
  const hint = alike.length > 0 ? `Did you mean ${alike.join(' or ')}?` : `See npm run footfall -- ${command.name} --help`
  return new UsageError(option ? `There is no option ${option}.` : `${sentence.replace(/\.$/, '')}.`, hint)
}

const readArgs = (command: Command, rest: readonly string[]): Args => {
  const help = { type: 'boolean', short: 'h' } as const
  const options = Object.fromEntries(
    Object.entries(command.options).map(([name, { type, multiple = false }]) => [name, { type, multiple }]),
  )
  try {
    const { values, positionals } = parseArgs({ args: [...rest], options: { ...options, help }, allowPositionals: true, strict: true })
    return { values: values as Args['values'], positionals }
  } catch (error) {
    throw argumentError(command, error)
  }
}

const checkCount = (command: Command, { positionals }: Args) => {
  const needed = command.takes.filter((name) => !name.startsWith('['))
  const usage = `Usage: npm run footfall -- ${shapeOf(command)}`
  if (positionals.length < needed.length) throw new UsageError(`${needed[positionals.length]} is missing.`, usage)
  if (positionals.length > command.takes.length && !command.takes.at(-1)?.includes('…'))
    throw new UsageError(`${JSON.stringify(positionals[command.takes.length])} is one too many.`, usage)
}

const show = (lines: readonly string[], print: (line: string) => void) => {
  for (const line of lines) print(line)
}

const helpWords = new Set(['--help', '-h', 'help'])

/** The lines that answer a question about the program or a group of commands; undefined when a command is to run. */
const overview = (argv: readonly string[], commands: readonly Command[], version: string): readonly string[] | undefined => {
  const [first = '', second = ''] = argv
  if (first === '--version') return [version]
  if (helpWords.has(first)) return listHelp(commands)
  const inGroup = commands.filter((command) => groupOf(command) === first && command.name !== first)
  return inGroup.length > 0 && helpWords.has(second) ? listHelp(inGroup, first) : undefined
}

const runCommand = async (argv: readonly string[], world: World, version: string): Promise<number> => {
  const commands = await loadCommands()
  if (argv.length === 0) {
    show(listHelp(commands), world.err)
    return 2
  }
  const answer = overview(argv, commands, version)
  if (answer) {
    show(answer, world.out)
    return 0
  }
  const { command, rest } = findCommand(commands, argv)
  const args = readArgs(command, rest)
  if (args.values['help']) {
    show(commandHelp(command), world.out)
    return 0
  }
  checkCount(command, args)
  return command.run(args, world)
}

/** Runs the command line given and answers its exit code. Never throws. */
export const main = async (argv: readonly string[], world: World, version = ''): Promise<number> => {
  try {
    return await runCommand(argv, world, version)
  } catch (error) {
    if (error instanceof UsageError || error instanceof Failure || error instanceof FootfallError) {
      world.err(safeText(error.message))
      if (error.hint !== '') world.err(safeText(error.hint))
      return error instanceof UsageError ? 2 : 1
    }
    world.err(`Something unforeseen happened: ${safeText((error as Error)?.message ?? String(error))}`)
    if (world.env['FOOTFALL_LOG'] === 'debug' && error instanceof Error) world.err(error.stack ?? '')
    else world.err('FOOTFALL_LOG=debug shows where.')
    return 1
  }
}
