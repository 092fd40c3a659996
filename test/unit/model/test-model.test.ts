import { createHash } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { checkModelFile } from '../../../src/model/model-file.ts'
import { buildTestModel, TEST_MODEL_NAME, writeTestModel } from '../../../src/model/test-model.ts'
import {
  TEST_MODEL_ANSWER,
  TEST_MODEL_REASONING,
  testVocabulary,
} from '../../../src/model/test-vocabulary.ts'

// As long as upstream's, which is not in this repository.
const TEMPLATE = '{{ "<|channel|>" }}'.padEnd(16_000, ' ')

describe('buildTestModel', () => {
  it('gives the same bytes everywhere for the same template', () => {
    const hash = createHash('sha256')
      .update(buildTestModel({ template: TEMPLATE }))
      .digest('hex')
    expect(hash).toBe('4fe93ebc0e0f38916482e5e0c6532c557c4da161879e1bd34428a63d7092a9ab')
  })

  it('stays under 2 MB', () => {
    expect(buildTestModel({ template: TEMPLATE }).length).toBeLessThan(2e6)
  })

  it('differs for each variant', () => {
    const variants = [null, 'counts-in-answer', 'counts-in-reasoning', 'malformed-harmony'] as const
    const hashes = variants.map((variant) =>
      buildTestModel(variant === null ? { template: '' } : { template: '', variant }).toString(
        'latin1',
      ),
    )
    expect(new Set(hashes).size).toBe(4)
  })
})

describe('testVocabulary', () => {
  it('has each token once, as the engine demands, in whole blocks of 32', () => {
    const { tokens, types, successors } = testVocabulary(null)
    expect(new Set(tokens).size).toBe(tokens.length)
    expect(tokens.length % 32).toBe(0)
    expect([types.length, successors.length]).toEqual([tokens.length, tokens.length])
  })

  it('spells every byte as GPT-2 does', () => {
    const { tokens } = testVocabulary(null)
    expect([
      tokens[0],
      tokens[0x0a],
      tokens[0x20],
      tokens[0x41],
      tokens[0xad],
      tokens[0xff],
    ]).toEqual(['\u0100', '\u010a', '\u0120', 'A', '\u0143', 'ÿ'])
  })

  it('walks from the end of the prompt over the reasoning to the answer and stops', () => {
    const { tokens, idOf, successors } = testVocabulary(null)
    let said = ''
    for (let id = idOf('<|start|>assistant'); tokens[id] !== '<|return|>'; id = successors[id]!) {
      said += tokens[id]
    }
    expect(said).toBe(
      `<|start|>assistant<|channel|>analysis<|message|>${TEST_MODEL_REASONING}<|end|><|start|>assistant<|channel|>final<|message|>${TEST_MODEL_ANSWER}`,
    )
  })

  it('names itself and not the real model in its answer', () => {
    expect(TEST_MODEL_ANSWER).toContain('test model of oss20bd, not the real gpt-oss-20b')
  })
})

describe('writeTestModel', () => {
  let folder = ''
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'oss20bd-'))
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))

  it('makes the folder, leaves only the finished file and is recognised by content', async () => {
    const path = join(folder, 'new', 'any-name.gguf')
    await writeTestModel(path, { template: TEMPLATE })
    expect(await readdir(join(folder, 'new'))).toEqual(['any-name.gguf'])
    expect((await readFile(path)).equals(buildTestModel({ template: TEMPLATE }))).toBe(true)
    expect(await checkModelFile(path)).toEqual({
      kind: 'ok',
      sizeBytes: (await stat(path)).size,
      name: TEST_MODEL_NAME,
      architecture: 'gpt-oss',
      testModel: true,
    })
  })

  it('pads to a given size without filling the disk', async () => {
    const path = join(folder, 'padded.gguf')
    await writeTestModel(path, { template: TEMPLATE, paddedBytes: 12 * 2 ** 30 })
    const { size, blocks } = await stat(path)
    expect(size).toBe(12 * 2 ** 30)
    expect(blocks * 512).toBeLessThan(4e6)
    expect(await checkModelFile(path)).toMatchObject({ kind: 'ok', testModel: true })
  })

  it('keeps what was there and cleans up when it cannot write', async () => {
    const path = join(folder, 'taken')
    await writeFile(path, 'a file, not a folder')
    await expect(writeTestModel(join(path, 'x.gguf'), { template: '' })).rejects.toMatchObject({
      code: 'state-folder',
      message: expect.stringMatching(/^Cannot write the test model: /),
    })
    expect(await readFile(path, 'utf8')).toBe('a file, not a folder')
  })
})
