/** A GGUF of any gpt-oss shape with all tensors and no content: as long as the real one, yet it takes no disk. */
import { open } from 'node:fs/promises'
import type { HeaderFacts } from '../../src/llama/need/model-shape.ts'
import { layOutGguf, type GgufTensorPlace, type GgufValue } from '../../src/model/gguf-writer.ts'
import { testVocabulary } from '../../src/model/test-vocabulary.ts'

export interface GptOssShape {
  readonly layers: number
  readonly width: number
  readonly heads: number
  readonly kvHeads: number
  readonly headWidth: number
  readonly experts: number
  readonly expertsUsed: number
  readonly expertWidth: number
  readonly window: number
  /** At least 384: the tokens that the engine looks for are among the first. */
  readonly vocabulary: number
  readonly merges: number
}

export const GPT_OSS_20B: GptOssShape = {
  layers: 24,
  width: 2880,
  heads: 64,
  kvHeads: 8,
  headWidth: 64,
  experts: 32,
  expertsUsed: 4,
  expertWidth: 2880,
  window: 128,
  vocabulary: 201_088,
  merges: 446_189,
}

/** Of the file, sparse after its header. `template` is the engine's chat template. */
export async function writeHollowModel(
  path: string,
  shape: GptOssShape,
  template: string,
): Promise<void> {
  const { header, fileBytes } = layOutGguf(metadataOf(shape, template), tensorsOf(shape))
  const file = await open(path, 'w')
  try {
    await file.writeFile(header)
    await file.truncate(fileBytes)
  } finally {
    await file.close()
  }
}

/** What the header of such a file says, without the file. */
export function hollowHeader(shape: GptOssShape): HeaderFacts {
  const numbers = new Map<string, number>()
  const lengths = new Map<string, number>()
  for (const [key, entry] of metadataOf(shape, '')) {
    if (entry.kind === 'u32' || entry.kind === 'f32') numbers.set(key, entry.value)
    if (entry.kind === 'strings' || entry.kind === 'i32s') lengths.set(key, entry.value.length)
  }
  let offsetBytes = 0
  const tensors = tensorsOf(shape).map(({ name, sizeBytes }) => {
    const tensor = { name, offsetBytes, sizeBytes }
    offsetBytes += Math.ceil(sizeBytes / 32) * 32
    return tensor
  })
  return { architecture: 'gpt-oss', numbers, lengths, tensors }
}

function metadataOf(shape: GptOssShape, template: string): Map<string, GgufValue> {
  const { tokens, types, idOf } = testVocabulary(null)
  const fillers = Array.from(
    { length: shape.vocabulary - tokens.length },
    (_, id) => `<|more${id}|>`,
  )
  // Of tokens that no text is made of.
  const merges = Array.from({ length: shape.merges }, (_, id) => `\u0101${id} \u0102`)
  return new Map<string, GgufValue>([
    ['general.architecture', { kind: 'string', value: 'gpt-oss' }],
    ['general.name', { kind: 'string', value: 'hollow gpt-oss' }],
    ['general.file_type', u32(38)],
    ['gpt-oss.block_count', u32(shape.layers)],
    ['gpt-oss.context_length', u32(131_072)],
    ['gpt-oss.embedding_length', u32(shape.width)],
    ['gpt-oss.feed_forward_length', u32(shape.expertWidth)],
    ['gpt-oss.attention.head_count', u32(shape.heads)],
    ['gpt-oss.attention.head_count_kv', u32(shape.kvHeads)],
    ['gpt-oss.attention.key_length', u32(shape.headWidth)],
    ['gpt-oss.attention.value_length', u32(shape.headWidth)],
    ['gpt-oss.attention.layer_norm_rms_epsilon', { kind: 'f32', value: 1e-5 }],
    ['gpt-oss.attention.sliding_window', u32(shape.window)],
    ['gpt-oss.expert_count', u32(shape.experts)],
    ['gpt-oss.expert_used_count', u32(shape.expertsUsed)],
    ['gpt-oss.expert_feed_forward_length', u32(shape.expertWidth)],
    ['tokenizer.ggml.model', { kind: 'string', value: 'gpt2' }],
    ['tokenizer.ggml.pre', { kind: 'string', value: 'gpt-4o' }],
    ['tokenizer.ggml.tokens', { kind: 'strings', value: [...tokens, ...fillers] }],
    ['tokenizer.ggml.token_type', { kind: 'i32s', value: [...types, ...fillers.map(() => 5)] }],
    ['tokenizer.ggml.merges', { kind: 'strings', value: merges }],
    ['tokenizer.ggml.bos_token_id', u32(idOf('<|startoftext|>'))],
    ['tokenizer.ggml.eos_token_id', u32(idOf('<|return|>'))],
    ['tokenizer.ggml.padding_token_id', u32(idOf('<|endoftext|>'))],
    ['tokenizer.chat_template', { kind: 'string', value: template }],
  ])
}

/** In the order of the real file, where the embedding is the last but one of the big ones. */
function tensorsOf(shape: GptOssShape): GgufTensorPlace[] {
  const { layers, width, vocabulary } = shape
  return [
    q8('output.weight', [width, vocabulary]),
    f32('output_norm.weight', [width]),
    q8('token_embd.weight', [width, vocabulary]),
    ...Array.from({ length: layers }, (_, layer) => layerTensors(`blk.${layer}`, shape)).flat(),
  ]
}

function layerTensors(block: string, shape: GptOssShape): GgufTensorPlace[] {
  const { width, heads, experts, expertWidth } = shape
  const queries = heads * shape.headWidth
  const keys = shape.kvHeads * shape.headWidth
  return [
    f32(`${block}.attn_norm.weight`, [width]),
    f32(`${block}.post_attention_norm.weight`, [width]),
    q8(`${block}.attn_q.weight`, [width, queries]),
    f32(`${block}.attn_q.bias`, [queries]),
    q8(`${block}.attn_k.weight`, [width, keys]),
    f32(`${block}.attn_k.bias`, [keys]),
    q8(`${block}.attn_v.weight`, [width, keys]),
    f32(`${block}.attn_v.bias`, [keys]),
    q8(`${block}.attn_output.weight`, [queries, width]),
    f32(`${block}.attn_output.bias`, [width]),
    f32(`${block}.attn_sinks.weight`, [heads]),
    f32(`${block}.ffn_gate_inp.weight`, [width, experts]),
    f32(`${block}.ffn_gate_inp.bias`, [experts]),
    mxfp4(`${block}.ffn_gate_exps.weight`, [width, expertWidth, experts]),
    f32(`${block}.ffn_gate_exps.bias`, [expertWidth, experts]),
    mxfp4(`${block}.ffn_up_exps.weight`, [width, expertWidth, experts]),
    f32(`${block}.ffn_up_exps.bias`, [expertWidth, experts]),
    mxfp4(`${block}.ffn_down_exps.weight`, [expertWidth, width, experts]),
    f32(`${block}.ffn_down_exps.bias`, [width, experts]),
  ]
}

function f32(name: string, shape: readonly number[]): GgufTensorPlace {
  return { name, shape, type: 'F32', sizeBytes: elements(shape) * 4 }
}

function q8(name: string, shape: readonly number[]): GgufTensorPlace {
  return { name, shape, type: 'Q8_0', sizeBytes: (elements(shape) / 32) * 34 }
}

function mxfp4(name: string, shape: readonly number[]): GgufTensorPlace {
  return { name, shape, type: 'MXFP4', sizeBytes: (elements(shape) / 32) * 17 }
}

function elements(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1)
}

function u32(value: number): GgufValue {
  return { kind: 'u32', value }
}
