import { expect, test } from 'vitest'
import { type Batch, decodeBatch, encodeBatch } from '#shared/trigger/envelope.ts'
import { noon } from '../fixtures/hit.ts'

const aBatch = (fields: Partial<Batch> = {}): Batch => ({
  topic: 'hits',
  partition: 3,
  logTime: noon,
  logId: 'log',
  logEnd: 9,
  caughtUp: false,
  retry: false,
  mode: '',
  records: [],
  ...fields,
})
const through = (batch: Batch): Batch => decodeBatch(encodeBatch('enrich-session', batch))

test('a batch comes out as it went in', () => {
  const records = [
    { offset: 4, time: noon - 5, body: '{"v":1}' },
    { offset: 5, time: noon, body: 'three words here' },
    { offset: 6, time: noon, body: '' },
    { offset: 7, time: noon, body: 'ü € 😀 \t \u2028' },
  ]
  const batch = aBatch({ records, caughtUp: true, retry: true, mode: 'catchup', topic: 'events' })
  expect(through(batch)).toEqual(batch)
})

test('a tick is empty, one empty record is none', () => {
  expect(through(aBatch()).records).toEqual([])
  const records = [{ offset: 0, time: 0, body: '' }]
  expect(through(aBatch({ records })).records).toEqual(records)
})

test('a raw line break cannot cut a record in two', () => {
  const records = [
    { offset: 0, time: 0, body: '{"a":\r\n1}' },
    { offset: 1, time: 0, body: '{"b":1}' },
  ]
  const [first, second] = through(aBatch({ records })).records
  expect(JSON.parse(first!.body)).toEqual({ a: 1 })
  expect(second).toEqual(records[1])
})

test('what the trigger says stands in headers', () => {
  const records = [
    { offset: 4, time: 0, body: 'a' },
    { offset: 5, time: 0, body: 'b' },
  ]
  const request = encodeBatch('enrich-session', aBatch({ records, retry: true }))
  expect(request).toMatchObject({ method: 'POST', path: '/function/enrich-session' })
  expect(request.headers).toMatchObject({
    'x-topic': 'hits',
    'x-partition': '3',
    'x-first': '4',
    'x-last': '5',
    'x-log-time': String(noon),
    'x-log-end': '9',
    'x-caught-up': '0',
    'x-retry': '1',
    'x-mode': '',
  })
  expect(encodeBatch('enrich-session', aBatch()).headers['x-first']).toBeUndefined()
})
