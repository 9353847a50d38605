import { checkStyle, checkTypes, conclude, runTests, sum } from './checks.ts'
import { ensureTools } from './faas/tools.ts'
import { ensurePackages } from './ops/packages.ts'
import { services } from './services/all.ts'
import { install } from './services/install.ts'
import { progressTo } from './services/progress.ts'

/** `npm test`: types, style and all tests. Words behind it choose test files, as in `npm test -- tests/hit`. */
const filters = process.argv.slice(2)

/** Installs the servers of tests/services, where those are wanted; what cannot be had is said, and its tests are skipped by name. */
const ensureServices = async (): Promise<void> => {
  if (filters.length > 0 && !filters.some((filter) => filter.includes('services'))) return
  try {
    await install(services, progressTo(process.stderr))
  } catch (error) {
    process.stderr.write(`footfall: ${error instanceof Error ? error.message : error}\n`)
  }
}

/** Builds gateway and faas-cli for tests/faas, where those are wanted; the same holds. */
const ensureOpenFaas = async (): Promise<void> => {
  if (filters.length > 0 && !filters.some((filter) => filter.includes('faas'))) return
  try {
    await ensureTools(['gateway', 'faas-cli'], progressTo(process.stderr))
  } catch (error) {
    process.stderr.write(`footfall: ${error instanceof Error ? error.message : error}\n`)
  }
}

ensurePackages()
await ensureServices()
await ensureOpenFaas()
conclude(filters.length > 0 ? await runTests(filters) : sum([await checkTypes(), await checkStyle(), await runTests([])]))
