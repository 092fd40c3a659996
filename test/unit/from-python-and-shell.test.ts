/** docs/from-python-and-shell.md says what is true: its examples, its settings, its commands. */
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { COMMANDS } from '../../src/cli/commands.ts'
import { loadConfig } from '../../src/config/load-config.ts'
import { isSettingKey, SETTING_KEYS } from '../../src/config/schema.ts'

const docs = fileURLToPath(new URL('../../docs/', import.meta.url))
const page = readFileSync(`${docs}from-python-and-shell.md`, 'utf8')
const examples = readdirSync(`${docs}examples`)

test.each(examples)('%s is on the page as it is', (name) => {
  const text = readFileSync(`${docs}examples/${name}`, 'utf8')
  expect(page).toMatch(new RegExp(`\\[${name}\\]\\(examples/${name}\\)`, 'u'))
  expect(page).toContain(`\n${text}\`\`\`\n`)
})

test('every setting that is named exists', () => {
  const sections = new Set(SETTING_KEYS.map((key) => key.split('.')[0]))
  const named = [...page.matchAll(/(?<=[`\s])([a-z]+)\.[a-zA-Z]+(?=[`=])/gu)]
    .filter(([, section = '']) => sections.has(section))
    .map(([key]) => key)
  expect(named.length).toBeGreaterThan(15)
  expect(named.filter((key) => !isSettingKey(key))).toEqual([])
})

test('every command that is named exists', () => {
  const known = new Set(COMMANDS.map(({ name }) => name.split(' ')[0]))
  const named = [...page.matchAll(/oss20bd ([a-z]+)/gu)].map(([, name]) => name)
  expect(named.length).toBeGreaterThan(15)
  expect(named.filter((name) => !known.has(name))).toEqual([])
})

test('config.toml is a config', async () => {
  const loaded = await loadConfig({
    file: `${docs}examples/config.toml`,
    fileRequired: true,
    env: { OSS20BD_MODEL_CONTEXT_TOKENS: '4096' },
    flags: { 'model.contextTokens': '4096' },
    readFile: async (file) => readFileSync(file, 'utf8'),
  })
  expect(loaded).toMatchObject({
    kind: 'ok',
    config: { model: { contextTokens: 4096 }, engine: { extraArgs: ['--threads', '8'] } },
  })
})
