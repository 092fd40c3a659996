/** What of a gpt-oss model decides how much memory it takes, from its GGUF header. Pure. */

/** The part of a GGUF header that is needed here; `src/model/` reads it. */
export interface HeaderFacts {
  readonly architecture: string
  readonly numbers: ReadonlyMap<string, number | readonly number[]>
  readonly lengths: ReadonlyMap<string, number>
  readonly tensors: readonly TensorFacts[]
}

export interface TensorFacts {
  readonly name: string
  /** From the start of the data. */
  readonly offsetBytes: number
  readonly sizeBytes: number
}

export interface ModelShape {
  readonly layers: number
  /** Of the residual stream; all widths are in elements. */
  readonly width: number
  readonly heads: number
  readonly kvHeads: number
  readonly keyWidth: number
  readonly valueWidth: number
  readonly expertsUsed: number
  readonly expertWidth: number
  readonly vocabulary: number
  /** In tokens. */
  readonly window: number
  /** By layer: whether its attention looks back no further than the window. */
  readonly windowed: readonly boolean[]
  readonly trainedTokens: number
  readonly tensors: readonly TensorFacts[]
}

export type ShapeResult =
  | { readonly kind: 'known'; readonly shape: ModelShape }
  | { readonly kind: 'unknown'; readonly reason: string }

/** Only gpt-oss: what another architecture takes is computed otherwise. */
export function shapeOf(header: HeaderFacts): ShapeResult {
  const { architecture } = header
  if (architecture !== 'gpt-oss') {
    return { kind: 'unknown', reason: `its architecture is ${architecture}, only gpt-oss is known` }
  }
  const missing: string[] = []
  const number = (key: string): number => {
    const value = greatest(header.numbers.get(`gpt-oss.${key}`))
    if (value === null) missing.push(`gpt-oss.${key}`)
    return value ?? 0
  }
  const vocabulary = header.lengths.get('tokenizer.ggml.tokens')
  const layers = number('block_count')
  const shape: ModelShape = {
    layers,
    width: number('embedding_length'),
    heads: number('attention.head_count'),
    kvHeads: number('attention.head_count_kv'),
    keyWidth: number('attention.key_length'),
    valueWidth: number('attention.value_length'),
    expertsUsed: number('expert_used_count'),
    expertWidth: number('expert_feed_forward_length'),
    vocabulary: vocabulary ?? 0,
    window: number('attention.sliding_window'),
    windowed: windowedLayers(header.numbers, layers),
    trainedTokens: number('context_length'),
    tensors: header.tensors,
  }
  if (vocabulary === undefined) missing.push('tokenizer.ggml.tokens')
  if (missing.length > 0) return { kind: 'unknown', reason: `it lacks ${missing.join(', ')}` }
  if (header.tensors.some(({ sizeBytes }) => sizeBytes === 0)) {
    return { kind: 'unknown', reason: 'it has tensors of a type that oss20bd does not know' }
  }
  return { kind: 'known', shape }
}

/** A key may hold one value for all layers or one for each. */
function greatest(value: number | readonly number[] | undefined): number | null {
  if (value === undefined) return null
  if (typeof value === 'number') return value
  return value.length === 0 ? null : Math.max(...value)
}

/** Every second layer, the first one first, unless the file says otherwise. */
function windowedLayers(numbers: HeaderFacts['numbers'], layers: number): readonly boolean[] {
  const pattern = numbers.get('gpt-oss.attention.sliding_window_pattern') ?? 2
  const isWindowed =
    typeof pattern === 'number'
      ? (layer: number) => pattern === 0 || layer % pattern < pattern - 1
      : (layer: number) => pattern[layer] === 1
  // A count that no file has must not become as many elements.
  return Array.from({ length: Math.min(layers, 1024) }, (_, layer) => isWindowed(layer))
}
