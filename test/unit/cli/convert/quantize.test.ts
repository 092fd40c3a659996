/** What `quantize` decides and what it reads of llama-quantize. */
import { writeFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { partsOf, readGgufSource } from '../../../../src/cli/convert/gguf-source.ts'
import { judgeQuantize, quantizeNeed, typeFor } from '../../../../src/cli/convert/quantize-plan.ts'
import { type DryRun, parseDryRun, parseStep } from '../../../../src/cli/convert/quantize-tool.ts'
import { chooseType, parseTypes } from '../../../../src/cli/convert/weight-type.ts'
import { type GgufValue, writeGguf } from '../../../../src/model/gguf-writer.ts'
import { tempDir } from '../../../helpers/temp-dir.ts'

/** From `llama-quantize --help` of llama.cpp 0.5.0. */
const HELP = `
 allowed quantization types
-----------------------------------------------------------------------------

  40  or  Q1_0    :  1.125 bpw quantization
   2  or  Q4_0    :  4.34G, +0.4685 ppl @ Llama-3-8B
  38  or  MXFP4_MOE :  MXFP4 MoE
  19  or  IQ2_XXS :  2.06 bpw quantization
  12  or  Q3_K    : alias for Q3_K_M
  12  or  Q3_K_M  :  3.74G, +0.6569 ppl @ Llama-3-8B
  15  or  Q4_K_M  :  4.58G, +0.1754 ppl @ Llama-3-8B
   7  or  Q8_0    :  7.96G, +0.0026 ppl @ Llama-3-8B
   1  or  F16     : 14.00G, +0.0020 ppl @ Mistral-7B
          COPY    : only copy tensors, no quantizing
`
const TYPES = ['Q1_0', 'Q4_0', 'MXFP4_MOE', 'IQ2_XXS', 'Q3_K', 'Q3_K_M', 'Q4_K_M', 'Q8_0', 'F16']

describe('the type', () => {
  it('is one of those that the tool lists', () => {
    expect(parseTypes(HELP)).toEqual(TYPES)
  })

  it.each([
    ['q4', 'Q4_K_M'],
    ['4-bit', 'Q4_K_M'],
    ['4bit', 'Q4_K_M'],
    ['int4', 'Q4_K_M'],
    ['q8', 'Q8_0'],
    ['8bit', 'Q8_0'],
    ['q8_0', 'Q8_0'],
    ['mxfp4', 'MXFP4_MOE'],
    [' Q3_k_m ', 'Q3_K_M'],
    ['f16', 'F16'],
  ])('%s is %s', (written, name) => {
    expect(chooseType(written, TYPES)).toBe(name)
  })

  it.each([
    ['Q4_K_N', 'Did you mean Q4_K_M?'],
    ['Q8_O', 'Did you mean Q8_0?'],
    ['tiny', 'q4 and q8 are the usual ones; all: Q1_0,'],
    // The spoken name is known, but this tool has no such type.
    ['q6', 'q4 and q8 are the usual ones'],
  ])('%s is refused with a hint', (written, hint) => {
    expect(() => chooseType(written, TYPES)).toThrowError(
      expect.objectContaining({ code: 'usage', hint: expect.stringContaining(hint) }),
    )
  })
})

const DRY = `
[   1/  41] output.weight                        - [   320,    320,      1,      1], type =   q8_0, size =     0.10 MiB ->     0.08 MiB (q6_K)
[   2/  41] output_norm.weight                   - [   320,      1,      1,      1], type =    f32, size =    0.001 MiB
[  14/  41] blk.0.ffn_down_exps.bias             - [    64,      4,      1,      1], type =    f32, size =     0.01 MiB ->     0.01 MiB (f16)
[  15/  41] blk.0.ffn_down_exps.weight           - [    64,    320,      4,      1], type =  mxfp4, size =     0.04 MiB ->     0.05 MiB (q5_0)
llama_model_quantize_impl: model size  =     0.91 MiB (6.82 BPW)
llama_model_quantize_impl: quant size  =     0.81 MiB (6.12 BPW)
`.split('\n')

describe('what llama-quantize prints', () => {
  it('tells of a dry run what is rounded twice and how large it gets', () => {
    expect(parseDryRun(DRY)).toEqual({
      tensorBytes: Math.ceil(0.82 * 2 ** 20),
      requantized: ['q8_0', 'mxfp4'],
      needsImportance: false,
    })
  })

  it('tells when it needs to know which weights matter', () => {
    const line =
      'llama_model_quantize_impl: WARNING: dry run completed successfully, but actually completing this quantization will require an imatrix!'
    expect(parseDryRun([line])).toEqual({
      tensorBytes: null,
      requantized: [],
      needsImportance: true,
    })
  })

  it('tells how far it is', () => {
    expect(parseStep('[  15/  41] blk.0.x.weight  - [ 64, 320, 4, 1], type = f16, size')).toEqual({
      fraction: 15 / 41,
      tensor: 'blk.0.x.weight',
    })
    expect(parseStep('llama_model_loader: - type  f32:   25 tensors')).toBeNull()
  })
})

const BF16 = 30
const Q8_0 = 8
const MXFP4 = 39

function source(architecture: string, ...types: readonly number[]) {
  const tensors = types.map((type) => ({
    name: 'w',
    type,
    shape: [1000, 1000],
    offsetBytes: 0,
    sizeBytes: 1_000_000,
  }))
  return { file: '/m.gguf', architecture, tensors, sizeBytes: types.length * 1_000_000 + 5000 }
}

const nothingFound: DryRun = { tensorBytes: 500_000, requantized: [], needsImportance: false }

describe('gpt-oss with its 4-bit experts', () => {
  const sixteenBit = source('gpt-oss', MXFP4, BF16)
  const published = source('gpt-oss', MXFP4, Q8_0)

  it.each(['Q4_K_M', 'Q8_0'])('%s means the form it was published in', (type) => {
    expect(typeFor(sixteenBit, type, false)).toBe('MXFP4_MOE')
    expect(typeFor(sixteenBit, type, true)).toBe(type)
    expect(typeFor(source('llama', BF16), type, false)).toBe(type)
  })

  it('gets its other tensors in 8 bits', () => {
    expect(() => judgeQuantize(sixteenBit, 'MXFP4_MOE', nothingFound, false)).not.toThrow()
  })

  it('is not quantized further, and it is said what would come of it', () => {
    const found = { ...nothingFound, tensorBytes: 2_400_000, requantized: ['mxfp4', 'q8_0'] }
    expect(() => judgeQuantize(published, 'Q5_K_M', found, false)).toThrowError(
      /have 4 bits since they were trained .*: Q5_K_M would make it 120 % of its size/,
    )
    expect(() => judgeQuantize(published, 'MXFP4_MOE', nothingFound, false)).toThrowError(
      /hardly anything smaller$/,
    )
    expect(() => judgeQuantize(published, 'Q5_K_M', found, true)).not.toThrow()
  })
})

describe('another model', () => {
  it('is not rounded twice unless that is wanted', () => {
    const quantized = source('llama', Q8_0)
    const found = { ...nothingFound, requantized: ['q8_0'] }
    expect(() => judgeQuantize(quantized, 'Q4_K_M', found, false)).toThrowError(
      expect.objectContaining({
        message: expect.stringContaining('it is quantized already (Q8_0)'),
        hint: expect.stringContaining('--requantize'),
      }),
    )
    expect(() => judgeQuantize(quantized, 'Q4_K_M', found, true)).not.toThrow()
    expect(() => judgeQuantize(source('llama', BF16), 'Q4_K_M', nothingFound, false)).not.toThrow()
  })

  it('is not made nonsense', () => {
    const found = { ...nothingFound, needsImportance: true }
    expect(() => judgeQuantize(source('llama', BF16), 'IQ2_XXS', found, false)).toThrowError(
      /without it the model talks nonsense/,
    )
  })

  it('takes the disk that the tool says, and the header', () => {
    const tool = { file: 'q', types: [], bounded: true }
    expect(quantizeNeed(source('llama', BF16), nothingFound, tool)).toEqual({
      diskBytes: 505_000,
      memoryBytes: 256 * 2 ** 20 + 1_000_000 + 6_000_000,
    })
  })
})

describe('the file that is quantized', () => {
  const gguf = (values: readonly (readonly [string, GgufValue])[]): Buffer =>
    writeGguf(new Map([['general.architecture', { kind: 'string', value: 'llama' }], ...values]), [
      { name: 'w', shape: [32], type: 'F32', data: Buffer.alloc(128) },
    ])

  it('stands for all of its parts', () => {
    expect(partsOf('/a/m-00002-of-00003.gguf')).toEqual([
      '/a/m-00001-of-00003.gguf',
      '/a/m-00002-of-00003.gguf',
      '/a/m-00003-of-00003.gguf',
    ])
    expect(partsOf('/a/m.gguf')).toEqual(['/a/m.gguf'])
    expect(partsOf('/a/m-00000-of-00000.gguf')).toEqual(['/a/m-00000-of-00000.gguf'])
  })

  it('is read from all parts, and a missing one is named', async () => {
    await using dir = await tempDir()
    await writeFile(dir.file('m-00001-of-00002.gguf'), gguf([]))
    const named = dir.file('m-00001-of-00002.gguf')
    await expect(readGgufSource(named)).rejects.toThrowError(
      /it is one of 2 parts, and .*m-00002-of-00002\.gguf is not there/,
    )
    await writeFile(dir.file('m-00002-of-00002.gguf'), gguf([]))
    expect(await readGgufSource(dir.file('m-00002-of-00002.gguf'))).toMatchObject({
      file: named,
      architecture: 'llama',
      tensors: [{ name: 'w' }, { name: 'w' }],
    })
  })

  it.each([
    ['adapter', 'it is a LoRA adapter, changes to a model and no model'],
    ['mmproj', 'it is not a language model but a part beside one (mmproj)'],
  ])('is refused when it is of the kind %s', async (kind, what) => {
    await using dir = await tempDir()
    await writeFile(dir.file('m.gguf'), gguf([['general.type', { kind: 'string', value: kind }]]))
    await expect(readGgufSource(dir.file('m.gguf'))).rejects.toMatchObject({
      code: 'model-unusable',
      message: expect.stringContaining(what),
    })
  })
})
