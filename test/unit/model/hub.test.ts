import { expect, test } from 'vitest'
import { chooseFile, type HubFile, parseTree } from '../../../src/model/hub.ts'

const file = (path: string): HubFile => ({ path, sizeBytes: 2 ** 30, sha256: null })
const many = ['m-Q4_K_M.gguf', 'm-Q8_0.gguf', 'm-F16.gguf', 'mmproj-F16.gguf'].map(file)

test.each<[string, readonly HubFile[], string | null, string]>([
  ['the only one', [file('README.md'), file('x.gguf')], null, 'x.gguf'],
  ['the usual form', many, null, 'm-Q4_K_M.gguf'],
  ['the published form first', [...many, file('m-mxfp4.gguf')], null, 'm-mxfp4.gguf'],
  ['the one whose form is named', many, 'q8_0', 'm-Q8_0.gguf'],
  ['the one whose path is named', [...many, file('s/a.gguf')], 's/a.gguf', 's/a.gguf'],
  ['the one whose name is exact', [file('a.gguf'), file('a.gguf.gguf')], 'a.gguf', 'a.gguf'],
])('it takes %s', (_title, files, wanted, path) => {
  expect(chooseFile('o/r', files, wanted).path).toBe(path)
})

test('it shows what there is when it cannot choose', () => {
  const two = [file('a.gguf'), file('b.gguf')]
  expect(() => chooseFile('o/r', two, null)).toThrow('it holds 2 GGUF files')
  expect(() => chooseFile('o/r', many, 'Q2')).toThrow('fits none of its files')
  const error = (() => {
    try {
      return chooseFile('o/r', two, null)
    } catch (caught) {
      return caught
    }
  })()
  expect(error).toMatchObject({
    hint: expect.stringContaining('oss20bd pull o/r:a.gguf   1.0 GiB'),
  })
})

test('it says what a repository without GGUF holds', () => {
  expect(() => chooseFile('o/r', [file('model.safetensors')], null)).toThrow('weights for Python')
  expect(() => chooseFile('o/r', [file('README.md')], null)).toThrow('it holds no GGUF file')
})

test('it refuses a part of a split model', () => {
  expect(() => chooseFile('o/r', [file('m-00001-of-00002.gguf')], null)).toThrow(
    'one part of a split',
  )
})

test('a list is read without trust', () => {
  const oid = 'a'.repeat(64)
  const tree = [
    { type: 'file', path: 'x.gguf', size: 7, lfs: { oid, size: 7 } },
    { type: 'file', path: 'y.gguf', size: 8, lfs: { oid: 'short' } },
    { type: 'directory', path: 's' },
    null,
    { type: 'file', path: 5 },
  ]
  expect(parseTree(JSON.stringify(tree))).toEqual([
    { path: 'x.gguf', sizeBytes: 7, sha256: oid },
    { path: 'y.gguf', sizeBytes: 8, sha256: null },
  ])
  expect(() => parseTree('<html>')).toThrow('something else than a list of files')
  expect(() => parseTree('{}')).toThrow('something else than a list of files')
})
