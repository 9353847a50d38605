import { defineConfig } from 'vitest/config'

/** Two cores: two test files at a time. Processes and load tests are given time; nothing is decided by how long it took. */
export default defineConfig({
  test: {
    include: ['tests/**/*.test.ts'],
    environment: 'node',
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    execArgv: ['--disable-warning=ExperimentalWarning'],
  },
})
