import type { Goal } from './api.ts'

/** A goal as it is written into the form, and as the server takes it. Nothing is checked here: the server says what is wrong. */
/** `whole` are the values as they were read, for as long as nobody writes others: a line holds no value that is empty or has a line break. */
export type Condition = { name: string; values: string; whole?: readonly string[] | undefined }
export type GoalDraft = {
  name: string
  kind: 'page' | 'event' | 'scroll'
  page: string
  event: string
  scroll: string
  /** `values` has one a line. */
  conditions: readonly Condition[]
}

export const emptyDraft: GoalDraft = { name: '', kind: 'page', page: '', event: '', scroll: '75', conditions: [] }

const linesOf = (text: string): string[] => text.split('\n').filter((line) => line !== '')

export const goalOf = ({ name, kind, page, event, scroll, conditions }: GoalDraft): Goal => ({
  name,
  ...(kind === 'event' ? { event } : { page }),
  // What is no number is sent as nothing, which the server does not take.
  ...(kind === 'scroll' ? { scroll: Number(scroll) } : {}),
  // Entries, since a property may be called __proto__.
  ...(conditions.length > 0 ? { props: Object.fromEntries(conditions.map((one) => [one.name, one.whole ?? linesOf(one.values)])) } : {}),
})

/** A goal as the form shows it; `goalOf` makes the same goal of it. */
export const draftOf = ({ name, page, event, scroll, props }: Goal): GoalDraft => ({
  ...emptyDraft,
  name,
  kind: event !== undefined ? 'event' : scroll !== undefined ? 'scroll' : 'page',
  page: page ?? '',
  event: event ?? '',
  ...(scroll === undefined ? {} : { scroll: String(scroll) }),
  conditions: Object.entries(props ?? {}).map(([key, values]) => ({ name: key, values: values.join('\n'), whole: values })),
})

/** What meets a goal, in words. */
export const wordsOfGoal = ({ page, event, scroll, props }: Goal): string => {
  const what = event !== undefined ? `Event ${event}` : scroll !== undefined ? `${scroll}% of page ${page} seen` : `Page ${page}`
  const only = Object.entries(props ?? {}).map(([name, values]) => `${name} is ${values.join(' or ')}`)
  return only.length === 0 ? what : `${what}, where ${only.join(' and ')}`
}
