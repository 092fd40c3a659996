/** What `convert` decides, and what it reads of Python, pip and the converter. */
import { describe, expect, it, test } from 'vitest'
import {
  convertNeed,
  planConversion,
  SIXTEEN_BIT,
} from '../../../../src/cli/convert/convert-plan.ts'
import { parseArchitectures } from '../../../../src/cli/convert/converter-source.ts'
import { choosePython, type PythonFound } from '../../../../src/cli/convert/python.ts'
import { pipNote } from '../../../../src/cli/convert/python-environment.ts'
import { assertRoom, needText, type Room } from '../../../../src/cli/convert/room.ts'
import { parseConverterLine, reasonOf } from '../../../../src/cli/convert/run-converter.ts'

const GIB = 2 ** 30

describe('the plan', () => {
  const llama = { path: '/m', isMxfp4: false }
  const gptOss = { path: '/g', isMxfp4: true }

  it.each([
    ['Q8_0', 'q8_0', null],
    ['F16', 'f16', null],
    ['F32', 'f32', null],
    [SIXTEEN_BIT, 'auto', null],
    ['Q4_K_M', 'auto', 'Q4_K_M'],
    ['IQ4_XS', 'auto', 'IQ4_XS'],
  ])('%s: the converter writes %s, llama-quantize makes %s', (type, outtype, quantizeTo) => {
    expect(planConversion(llama, type)).toEqual({ type, outtype, quantizeTo, remark: null })
  })

  it.each(['Q8_0', 'Q4_K_M', 'MXFP4_MOE'])('gpt-oss as %s is the published form', (type) => {
    expect(planConversion(gptOss, type)).toMatchObject({
      type: 'MXFP4_MOE',
      outtype: 'q8_0',
      quantizeTo: null,
      remark: expect.stringContaining('q4 and q8 give the same file'),
    })
  })

  it('leaves the experts of gpt-oss alone in 16 bits, and refuses what would round them again', () => {
    expect(planConversion(gptOss, SIXTEEN_BIT)).toMatchObject({
      outtype: 'auto',
      quantizeTo: null,
      remark: expect.stringContaining('stay in their 4 bits'),
    })
    expect(() => planConversion(gptOss, 'Q5_K_M')).toThrowError(
      expect.objectContaining({ code: 'usage', hint: 'Leave --type out' }),
    )
  })

  it('counts the 16-bit form beside the quantized one', () => {
    const tensors = [{ name: 'w', shape: [1000, 1000], bytes: 2_000_000 }]
    const one = convertNeed({ tensors }, planConversion(llama, 'Q8_0'))
    const two = convertNeed({ tensors }, planConversion(llama, 'Q4_K_M'))
    expect(one.diskBytes).toBe(2 ** 24 + 1_062_500)
    expect(two.diskBytes).toBeGreaterThan(2 ** 24 + 2_000_000)
  })
})

describe('room', () => {
  const room: Room = {
    folder: '/disk',
    freeDiskBytes: 10 * GIB,
    availableMemoryBytes: 4 * GIB,
    modelIsLoaded: true,
  }

  it('is said', () => {
    expect(needText({ diskBytes: 5 * GIB, memoryBytes: GIB }, room)).toBe(
      'Takes up to 5.0 GiB of disk (10.0 GiB free) and 1.0 GiB of memory (4.0 GiB available)',
    )
    const unknown = { ...room, freeDiskBytes: null, availableMemoryBytes: null }
    expect(needText({ diskBytes: 5 * GIB, memoryBytes: GIB }, unknown)).toBe(
      'Takes up to 5.0 GiB of disk (an unknown amount free) and 1.0 GiB of memory (an unknown amount available)',
    )
    expect(() => assertRoom('x', { diskBytes: 1e15, memoryBytes: 1e15 }, unknown)).not.toThrow()
  })

  it.each([
    [9.8, 1, 'disk-full', '10.0 GiB free on the disk of /disk, 10.3 GiB needed', 'another disk'],
    [1, 5, 'model-unusable', '4.0 GiB of memory available, 5.0 GiB needed', 'oss20bd unload'],
  ])('of %d and %d GiB is refused with %s', (disk, memory, code, what, hint) => {
    const need = { diskBytes: disk * GIB, memoryBytes: memory * GIB }
    expect(() => assertRoom('convert /m', need, room)).toThrowError(
      expect.objectContaining({
        code,
        message: expect.stringContaining(`Cannot convert /m: ${what}`),
        hint: expect.stringContaining(hint),
      }),
    )
  })

  it('is not asked of a daemon that has nothing loaded', () => {
    const need = { diskBytes: GIB, memoryBytes: 5 * GIB }
    expect(() => assertRoom('x', need, { ...room, modelIsLoaded: false })).toThrowError(
      expect.objectContaining({ hint: expect.stringContaining('Close other apps') }),
    )
  })
})

describe('Python', () => {
  const python = (minor: number, hasVenv = true): PythonFound => ({
    file: `/bin/python3.${minor}`,
    major: 3,
    minor,
    hasVenv,
  })

  it('is the first that fits', () => {
    const found = [python(14), python(11, false), python(12), python(10)]
    expect(choosePython(found, 'linux')).toEqual({ file: '/bin/python3.12', minor: '3.12' })
  })

  test.each<[string, readonly PythonFound[], NodeJS.Platform, string, string]>([
    ['none', [], 'darwin', 'there is none', 'brew install python@3.13'],
    ['none', [], 'linux', 'there is none', 'apt-get install python3 python3-venv'],
    ['too old', [python(9)], 'darwin', 'there is 3.9 (/bin/python3.9)', 'brew install python@3.13'],
    [
      'too new and too old',
      [python(14), python(8)],
      'linux',
      'there is 3.14 (/bin/python3.14), 3.8 (/bin/python3.8)',
      'apt-get install python3 python3-venv',
    ],
    [
      'without venv',
      [python(11, false)],
      'linux',
      'there is 3.11 (/bin/python3.11) without venv',
      'apt-get install python3-venv',
    ],
  ])('that is %s is told with the command', (_title, found, platform, have, hint) => {
    expect(() => choosePython(found, platform)).toThrowError(
      expect.objectContaining({
        code: 'tool-missing',
        message: `Cannot convert: Python 3.10 to 3.13 is needed, ${have}`,
        hint,
      }),
    )
  })
})

describe('what the tools print', () => {
  it.each([
    [
      '  Downloading torch-2.11.0-cp311-cp311-manylinux_2_28_x86_64.whl (530.6 MB)',
      'downloading torch 2.11.0, 530.6 MB',
    ],
    ['  Downloading torch-2.11.0-cp313-none-macosx_11_0_arm64.whl.metadata (31 kB)', null],
    ['Installing collected packages: numpy, torch', 'unpacking the packages'],
    ['Collecting torch==2.11.0', null],
  ])('pip: %s', (line, note) => {
    expect(pipNote(line)).toBe(note)
  })

  it.each([
    [
      'Writing:  35%|███▍      | 1.20G/3.40G [00:10<00:18, 118Mbyte/s]',
      { fraction: 0.35, note: 'writing' },
    ],
    [
      'INFO:hf-to-gguf:blk.0.ffn_up.weight,        torch.bfloat16 --> Q8_0, shape = {512, 512}',
      { fraction: null, note: 'blk.0.ffn_up.weight' },
    ],
    ['INFO:hf-to-gguf:Set model tokenizer', null],
  ])('the converter: %s', (line, step) => {
    expect(parseConverterLine(line)).toEqual(step)
  })

  it.each([
    [
      [
        'Traceback (most recent call last):',
        '  File "x.py", line 3, in main',
        'NotImplementedError: BPE pre-tokenizer was not recognized - update get_vocab_base_pre()',
      ],
      'NotImplementedError: BPE pre-tokenizer was not recognized - update get_vocab_base_pre()',
    ],
    [
      ['ERROR:hf-to-gguf:Model XForCausalLM is not supported'],
      'Model XForCausalLM is not supported',
    ],
    [['INFO:hf-to-gguf:Loading model'], 'it was ended by SIGKILL'],
  ])('why the converter gave up: %j', (lastLines, reason) => {
    expect(reasonOf({ kind: 'failed', how: 'it was ended by SIGKILL', lastLines })).toBe(reason)
  })

  it('the architectures that it knows', () => {
    const text = [
      'TEXT_MODEL_MAP: dict[str, str] = {',
      '    "LlamaForCausalLM": "llama",',
      '    "GptOssForCausalLM": "gpt_oss",',
      '}',
      'MMPROJ_MODEL_MAP: dict[str, str] = {',
      '    "Gemma3ForConditionalGeneration": "gemma",',
      '}',
    ].join('\n')
    expect(parseArchitectures(text)).toEqual(new Set(['LlamaForCausalLM', 'GptOssForCausalLM']))
    expect(parseArchitectures('')).toBeNull()
  })
})
