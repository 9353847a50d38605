import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Row } from '#shared/segment/row.ts'

/** ClickHouse in this process (chdb), with the same rows as a plain table of hits: what our engine is measured against, and counted by. */

type Session = { query(sql: string, format?: string): string; cleanup(): void }

const folder = join(import.meta.dirname, 'clickhouse')

/** Installs it where it is missing: it is too large to come with everything else. */
const load = (): { Session: new (path: string) => Session } => {
  if (!existsSync(join(folder, 'node_modules/chdb'))) {
    process.stderr.write('Installing chdb (546 MB) into bench/clickhouse/node_modules …\n')
    const npm = (...args: string[]) =>
      execFileSync('npm', [...args, '--ignore-scripts', '--loglevel=error'], { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] })
    try {
      npm('ci')
    } catch {
      // Some registries lack the optional packages of other platforms, which `npm ci` insists on (as in scripts/setup.mjs).
      npm('install', '--no-save', '--no-package-lock')
    }
  }
  return createRequire(join(folder, 'package.json'))('chdb')
}

const columns = `day Date, t DateTime64(3, 'UTC'), vis UInt64, visit String, start DateTime64(3, 'UTC'), dur UInt32, pv UInt16, fg UInt32,
  name LowCardinality(String), page LowCardinality(String), country LowCardinality(String), source LowCardinality(String),
  browser LowCardinality(String), bot LowCardinality(String)`

const clean = (text: string | undefined): string =>
  (text ?? '').replace(/[\\\t\n]/g, (one) => `\\${one === '\t' ? 't' : one === '\n' ? 'n' : '\\'}`)

function* linesOf(rows: readonly Row[]): Generator<string, void, void> {
  for (const { vis, s, h } of rows) {
    const day = String(s.days[0]![0]).replace(/(....)(..)(..)/, '$1-$2-$3')
    const visit = [Number.parseInt(vis, 16), clean(s.id), s.start / 1000, s.last - s.start, s.pv, s.fg]
    const fields = [s.country, s.src, s.br, s.bot].map(clean)
    let text = ''
    for (const { t, n, path } of h) text += `${[day, t / 1000, ...visit, clean(n), clean(path), ...fields].join('\t')}\n`
    yield text
  }
}

export const openClickhouse = () => {
  const { Session } = load()
  const path = mkdtempSync(join(tmpdir(), 'footfall-clickhouse-'))
  const session = new Session(path)
  const file = join(path, 'day.tsv')
  session.query('CREATE DATABASE bench')
  session.query(`CREATE TABLE bench.hits (${columns}) ENGINE = MergeTree PARTITION BY toYYYYMM(day) ORDER BY (day, vis, start, t)`)
  return {
    async insert(rows: readonly Row[]): Promise<void> {
      const out = createWriteStream(file)
      let text = ''
      for (const line of linesOf(rows)) {
        text += line
        if (text.length < 1_000_000) continue
        if (!out.write(text)) await once(out, 'drain')
        text = ''
      }
      out.end(text)
      await once(out, 'close')
      session.query(`INSERT INTO bench.hits SELECT * FROM file('${file}', 'TSV', '${columns.replaceAll("'", "\\'")}')`)
      rmSync(file)
    },
    ready(): void {
      session.query('OPTIMIZE TABLE bench.hits FINAL')
    },
    /** Rows of an answer. One thread, as a query of ours has. */
    ask: (sql: string): unknown[][] => JSON.parse(session.query(`${sql} SETTINGS max_threads = 1`, 'JSONCompact')).data,
    bytes: (): number =>
      Number(
        (
          JSON.parse(session.query("SELECT sum(bytes_on_disk) FROM system.parts WHERE table = 'hits' AND active", 'JSONCompact'))
            .data as unknown[][]
        )[0]![0],
      ),
    close(): void {
      session.cleanup()
      rmSync(path, { recursive: true, force: true })
    },
  }
}
