import { parseAddress } from '../../shared/hit/address.ts'

/**
 * Builds small databases in MaxMind's format (MaxMind DB File Format Specification 2.0), so that city records can be tested without
 * a licensed file. Only what the tests need: maps, arrays, short strings, small numbers, 24-bit trees.
 */
export type Value = string | number | Value[] | { [key: string]: Value }

/** Bytes of a database whose tree holds each prefix with its record. `version` 4 or 6 is the address family of the tree. */
export const buildMmdb = (version: 4 | 6, networks: readonly (readonly [prefix: string, record: Value])[]): Buffer => {
  const data: Buffer[] = []
  const tree: (number | string)[][] = [[-1, -1]]
  for (const [prefix, record] of networks) insert(tree, bitsOf(prefix, version), data.push(encode(record)) - 1)
  const offsets = data.map((_, at) => data.slice(0, at).reduce((sum, bytes) => sum + bytes.length, 0))
  const nodes = Buffer.concat(tree.map((node) => Buffer.concat(node.map((record) => pointer(record, tree.length, offsets)))))
  const metadata = encode({
    binary_format_major_version: 2,
    binary_format_minor_version: 0,
    build_epoch: 1,
    database_type: 'test',
    description: {},
    ip_version: version,
    languages: ['en'],
    node_count: tree.length,
    record_size: 24,
  })
  return Buffer.concat([nodes, Buffer.alloc(16), ...data, Buffer.from('abcdef', 'hex'), Buffer.from('MaxMind.com'), metadata])
}

/** A record of a node: a node's number, `d<n>` for the n-th datum, -1 for nothing. */
const insert = (tree: (number | string)[][], bits: number[], datum: number): void => {
  let node = tree[0]!
  for (const bit of bits.slice(0, -1)) {
    if (node[bit] === -1) node[bit] = tree.push([-1, -1]) - 1
    node = tree[node[bit] as number]!
  }
  node[bits.at(-1)!] = `d${datum}`
}

const pointer = (record: number | string, nodes: number, offsets: number[]): Buffer => {
  const value = typeof record === 'string' ? nodes + 16 + offsets[Number(record.slice(1))]! : record === -1 ? nodes : record
  return Buffer.from([value >> 16, (value >> 8) & 255, value & 255])
}

const bitsOf = (prefix: string, version: 4 | 6): number[] => {
  const [address = '', length = ''] = prefix.split('/')
  const isFour = address.includes('.')
  const bytes = isFour ? address.split('.').map(Number) : sixBytes(address)
  const bits = bytes.flatMap((byte) => [7, 6, 5, 4, 3, 2, 1, 0].map((at) => (byte >> at) & 1)).slice(0, Number(length))
  // In a tree for IPv6 the IPv4 addresses are the lowest 32 bits.
  return isFour && version === 6 ? [...new Array<number>(96).fill(0), ...bits] : bits
}

const sixBytes = (address: string): number[] => {
  const [head = '', tail = ''] = parseAddress(address)!.split('::')
  const groups = (text: string): number[] => (text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16)))
  const missing = 8 - groups(head).length - groups(tail).length
  return [...groups(head), ...new Array<number>(missing).fill(0), ...groups(tail)].flatMap((group) => [group >> 8, group & 255])
}

const encode = (value: Value): Buffer => {
  if (typeof value === 'string') return Buffer.concat([control(2, Buffer.byteLength(value)), Buffer.from(value)])
  if (typeof value === 'number') return Buffer.concat([control(6, 4), Buffer.from([value >> 24, value >> 16, value >> 8, value])])
  if (Array.isArray(value)) return Buffer.concat([Buffer.from([value.length, 4]), ...value.map(encode)])
  const entries = Object.entries(value)
  return Buffer.concat([control(7, entries.length), ...entries.flatMap(([key, item]) => [encode(key), encode(item)])])
}

/** Sizes from 29 take a second byte. */
const control = (type: number, size: number): Buffer => Buffer.from(size < 29 ? [(type << 5) | size] : [(type << 5) | 29, size - 29])
