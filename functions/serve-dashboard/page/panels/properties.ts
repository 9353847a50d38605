import type { Answer } from '../state/api.ts'

/** Which properties there are, from the sets of them that events had (`event:prop_keys`). */

/** Names of properties, those of most events first. */
export const propNames = (answer: Answer | undefined): string[] => {
  const events = new Map<string, number>()
  for (const { dimensions, metrics } of answer?.results ?? []) {
    if (!dimensions[0]!.startsWith('[')) continue // (not set), (other)
    for (const name of JSON.parse(dimensions[0]!) as string[]) events.set(name, (events.get(name) ?? 0) + Number(metrics[0]))
  }
  return [...events].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).map(([name]) => name)
}
