import type { Meta } from './api.ts'

/** What is said where a question reaches back beyond the rows that the site keeps; in no other case anything. */
export const keptNotice = (meta: Meta | undefined, timeZone: string): string[] => {
  if (meta?.complete_from === undefined) return []
  const day = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeZone }).format(new Date(meta.complete_from))
  return [
    `This site keeps its rows from ${day} on: what came before, in this period or in the one it is compared with, is not in these numbers.`,
  ]
}
