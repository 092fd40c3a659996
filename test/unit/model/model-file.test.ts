import { execFileSync } from 'node:child_process'
import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type GgufTensor, type GgufValue, writeGguf } from '../../../src/model/gguf-writer.ts'
import { checkModelFile } from '../../../src/model/model-file.ts'
import { buildTestModel } from '../../../src/model/test-model.ts'

let folder = ''
let path = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'oss20bd-'))
  path = join(folder, 'model.gguf')
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const whole = buildTestModel({ template: 'x' })

async function check(content: string | Buffer) {
  await writeFile(path, content)
  return checkModelFile(path)
}

function header(...numbers: readonly number[]): Buffer {
  const bytes = Buffer.alloc(8 + numbers.length * 8)
  bytes.write('GGUF')
  bytes.writeUInt32LE(3, 4)
  for (const [index, number] of numbers.entries()) {
    bytes.writeBigUInt64LE(BigInt(number), 8 + index * 8)
  }
  return bytes
}

describe('checkModelFile', () => {
  it.each([
    ['GGUF version 1', Buffer.from('GGUF\x01\0\0\0'), 'legacy', 'it is GGUF version 1'],
    ['a newer GGUF', Buffer.from('GGUF\x09\0\0\0'), 'not-gguf', 'it is GGUF version 9'],
    ['a big-endian GGUF', Buffer.from('GGUF\0\0\0\x03'), 'not-gguf', 'it is a big-endian GGUF'],
    ['the GGJT format', 'tjgg....', 'legacy', 'it has the old GGJT format'],
    ['the GGML format', 'lmgg....', 'legacy', 'it has the old GGML format'],
    ['the GGMF format', 'fmgg....', 'legacy', 'it has the old GGMF format'],
    ['the GGLA format', 'algg....', 'legacy', 'it has the old GGLA format'],
    ['a web page', '<!doctype html>', 'not-gguf', 'it is a web page'],
    ['bytes', Buffer.from([0, 7, 255, 65, 66]), 'not-gguf', 'it begins with "???A"'],
    ['a Git LFS pointer', 'version https://git-lfs', 'not-gguf', 'it is a Git LFS pointer'],
    ['an empty file', '', 'empty', 'it is empty'],
    ['two bytes of GGUF', 'GG', 'cut-short', 'it is cut short'],
    ['a magic without more', 'GGUF', 'cut-short', 'it is cut short'],
    ['a version without more', header(), 'cut-short', 'it is cut short'],
    ['a file of zeros behind its version', header(0, 0, 0), 'not-gguf', 'it names no architecture'],
    ['endless values', header(0, 1e15), 'cut-short', 'it is cut short'],
    ['a key longer than the file', header(0, 1, 1e15), 'cut-short', 'it is cut short'],
  ])('tells of %s', async (_what, content, kind, words) => {
    expect(await check(content)).toEqual({
      kind,
      message: expect.stringContaining(`Cannot use the model ${path}: ${words}`),
      hint: expect.stringMatching(/\w/),
    })
  })

  it('tells of a missing file, a folder and a path through a file', async () => {
    expect(await checkModelFile(join(folder, 'none'))).toMatchObject({ kind: 'missing' })
    expect(await checkModelFile(folder)).toMatchObject({ kind: 'folder' })
    await check(whole)
    expect(await checkModelFile(join(path, 'x'))).toMatchObject({ kind: 'missing' })
  })

  it('does not wait on a pipe', async () => {
    const pipe = join(folder, 'pipe')
    execFileSync('mkfifo', [pipe])
    expect(await checkModelFile(pipe)).toMatchObject({ kind: 'unreadable' })
  })

  it('calls a file cut short wherever the cut is', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: whole.length - 1 }), async (length) => {
        expect(await check(whole.subarray(0, length))).toMatchObject({ kind: 'cut-short' })
      }),
      { numRuns: 60, examples: [[3], [4], [7], [8], [23], [24], [whole.length - 1]] },
    )
  })

  it('always ends with a verdict, whatever bytes are damaged', async () => {
    const damage = fc.record({
      at: fc.integer({ min: 0, max: 12_000 }),
      bytes: fc.uint8Array({ minLength: 1, maxLength: 12 }),
    })
    await fc.assert(
      fc.asyncProperty(damage, async ({ at, bytes }) => {
        const damaged = Buffer.from(whole)
        damaged.set(bytes, at)
        expect((await check(damaged)).kind).toMatch(/^(ok|not-gguf|legacy|cut-short)$/)
      }),
      { numRuns: 100 },
    )
  })

  it('gives up on a header without an end instead of reading 12 GB of it', async () => {
    // One array of 2^50 empty strings: every length is 0, the file is sparse.
    const start = header(0, 1, 1)
    const array = Buffer.alloc(17)
    array.write('k')
    array.writeUInt32LE(9, 1)
    array.writeUInt32LE(8, 5)
    array.writeBigUInt64LE(2n ** 50n, 9)
    await writeFile(path, Buffer.concat([start, array]))
    await truncate(path, 12e9)
    expect(await checkModelFile(path)).toMatchObject({ kind: 'not-gguf' })
  })

  it('finds tensors at the alignment that the file names', async () => {
    const metadata = new Map<string, GgufValue>([
      ['general.alignment', { kind: 'u32', value: 4096 }],
      ['general.architecture', { kind: 'string', value: 'other' }],
    ])
    const tensor: GgufTensor = { name: 't', shape: [8], type: 'F32', data: Buffer.alloc(32) }
    const bytes = writeGguf(metadata, [tensor])
    const aligned = Buffer.concat([bytes, Buffer.alloc(4096 + 32 - bytes.length)])
    expect(await check(aligned)).toMatchObject({ kind: 'ok', name: null, testModel: false })
    expect(await check(aligned.subarray(0, -1))).toMatchObject({ kind: 'cut-short' })
  })
})
