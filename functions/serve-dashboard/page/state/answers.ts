import { useEffect, useRef, useState } from 'preact/hooks'
import { type Answer, ApiError, type Asking, api } from './api.ts'
import { usePage } from './page.ts'
import { isOpen } from './periods.ts'
import type { Question } from './question.ts'

/**
 * Answers to questions, kept up to date. While a new question is worked on the old answer stays, marked old, so that nothing jumps. A
 * question whose period is open is asked again whenever there is news, at most once a second and never twice at a time.
 */
export type AskedOf<A, Q> = {
  /** Of this question, or of the one before while `isOld`. */
  answer: A | undefined
  /** The question that `answer` is the answer to: what its columns are, also while it is old. */
  question: Q | undefined
  error: ApiError | undefined
  isLoading: boolean
  isOld: boolean
  /** Asks again at once. */
  retry(): void
}
export type Asked = AskedOf<Answer, Question>

/** Answers of the last questions, so that a tab that was open before is there at once. */
const kept = new Map<string, unknown>()
const keptAnswers = 40
const keep = (key: string, answer: unknown) => {
  kept.delete(key)
  kept.set(key, answer)
  if (kept.size > keptAnswers) kept.delete(kept.keys().next().value!)
}

const soonestMs = 1_000
/** A question is asked again after this many times what its answer took, so that large sites are not asked without end. */
const restFactor = 2
/** Wait after a failure that may pass. */
const failedMs = 4_000
/** Late hits may still change days that have ended. */
const closedMs = 60_000

type State<A, Q> = { key: string; question?: Q; answer?: A; error?: ApiError }

/** Those who ask now, each by its own `again`. */
const askers = new Set<(everyMs: number) => void>()

/** Asks everything that is shown anew, and forgets what was answered before: the numbers of the past have changed. */
export const askAllAgain = (): void => {
  kept.clear()
  for (const again of askers) again(0)
}

/** Asks, and asks again when called after that; one request at a time. */
const createAsker = <A, Q>(kind: Asking, key: string, question: Q, show: (state: State<A, Q>) => void) => {
  const abort = new AbortController()
  let isAsking = false
  let isWanted = false
  let lastAt = Number.NEGATIVE_INFINITY
  let tookMs = 0
  let timer: ReturnType<typeof setTimeout> | undefined

  const ask = async () => {
    timer = undefined
    isAsking = true
    lastAt = performance.now()
    try {
      const answer = await api.ask<A>(kind, question, abort.signal)
      keep(key, answer)
      show({ key, question, answer })
    } catch (error) {
      if (abort.signal.aborted) return
      show({
        key,
        question,
        answer: kept.get(key) as A | undefined,
        error: error instanceof ApiError ? error : new ApiError(0, 'page', String(error), 'Reload the page.'),
      })
    } finally {
      isAsking = false
      tookMs = performance.now() - lastAt
      if (isWanted && !abort.signal.aborted) again(soonestMs)
    }
  }

  const again = (everyMs: number) => {
    isWanted = isAsking
    if (isAsking || (timer !== undefined && everyMs > 0)) return
    clearTimeout(timer)
    const restMs = everyMs === 0 ? 0 : Math.max(everyMs, tookMs * restFactor)
    timer = setTimeout(() => void ask(), Math.max(0, lastAt + restMs - performance.now()))
  }

  askers.add(again)
  return {
    /** Asks again, not sooner than `everyMs` after the last time. */
    again,
    /** When the last question was sent, by performance.now(). */
    get lastAt() {
      return lastAt
    },
    end() {
      askers.delete(again)
      abort.abort()
      clearTimeout(timer)
    },
  }
}

/** The answer to a question; `undefined` asks nothing. */
export const useAnswer = (question: Question | undefined): Asked => useAnswerOf('query', question)

/** The same of any kind of question that the server answers. */
export const useAnswerOf = <A, Q = unknown>(kind: Asking, question: Q | undefined): AskedOf<A, Q> => {
  const { live, view, today } = usePage()
  const [state, setState] = useState<State<A, Q>>({ key: '' })
  const asker = useRef<ReturnType<typeof createAsker>>(undefined)
  const key = question ? `${kind} ${JSON.stringify(question)}` : ''

  useEffect(() => {
    if (!question) return
    const known = kept.get(key) as A | undefined
    if (known) setState({ key, question, answer: known })
    const one = createAsker<A, Q>(kind, key, question, setState)
    asker.current = one
    one.again(0)
    return () => {
      one.end()
      asker.current = undefined
    }
    // The key says all that is in the question.
  }, [key])

  useEffect(() => {
    const one = asker.current
    if (!one || live.news === 0 || document.hidden) return
    if (state.error?.isRetryable) one.again(failedMs)
    else if (isOpen(view.period, today)) one.again(soonestMs)
    else if (performance.now() - one.lastAt > closedMs) one.again(0)
  }, [live.news])

  const isOld = state.key !== key
  const error = isOld ? undefined : state.error
  return {
    answer: state.answer,
    question: state.question,
    error,
    isLoading: question !== undefined && ((state.answer === undefined && error === undefined) || isOld),
    isOld,
    retry: () => asker.current?.again(0),
  }
}
