import type { Answer, Goal, Row } from '../state/api.ts'
import type { View } from '../state/view.ts'

/** Rows of goals that nobody met: an answer has none of them. */

/** Rows of a panel. */
const most = 9

/** A goal that nobody met has no row in the answer; here it has one, or a goal that was just added would seem to be lost. */
export const withUnmet = (answer: Answer | undefined, goals: readonly Goal[], view: View): Answer | undefined => {
  if (!answer || view.filters.some(({ key }) => key === 'goal')) return answer
  const met = new Set(answer.results.map(({ dimensions }) => dimensions[0]))
  if ((answer.meta.total_rows ?? 0) > met.size) return answer
  const unmet = goals.filter(({ name }) => !met.has(name)).map(({ name }): Row => ({ dimensions: [name], metrics: [0, 0, 0] }))
  return { ...answer, results: [...answer.results, ...unmet].slice(0, most) }
}
