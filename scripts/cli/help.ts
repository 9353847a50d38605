import type { Command } from './command.ts'

/** Help, made of what the commands say about themselves. */

const indent = '  '

const columns = (rows: readonly (readonly [string, string])[]): string[] => {
  const width = Math.max(0, ...rows.map(([left]) => left.length))
  return rows.map(([left, text]) => `${indent}${left.padEnd(width)}${indent}${text}`.trimEnd())
}

/** `site add DOMAIN` */
export const shapeOf = ({ name, takes }: Command): string => [name, ...takes].join(' ')

/** Help on the program, or on the commands that begin with one word. */
export const listHelp = (commands: readonly Command[], group?: string): string[] => [
  group === undefined ? 'footfall: self-hosted web analytics whose numbers add up' : `footfall ${group}: its commands`,
  '',
  `Usage: npm run footfall -- ${group ?? 'COMMAND'} …`,
  '',
  ...columns(commands.map((command) => [shapeOf(command), command.summary])),
  '',
  ...columns([
    ['--help', 'help on a command, such as: npm run footfall -- site add --help'],
    ['--version', 'the version of this program'],
  ]),
  '',
  'Commands speak to the running server (FOOTFALL_URL, else 127.0.0.1:$FOOTFALL_PORT) with FOOTFALL_KEY, else the installation key',
  'in the data folder. Where no server runs they open the folder themselves. Settings: docs/settings.md.',
]

/** Help on one command. */
export const commandHelp = (command: Command): string[] => {
  const options = Object.entries(command.options).map(([name, { value, help }]) => [`--${name}${value ? ` ${value}` : ''}`, help] as const)
  const [first = '', ...rest] = command.summary
  return [
    `${first.toUpperCase()}${rest.join('')}.`,
    '',
    `Usage: npm run footfall -- ${shapeOf(command)}${options.length > 0 ? ' [options]' : ''}`,
    '',
    ...columns([...options, ['--help', 'this text']]),
    ...(command.more ? ['', ...command.more] : []),
  ]
}
