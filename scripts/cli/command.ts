import type { Clock } from '#shared/clock.ts'
import type { CassandraConfig, Config, Services } from '#shared/config.ts'
import type { Handler } from '#shared/handler.ts'
import type { GenerationChanges } from '#shared/ports/generations.ts'
import type { LogTopics } from '#shared/ports/log.ts'

/** What a command of the command line is. Each file in commands/ exports its `commands`; nothing else lists them. */

export type Option = {
  type: 'string' | 'boolean'
  /** May be given more than once. */
  multiple?: true
  /** What stands for the value in help, such as TZ. */
  value?: string
  help: string
}

export type Values = Readonly<Record<string, string | boolean | readonly (string | boolean)[] | undefined>>
export type Args = { values: Values; positionals: readonly string[] }

export type Command = {
  /** One or two words: `site add`. */
  name: string
  /** One sentence without a full stop. */
  summary: string
  /** Positional arguments as help shows them; one in brackets may be left out, and the last, with `…` in it, be given many times. */
  takes: readonly string[]
  options: Readonly<Record<string, Option>>
  /** More lines of help. */
  more?: readonly string[]
  /** Answers the exit code: 0, or 1 for a failure that has been printed. */
  run(args: Args, world: World): Promise<number>
}

/** The functions over a data folder that this process holds, as the server has them. */
export type OpenFunctions = { handle: Handler; adminKey: string; close(): Promise<void> }

/** Everything a command touches outside itself; a test gives another one. */
export type World = {
  env: Readonly<Record<string, string | undefined>>
  clock: Clock
  /** The settings; throws `bad-setting`. */
  config(): Config
  /** A line for whoever reads the answer (standard output), and one beside it (standard error). */
  out(line: string): void
  err(line: string): void
  /** Bytes for whoever reads the answer; resolves when there is room for more. */
  outBytes(bytes: Uint8Array): Promise<void>
  /** Standard input to its end. */
  input(): Promise<string>
  /** The same as it comes, for what may be larger than memory. */
  inputBytes(): AsyncIterable<Uint8Array>
  /** Opens the data folder in this process; throws `folder-in-use`. */
  openFunctions(config: Config): Promise<OpenFunctions>
  /** Opens the files of the folder for reading and closes them, without its lock; throws `newer-format`, `damaged-file`, `not-a-folder`. */
  checkFolder(config: Config): Promise<void>
  /** Brings the tables in Cassandra to this version; answers the migrations that ran. Throws `store-unavailable`, `bad-setting`. */
  migrate(where: CassandraConfig & { replication: number }): Promise<{ ran: number[] }>
  /** What sets up the log. Asks nothing yet. */
  openTopics(
    where: Pick<Services, 'kafka' | 'cassandra'>,
  ): Promise<{ topics: LogTopics; generations: GenerationChanges; close(): Promise<void> }>
}

/** Wrong use: exit 2. */
export class UsageError extends Error {
  readonly hint: string

  constructor(message: string, hint: string) {
    super(message)
    this.name = 'UsageError'
    this.hint = hint
  }
}

/** A failure that has a sentence and a cure but no place in the catalogue: what another program answered. Exit 1. */
export class Failure extends Error {
  readonly hint: string
  readonly code: string

  constructor(message: string, hint: string, options: { code?: string; cause?: unknown } = {}) {
    super(message, { cause: options.cause })
    this.name = 'Failure'
    this.hint = hint
    this.code = options.code ?? ''
  }
}

/** The option's text, if it was given. */
export const textOf = (values: Values, name: string): string | undefined => {
  const value = values[name]
  return typeof value === 'string' ? value : undefined
}

/** The site that a command is about. */
export const siteOption = (values: Values): string => {
  const site = textOf(values, 'site')
  if (site) return site
  throw new UsageError('--site is missing.', 'Name a registered site: --site example.com. `footfall site list` shows them.')
}
