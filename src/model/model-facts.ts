/** What a GGUF header says of its model, in the words of people. Pure. */
import type { GgufHeader } from './gguf-header.ts'
import { isSixteenBit, tensorTypeName } from './tensor-types.ts'
import { TEST_MODEL_NAME } from './test-model.ts'

/** What the file does not say is null. */
export interface ModelFacts {
  readonly name: string | null
  readonly architecture: string
  readonly isGptOss: boolean
  readonly testModel: boolean
  readonly parameters: number
  readonly bitsPerWeight: number | null
  readonly layers: number | null
  readonly width: number | null
  readonly heads: number | null
  readonly kvHeads: number | null
  readonly experts: number | null
  readonly expertsUsed: number | null
  readonly trainedTokens: number | null
  readonly windowTokens: number | null
  readonly vocabulary: number | null
  readonly tokenizer: { readonly kind: string | null; readonly splitter: string | null }
  readonly template: { readonly characters: number; readonly harmony: boolean } | null
  /** The largest share of the file first. */
  readonly types: readonly TypeShare[]
}

interface TypeShare {
  readonly type: string
  readonly tensors: number
  readonly bytes: number
}

export function modelFacts(header: GgufHeader): ModelFacts {
  const { name, architecture, texts, lengths, tensors } = header
  const number = (key: string): number | null => numberOf(header, `${architecture}.${key}`)
  const parameters = tensors.reduce((sum, { shape }) => sum + elements(shape), 0)
  const bytes = tensors.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  const template = texts.get('tokenizer.chat_template')
  return {
    name,
    architecture,
    isGptOss: architecture === 'gpt-oss',
    testModel: name === TEST_MODEL_NAME,
    parameters,
    bitsPerWeight: parameters === 0 ? null : (bytes * 8) / parameters,
    layers: number('block_count'),
    width: number('embedding_length'),
    heads: number('attention.head_count'),
    kvHeads: number('attention.head_count_kv'),
    experts: number('expert_count'),
    expertsUsed: number('expert_used_count'),
    trainedTokens: number('context_length'),
    windowTokens: number('attention.sliding_window'),
    vocabulary: lengths.get('tokenizer.ggml.tokens') ?? null,
    tokenizer: {
      kind: texts.get('tokenizer.ggml.model') ?? null,
      splitter: texts.get('tokenizer.ggml.pre') ?? null,
    },
    template:
      template === undefined
        ? null
        : { characters: template.length, harmony: template.includes('<|channel|>') },
    types: sharesOf(header),
  }
}

function numberOf({ numbers }: GgufHeader, key: string): number | null {
  const value = numbers.get(key)
  return typeof value === 'number' ? value : null
}

function elements(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1)
}

function sharesOf({ tensors }: GgufHeader): readonly TypeShare[] {
  const shares = new Map<number, { tensors: number; bytes: number }>()
  for (const { type, sizeBytes } of tensors) {
    const share = shares.get(type) ?? { tensors: 0, bytes: 0 }
    shares.set(type, { tensors: share.tensors + 1, bytes: share.bytes + sizeBytes })
  }
  return [...shares]
    .map(([type, share]) => ({ type: tensorTypeName(type), ...share }))
    .toSorted((one, other) => other.bytes - one.bytes)
}

/** Most of the file is 16-bit weights: what other programs convert from, not what a machine runs. */
export function isMostlySixteenBit({ tensors }: Pick<GgufHeader, 'tensors'>): boolean {
  const total = tensors.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  const wide = tensors.filter(({ type }) => isSixteenBit(type))
  return wide.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) > total / 2
}
