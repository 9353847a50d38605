/** `npm run bench -- [name…]`: benchmarks, one JSON line per figure. Without a name: `ingest` and `query-day`. */
const benchmarks: Record<string, { help: string; run(): Promise<void> }> = {
  ingest: {
    help: 'durable POST /api/hit against bare node:http, latency at half load, CPU per hit (~3 min)',
    run: async () => (await import('../bench/ingest.ts')).benchIngest(),
  },
  import: {
    help: 'a million lines of an access log, against reading and splitting them; memory of server and command (~2 min)',
    run: async () => (await import('../bench/import.ts')).benchImport(),
  },
  'query-day': {
    help: 'questions over a million hits of one day that just came (~2 min)',
    run: async () => (await import('../bench/query-day.ts')).benchQueryDay(),
  },
  query: {
    help: 'questions over 30 days of a million hits, against ClickHouse in the same run (BENCH_HITS=million in all; ~15 min, 5 GB of disk)',
    run: async () => (await import('../bench/query.ts')).benchQuery(),
  },
  segment: {
    help: 'bytes per hit of a segment, its encoding and decoding, on a day of 200,000 visits (~1 min)',
    run: async () => (await import('../bench/segment.ts')).benchSegment(),
  },
  closing: {
    help: 'closing a day of 200,000 visits: time, memory, and how long others wait at the longest (~2 min)',
    run: async () => (await import('../bench/closing.ts')).benchClosing(),
  },
  pipeline: {
    help: 'the distributed mode on real Kafka, Redis, Cassandra and NATS: hits a second, CPU per hit and stage, against bare parts (~4 min)',
    run: async () => (await import('../bench/pipeline.ts')).benchPipeline(),
  },
  chain: {
    help: 'hits through HAProxy, gateway and provider to Kafka, against the same chain with an empty handler; batches, direct route (~6 min)',
    run: async () => (await import('../bench/chain.ts')).benchChain(),
  },
  capacity: {
    help: 'what an installation needs for 1 M and 10 M hits a day and 1 M a second, by simulation at measured costs (~1 min)',
    run: async () => (await import('../bench/capacity.ts')).benchCapacity(),
  },
  page: {
    help: 'bytes of page and tracker, time to the first numbers of a million hits, in Chromium (~3 min)',
    run: async () => (await import('../bench/page.ts')).benchPage(),
  },
  soak: {
    help: 'resident memory over five million hits (~10 min, 15 GB of disk)',
    run: async () => (await import('../bench/soak.ts')).benchSoak(),
  },
}
const byDefault = ['ingest', 'query-day']

const names = process.argv.slice(2)
const unknown = names.filter((name) => !name.startsWith('-') && !(name in benchmarks))
if (names.includes('--help') || names.includes('-h') || unknown.length > 0) {
  const lines = Object.entries(benchmarks).map(([name, { help }]) => `  ${name.padEnd(16)} ${help}`)
  if (unknown.length > 0) process.stderr.write(`There is no benchmark ${unknown.join(', ')}.\n`)
  process.stdout.write(`npm run bench -- [name…]\n\n${lines.join('\n')}\n\nWithout a name: ${byDefault.join(', ')}.\n`)
  process.exit(unknown.length > 0 ? 2 : 0)
}
for (const name of names.length > 0 ? names : byDefault) await benchmarks[name]!.run()
// ClickHouse in this process leaves threads behind that would keep it.
process.exit(0)
