/** What old guides and half downloads leave: each is recognised by its content. */
import { mkdir, truncate, writeFile } from 'node:fs/promises'
import { describe, expect, it, test } from 'vitest'
import { judgeFolder } from '../../../src/model/foreign-folder.ts'
import { recognise } from '../../../src/model/foreign-format.ts'
import { checkModelFile } from '../../../src/model/model-file.ts'
import { buildTestModel } from '../../../src/model/test-model.ts'
import { judgeSize } from '../../../src/model/too-large.ts'
import { tempDir } from '../../helpers/temp-dir.ts'

function u32s(...numbers: readonly number[]): Buffer {
  const bytes = Buffer.alloc(numbers.length * 4)
  for (const [index, number] of numbers.entries()) bytes.writeUInt32LE(number, index * 4)
  return bytes
}

function u64(number: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(BigInt(number))
  return bytes
}

const text = (value: string): Buffer => Buffer.from(value, 'latin1')
/** LLaMA 7B: vocabulary, width, multiple, heads, layers, rotation, type. */
const llama = (type: number): Buffer => u32s(32_000, 4096, 256, 32, 32, 128, type)

describe('recognise', () => {
  it.each<[string, Buffer, string, string]>([
    [
      '*.ggmlv3.q4_0.bin',
      Buffer.concat([text('tjgg'), u32s(3), llama(2)]),
      'the old GGJT format version 3 (32 layers, Q4_0)',
      'oss20bd pull',
    ],
    [
      'GGJT v1',
      Buffer.concat([text('tjgg'), u32s(1), llama(3)]),
      'version 1 (32 layers, Q4_1)',
      'oss20bd pull',
    ],
    [
      'GGJT v2',
      Buffer.concat([text('tjgg'), u32s(2), llama(2007)]),
      'version 2 (32 layers, Q8_0)',
      'oss20bd pull',
    ],
    [
      'ggml-model-q4_0.bin',
      Buffer.concat([text('lmgg'), llama(2)]),
      'GGML format (32 layers, Q4_0)',
      'oss20bd pull',
    ],
    [
      'GGMF',
      Buffer.concat([text('fmgg'), u32s(1), llama(2)]),
      'GGMF format version 1',
      'oss20bd pull',
    ],
    ['metal/model.bin', text('GPT-OSS v1.0\0\0\0\0'), "OpenAI's own Metal program", 'oss20bd pull'],
    [
      'safetensors',
      Buffer.concat([u64(5000), text('{"__metadata__":{}}')]),
      'a safetensors file',
      'oss20bd convert FOLDER NEW.gguf',
    ],
    [
      'pytorch_model.bin',
      text('PK\x03\x04....\0\0archive/data.pkl'),
      'PyTorch file (zip format',
      'oss20bd convert FOLDER NEW.gguf',
    ],
    [
      'old torch.save',
      Buffer.from('80028a0a6cfc9c46f9206aa85019', 'hex'),
      'PyTorch file (old format',
      'oss20bd convert FOLDER NEW.gguf',
    ],
    [
      'pickle',
      Buffer.from('80049500000000', 'hex'),
      'PyTorch file (pickle format',
      'oss20bd convert FOLDER NEW.gguf',
    ],
    [
      'model.bin of CTranslate2',
      Buffer.concat([u32s(6), text('\x17\0TransformerDecoderSpec\0')]),
      'CTranslate2',
      'oss20bd pull',
    ],
    [
      'a Git LFS pointer',
      text('version https://git-lfs.github.com/spec/v1\noid sha256:27cd\nsize 12109566624\n'),
      'Git LFS pointer, a few lines of text that stand for the file of 11.3 GiB',
      'git lfs pull',
    ],
    ['a web page', text('\n<!DOCTYPE html><html>'), 'it is a web page', 'oss20bd pull'],
    ['an XML error', text('<?xml version="1.0"?><Error>'), 'an XML answer', 'oss20bd pull'],
    ['a JSON error', text('{"error":"Repository not found"}'), 'a JSON answer', 'oss20bd pull'],
    ['a text error', text('Entry not found'), 'an error message', 'oss20bd pull'],
    [
      'config.json',
      text('{\n  "architectures": ["GptOssForCausalLM"]'),
      'a JSON text',
      'oss20bd pull',
    ],
    ['a zip', text('PK\x03\x04model.gguf'), 'a zip archive', 'Unpack it'],
    ['a gzip', text('\x1f\x8b\x08'), 'compressed with gzip', 'Unpack it'],
    ['room for a download', Buffer.alloc(512), 'begins with zeros', 'oss20bd pull'],
  ])('tells of %s', (_what, start, what, hint) => {
    const found = recognise(start)
    expect(found?.what).toContain(what)
    expect(found?.hint).toContain(hint)
  })

  it('lets a GGUF and unknown bytes pass', () => {
    expect(recognise(buildTestModel({ template: 'x' }).subarray(0, 512))).toBeNull()
    expect(recognise(Buffer.from('hello world'))).toBeNull()
    expect(recognise(Buffer.alloc(0))).toBeNull()
  })
})

test.each<[string, readonly string[], string | null, string, string]>([
  [
    'gpt-oss as safetensors',
    ['config.json', 'model-00000-of-00002.safetensors'],
    'gpt_oss',
    'safetensors of GptOss',
    'oss20bd pull',
  ],
  [
    'another model',
    ['config.json', 'model.safetensors'],
    'llama',
    'safetensors of GptOss',
    'oss20bd convert "/m" NEW.gguf',
  ],
  [
    'model.bin with config.json',
    ['config.json', 'model.bin'],
    'gpt_oss',
    'model.bin with its configuration',
    'oss20bd pull',
  ],
  [
    'PyTorch',
    ['config.json', 'pytorch_model-00001-of-00002.bin'],
    null,
    'PyTorch files',
    'oss20bd convert "/m" NEW.gguf',
  ],
  [
    'weights that the converter does not take',
    ['params.json', 'consolidated.00.pth'],
    null,
    'PyTorch files',
    'oss20bd pull OWNER/REPO-GGUF',
  ],
  ['a GGUF in it', ['README.md', 'x.gguf'], null, '1 GGUF file, the file is needed', '"/m/x.gguf"'],
  ['nothing', [], null, 'it is a folder', 'oss20bd pull'],
])('a folder with %s is told', (_title, names, modelType, what, hint) => {
  const config = modelType === null ? null : { modelType, architecture: 'GptOssForCausalLM' }
  const found = judgeFolder('/m', names, config)
  expect(found.what).toContain(what)
  expect(found.hint).toContain(hint)
})

test('a folder and its config.json are read', async () => {
  await using dir = await tempDir()
  const folder = dir.file('gpt-oss')
  await mkdir(folder)
  await writeFile(dir.file('gpt-oss', 'model.safetensors'), '')
  const config = { model_type: 'gpt_oss', architectures: ['GptOssForCausalLM'] }
  await writeFile(dir.file('gpt-oss', 'config.json'), JSON.stringify(config))
  expect(await checkModelFile(folder)).toMatchObject({
    kind: 'folder',
    message: expect.stringContaining('a folder of safetensors of GptOssForCausalLM'),
    hint: expect.stringContaining('oss20bd pull'),
  })
})

test('a download that is not finished is told by whose it is and how much is there', async () => {
  await using dir = await tempDir()
  const file = dir.file('model.gguf.crdownload')
  const whole = buildTestModel({ template: 'x' })
  await writeFile(file, whole)
  await truncate(file, whole.length - 200_000)
  expect(await checkModelFile(file)).toMatchObject({
    kind: 'cut-short',
    message: expect.stringMatching(/a download of Chrome that is not finished: .* of .* are there/),
  })
})

const tensors = (type: number, sizeBytes: number) => [
  { name: 'a', type, shape: [], offsetBytes: 0, sizeBytes },
]

test.each<[string, string, number, string, string]>([
  ['a 16-bit gpt-oss', 'gpt-oss', 30, 'it is a 16-bit GGUF, not quantized', 'oss20bd pull'],
  [
    'another 16-bit GGUF',
    'llama',
    1,
    'it is a 16-bit GGUF, not quantized',
    'oss20bd quantize "/m.gguf" NEW.gguf q4',
  ],
  ['a large quantized model', 'llama', 12, 'its weights take 39.1 GiB', 'Q4_K_M'],
])('%s that cannot fit is told', (_title, architecture, type, what, hint) => {
  const header = { architecture, tensors: tensors(type, 42e9) }
  const found = judgeSize('/m.gguf', header, 28 * 2 ** 30)
  expect(found?.message).toContain(what)
  expect(found?.hint).toContain(hint)
  expect(judgeSize('/m.gguf', header, 48 * 2 ** 30)).toBeNull()
})
