import { readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runTool, tools } from './run.ts'

/** Types, lint and tests as counted checks, for `npm test` and `npm run check`. */
export type Counts = { passed: number; failed: number; skipped: number }

const zero: Counts = { passed: 0, failed: 0, skipped: 0 }
export const sum = (all: readonly Counts[]): Counts =>
  all.reduce((a, b) => ({ passed: a.passed + b.passed, failed: a.failed + b.failed, skipped: a.skipped + b.skipped }), zero)

const one = (code: number): Counts => (code === 0 ? { ...zero, passed: 1 } : { ...zero, failed: 1 })

/** What runs in a browser is checked against its names, not against those of Node. */
const projects = ['.', 'functions/serve-dashboard/page', 'functions/collect-hit/tracker']
export const checkTypes = async (): Promise<Counts> => {
  const all: Counts[] = []
  for (const project of projects) all.push(one(await runTool(tools.tsc, ['--noEmit', '-p', project])))
  return sum(all)
}
export const checkStyle = async (): Promise<Counts> => one(await runTool(tools.biome, ['check', '--error-on-warnings', '.']))

type Report = {
  numPassedTests: number
  numFailedTests: number
  numPendingTests: number
  numTodoTests: number
  success: boolean
  testResults: { status: string; assertionResults: unknown[] }[]
}

/** Runs vitest on `filters`; a file that could not even be loaded counts as a failure. */
export const runTests = async (filters: readonly string[], env: Record<string, string> = {}): Promise<Counts> => {
  const file = join(tmpdir(), `footfall-tests-${process.pid}.json`)
  const code = await runTool(tools.vitest, ['run', ...filters, '--reporter=default', '--reporter=json', `--outputFile.json=${file}`], env)
  const report = JSON.parse(readFileSync(file, 'utf8')) as Report
  rmSync(file)
  const broken = report.testResults.filter(({ status, assertionResults }) => status === 'failed' && assertionResults.length === 0).length
  const failed = report.numFailedTests + broken
  return {
    passed: report.numPassedTests,
    failed: failed === 0 && code !== 0 ? 1 : failed,
    skipped: report.numPendingTests + report.numTodoTests,
  }
}

/** The closing line, and the exit code: with CI=true a skip is a failure, since everything a test needs is installed by us. */
export const conclude = ({ passed, failed, skipped }: Counts): never => {
  process.stdout.write(`\n${passed} passed, ${failed} failed, ${skipped} skipped\n`)
  process.exit(failed > 0 || passed === 0 || (skipped > 0 && process.env['CI'] === 'true') ? 1 : 0)
}
