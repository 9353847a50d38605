import { checkStyle, checkTypes, conclude, runTests, sum } from './checks.ts'

/** `npm run check`: types, style and the tests that need no process, browser or service; the model with a tenth of its seeds. */
const quick = [
  'tests/hit',
  'tests/visit',
  'tests/rollup',
  'tests/query',
  'tests/site',
  'tests/functions',
  'tests/contract',
  'tests/cli',
  'tests/model',
  'tests/trigger',
  'tests/runtime',
  'tests/tour',
  'tests/tidy',
]
conclude(sum([await checkTypes(), await checkStyle(), await runTests(quick, { MODEL_SEEDS: '100' })]))
