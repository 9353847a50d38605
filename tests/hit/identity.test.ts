import { expect, test } from 'vitest'
import { agentHash, clientHash, firstDayOf, userHash } from '#shared/hit/identity.ts'

const salt = Buffer.from('the salt of today')

test('a visitor hash is 48 bits, the same again and again', () => {
  expect(clientHash('key', 'example.com', 'client.20260610')).toMatch(/^[0-9a-f]{12}$/)
  expect(clientHash('key', 'example.com', 'client.20260610')).toBe(clientHash('key', 'example.com', 'client.20260610'))
  expect(agentHash(salt, 'example.com', '192.0.2.1', 'Firefox')).toMatch(/^[0-9a-f]{12}$/)
})

test('every part makes another visitor', () => {
  const hashes = [
    clientHash('key', 'example.com', 'client'),
    clientHash('other', 'example.com', 'client'),
    clientHash('key', 'other.example', 'client'),
    clientHash('key', 'example.com', 'other'),
    userHash('key', 'example.com', 'client'),
    agentHash(salt, 'example.com', '192.0.2.1', 'Firefox'),
    agentHash(Buffer.from('yesterday'), 'example.com', '192.0.2.1', 'Firefox'),
    agentHash(salt, 'other.example', '192.0.2.1', 'Firefox'),
    agentHash(salt, 'example.com', '192.0.2.2', 'Firefox'),
    agentHash(salt, 'example.com', '192.0.2.1', 'Chrome'),
  ]
  expect(new Set(hashes).size).toBe(hashes.length)
})

test('parts do not run into each other', () => {
  expect(agentHash(salt, 'example.com', '192.0.2.1', '1Firefox')).not.toBe(agentHash(salt, 'example.com', '192.0.2.11', 'Firefox'))
})

test.each([
  ['abc.20260610', 20260610],
  ['a.b.20240229', 20240229],
  ['abc.20250229', undefined],
  ['abc.20261301', undefined],
  ['abc.00000000', undefined],
  ['abc.2026061', undefined],
  ['abc.202606101', undefined],
  ['20260610', undefined],
  ['abc', undefined],
])('the first day in %s is %s', (client, day) => {
  expect(firstDayOf(client)).toBe(day)
  expect(firstDayOf(client)).toBe(day) // also from memory
})
