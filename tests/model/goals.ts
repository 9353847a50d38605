import type { RecordHit } from '#shared/hit/record.ts'
import type { Goal, SiteConfig } from '#shared/site/config.ts'
import type { Random } from './random.ts'

/** Goals of the model's sites, and by plain words when a hit meets one. Nothing here is shared with the product. */

const docs = { name: 'Docs', page: '/docs**' }
const read = { name: 'Read docs', page: '/docs/*', scroll: 60 }

/** Settings that runs draw from: none, and such that meet often, seldom and together. */
const choices: readonly Pick<SiteConfig, 'goals' | 'segments'>[] = [
  {},
  {
    goals: [
      docs,
      read,
      { name: 'Signup', event: 'signup' },
      { name: 'Signup a', event: 'signup', props: { plan: ['a', '__proto__'], n: ['1', '2'] } },
    ],
    segments: [
      { name: 'German', filters: [['is', 'visit:country', ['DE']]] },
      {
        name: 'Readers',
        filters: [
          ['contains', 'event:page', ['doc']],
          ['is', 'event:goal', ['Read docs']],
        ],
      },
    ],
  },
  {
    goals: [
      { name: 'Far down', page: '**', scroll: 90 },
      { name: 'Café', page: '/caf*' },
      { name: 'toString', event: 'toString' },
    ],
    segments: [
      {
        name: 'Not café',
        filters: [
          [
            'or',
            [
              ['is_not', 'event:goal', ['Café']],
              ['is', 'visit:source', ['Google']],
            ],
          ],
        ],
      },
    ],
  },
  { goals: [{ name: 'One level', page: '/*' }, { name: 'Any', page: '/**' }, docs, read] },
]

export const randomGoals = (random: Random): Pick<SiteConfig, 'goals' | 'segments'> => random.pick(choices)

/** `**` is anything, `*` anything but a slash. */
const covers = (pattern: string, text: string): boolean => {
  if (pattern === '') return text === ''
  if (!pattern.startsWith('*')) return pattern[0] === text[0] && covers(pattern.slice(1), text.slice(1))
  const anything = pattern.startsWith('**')
  const rest = pattern.slice(anything ? 2 : 1)
  for (let taken = 0; taken <= text.length; taken++) {
    if (!anything && text.slice(0, taken).includes('/')) return false
    if (covers(rest, text.slice(taken))) return true
  }
  return false
}

/** Whether a hit passes for one that meets the goal: an update is taken for the pageview it belongs to. */
export const passesFor = (goal: Goal, hit: RecordHit): boolean => {
  const isUpdate = hit.n === 'engagement'
  const wanted = Object.entries(goal.props ?? {})
  if (wanted.some(([key, list]) => !hit.p || !Object.hasOwn(hit.p, key) || !list.includes(String(hit.p[key])))) return false
  if (goal.event !== undefined) return (isUpdate ? 'pageview' : hit.n) === goal.event
  if (!covers(goal.page!, hit.path ?? '(not set)')) return false
  return goal.scroll === undefined ? isUpdate || hit.n === 'pageview' : isUpdate && (hit.sd ?? 0) >= goal.scroll
}

/** Whether it does meet it: updates meet goals of depth and no others. */
export const meets = (goal: Goal, hit: RecordHit): boolean =>
  (hit.n === 'engagement') === (goal.scroll !== undefined) && passesFor(goal, hit)
