/** docs/how-it-survives.md names every error of the port, and none that is not there. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { isSettingKey, SETTING_KEYS } from '../../../src/config/schema.ts'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const page = readFileSync(join(root, 'docs/how-it-survives.md'), 'utf8')

/** `code: 'queue_full'` in an answer of the port. Codes of the command line have dashes. */
function codesIn(folder: string): readonly string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .flatMap((file) => [
      ...readFileSync(join(root, folder, file), 'utf8').matchAll(/\bcode: '([a-z_]+)'/g),
    ])
    .map(([, code = '']) => code)
}

test('every code has its row, and no other has one', () => {
  const table = page.slice(page.indexOf('## Errors of the port'))
  const rows = [...table.matchAll(/^\| `([a-z_]+)` \| \d{3} \|/gm)].map(([, code = '']) => code)
  const there = new Set([...codesIn('src/proxy'), ...codesIn('src/daemon/handover')])
  expect(there.size).toBeGreaterThan(20)
  expect(rows.toSorted()).toEqual([...there].toSorted())
})

test('every code in the text has a row', () => {
  const rows = new Set([...page.matchAll(/^\| `([a-z_]+)` \|/gm)].map(([, code = '']) => code))
  const named = [...page.matchAll(/\b\d{3} `([a-z_]+)`/g)].map(([, code = '']) => code)
  expect(named.length).toBeGreaterThan(5)
  expect(named.filter((code) => !rows.has(code))).toEqual([])
})

test('every setting that a page names is one', () => {
  const sections = new Set(SETTING_KEYS.map((key) => key.split('.')[0]))
  const wrong = readdirSync(join(root, 'docs'))
    .filter((file) => file.endsWith('.md'))
    .flatMap((file) =>
      [...readFileSync(join(root, 'docs', file), 'utf8').matchAll(/`(\w+)\.(\w+)(?: = [^`]*)?`/g)]
        .filter(([, section = '']) => sections.has(section))
        .map(([, section = '', name = '']) => `${section}.${name}`)
        .filter((key) => !isSettingKey(key) && !/\.(?:md|log|toml|json|gguf|bin)$/.test(key))
        .map((key) => `${file}: ${key}`),
    )
  expect(wrong).toEqual([])
})
