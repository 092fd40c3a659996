/** The tiny model of test/fixtures as a GGUF of 32-bit numbers: what llama-quantize starts from. */
import { type GgufTensor, type GgufValue, writeGguf } from '../../src/model/gguf-writer.ts'
import { tinyModel, type TinyTensor } from '../fixtures/tiny-hf-model.mjs'

const NAMES: ReadonlyMap<string, string> = new Map([
  ['model.embed_tokens', 'token_embd'],
  ['model.norm', 'output_norm'],
  ['lm_head', 'output'],
  ['input_layernorm', 'attn_norm'],
  ['post_attention_layernorm', 'ffn_norm'],
  ['self_attn.q_proj', 'attn_q'],
  ['self_attn.k_proj', 'attn_k'],
  ['self_attn.v_proj', 'attn_v'],
  ['self_attn.o_proj', 'attn_output'],
  ['mlp.gate_proj', 'ffn_gate'],
  ['mlp.up_proj', 'ffn_up'],
  ['mlp.down_proj', 'ffn_down'],
])

export function tinyGguf(): Buffer {
  const { config, pieces, tensors, chatTemplate } = tinyModel()
  const number = (value: number): GgufValue => ({ kind: 'u32', value })
  const text = (value: string): GgufValue => ({ kind: 'string', value })
  const metadata = new Map<string, GgufValue>([
    ['general.architecture', text('llama')],
    ['general.name', text('tiny')],
    ['general.file_type', number(0)],
    ['llama.block_count', number(config.num_hidden_layers)],
    ['llama.context_length', number(config.max_position_embeddings)],
    ['llama.embedding_length', number(config.hidden_size)],
    ['llama.feed_forward_length', number(config.intermediate_size)],
    ['llama.attention.head_count', number(config.num_attention_heads)],
    ['llama.attention.layer_norm_rms_epsilon', { kind: 'f32', value: config.rms_norm_eps }],
    ['llama.rope.dimension_count', number(config.hidden_size / config.num_attention_heads)],
    ['tokenizer.ggml.model', text('llama')],
    ['tokenizer.ggml.tokens', { kind: 'strings', value: pieces.map((piece) => piece.text) }],
    ['tokenizer.ggml.token_type', { kind: 'i32s', value: pieces.map((piece) => piece.kind) }],
    ['tokenizer.ggml.bos_token_id', number(config.bos_token_id)],
    ['tokenizer.ggml.eos_token_id', number(config.eos_token_id)],
    ['tokenizer.chat_template', text(chatTemplate)],
  ])
  return writeGguf(metadata, tensors.map(toGguf))
}

function toGguf({ name, shape, data }: TinyTensor): GgufTensor {
  const wide = Buffer.alloc(data.length * 2)
  for (let at = 0; at < data.length; at += 2) data.copy(wide, at * 2 + 2, at, at + 2)
  return { name: ggufName(name), shape: shape.toReversed(), type: 'F32', data: wide }
}

function ggufName(name: string): string {
  const [, layer, part = ''] = /^(?:model\.layers\.(\d+)\.)?(.+)\.weight$/.exec(name) ?? []
  const known = NAMES.get(part)
  if (known === undefined) throw new Error(`the tiny model has an unknown tensor ${name}`)
  return layer === undefined ? `${known}.weight` : `blk.${layer}.${known}.weight`
}
