import { type Client, withClient } from '../client.ts'
import { type Command, type Option, siteOption, textOf, UsageError, type Values, type World } from '../command.ts'
import { terminalScreen } from '../import/progress.ts'
import { interruption } from '../interruption.ts'
import { safeJson, safeText, table } from '../print.ts'

/** `footfall replay`: closed days anew under changed rules. */

type Replay = {
  id: string
  site: string
  from: string
  to: string
  rules: string[]
  state: string
  done: { days: number; of: number }
  waits_for?: string
  at: string
  error?: string
}

const site: Option = { type: 'string', value: 'DOMAIN', help: 'the registered site' }
const json: Option = { type: 'boolean', help: 'print JSON' }

const listText = (values: Values, name: string): string[] | undefined =>
  textOf(values, name)
    ?.split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '')

const needed = (values: Values, name: string, cure: string): string => {
  const text = textOf(values, name)
  if (text) return text
  throw new UsageError(`--${name} is missing.`, cure)
}

const replaysOf = async (client: Client, of: string): Promise<Replay[]> =>
  ((await client.ask('GET', `/api/replays?${new URLSearchParams({ site: of })}`)) as { replays: Replay[] }).replays

const days = ({ done }: Replay): string => `${done.days} of ${done.of} ${done.of === 1 ? 'day' : 'days'}`

const stateText = (replay: Replay): string =>
  [`${replay.id} is ${replay.state}: ${days(replay)}`, replay.waits_for, replay.error].filter((text) => text !== undefined).join('. ')

const lookMs = 500

/** Shows how far a replay is, on a terminal, until it waits for its owner or is left with Ctrl-C. */
const watch = async (client: Client, world: World, begun: Replay): Promise<Replay> => {
  const { signal, end } = interruption()
  let replay = begun
  try {
    while (!signal.aborted && ['waiting', 'working'].includes(replay.state)) {
      terminalScreen.write(`\r\u001b[K${safeText(stateText(replay)).slice(0, terminalScreen.columns() - 1)}`)
      await new Promise<void>((resolve) => {
        const stop = world.clock.after(lookMs, resolve)
        signal.addEventListener('abort', () => {
          stop()
          resolve()
        })
      })
      replay = (await replaysOf(client, replay.site)).find(({ id }) => id === replay.id) ?? replay
    }
    return replay
  } finally {
    terminalScreen.write('\r\u001b[K')
    end()
  }
}

const next = ({ id, site: of, state }: Replay): string =>
  state === 'ready'
    ? `See what it changes with \`footfall replay preview ${id} --site ${of}\`; \`footfall replay switch\` lets readers see it.`
    : `It goes on by itself while a server runs; \`footfall replay list --site ${of}\` says how far it is.`

const start: Command = {
  name: 'replay start',
  summary: 'makes days anew under the present rules, beside what stands; readers see nothing of it until a switch',
  takes: [],
  options: {
    site,
    from: { type: 'string', value: 'DATE', help: 'the first day, such as 2026-11-01' },
    to: { type: 'string', value: 'DATE', help: 'the last day; it must be over' },
    rules: {
      type: 'string',
      value: 'NAMES',
      help: 'which rules, with commas between them: channels, exclusions, goals, session_timeout (the default is all but session_timeout)',
    },
    json,
  },
  more: [
    'npm run footfall -- replay start --site example.com --from 2026-11-01 --to 2026-11-03 --rules channels',
    'On a terminal it waits until the replay is ready; Ctrl-C leaves it working. See docs/replay.md for what it can change.',
  ],
  run: ({ values }, world) => {
    const rules = listText(values, 'rules')
    const body = {
      site: siteOption(values),
      from: needed(values, 'from', 'Name the first day: --from 2026-11-01.'),
      to: needed(values, 'to', 'Name the last day: --to 2026-11-03.'),
      ...(rules === undefined ? {} : { rules }),
    }
    return withClient(world, async (client) => {
      const begun = (await client.ask('POST', '/api/replays', body)) as Replay
      const replay = terminalScreen.isTerminal && !values['json'] ? await watch(client, world, begun) : begun
      if (values['json']) world.out(safeJson(replay))
      else {
        world.out(replay.id)
        world.err(`${stateText(replay)}. ${next(replay)}`)
      }
      return 0
    })
  },
}

const list: Command = {
  name: 'replay list',
  summary: 'lists the replays of a site, the newest first, and how far they are',
  takes: [],
  options: { site, json },
  run: ({ values }, world) => {
    const of = siteOption(values)
    return withClient(world, async (client) => {
      const replays = await replaysOf(client, of)
      if (values['json']) {
        world.out(safeJson(replays))
        return 0
      }
      if (replays.length === 0) world.err('There is no replay of this site. `footfall replay start` orders one.')
      const rows = replays.map((one) => [one.id, one.from, one.to, one.rules.join(','), one.state, days(one), one.at.slice(0, 10)])
      if (rows.length > 0) for (const line of table(['id', 'from', 'to', 'rules', 'state', 'done', 'ordered'], rows)) world.out(line)
      for (const { id, waits_for: waits, error } of replays)
        for (const text of [waits, error]) if (text !== undefined) world.err(safeText(`${id}: ${text}`))
      return 0
    })
  },
}

type Row = { dimensions: unknown[]; metrics: unknown[] }
type Answer = { results: Row[]; meta: Record<string, unknown> }

const cell = (value: unknown): string => {
  if (value === null || value === undefined) return '–'
  if (typeof value === 'object' && 'value' in value && 'currency' in value) return `${value.value} ${value.currency}`
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

const difference = (before: unknown, after: unknown): string => {
  const [a, b] = [before ?? 0, after ?? 0]
  if (typeof a !== 'number' || typeof b !== 'number') return '–'
  const by = Number((b - a).toFixed(4))
  return by > 0 ? `+${by}` : String(by)
}

/** What stands and what the replay has, row by row; rows in which nothing changes are left out. */
const differences = (standing: Answer, made: Answer, dimension: string, metrics: readonly string[]): string[] => {
  const keyOf = (row: Row): string => row.dimensions.map(cell).join(' ')
  const before = new Map(standing.results.map((row) => [keyOf(row), row.metrics]))
  const after = new Map(made.results.map((row) => [keyOf(row), row.metrics]))
  const keys = [...new Set([...before.keys(), ...after.keys()])].filter(
    (key) => JSON.stringify(before.get(key)) !== JSON.stringify(after.get(key)),
  )
  const head = [dimension, ...metrics.flatMap((metric) => [metric, 'then', 'change'])]
  const rows = keys.map((key) => [
    key,
    ...metrics.flatMap((_, i) => {
      const [a, b] = [before.get(key)?.[i], after.get(key)?.[i]]
      return [cell(a), cell(b), difference(a, b)]
    }),
  ])
  return rows.length === 0 ? [] : table(head, rows)
}

const preview: Command = {
  name: 'replay preview',
  summary: 'shows what a switch to a replay that is ready would change, as a table',
  takes: ['ID'],
  options: {
    site,
    dimension: { type: 'string', value: 'NAME', help: 'rows of the table (the default is visit:channel)' },
    metrics: { type: 'string', value: 'NAMES', help: 'with commas between them (the default is visitors,visits,pageviews)' },
    json,
  },
  more: ['npm run footfall -- replay preview 0123456789ab --site example.com --dimension visit:source --metrics visits,bounce_rate'],
  run: ({ values, positionals: [id = ''] }, world) => {
    const of = siteOption(values)
    const dimension = textOf(values, 'dimension') ?? 'visit:channel'
    const metrics = listText(values, 'metrics') ?? ['visitors', 'visits', 'pageviews']
    return withClient(world, async (client) => {
      const replay = (await replaysOf(client, of)).find((one) => one.id === id)
      const range = replay ? { date_range: [replay.from, replay.to] } : { date_range: 'all' } // the server says that there is none
      const question = { site_id: of, metrics, dimensions: [dimension], ...range }
      const asked = (include: object) => client.ask('POST', '/api/v2/query', { ...question, include }) as Promise<Answer>
      const made = await asked({ replay: id })
      const isStanding = replay?.state === 'switched'
      const standing = await asked({})
      if (values['json']) world.out(safeJson({ standing, made }))
      else {
        const lines = differences(standing, made, dimension, metrics)
        for (const line of lines) world.out(line)
        if (lines.length === 0) world.err(isStanding ? 'It is what stands.' : `No row of ${safeText(dimension)} changes.`)
      }
      return 0
    })
  },
}

const change = (name: string, state: string, summary: string, done: (replay: Replay) => string): Command => ({
  name: `replay ${name}`,
  summary,
  takes: ['ID'],
  options: { site, json },
  run: ({ values, positionals: [id = ''] }, world) => {
    const of = siteOption(values)
    if (id === '') throw new UsageError('ID is empty.', '`footfall replay list` shows the ids.')
    return withClient(world, async (client) => {
      const replay = (await client.ask('PATCH', `/api/replays/${encodeURIComponent(id)}`, { site: of, state })) as Replay
      if (values['json']) world.out(safeJson(replay))
      else world.err(done(replay))
      return 0
    })
  },
})

export const commands: readonly Command[] = [
  start,
  list,
  preview,
  change('switch', 'switched', 'lets readers see the days as a replay has made them', ({ id, site: of, state }) =>
    safeText(`${id} is ${state}. \`footfall replay undo ${id} --site ${of}\` goes back.`),
  ),
  change('undo', 'undone', 'lets readers see the days as they were before a replay', ({ id, state }) => safeText(`${id} is ${state}.`)),
  change('drop', 'dropped', 'forgets a replay and what it has made; one that is switched to is undone first', ({ id, state }) =>
    safeText(`${id} is ${state}.`),
  ),
]
