/** Makes the built-in test model: a real gpt-oss GGUF of about 1 MB whose words are fixed. */
import { mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { fileError } from '../errors.ts'
import { type GgufTensor, type GgufValue, writeGguf } from './gguf-writer.ts'
import { type TestModelVariant, testVocabulary, type Vocabulary } from './test-vocabulary.ts'

export { TEST_MODEL_ANSWER, TEST_MODEL_REASONING } from './test-vocabulary.ts'

/** The `general.name` by which the file is recognised, so that it is never taken for the real one. */
export const TEST_MODEL_NAME = 'oss20bd test model'

export interface TestModelOptions {
  /** The text of upstream's gpt-oss chat template, which comes with the built engine. */
  readonly template: string
  readonly variant?: TestModelVariant
  /** Grows the file to this size with zeros after the last tensor; sparse, so it costs no disk. */
  readonly paddedBytes?: number
}

const LAYERS = 2
const HEADS = 4
const KV_HEADS = 1
const HEAD_SIZE = 64
const EXPERTS = 4
const EXPERT_SIZE = 64

/** Writes the test model in one step: `path` holds either all of it or what it held before. */
export async function writeTestModel(path: string, options: TestModelOptions): Promise<void> {
  const bytes = buildTestModel(options)
  const temporary = `${path}.${process.pid}.tmp`
  try {
    await mkdir(dirname(path), { recursive: true })
    const file = await open(temporary, 'w', 0o644)
    try {
      await file.writeFile(bytes)
      await file.truncate(Math.max(bytes.length, options.paddedBytes ?? 0))
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined)
    throw fileError('write the test model', path, error)
  }
}

/**
 * The bytes of the test model without padding, the same for the same template and variant.
 *
 * The embedding is the identity, attention and experts add nothing, and the output matrix maps each
 * token to its successor: the last token of the prompt alone decides what comes next.
 */
export function buildTestModel(options: Pick<TestModelOptions, 'template' | 'variant'>): Buffer {
  const vocabulary = testVocabulary(options.variant ?? null)
  return writeGguf(metadataOf(vocabulary, options.template), tensorsOf(vocabulary))
}

function metadataOf(vocabulary: Vocabulary, template: string): Map<string, GgufValue> {
  const token = (name: string): GgufValue => u32(vocabulary.idOf(name))
  return new Map<string, GgufValue>([
    ['general.architecture', text('gpt-oss')],
    ['general.type', text('model')],
    ['general.name', text(TEST_MODEL_NAME)],
    ['general.description', text('Fixed words for trying oss20bd without the real gpt-oss-20b')],
    ['general.quantization_version', u32(2)],
    ['general.file_type', u32(38)],
    ['gpt-oss.block_count', u32(LAYERS)],
    ['gpt-oss.context_length', u32(131_072)],
    ['gpt-oss.embedding_length', u32(vocabulary.tokens.length)],
    ['gpt-oss.feed_forward_length', u32(EXPERT_SIZE)],
    ['gpt-oss.attention.head_count', u32(HEADS)],
    ['gpt-oss.attention.head_count_kv', u32(KV_HEADS)],
    ['gpt-oss.attention.key_length', u32(HEAD_SIZE)],
    ['gpt-oss.attention.value_length', u32(HEAD_SIZE)],
    ['gpt-oss.attention.layer_norm_rms_epsilon', f32(1e-5)],
    ['gpt-oss.attention.sliding_window', u32(128)],
    ['gpt-oss.expert_count', u32(EXPERTS)],
    ['gpt-oss.expert_used_count', u32(2)],
    ['gpt-oss.expert_feed_forward_length', u32(EXPERT_SIZE)],
    ['gpt-oss.rope.freq_base', f32(150_000)],
    ['gpt-oss.rope.scaling.type', text('yarn')],
    ['gpt-oss.rope.scaling.factor', f32(32)],
    ['gpt-oss.rope.scaling.original_context_length', u32(4096)],
    ['tokenizer.ggml.model', text('gpt2')],
    ['tokenizer.ggml.pre', text('gpt-4o')],
    ['tokenizer.ggml.tokens', { kind: 'strings', value: vocabulary.tokens }],
    ['tokenizer.ggml.token_type', { kind: 'i32s', value: vocabulary.types }],
    // The engine demands at least one merge; this one joins two control bytes that no text has.
    ['tokenizer.ggml.merges', { kind: 'strings', value: ['\u0101 \u0102'] }],
    ['tokenizer.ggml.bos_token_id', token('<|startoftext|>')],
    ['tokenizer.ggml.eos_token_id', token('<|return|>')],
    ['tokenizer.ggml.padding_token_id', token('<|endoftext|>')],
    ['tokenizer.chat_template', text(template)],
  ])
}

function tensorsOf(vocabulary: Vocabulary): GgufTensor[] {
  const size = vocabulary.tokens.length
  const identity = vocabulary.tokens.map((_, id) => id)
  return [
    q8('token_embd.weight', [size, size], oneHot(size, identity, 1)),
    // 8 puts the wanted logit near 140: no temperature a client may send lets another token win.
    q8('output.weight', [size, size], oneHot(size, vocabulary.successors, 8)),
    f32s('output_norm.weight', [size], 1),
    ...Array.from({ length: LAYERS }, (_, layer) => layerTensors(`blk.${layer}`, size)).flat(),
  ]
}

function layerTensors(block: string, size: number): GgufTensor[] {
  const queries = HEADS * HEAD_SIZE
  const keys = KV_HEADS * HEAD_SIZE
  return [
    f32s(`${block}.attn_norm.weight`, [size], 1),
    f32s(`${block}.post_attention_norm.weight`, [size], 1),
    q8(`${block}.attn_q.weight`, [size, queries]),
    f32s(`${block}.attn_q.bias`, [queries]),
    q8(`${block}.attn_k.weight`, [size, keys]),
    f32s(`${block}.attn_k.bias`, [keys]),
    q8(`${block}.attn_v.weight`, [size, keys]),
    f32s(`${block}.attn_v.bias`, [keys]),
    q8(`${block}.attn_output.weight`, [queries, size]),
    f32s(`${block}.attn_output.bias`, [size]),
    f32s(`${block}.attn_sinks.weight`, [HEADS]),
    f32s(`${block}.ffn_gate_inp.weight`, [size, EXPERTS]),
    f32s(`${block}.ffn_gate_inp.bias`, [EXPERTS]),
    mxfp4(`${block}.ffn_gate_exps.weight`, [size, EXPERT_SIZE, EXPERTS]),
    f32s(`${block}.ffn_gate_exps.bias`, [EXPERT_SIZE, EXPERTS]),
    mxfp4(`${block}.ffn_up_exps.weight`, [size, EXPERT_SIZE, EXPERTS]),
    f32s(`${block}.ffn_up_exps.bias`, [EXPERT_SIZE, EXPERTS]),
    mxfp4(`${block}.ffn_down_exps.weight`, [EXPERT_SIZE, size, EXPERTS]),
    f32s(`${block}.ffn_down_exps.bias`, [size, EXPERTS]),
  ]
}

function f32s(name: string, shape: readonly number[], value = 0): GgufTensor {
  const data = Buffer.alloc(elements(shape) * 4)
  for (let at = 0; at < data.length; at += 4) data.writeFloatLE(value, at)
  return { name, shape, type: 'F32', data }
}

/** Q8_0 is a 16-bit scale and 32 signed bytes; all zero bytes are all zero values. */
function q8(name: string, shape: readonly number[], data?: Buffer): GgufTensor {
  return { name, shape, type: 'Q8_0', data: data ?? Buffer.alloc((elements(shape) / 32) * 34) }
}

/** Q8_0 rows with `value` in the column that `outputOf` gives for each input, 0 elsewhere. */
function oneHot(size: number, outputOf: readonly number[], value: number): Buffer {
  const blocksPerRow = size / 32
  const data = Buffer.alloc(size * blocksPerRow * 34)
  for (let block = 0; block < size * blocksPerRow; block += 1)
    data.writeUInt16LE(0x3c00, block * 34)
  for (const [column, row] of outputOf.entries()) {
    const block = row * blocksPerRow + Math.floor(column / 32)
    data.writeInt8(value, block * 34 + 2 + (column % 32))
  }
  return data
}

/** MXFP4 is an exponent byte (127 = 1) and 16 bytes of two values each; all values are 0 here. */
function mxfp4(name: string, shape: readonly number[]): GgufTensor {
  const data = Buffer.alloc((elements(shape) / 32) * 17)
  for (let at = 0; at < data.length; at += 17) data.writeUInt8(127, at)
  return { name, shape, type: 'MXFP4', data }
}

function elements(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1)
}

function u32(value: number): GgufValue {
  return { kind: 'u32', value }
}

function f32(value: number): GgufValue {
  return { kind: 'f32', value }
}

function text(value: string): GgufValue {
  return { kind: 'string', value }
}
