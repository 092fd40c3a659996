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

test('a name never leads out of its folder', () => {
  const names = ['x.gguf', 'X-y_1 (2).gguf', '../x', 'a/b', '.hidden', '', '-rf']
  expect(names.map(isFileName)).toEqual([true, true, false, false, false, false, false])
})

test('a path is spelled for an address', () => {
  const file = { repository: 'a/b', revision: 'main', file: 's/x y.gguf' }
  expect(hubFileUrl('http://h/hf', file)).toBe('http://h/hf/a/b/resolve/main/s/x%20y.gguf')
})
