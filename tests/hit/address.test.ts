import { expect, test } from 'vitest'
import { addressLimits, clientAddress, createCidrs, isPrivate, networkOf, parseAddress } from '../../shared/hit/address.ts'

test.each([
  ['1.2.3.4', '1.2.3.4'],
  [' 1.2.3.4 ', '1.2.3.4'],
  ['1.2.3.4:8080', '1.2.3.4'],
  ['0.0.0.0', '0.0.0.0'],
  ['255.255.255.255', '255.255.255.255'],
  ['::', '::'],
  ['::1', '::1'],
  ['1::', '1::'],
  ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
  ['2001:0db8:0000:0000:0001:0000:0000:0001', '2001:db8::1:0:0:1'],
  ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
  ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
  ['[2001:db8::1]', '2001:db8::1'],
  ['[2001:db8::1]:443', '2001:db8::1'],
  ['fe80::1%eth0', 'fe80::1'],
  ['::ffff:1.2.3.4', '1.2.3.4'],
  ['::FFFF:0102:0304', '1.2.3.4'],
  ['0:0:0:0:0:ffff:1.2.3.4', '1.2.3.4'],
  ['[::ffff:1.2.3.4]:80', '1.2.3.4'],
  ['64:ff9b::1.2.3.4', '64:ff9b::102:304'],
])('%s is %s', (text, expected) => {
  expect(parseAddress(text)).toBe(expected)
  expect(parseAddress(expected)).toBe(expected)
})

test.each([
  ...[
    '',
    ' ',
    '1.2.3',
    '1.2.3.4.5',
    '256.1.1.1',
    '01.2.3.4',
    '1.2.3.-4',
    '1.2.3.4a',
    '0x1.2.3.4',
    '1.2.3.4:',
    '1.2.3.4:port',
    '1.2.3.4:123456',
  ],
  ...[
    ':',
    ':::',
    '1:2:3',
    '1:2:3:4:5:6:7:8:9',
    '1::2::3',
    '1:2:3:4:5:6:7:8::',
    'g::1',
    '12345::',
    '1.2.3.4::',
    '::1.2.3',
    '[::1',
    '::1]',
    '[::1]x',
  ],
  ...[
    '[1.2.3.4',
    'unknown',
    '_hidden',
    'localhost',
    '__proto__',
    '1.2.3.4\u0000',
    '1.2.3.4, 5.6.7.8',
    '１.2.3.4',
    '1'.repeat(100_000),
    ':'.repeat(80),
    `${' '.repeat(100_000)}1.2.3.4`,
  ],
])('%j is no address', (text) => {
  expect(parseAddress(text)).toBeUndefined()
  expect(networkOf(text)).toBe('')
  expect(isPrivate(text)).toBe(false)
})

test.each([
  ['1.2.3.4', '1.2.3.0/24'],
  ['::ffff:1.2.3.4', '1.2.3.0/24'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1::/48'],
  ['2001:db8::1', '2001:db8::/48'],
  ['::1', '::/48'],
])('network of %s is %s', (address, expected) => {
  expect(networkOf(address)).toBe(expected)
})

test.each([
  ['10.0.0.0/8', '10.255.0.1', true],
  ['10.0.0.0/8', '11.0.0.0', false],
  ['10.1.2.3/8', '10.9.9.9', true],
  ['192.168.4.0/22', '192.168.7.255', true],
  ['192.168.4.0/22', '192.168.8.0', false],
  ['1.2.3.4', '1.2.3.4', true],
  ['1.2.3.4', '1.2.3.5', false],
  ['0.0.0.0/0', '8.8.8.8', true],
  ['0.0.0.0/0', '::1', false],
  ['::/0', '2001:db8::1', true],
  ['::/0', '1.2.3.4', false],
  ['fd00::/8', 'fdff::1', true],
  ['fd00::/8', 'fe00::1', false],
  ['2001:db8::/33', '2001:db8:7fff::', true],
  ['2001:db8::/33', '2001:db8:8000::', false],
  ['::1', '::1', true],
  ['::ffff:10.0.0.0/104', '10.3.2.1', true],
  ['10.0.0.0/8', '::ffff:10.3.2.1', true],
  ['10.0.0.0/8', 'rubbish', false],
])('%s and %s: %s', (range, address, expected) => {
  expect(createCidrs([range])(address)).toBe(expected)
})

test.each([
  '10.0.0.0/33',
  '::/129',
  '10.0.0/8',
  '10.0.0.0/',
  '10.0.0.0/-1',
  '10.0.0.0/8/8',
  '[::1]/128',
  '',
  '/8',
  'proxy',
  '1.2.3.4/1e1',
  '::ffff:1.2.3.4/8',
])('the range %j stops the start with its name', (range) => {
  expect(() => createCidrs(['127.0.0.1', range])).toThrow(range)
})

test('no range holds nothing', () => {
  expect(createCidrs([])('127.0.0.1')).toBe(false)
})

const isTrusted = createCidrs(['127.0.0.0/8', '10.0.0.0/8', '::1'])
test.each([
  ['no header', '10.0.0.1', undefined, '10.0.0.1'],
  ['empty header', '10.0.0.1', '', '10.0.0.1'],
  ['one proxy', '10.0.0.1', '203.0.113.7', '203.0.113.7'],
  ['two proxies', '10.0.0.1', '203.0.113.7, 10.0.0.2', '203.0.113.7'],
  ['the peer is nobody we trust', '198.51.100.9', '203.0.113.7', '198.51.100.9'],
  ['what the client wrote itself', '10.0.0.1', '6.6.6.6, 203.0.113.7', '203.0.113.7'],
  ['a client that claims a proxy', '10.0.0.1', '6.6.6.6, 10.0.0.9, 203.0.113.7', '203.0.113.7'],
  ['only proxies', '10.0.0.1', '10.0.0.3, 10.0.0.2', '10.0.0.3'],
  ['mapped peer, port, IPv6 client', '::ffff:10.0.0.1', '[2001:db8::1]:4711,127.0.0.1:80', '2001:db8::1'],
  ['rubbish at the right', '10.0.0.1', '203.0.113.7, unknown', '10.0.0.1'],
  ['rubbish in the middle', '10.0.0.1', '203.0.113.7, "evil", 10.0.0.2', '10.0.0.2'],
  ['an empty element', '10.0.0.1', '203.0.113.7,, 10.0.0.2', '10.0.0.2'],
  ['only commas', '10.0.0.1', ',,,,', '10.0.0.1'],
  ['a comma at the end', '10.0.0.1', '203.0.113.7,', '10.0.0.1'],
  ['NUL and line ends', '10.0.0.1', '203.0.113.7\u0000, \r\n', '10.0.0.1'],
  ['a Unix socket', '', '203.0.113.7', ''],
  ['a peer that is rubbish', '__proto__', '203.0.113.7', ''],
])('client: %s', (_, peer, header, expected) => {
  expect(clientAddress(peer, header, isTrusted)).toBe(expected)
})

test('a header of any length costs a bounded number of hops', () => {
  let asked = 0
  const counted = (address: string): boolean => {
    asked += 1
    return isTrusted(address)
  }
  expect(clientAddress('10.0.0.1', '10.0.0.2,'.repeat(50_000).slice(0, -1), counted)).toBe('10.0.0.2')
  expect(asked).toBeLessThanOrEqual(addressLimits.hops + 1)
})
