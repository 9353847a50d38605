import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'

/** deploy/systemd/footfall.service: systemd itself reads it, and it starts what `npm start` starts. */
const root = join(import.meta.dirname, '../..')
const unit = readFileSync(join(root, 'deploy/systemd/footfall.service'), 'utf8')
const program = '/usr/bin/systemd-analyze'

test('systemd finds nothing wrong with it', ({ skip }) => {
  if (!existsSync(program)) skip(`${program} is not installed`)
  const folder = mkdtempSync(join(tmpdir(), 'footfall-unit-'))
  const path = join(folder, 'footfall.service')
  writeFileSync(path, unit.replaceAll('/opt/footfall', root))
  const { status, stderr } = spawnSync(program, ['verify', path], { encoding: 'utf8' })
  rmSync(folder, { recursive: true })
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
})

test('it gives Node the flags that npm start gives', () => {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: { start: string } }
  const flags = scripts.start.split(' ').filter((word) => word.startsWith('--'))
  expect(flags.length).toBeGreaterThan(0)
  expect(unit).toContain(`/node_modules/.bin/node ${flags.join(' ')} scripts/start.ts\n`)
  const image = readFileSync(join(root, 'Dockerfile'), 'utf8')
  expect(image).toContain(`CMD ${JSON.stringify(['node', ...flags, 'scripts/start.ts']).replaceAll(',', ', ')}\n`)
})
