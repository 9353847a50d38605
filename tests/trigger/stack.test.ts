import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { functionNames } from '#shared/runtime/routes.ts'
import { dueAfter, readStack } from '#shared/trigger/stack.ts'

const path = join(import.meta.dirname, '../../stack.yml')
const ours = readFileSync(path, 'utf8')
const stackOf = (annotations: Record<string, string | number>) => JSON.stringify({ functions: { f: { annotations } } })

describe('our stack.yml', () => {
  test('names every function there is, and what each wants of the trigger', () => {
    expect(Object.keys(parse(ours).functions)).toEqual([...functionNames])
    expect(readStack(path, ours)).toEqual([
      { name: 'enrich-session', topic: 'hits', retries: undefined, schedule: undefined },
      { name: 'rollup-window', topic: 'events', retries: undefined, schedule: undefined },
      { name: 'manage-sites', topic: undefined, retries: undefined, schedule: '@hourly' },
    ])
  })

  test('stays within what the Community Edition takes', () => {
    const { functions } = parse(ours) as { functions: Record<string, { annotations?: Record<string, unknown>; labels?: object }> }
    expect(Object.keys(functions).length).toBeLessThanOrEqual(15)
    for (const { annotations = {}, labels = {} } of Object.values(functions)) {
      expect(Object.values(annotations).every((value) => typeof value === 'string')).toBe(true)
      expect(String(annotations['topic'] ?? '')).not.toContain(',')
      expect(Object.keys(labels).filter((label) => label.startsWith('com.openfaas.scale.zero'))).toEqual([])
    }
  })
})

const retry = 'com.openfaas.retry.'

describe('a stack', () => {
  test('has a function take single records where it does not say fenced, with the retries of the public documentation', () => {
    expect(readStack('s', stackOf({ topic: 'dead' }))).toEqual([
      {
        name: 'f',
        topic: 'dead',
        retries: { attempts: 10, codes: [408, 429, 500, 502, 504], minWaitMs: 10_000, maxWaitMs: 120_000 },
        schedule: undefined,
      },
    ])
  })

  test('says how often and when a single record comes again; a number may stand for its text', () => {
    const said = { attempts: 3, codes: '429, 503', min_wait: '1m1.5s', max_wait: '500ms' }
    const text = stackOf({ topic: 'hits', ...Object.fromEntries(Object.entries(said).map(([name, value]) => [`${retry}${name}`, value])) })
    expect(readStack('s', text)).toMatchObject([{ retries: { attempts: 3, codes: [429, 503], minWaitMs: 61_500, maxWaitMs: 500 } }])
  })

  test('may leave retries to the queue-worker where there is no topic', () => {
    expect(readStack('s', stackOf({ [`${retry}attempts`]: 'many', schedule: '@hourly' }))).toMatchObject([{ retries: undefined }])
  })

  test('may give a function a topic and a schedule', () => {
    expect(readStack('s', stackOf({ topic: 'events', 'footfall.delivery': 'fenced', schedule: '*/5 * * * *' }))).toEqual([
      { name: 'f', topic: 'events', retries: undefined, schedule: '*/5 * * * *' },
    ])
  })

  test.each([
    ['no YAML', '\tx: [', ''],
    ['no functions', '{}', 'functions'],
    ['an unknown topic', stackOf({ topic: 'hit' }), 'functions.f.annotations.topic'],
    ['several topics', stackOf({ topic: 'hits,events' }), 'functions.f.annotations.topic is "hits,events": several topics of a function'],
    ['a delivery that there is not', stackOf({ topic: 'hits', 'footfall.delivery': 'batch' }), 'footfall.delivery is "batch"'],
    [
      'retries of a fenced function',
      stackOf({ topic: 'hits', 'footfall.delivery': 'fenced', [`${retry}codes`]: '500' }),
      `${retry}codes has`,
    ],
    ['no attempts', stackOf({ topic: 'hits', [`${retry}attempts`]: '0' }), `${retry}attempts is "0": expected a whole number`],
    ['half an attempt', stackOf({ topic: 'hits', [`${retry}attempts`]: '1.5' }), `${retry}attempts is "1.5"`],
    ['a code that is none', stackOf({ topic: 'hits', [`${retry}codes`]: '500, x' }), `${retry}codes is "500, x"`],
    ['no codes', stackOf({ topic: 'hits', [`${retry}codes`]: '500,' }), `${retry}codes is "500,"`],
    ['a code of success', stackOf({ topic: 'hits', [`${retry}codes`]: '200' }), `${retry}codes is "200"`],
    ['a wait without a unit', stackOf({ topic: 'hits', [`${retry}min_wait`]: '10' }), `${retry}min_wait is "10": expected a duration`],
    ['a wait of weeks', stackOf({ topic: 'hits', [`${retry}max_wait`]: '200h' }), `${retry}max_wait is "200h"`],
    ['a misspelt one', stackOf({ topic: 'hits', [`${retry}attempt`]: '1' }), `${retry}attempt: there are`],
    ['a schedule that is none', stackOf({ topic: 'cron-function', schedule: 'daily' }), 'schedule is "daily"'],
    ['a schedule of nothing', stackOf({ topic: 'cron-function', schedule: '@every 0s' }), 'schedule is "@every 0s"'],
  ])('%s is told with the place', (_what, text, place) => {
    let error: unknown
    try {
      readStack('my.yml', text)
    } catch (caught) {
      error = caught
    }
    expect(error).toMatchObject({ code: 'bad-setting' })
    expect(String((error as Error).message)).toContain('my.yml')
    expect(String((error as Error).message)).toContain(place)
  })
})

describe('the next due time', () => {
  const at = (text: string) => Date.parse(`${text}Z`)
  test.each([
    ['@hourly', '2026-10-25T00:59:59', '2026-10-25T01:00:00'],
    ['@hourly', '2026-10-25T01:00:00', '2026-10-25T02:00:00'],
    ['*/5 * * * *', '2026-10-25T00:02:00', '2026-10-25T00:05:00'],
    ['30 3 * * 1', '2026-10-25T00:00:00', '2026-10-26T03:30:00'],
    ['@every 10s', '2026-10-25T00:00:03', '2026-10-25T00:00:10'],
    ['@every 90m', '2026-10-25T00:00:00', '2026-10-25T01:30:00'],
  ])('%s after %s is %s', (schedule, now, due) => {
    expect(new Date(dueAfter(schedule, at(now))).toISOString()).toBe(new Date(at(due)).toISOString())
  })
})
