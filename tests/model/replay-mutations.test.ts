import { expect, test } from 'vitest'
import { type CheckOptions, checkRun } from './check.ts'
import { type Edit, loadMutant } from './mutant.ts'
import { type Parts, realParts } from './parts.ts'

/** Rules of replays, broken one by one: seeds that are green with them turn red. */

const entry = 'functions/rollup-window/handler.ts'
const lifeFile = 'functions/rollup-window/life.ts'
const remakeFile = 'functions/rollup-window/remake.ts'
const replayFile = 'functions/rollup-window/replay.ts'
const rulesFile = 'shared/rollup/replay.ts'
const recutFile = 'shared/rollup/recut.ts'

const mutations: Record<string, readonly Edit[]> = {
  'late rows do not come to a version that is made': [
    { file: remakeFile, from: '.sort((a, b) => b.to - a.to)[0]', to: '.sort((a, b) => a.to - b.to)[0]' },
    { file: remakeFile, from: '{ site, day, from: 0, to: closed.to }', to: '{ site, day, from: 0, to: due.due }' },
  ],
  'a version has the rules of the last order alone': [
    { file: rulesFile, from: "(order.ver === ver || order.wanted === 'switched')", to: 'order.ver === ver' },
  ],
  'an undo leaves readers where they are': [
    {
      file: replayFile,
      from: 'await lead(partition, order, was, below, isOver)',
      to: 'await lead(partition, order, was, () => order.ver, isOver)',
    },
  ],
  'the first order that is cut off is taken for done': [
    {
      file: replayFile,
      from: '      if (isOver()) return\n      await versions.flip',
      to: '      if (job.done > 2 && day === days[1]?.day) break\n      await versions.flip',
    },
  ],
  'a longer timeout joins no visits': [
    {
      file: recutFile,
      from: "if (current && standing === 'inside') take",
      to: "if (current && standing === 'inside' && !placed.begins) take",
    },
  ],
  'a visit that is cut off keeps the source of the one it was in': [
    { file: recutFile, from: 'return withSource({ ...rest, id, ref: hit.ref }, config)', to: 'return { ...s, id }' },
  ],
  'visits are cut before exclusions say whose they are': [
    {
      file: rulesFile,
      from: "  if (rules.includes('session_timeout')) list = underTimeout(list, ver, config)\n",
      to: '',
    },
    {
      file: rulesFile,
      from: '  let list = [...visits]\n',
      to: "  let list = rules.includes('session_timeout') ? underTimeout(visits, ver, config) : [...visits]\n",
    },
  ],
}

const options = (seed: number, parts?: Parts): CheckOptions => ({
  seed,
  partitions: 1,
  parts,
  hits: 60,
  failures: 0.02,
  nemesis: 0.01,
  questions: 12,
  asking: 0,
  ages: [27 * 3_600_000, 30 * 3_600_000, 264 * 3_600_000],
  replays: true,
})
const most = 60

for (const [name, edits] of Object.entries(mutations))
  test(name, { timeout: 300_000 }, async () => {
    const made = await loadMutant(`replay-${Object.keys(mutations).indexOf(name)}`, entry, edits, [
      lifeFile,
      remakeFile,
      replayFile,
      rulesFile,
      recutFile,
    ])
    const parts = { ...realParts, rollup: (made as { createHandler: Parts['rollup'] }).createHandler }
    let red: { seed: number; error: unknown } | undefined
    for (let seed = 1; seed <= most && red === undefined; seed++)
      await checkRun(options(seed, parts)).catch((error: unknown) => {
        red = { seed, error }
      })
    expect(red, `no seed up to ${most} finds it`).toBeDefined()
    expect(String(red!.error)).toContain('should be')
    await checkRun(options(red!.seed))
    console.info(`${name}: seed ${red!.seed}`)
  })
