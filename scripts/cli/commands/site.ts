import type { SiteView } from '#shared/site/change.ts'
import { withClient } from '../client.ts'
import { type Command, type Option, UsageError, type World } from '../command.ts'
import { safeJson, table } from '../print.ts'
import { siteBody, siteOptions } from '../site-options.ts'

const json: Option = { type: 'boolean', help: 'print JSON' }

const pathOf = (site: string) => `/api/sites/${encodeURIComponent(site)}`

const print = (world: World, lines: readonly string[]): number => {
  for (const line of lines) world.out(line)
  return 0
}

const details = (site: SiteView): string[] => {
  const pending = site.zones.at(-1)!.from
  const rows: [string, string][] = [
    ['site', site.site],
    ['time zone', pending === null ? site.timezone : `${site.timezone} (from ${pending})`],
    ['identity', site.identity],
    ['session timeout', `${site.session_timeout} min`],
    ['cut at', [site.cut_at_midnight ? 'midnight' : '', site.cut_at_campaign ? 'campaign' : ''].filter(Boolean).join(', ') || '–'],
    ['bounce', site.bounce],
    ['kept', site.retention === 0 ? 'for ever' : `${site.retention} months`],
    ['hosts', site.hosts.join(', ') || '–'],
    ['parameters', site.params.join(', ') || '–'],
    ['excluded', Object.values(site.exclude).flat().join(', ') || '–'],
    ['origins', site.origins.join(', ') || '–'],
    ...site.goals.map(({ name, ...goal }): [string, string] => ['goal', `${name}: ${JSON.stringify(goal)}`]),
    ...site.segments.map(({ name, filters }): [string, string] => ['segment', `${name}: ${JSON.stringify(filters)}`]),
    ['version', String(site.version)],
  ]
  return table(['option', 'value'], rows).slice(1)
}

const add: Command = {
  name: 'site add',
  summary: 'adds a site and prints the script tag for its pages',
  takes: ['DOMAIN'],
  options: { ...siteOptions, json },
  more: ['A site that was removed comes back with its numbers and its options.'],
  run: ({ values, positionals }, world) =>
    withClient(world, async (client) => {
      const site = (await client.ask('POST', '/api/sites', { site: positionals[0], ...siteBody(values) })) as SiteView
      if (values['json']) return print(world, [safeJson(site)])
      world.err(`${site.site} is added: ${site.identity}, days in ${site.timezone}. Put this into the head of its pages:`)
      return print(world, [site.script])
    }),
}

const list: Command = {
  name: 'site list',
  summary: 'lists the sites',
  takes: [],
  options: { json },
  run: ({ values }, world) =>
    withClient(world, async (client) => {
      const { sites } = (await client.ask('GET', '/api/sites')) as { sites: SiteView[] }
      if (values['json']) return print(world, [safeJson(sites)])
      if (sites.length === 0) world.err('There is no site yet. `footfall site add DOMAIN` adds one.')
      const rows = sites.map((site) => [
        site.site,
        site.timezone,
        site.identity,
        String(site.goals.length),
        String(site.segments.length),
        site.created.slice(0, 10),
      ])
      return print(world, sites.length === 0 ? [] : table(['site', 'time zone', 'identity', 'goals', 'segments', 'added'], rows))
    }),
}

const set: Command = {
  name: 'site set',
  summary: 'changes the options of a site and prints them',
  takes: ['DOMAIN'],
  options: { ...siteOptions, json },
  more: [
    'Without an option it only prints them. Changes count for hits from now on; a time zone from the day after tomorrow at the latest.',
  ],
  run: ({ values, positionals }, world) =>
    withClient(world, async (client) => {
      const body = siteBody(values)
      const method = Object.keys(body).length === 0 ? 'GET' : 'PATCH'
      const site = (await client.ask(method, pathOf(positionals[0]!), method === 'GET' ? undefined : body)) as SiteView
      return print(world, values['json'] ? [safeJson(site)] : details(site))
    }),
}

const remove: Command = {
  name: 'site remove',
  summary: 'stops counting a site; its numbers stay, and adding it again goes on with them',
  takes: ['DOMAIN'],
  options: {},
  run: ({ positionals: [site = ''] }, world) => {
    if (site === '') throw new UsageError('DOMAIN is empty.', '`footfall site list` shows the sites.')
    return withClient(world, async (client) => {
      await client.ask('DELETE', pathOf(site))
      world.err(`${site} is removed: its hits are refused from now on. \`footfall site add ${site}\` brings it back with its numbers.`)
      return 0
    })
  },
}

export const commands: readonly Command[] = [add, list, set, remove]
