import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type GgufValue, writeGguf } from '../../../src/model/gguf-writer.ts'
import { readModelHeader } from '../../../src/model/model-file.ts'
import { buildTestModel } from '../../../src/model/test-model.ts'
import { GPT_OSS_20B, hollowHeader, writeHollowModel } from '../../helpers/hollow-model.ts'

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'oss20bd-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function headerOf(path: string) {
  const read = await readModelHeader(path)
  if (read.kind !== 'ok') throw new Error(read.message)
  return read.header
}

describe('readModelHeader', () => {
  it('keeps numbers, the lengths of lists, and name, shape, place and size of every tensor', async () => {
    const path = join(folder, 'test-model.gguf')
    await writeFile(path, buildTestModel({ template: 'x' }))
    const { architecture, numbers, lengths, tensors } = await headerOf(path)
    expect(architecture).toBe('gpt-oss')
    expect(numbers.get('gpt-oss.attention.sliding_window')).toBe(128)
    expect(numbers.get('gpt-oss.rope.scaling.factor')).toBe(32)
    expect(lengths.get('tokenizer.ggml.tokens')).toBe(320)
    expect(lengths.get('tokenizer.ggml.merges')).toBe(1)
    expect(tensors).toHaveLength(3 + 2 * 19)
    expect(tensors[0]).toEqual({
      name: 'token_embd.weight',
      type: 8,
      shape: [320, 320],
      offsetBytes: 0,
      sizeBytes: (320 * 320 * 34) / 32,
    })
    expect(tensors[1]?.offsetBytes).toBe(tensors[0]?.sizeBytes)
  })

  it('keeps short lists of numbers, and of long ones the length alone', async () => {
    const path = join(folder, 'lists.gguf')
    const metadata = new Map<string, GgufValue>([
      ['general.architecture', { kind: 'string', value: 'x' }],
      ['x.short', { kind: 'i32s', value: [1, -2] }],
      ['x.long', { kind: 'i32s', value: Array.from({ length: 2000 }, () => 1) }],
    ])
    await writeFile(path, writeGguf(metadata, []))
    const { numbers, lengths } = await headerOf(path)
    expect(numbers).toEqual(new Map([['x.short', [1, -2]]]))
    expect(lengths).toEqual(
      new Map([
        ['x.short', 2],
        ['x.long', 2000],
      ]),
    )
  })

  it('reads the 13 MB before 12 GB of tensors with less than 100 ms of work', async () => {
    const path = join(folder, 'real.gguf')
    await writeHollowModel(path, GPT_OSS_20B, 'x')
    await headerOf(path)
    // CPU time, not time: other tests run beside this one.
    const before = process.cpuUsage()
    const header = await headerOf(path)
    const { user, system } = process.cpuUsage(before)
    expect((user + system) / 1000).toBeLessThan(100)
    expect(
      header.tensors.map(({ name, offsetBytes, sizeBytes }) => ({ name, offsetBytes, sizeBytes })),
    ).toEqual(hollowHeader(GPT_OSS_20B).tensors)
  })
})
