import { useEffect, useState } from 'preact/hooks'
import { api } from './api.ts'
import { dimensionOf } from './dimensions.ts'
import { valueLabel, written } from './format.ts'
import { usePage } from './page.ts'
import { questionOf } from './question.ts'

/** Values of a dimension that the site has in the period, most visitors first: what the query box offers. Asked when typing pauses. */
export type KnownValue = { value: string; label: string; visitors: string }
export type Sought = { key: string; word: string }

const pauseMs = 180
const most = 8
/** Values that are shown under another name are few: all are asked for and sought by that name. */
const named = new Set(['country', 'language', 'weekday', 'hour', 'new'])
const mostNamed = 400

const isFound = (value: string, label: string, word: string): boolean => `${label}\n${value}`.toLowerCase().includes(word.toLowerCase())

export const useKnownValues = (sought: Sought | undefined): { values: readonly KnownValue[]; isAsking: boolean } => {
  const { view, today } = usePage()
  const key = sought && `${view.site} ${view.period} ${view.bots} ${sought.key} ${named.has(sought.key) ? '' : sought.word}`
  const [state, setState] = useState<{ key: string; values: readonly KnownValue[] }>({ key: '', values: [] })

  useEffect(() => {
    const dimension = sought && dimensionOf(sought.key)
    if (!sought || !key || !dimension || dimension.isNamed) return
    const abort = new AbortController()
    const isNamed = named.has(sought.key)
    const filters = isNamed || sought.word === '' ? [] : [['contains', dimension.api, [sought.word], { case_sensitive: false }]]
    const others = view.filters.filter((filter) => filter.key !== sought.key)
    const question = questionOf({ ...view, compare: 'off', filters: others }, today, {
      metrics: ['visitors'],
      dimensions: [dimension.api],
      filters,
      pagination: { limit: isNamed ? mostNamed : most, offset: 0 },
    })
    const ask = async () => {
      try {
        const { results } = await api.query(question, abort.signal)
        const values = results.map(({ dimensions: [value = ''], metrics: [visitors] }) => ({
          value,
          label: valueLabel(sought.key, value),
          visitors: typeof visitors === 'number' ? written(visitors, 'count') : '',
        }))
        setState({ key, values: values.filter(({ value }) => value !== '(other)') })
      } catch {
        // Without suggestions everything can still be typed; what is wrong with the server is said elsewhere.
        if (!abort.signal.aborted) setState({ key, values: [] })
      }
    }
    const timer = setTimeout(() => void ask(), pauseMs)
    return () => {
      clearTimeout(timer)
      abort.abort()
    }
  }, [key])

  const values = sought ? state.values.filter(({ value, label }) => isFound(value, label, sought.word)).slice(0, most) : []
  return {
    values: state.key === key ? values : [],
    isAsking: key !== undefined && state.key !== key && !dimensionOf(sought?.key ?? '')?.isNamed,
  }
}
