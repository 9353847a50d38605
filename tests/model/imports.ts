import type { Planned } from './plan.ts'
import { sites } from './plan.ts'
import type { Random } from './random.ts'

/** Lines of an access log among the requests of a run: of days before it, in their order, a few at a time. */

const hour = 3_600_000
const source = 'model-import-of-lines'

/** The id that an imported hit is given. */
const idOf = (line: number) => `${source.slice(0, 8)}-${line.toString(36)}`

const pages = ['/', '/docs', '/private/x', '/__proto__', '/caf%C3%A9', '/?utm_source=mail&utm_medium=email', '/app.js', '/gone']
const referrers = ['-', 'https://www.google.com/search?q=x', 'https://news.example.org/a']

const lineOf = (random: Random, t: number): { text: string; isPage: boolean } => {
  const page = random.pick(pages)
  const visitor = random.below(3)
  const agent = random.chance(0.1) ? 'bot' : 'person'
  const status = page === '/gone' ? 404 : 200
  const time = new Date(t).toISOString().slice(0, 19)
  const text = `10.0.${visitor}.${visitor % 2} - - [${time}Z] "GET ${page} HTTP/1.1" ${status} 1 "${random.pick(referrers)}" "${agent} ${visitor}"`
  return { text, isPage: page !== '/app.js' && page !== '/gone' }
}

/** The requests of an import of a site's log, whose lines lie in the three days before `now`. */
const createImport = (random: Random, now: number, key: string): Planned[] => {
  const { site } = random.pick(sites)
  const plan: Planned[] = []
  let t = now - 72 * hour
  let line = 1
  for (let n = 2 + random.below(4); n > 0; n--) {
    const first = line
    const ids: string[] = []
    let body = ''
    for (let lines = 1 + random.below(6); lines > 0; lines--, line++) {
      const { text, isPage } = lineOf(random, t)
      body += `${text}\n`
      if (isPage) ids.push(`${site} ${idOf(line)}`)
      t += random.chance(0.7) ? random.below(600_000) : random.below(5 * hour)
    }
    const query = new URLSearchParams({ site, source, line: String(first) }).toString()
    const headers = { authorization: `Bearer ${key}` }
    const request = { method: 'POST', path: '/api/import', query, headers, body: Buffer.from(body), address: '10.0.0.9' }
    plan.push({ afterMs: 0, site, ids, request })
  }
  return plan
}

/** A plan with an import in it, its requests anywhere but in their order. */
export const withImport = (random: Random, plan: readonly Planned[], now: number, key: string): Planned[] => {
  const all = [...plan]
  let from = 0
  for (const request of createImport(random, now, key)) {
    const at = from + random.below(all.length - from + 1)
    all.splice(at, 0, request)
    from = at + 1
  }
  return all
}
