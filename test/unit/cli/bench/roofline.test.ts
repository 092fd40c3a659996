import { expect, test } from 'vitest'
import {
  chipMemory,
  publishedPrompt,
  publishedSpeeds,
  whyNoMemory,
} from '../../../../src/cli/bench/chips.ts'
import { bytesPerToken, roofline } from '../../../../src/cli/bench/roofline.ts'
import { expectations, usualSpeed } from '../../../../src/cli/bench/verdict.ts'
import { depth, sampleFigures } from './sample-figures.ts'

const mxfp4 = (elements: number): number => (elements / 32) * 17
const q8 = (elements: number): number => (elements / 32) * 34
const width = 2880
const vocabulary = 201_088

/** The tensors of gpt-oss-20b that weigh something. */
const layers = Array.from({ length: 24 }, (_, layer) => [
  ...['gate', 'up', 'down'].map((part) =>
    tensor(`blk.${layer}.ffn_${part}_exps.weight`, mxfp4(32 * width * width)),
  ),
  ...['gate', 'up', 'down'].map((part) =>
    tensor(`blk.${layer}.ffn_${part}_exps.bias`, 4 * 32 * width),
  ),
  tensor(`blk.${layer}.attn_q.weight`, q8(width * 4096)),
  tensor(`blk.${layer}.attn_k.weight`, q8(width * 512)),
  tensor(`blk.${layer}.attn_v.weight`, q8(width * 512)),
  tensor(`blk.${layer}.attn_output.weight`, q8(width * 4096)),
]).flat()

const shape = {
  tensors: [
    ...layers,
    tensor('token_embd.weight', q8(width * vocabulary)),
    tensor('output.weight', q8(width * vocabulary)),
  ],
  windowed: Array.from({ length: 24 }, (_, layer) => layer % 2 === 0),
  window: 128,
  expertsUsed: 4,
  vocabulary,
}

function tensor(name: string, sizeBytes: number) {
  return { name, offsetBytes: 0, sizeBytes }
}

const at = (tokens: number) => bytesPerToken(shape, 32, 2048, tokens)

test('one token of gpt-oss-20b reads an eighth of the experts, attention and output, and of the token table one row', () => {
  const { expertBytes, sharedBytes, totalBytes } = at(0)
  // 403 MiB of experts per layer, of which 4 of 32 take part.
  expect(expertBytes / 2 ** 20).toBeCloseTo((24 * 403) / 8, -1)
  expect(sharedBytes / 2 ** 20).toBeCloseTo(587 + 24 * 26.9, -2)
  expect(totalBytes / 1e9).toBeCloseTo(2.57, 1)
})

test('the cache grows by 24 KiB per token, and in the layers with a window not beyond it', () => {
  expect(at(128).cacheBytes).toBe(128 * 24 * 2048)
  expect(at(1128).cacheBytes - at(128).cacheBytes).toBe(1000 * 24 * 1024)
})

test.each([
  ['Apple M4', 10, 120],
  ['Apple M4 Max', 14, 410],
  ['Apple M4 Max', 16, 546],
  ['Apple M1 Pro', 10, 200],
  ['Apple M3 Ultra', 28, 819],
  ['Apple M5', 10, 153],
  ['Apple M5 Pro', 15, 307],
])('%s with %i cores reads %i GB/s', (chip, cores, gbPerSecond) => {
  expect(chipMemory(chip, cores)?.bytesPerSecond).toBe(gbPerSecond * 1e9)
})

test.each([
  ['Apple M4 Max', null],
  ['Apple M9 Max', 16],
  ['AMD EPYC', 8],
  ['M4', 10],
  [null, 8],
])('the memory of %j with %j cores is not known', (chip, cores) => {
  expect(chipMemory(chip, cores)).toBeNull()
})

test.each([
  ['Apple M5 Max', 18, '460 and with 614 GB/s'],
  ['Apple M9 Max', 16, 'the memory bandwidth of Apple M9 Max is not known'],
  [null, 8, 'the chip of this machine is not known'],
])('why the memory of %j is not known is said', (chip, cores, reason) => {
  expect(chipMemory(chip, cores)).toBeNull()
  expect(whyNoMemory(chip)).toContain(reason)
})

test('no published speed exceeds the roofline of its chip', () => {
  for (const [chip, cores] of [
    ['Apple M1 Pro', 10],
    ['Apple M1 Max', 10],
    ['Apple M4 Max', 14],
    ['Apple M2 Ultra', 24],
    ['Apple M3 Ultra', 28],
  ] as const) {
    const limit = roofline(chipMemory(chip, cores)?.bytesPerSecond ?? 0, at(0))
    expect(publishedSpeeds(chip)?.generatedPerSecond).toBeLessThan(limit)
  }
})

test('a published speed stands for prompts of nearly its length', () => {
  const published = publishedSpeeds('Apple M1 Pro')
  expect(published && publishedPrompt(published, 2060)).toBe(516)
  expect(published && publishedPrompt(published, 2400)).toBeNull()
  expect(published && publishedPrompt(published, 32_768)).toBeNull()
})

const known = {
  memory: chipMemory('Apple M4 Max', 14),
  published: publishedSpeeds('Apple M4 Max'),
  bytesAt: at,
}

test('each length is held against the roofline and what was published', () => {
  const { depths, unknown, published } = expectations(sampleFigures(), known)
  expect(unknown).toBeNull()
  expect(published).toMatchObject({ machine: 'M4 Max, 36 GB', generatedPerSecond: 92.4 })
  expect(depths[0]).toMatchObject({ publishedPromptPerSecond: 1277 })
  expect(depths[0]?.rooflinePerSecond).toBeCloseTo(155, -1)
  expect(depths[0]?.rooflineShare).toBeCloseTo(0.58, 1)
})

test('what is not known is null, and why is said', () => {
  const figures = sampleFigures({
    machine: { chip: 'AMD EPYC', cores: 8, memoryBytes: 2 ** 34 },
    depths: [depth(2048, { generatedPerSecond: null })],
  })
  expect(expectations(figures, { ...known, memory: null, published: null })).toMatchObject({
    unknown: 'the memory bandwidth of AMD EPYC is not known',
    published: null,
    depths: [{ rooflinePerSecond: null, rooflineShare: null, publishedPromptPerSecond: null }],
  })
  expect(expectations(figures, { ...known, bytesAt: null }).unknown).toContain('this model')
})

test('the test model is not held against what others measured of the real one', () => {
  const figures = sampleFigures({ model: { name: 'x', sizeBytes: 1, testModel: true } })
  expect(expectations(figures, known)).toMatchObject({
    published: null,
    depths: [{ publishedPromptPerSecond: null }, { publishedPromptPerSecond: null }],
  })
})

test('what is usual is what was published for the chip, else half of its roofline, and less behind a long prompt', () => {
  expect(usualSpeed(known, 0)).toEqual({
    perSecond: 92.4,
    source: 'published for M4 Max, 36 GB',
  })
  expect(usualSpeed({ ...known, published: null }, 0)?.perSecond).toBeCloseTo(78, -1)
  const long = usualSpeed(known, 32_768)?.perSecond ?? 0
  expect(long).toBeLessThan(92.4)
  expect(long).toBeGreaterThan(92.4 / 2)
})

test('what is published of the speed of a Mac lies within what is taken for usual', () => {
  for (const [chip, cores] of [
    ['Apple M1 Pro', 10],
    ['Apple M1 Max', 10],
    ['Apple M4 Max', 14],
    ['Apple M2 Ultra', 24],
    ['Apple M3 Ultra', 28],
  ] as const) {
    const usual = usualSpeed({ memory: chipMemory(chip, cores), published: null, bytesAt: at }, 0)
    const share = (publishedSpeeds(chip)?.generatedPerSecond ?? 0) / (usual?.perSecond ?? 0)
    // Below a half it would be called slow.
    expect(share).toBeGreaterThan(0.6)
    expect(share).toBeLessThan(1.4)
  }
})

test('nothing is usual of a chip or a model that is not known', () => {
  expect(usualSpeed({ ...known, memory: null, published: null }, 0)).toBeNull()
  expect(usualSpeed({ ...known, bytesAt: null }, 0)).toBeNull()
})
