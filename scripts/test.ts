import { checkStyle, checkTypes, conclude, runTests, sum } from './checks.ts'
import { ensurePackages } from './ops/packages.ts'

/** `npm test`: types, style and all tests. Words behind it choose test files, as in `npm test -- tests/hit`. */
const filters = process.argv.slice(2)
ensurePackages()
conclude(filters.length > 0 ? await runTests(filters) : sum([await checkTypes(), await checkStyle(), await runTests([])]))
