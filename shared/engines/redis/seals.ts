import type { Memtable, SealedCopy, Seals } from '../../ports/seals.ts'
import type { Connection } from './connection.ts'
import { blockKeys, blockOf, fenceKey, type HotRecord, nameOf, prefixOf, recordKeys, recordOf } from './records.ts'
import { listOf, maybeTextsOf, numberAt, numberOf, textsOf, tuplesOf } from './replies.ts'
import { recordScript, run, type States, script } from './scripts.ts'

/** seals on Redis, of the state that `memtables` keeps: a sealed copy is a line in the record of its site's day, no block is moved. */

const basesOf = script('bases')
const look = script('look')
const low = recordScript('low')
const seal = recordScript('seal')
const readSealed = recordScript('read-sealed')
const dropSealed = recordScript('drop-sealed')
const forgetBase = recordScript('forget-base')

const recordsOf = (reply: unknown): HotRecord[] => tuplesOf(reply, 2).map(([name, packed]) => recordOf(name!, packed!))

const copiesOf = ({ site, day, copies }: HotRecord): SealedCopy[] => copies.map((copy) => ({ site, day, ...copy }))

const memtableOf = ({ copies: _, ...memtable }: HotRecord): Memtable => memtable

export const createSeals = (connection: Connection, states: States): Seals => ({
  async bases(partition, days) {
    const names = days.map(({ site, day }) => nameOf(site, day))
    const records = maybeTextsOf(await run(connection, basesOf, [fenceKey(partition)], names))
    return names.map((name, i) => {
      const packed = records[i]
      return packed === undefined ? undefined : recordOf(name, packed).base
    })
  },
  async look(partition, { rows, bytes, born }, limit) {
    const [sealed, due, oldest] = listOf(await run(connection, look, [fenceKey(partition)], [rows, bytes, born, limit]))
    return {
      sealed: recordsOf(sealed)
        .flatMap(copiesOf)
        .sort((a, b) => a.from - b.from),
      due: recordsOf(due)
        .map(memtableOf)
        .sort((a, b) => a.born - b.born),
      oldest: textsOf(oldest).map(numberOf)[0],
    }
  },
  async low(partition) {
    const mark = textsOf(await run(connection, low, [fenceKey(partition)], []))
    return mark.length === 0 ? undefined : { next: numberAt(mark, 0), src: numberAt(mark, 1) }
  },
  async seal(partition, { site, day }, at, bytes) {
    const answer = await states.within(partition, (state) =>
      run(connection, seal, [fenceKey(partition), ...recordKeys(prefixOf(partition, state))], [state, nameOf(site, day), at, bytes]),
    )
    if (answer[0] === 'none') return undefined
    return { site, day, from: numberAt(answer, 1), to: numberAt(answer, 2), rows: numberAt(answer, 3), at }
  },
  async readSealed(partition, { site, day, from, to }) {
    const [stands, blocks] = listOf(await run(connection, readSealed, [fenceKey(partition)], [nameOf(site, day), from, to]))
    return stands === 1 ? tuplesOf(blocks, 2).map(([place, body]) => blockOf(site, day, place!, body!)) : undefined
  },
  async dropSealed(partition, { site, day, from, to }) {
    await states.within(partition, (state) => {
      const prefix = prefixOf(partition, state)
      const keys = [fenceKey(partition), ...recordKeys(prefix), ...blockKeys(prefix, site, day)]
      return run(connection, dropSealed, keys, [state, site, day, from, to])
    })
  },
  async forgetBase(partition, { site, day }, upTo) {
    await states.within(partition, (state) =>
      run(connection, forgetBase, [fenceKey(partition), `${prefixOf(partition, state)}m`], [state, nameOf(site, day), upTo]),
    )
  },
})
