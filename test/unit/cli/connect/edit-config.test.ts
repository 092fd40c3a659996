import fc from 'fast-check'
import { parse as parseJsonc } from 'jsonc-parser'
import { parse as parseToml } from 'smol-toml'
import { expect, test } from 'vitest'
import { parse as parseYaml } from 'yaml'
import { editJson, editTomlTable, editYamlList } from '../../../../src/cli/connect/edit-config.ts'

test('JSON keeps its comments, its commas and what it held', () => {
  const text = '{\n  // mine\n  "theme": "dark",\n  "env": { "A": "1" },\n}\n'
  const edited = editJson(text, [
    [['env', 'B'], '2'],
    [['c', 'd'], { e: [1] }],
  ])
  expect(edited).toContain('// mine')
  expect(parseJsonc(edited)).toEqual({
    theme: 'dark',
    env: { A: '1', B: '2' },
    c: { d: { e: [1] } },
  })
})

test.each([null, '', ' \n'])('a JSON file with %j begins', (text) => {
  expect(JSON.parse(editJson(text, [[['a', 'b'], 1]]))).toEqual({ a: { b: 1 } })
})

test.each(['[1]', '{"a":', 'words'])('what is no JSON object is left alone: %s', (text) => {
  expect(() => editJson(text, [[['a'], 1]])).toThrow('it is no JSON that can be read')
})

const member = { name: 'oss20bd', model: 'm' }
const otherwise = { name: 'Local', schema: 'v1' }

test('YAML keeps its comments, and a second time changes nothing', () => {
  const text = '# mine\nname: My\nmodels:\n  - name: other # theirs\n    model: x\n'
  const edited = editYamlList(text, 'models', member, otherwise)
  expect(edited).toContain('# mine')
  expect(edited).toContain('# theirs')
  expect(parseYaml(edited)).toEqual({
    name: 'My',
    models: [{ name: 'other', model: 'x' }, member],
  })
  expect(editYamlList(edited, 'models', member, otherwise)).toBe(edited)
})

test('an older part of ours in YAML is replaced', () => {
  const text = 'models:\n  - name: oss20bd\n    model: old\n  - name: other\n'
  expect(parseYaml(editYamlList(text, 'models', member, otherwise))).toEqual({
    models: [member, { name: 'other' }],
  })
})

test.each([null, ''])('a YAML file with %j begins', (text) => {
  expect(parseYaml(editYamlList(text, 'models', member, otherwise))).toEqual({
    ...otherwise,
    models: [member],
  })
})

test.each(['- a\n', 'models: 3\n', 'a: [1\n'])('what is no such YAML is left alone: %j', (text) => {
  expect(() => editYamlList(text, 'models', member, otherwise)).toThrow('it is no YAML')
})

const table = 'model_providers.oss20bd'
const lines = ['name = "oss20bd"', 'base_url = "u"']
const parsed = { name: 'oss20bd', base_url: 'u' }

test.each([
  [null, {}],
  ['model = "gpt" # mine\n[tui]\ntheme = "x"', { model: 'gpt', tui: { theme: 'x' } }],
  ['[model_providers.oss20bd]\nname = "old"\n\n[tui]\ntheme = "x"\n', { tui: { theme: 'x' } }],
  ['[tui]\ntheme = "x"\n\n[model_providers.oss20bd]\nname = "old"\n', { tui: { theme: 'x' } }],
])('a table goes into the TOML %j', (text, rest) => {
  const edited = editTomlTable(text, table, lines)
  expect(parseToml(edited)).toEqual({ ...rest, model_providers: { oss20bd: parsed } })
  expect(editTomlTable(edited, table, lines)).toBe(edited)
})

test('no line of other tables is ever lost from TOML', () => {
  const line = fc.constantFrom('[a]', 'k = 1', '# c', '', '[model_providers.b]', '[[list]]')
  fc.assert(
    fc.property(fc.array(line), (before) => {
      const after = editTomlTable(before.join('\n'), table, lines).split('\n')
      for (const kept of before.filter((text) => text !== '')) expect(after).toContain(kept)
    }),
  )
})
