import { median, print } from './figure.ts'
import { drain, load, residentMb, startFootfall } from './processes.ts'

/** A million hits of one day that just came, over HTTP: the whole range without a filter, and with two filters and a breakdown. */
const hits = 1_000_000
const questions = {
  'query-day-totals': { metrics: ['visitors', 'visits', 'pageviews', 'bounce_rate'] },
  'query-day-pages': { metrics: ['visitors', 'pageviews'], dimensions: ['event:page'] },
  'query-day-filtered': {
    metrics: ['visitors', 'pageviews', 'bounce_rate'],
    dimensions: ['event:page'],
    filters: [
      ['is', 'visit:browser', ['Chrome']],
      ['contains', 'event:page', ['section-1']],
    ],
  },
}

export const benchQueryDay = async (): Promise<void> => {
  const footfall = await startFootfall()
  try {
    await load({ port: footfall.port, path: '/api/hit', connections: 256, seconds: 600, requests: hits, seed: 1 })
    await drain(footfall)
    for (const [name, question] of Object.entries(questions)) {
      const seconds: number[] = []
      for (let round = 0; round < 3; round++) {
        const begin = performance.now()
        await footfall.ask('POST', '/api/v2/query', { site_id: 'localhost', date_range: '24h', ...question })
        seconds.push((performance.now() - begin) / 1000)
      }
      print({ name, value: median(seconds), unit: 's' })
    }
    print({ name: 'query-day-memory', value: residentMb(footfall.pid), unit: 'MB' })
  } finally {
    await footfall.stop()
  }
}
