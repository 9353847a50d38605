import { hashText } from '../../segment/groups.ts'
import type { Calendar } from '../../site/zone.ts'
import type { Range } from '../dates.ts'
import type { Visit } from '../merge.ts'
import type { Scan } from '../reference.ts'
import type { Room } from '../room.ts'
import { createSeveral, daysColumn, severalRows } from './several.ts'
import type { Table } from './table.ts'
import { visitReader, visitSources } from './visits.ts'

/** The visits of tables one by one, for explorations: of each row only what is asked for is read. */

type Known = { tables: (range: Range) => Promise<readonly Table[]>; calendar: Calendar; room: Room; pause(): Promise<void> | undefined }

/** So many visits are made before others have their turn. */
const sliceVisits = 500

export const scanTables = ({ tables, calendar, room, pause }: Known): Scan =>
  async function* (range, columns) {
    const several = createSeveral(columns, range, calendar)
    const needed = [daysColumn, ...visitSources(columns)]
    for (const table of await tables(range)) {
      for (const [group, { rows: count }] of table.groups.entries()) {
        if (count === 0) continue
        const bytes = table.bytesOf(group, needed)
        room.take(bytes)
        const rows = await table.load(group, needed)
        const others = severalRows(rows)
        if (others.length > 0) await several.take(table, group, others)
        const left = new Set(others)
        const visitOf = visitReader(rows, columns, range, calendar)
        let visits: Visit[] = []
        for (let row = 0; row < rows.rows; row++) {
          if (!left.has(row)) visits.push(visitOf(row, { day: table.day, vis: hashText(rows.visitors[row]!) }))
          if (visits.length < sliceVisits) continue
          yield visits
          visits = []
          await pause()
        }
        yield visits
        room.give(bytes)
      }
    }
    yield several.visits()
  }
