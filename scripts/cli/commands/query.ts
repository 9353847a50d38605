import { withClient } from '../client.ts'
import { type Command, UsageError, type World } from '../command.ts'
import { safeJson, table } from '../print.ts'

type Result = { dimensions: unknown[]; metrics: unknown[] }
type Reply = { results: Result[]; meta: Record<string, unknown>; query: { metrics?: string[]; dimensions?: string[] } }

const cell = (value: unknown): string => {
  if (value === null || value === undefined) return '–'
  if (typeof value === 'object' && 'value' in value && 'currency' in value) return `${value.value} ${value.currency}`
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

const tableOf = ({ results, query: { metrics = [], dimensions = [] } }: Reply): string[] =>
  table(
    [...dimensions, ...metrics],
    results.map((row) => [...row.dimensions, ...row.metrics].map(cell)),
  )

/** How fresh the numbers are, and what is missing in them. */
const notes = ({ meta }: Reply): string[] => {
  const [asOf, lag, incomplete] = [meta['as_of'], meta['lag_ms'], meta['incomplete_since']]
  const fresh = asOf === undefined ? [] : [`data to ${cell(asOf)}, ${(Number(lag ?? 0) / 1000).toFixed(1)} s behind`]
  return incomplete === undefined || incomplete === null ? fresh : [...fresh, `incomplete since ${cell(incomplete)}`]
}

const readQuery = async (text: string, world: World): Promise<unknown> => {
  const source = text === '-' ? await world.input() : text
  try {
    return JSON.parse(source)
  } catch (cause) {
    throw new UsageError(
      `The query is not JSON: ${(cause as Error).message}`,
      'Write it in quotes, or give - and send it on standard input.',
    )
  }
}

const query: Command = {
  name: 'query',
  summary: 'asks for a report (the body of POST /api/v2/query) and prints it as a table',
  takes: ['JSON|-'],
  options: { json: { type: 'boolean', help: "print the server's whole answer as JSON" } },
  more: [
    `npm run footfall -- query '{"site_id":"example.com","metrics":["visitors","pageviews"],"date_range":"7d","dimensions":["event:page"]}'`,
    'See docs/plausible.md for queries.',
  ],
  run: async ({ values, positionals }, world) => {
    const body = await readQuery(positionals[0]!, world)
    return withClient(world, async (client) => {
      const reply = (await client.ask('POST', '/api/v2/query', body)) as Reply
      for (const line of values['json'] ? [safeJson(reply)] : tableOf(reply)) world.out(line)
      if (!values['json']) for (const line of notes(reply)) world.err(line)
      return 0
    })
  },
}

export const commands: readonly Command[] = [query]
