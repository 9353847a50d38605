import { checkStyle, checkTypes, conclude, runTests, sum } from './checks.ts'

/** `npm test`: types, style and all tests. Words behind it choose test files, as in `npm test -- tests/hit`. */
const filters = process.argv.slice(2)
conclude(filters.length > 0 ? await runTests(filters) : sum([await checkTypes(), await checkStyle(), await runTests([])]))
