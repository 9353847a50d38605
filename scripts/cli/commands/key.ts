import { systemClock } from '#shared/clock.ts'
import { newKey } from '#shared/site/access.ts'
import { withClient } from '../client.ts'
import { type Command, textOf } from '../command.ts'
import { safeJson, table } from '../print.ts'

type KeyView = { id: string; role: string; site: string | null; begins: string; created: string }

const add: Command = {
  name: 'key add',
  summary: 'makes a key and prints it alone on the last line; it is never shown again',
  takes: [],
  options: {
    site: { type: 'string', value: 'DOMAIN', help: 'the site it holds for (all sites)' },
    role: { type: 'string', value: 'read|write|own', help: 'what it may do (read)' },
  },
  more: [
    'read   asks for reports, live numbers, the ledger, exports',
    "write  sends hits with a visitor's address, agent and time, and large batches; nothing else",
    'own    both, and the settings, keys and imports of the site; for all sites it may also add sites',
  ],
  run: ({ values }, world) =>
    withClient(world, async (client) => {
      const [site, role] = [textOf(values, 'site'), textOf(values, 'role')]
      const made = (await client.ask('POST', '/api/keys', {
        ...(site === undefined ? {} : { site }),
        ...(role === undefined ? {} : { role }),
      })) as KeyView & {
        key: string
      }
      world.err(`Key ${made.id} (${made.role}, ${made.site ?? 'all sites'}). Keep it: only its hash is stored.`)
      world.out(made.key)
      return 0
    }),
}

const fresh: Command = {
  name: 'key new',
  summary: 'prints an installation key for the distributed mode, to be kept in the file that FOOTFALL_KEY_FILE names',
  takes: [],
  options: {},
  more: ['manage-sites makes the key of that file an owner of all sites when it starts. It is stored nowhere by this command.'],
  run: async (_args, world) => {
    world.out(newKey('own', systemClock))
    return 0
  },
}

const list: Command = {
  name: 'key list',
  summary: 'lists the keys by their ids',
  takes: [],
  options: { json: { type: 'boolean', help: 'print JSON' } },
  run: ({ values }, world) =>
    withClient(world, async (client) => {
      const { keys } = (await client.ask('GET', '/api/keys')) as { keys: KeyView[] }
      const rows = keys.map(({ id, role, site, begins, created }) => [
        id,
        role,
        site ?? '(all)',
        begins.startsWith('ff_') ? `${begins}…` : `(${begins})`,
        created.slice(0, 10),
      ])
      for (const line of values['json'] ? [safeJson(keys)] : table(['id', 'role', 'site', 'begins with', 'made'], rows)) world.out(line)
      return 0
    }),
}

const revoke: Command = {
  name: 'key revoke',
  summary: 'ends a key, with the sign-in links and page sessions that came from it',
  takes: ['ID'],
  options: {},
  run: ({ positionals }, world) =>
    withClient(world, async (client) => {
      await client.ask('DELETE', `/api/keys/${encodeURIComponent(positionals[0]!)}`)
      world.err(`Key ${positionals[0]} is revoked.`)
      return 0
    }),
}

export const commands: readonly Command[] = [add, fresh, list, revoke]
