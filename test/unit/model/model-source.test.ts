import { expect, test } from 'vitest'
import { hubFileUrl, isFileName, parseModelSource } from '../../../src/model/model-source.ts'

test.each(['gpt-oss-20b', 'GPT-OSS-20B', 'openai/gpt-oss-20b'])('%s is the known model', (text) => {
  expect(parseModelSource(text)).toMatchObject({ kind: 'catalog', model: { name: 'gpt-oss-20b' } })
})

test.each([
  ['unsloth/gpt-oss-20b-GGUF', 'unsloth/gpt-oss-20b-GGUF', 'main', null],
  ['a/b:Q4_K_M', 'a/b', 'main', 'Q4_K_M'],
  ['a/b:sub/x.gguf', 'a/b', 'main', 'sub/x.gguf'],
  ['hf:a/b', 'a/b', 'main', null],
  ['https://huggingface.co/a/b', 'a/b', 'main', null],
  ['https://huggingface.co/a/b/tree/v2', 'a/b', 'v2', null],
  ['https://huggingface.co/a/b/blob/main/x.gguf', 'a/b', 'main', 'x.gguf'],
  ['https://hf.co/a/b/resolve/main/s/x%20y.gguf?download=true', 'a/b', 'main', 's/x y.gguf'],
])('%s is a place on the hub', (text, repository, revision, file) => {
  expect(parseModelSource(text)).toEqual({ kind: 'hub', repository, revision, file })
})

test('any other address is taken as it is', () => {
  expect(parseModelSource('https://h.example/x/m.gguf?sig=1')).toEqual({
    kind: 'address',
    url: 'https://h.example/x/m.gguf?sig=1',
    fileName: 'm.gguf',
  })
})

test.each(['', 'a b', '../x', 'https://', 'https://h.example/', 'https://h.example/..%2Fx'])(
  '%j is refused',
  (text) => {
    expect(() => parseModelSource(text)).toThrow('Cannot get')
  },
)

test.each([
  'x.gguf',
  'X-y_1 (2).gguf',
  '日本語モデル（仮）・ー.gguf',
  '🦙.gguf',
  '👩‍👩‍👧 é.gguf',
  'か\u3099.gguf',
])('%j is the name of a file', (name) => {
  expect(isFileName(name)).toBe(true)
})

test.each([
  ['a way out', '../x'],
  ['a folder', 'a/b'],
  ['a folder of Windows', 'a\\b'],
  ['hidden', '.hidden'],
  ['empty', ''],
  ['an option', '-rf'],
  ['a quote', 'a"b'],
  ['a line', 'a\nb'],
  ['a line of Unicode', 'a\u2028b'],
  ['a control of the terminal', 'a\u009bb'],
  ['text that turns its direction', 'a\u202eb'],
  ['half a letter', 'a\ud83e'],
  ['longer than a file system takes, in bytes', '長'.repeat(67)],
])('a name that is %s is none', (_what, name) => {
  expect(isFileName(name)).toBe(false)
})

test('a path is spelled for an address', () => {
  const file = { repository: 'a/b', revision: 'main', file: 's/x y.gguf' }
  expect(hubFileUrl('http://h/hf', file)).toBe('http://h/hf/a/b/resolve/main/s/x%20y.gguf')
  const named = { ...file, file: '語/🦙.gguf' }
  expect(hubFileUrl('http://h', named)).toBe(
    'http://h/a/b/resolve/main/%E8%AA%9E/%F0%9F%A6%99.gguf',
  )
})
