import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { newSite, siteView } from '#shared/site/change.ts'
import { siteOptions } from '../../scripts/cli/site-options.ts'

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
const doc = read('docs/settings.md')

it('docs/settings.md names every setting and no other', () => {
  const named = (text: string) => [...new Set(text.match(/FOOTFALL_[A-Z_]+[A-Z]/g))].sort()
  expect(named(doc)).toEqual(named(read('shared/config.ts')))
})

it('docs/settings.md names every option of a site', () => {
  for (const name of Object.keys(siteOptions)) expect(doc).toContain(`\`--${name}`)
  const { exclude, ...view } = siteView(newSite('a.example', {}, { now: 0, key: '' }), '')
  const shown = new Set(['site', 'version', 'created', 'changed', 'zones', 'script'])
  const options = [...Object.keys(view).filter((name) => !shown.has(name)), ...Object.keys(exclude).map((name) => `exclude.${name}`)]
  for (const name of options) expect(doc).toContain(`| \`${name}\` |`)
})
