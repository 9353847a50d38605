import { describe, expect, test } from 'vitest'
import type { Goal } from '#shared/site/config.ts'
import { meetsGoal } from '#shared/visit/goal.ts'
import { applyEvent, emptyState } from '#shared/visit/state.ts'
import { flagsOf, hitsEvent } from '#shared/visit/step.ts'
import { anEventHit, aRecord, aSiteConfig, minute, noon } from '../fixtures/hit.ts'

const goals: Goal[] = [
  { name: 'Signup', event: 'signup', props: { plan: ['pro', 'team'], n: ['1'] } },
  { name: 'Thanks', page: '/thanks/*' },
  { name: 'Read', page: '/docs/**', scroll: 75 },
]

describe('a hit meets a goal', () => {
  const config = aSiteConfig({ goals })
  test.each<[Parameters<typeof anEventHit>[0], boolean]>([
    [{ n: 'signup', p: { plan: 'pro', n: 1 } }, true],
    [{ n: 'signup', p: { plan: 'free', n: 1 } }, false],
    [{ n: 'signup', p: { plan: 'pro' } }, false],
    [{ n: 'signup' }, false],
    [{ n: 'Signup', p: { plan: 'pro', n: 1 } }, false],
    [{ path: '/thanks/a' }, true],
    [{ path: '/thanks/a/b' }, false],
    [{ n: 'click', path: '/thanks/a' }, false],
    [{ n: 'engagement', path: '/thanks/a', sd: 100 }, false],
    [{ path: '/docs/a' }, false],
    [{ n: 'engagement', path: '/docs/a', sd: 75 }, true],
    [{ n: 'engagement', path: '/docs/a', sd: 74 }, false],
    [{ n: 'engagement', path: '/docs/a' }, false],
    [{ n: 'engagement', path: '/Docs/a', sd: 80 }, false],
  ])('%j: %s', (hit, expected) => {
    expect(meetsGoal(config, anEventHit(hit))).toBe(expected)
    expect(meetsGoal(aSiteConfig(), anEventHit(hit))).toBe(false)
  })
})

describe('a visit keeps that it met a goal', () => {
  const aPartition = () => {
    const state = emptyState()
    let src = 0
    return (hit: Parameters<typeof aRecord>[0], set: Goal[] | undefined) => {
      const config = aSiteConfig(set ? { goals: set } : {})
      const record = aRecord(hit)
      const event = hitsEvent(record, flagsOf(record, config), { partition: 0, src, at: src++, time: noon, lt: noon }, config, state)
      applyEvent(state, event)
      return event.x.map(({ s }) => s.goal)
    }
  }

  test('from the hit on that met it, when the site is set otherwise too', () => {
    const take = aPartition()
    expect(take({ ev: [{}] }, goals)).toEqual([undefined])
    expect(take({ ev: [{ path: '/thanks/a', t: noon + 1 }] }, goals)).toEqual([1])
    expect(take({ ev: [{ t: noon + 2 }] }, undefined)).toEqual([1])
    expect(take({ ev: [{ t: noon + 90 * minute }] }, goals)).toEqual([undefined])
  })

  test('but not for a goal that came later', () => {
    const take = aPartition()
    expect(take({ ev: [{ path: '/thanks/a' }] }, undefined)).toEqual([undefined])
    expect(take({ ev: [{ t: noon + 1 }] }, goals)).toEqual([undefined])
  })

  test('by an update, and by any hit of a record', () => {
    const take = aPartition()
    expect(take({ ev: [{ path: '/docs/a' }, { n: 'engagement', path: '/docs/a', sd: 90, t: noon + 5 }, { t: noon + 9 }] }, goals)).toEqual([
      1,
    ])
    expect(Object.hasOwn(hitsEventOf({ ev: [{}] }), 'goal')).toBe(false)
  })
  const hitsEventOf = (fields: Parameters<typeof aRecord>[0]) => {
    const record = aRecord(fields)
    const config = aSiteConfig({ goals })
    return hitsEvent(record, flagsOf(record, config), { partition: 0, src: 0, at: 0, time: noon, lt: noon }, config, emptyState()).x[0]!.s
  }
})
