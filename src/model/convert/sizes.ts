/** How much disk and memory it takes to convert and to quantize, from the shapes of the tensors alone. Pure. */

/** What is known of one tensor before anything is read of it. */
export interface TensorShape {
  readonly name: string
  readonly shape: readonly number[]
  /** As it is stored now. */
  readonly bytes: number
}

/**
 * The rows that llama-quantize works on at once: its `--max-buffer-size`, which holds the rows as they
 * are, as 32-bit numbers and as they will be (llama-quant.cpp). Its own default is 8 GiB.
 */
export const QUANTIZE_BUFFER_BYTES = 2 ** 30

/** Code, vocabulary and file buffers of llama-quantize: 128 MiB were measured with 200,000 tokens. */
const QUANTIZE_BASE_BYTES = 256 * 2 ** 20

/** `bounded`: this llama-quantize knows `--max-buffer-size`. */
export function quantizeMemoryBytes(
  tensors: readonly Pick<TensorShape, 'shape' | 'bytes'>[],
  bounded: boolean,
): number {
  // As it is, as F32, and as it will be: 16 bits at the most.
  const whole = tensors.map(({ shape, bytes }) => bytes + elements(shape) * (4 + 2))
  const largest = largestOf(whole)
  return QUANTIZE_BASE_BYTES + (bounded ? Math.min(largest, QUANTIZE_BUFFER_BYTES) : largest)
}

/** Types that the converter writes itself, and the bits of one weight in them. */
const DIRECT_BITS: ReadonlyMap<string, number> = new Map([
  ['F32', 32],
  ['F16', 16],
  ['BF16', 16],
  ['Q8_0', 8.5],
])

export function isDirectType(type: string): boolean {
  return DIRECT_BITS.has(type)
}

/**
 * The file that the converter writes. Tensors of one dimension, norms and biases, become F32; so does what
 * is not quantizable otherwise, which is small. MXFP4 is taken over as it is: its blocks and scales are bytes.
 */
export function convertedBytes(tensors: readonly TensorShape[], type: string): number {
  const bits = DIRECT_BITS.get(type) ?? 16
  return tensors.reduce((sum, tensor) => sum + convertedTensorBytes(tensor, bits), HEADER_BYTES)
}

function convertedTensorBytes({ name, shape, bytes }: TensorShape, bits: number): number {
  if (isPacked(name)) return bytes
  const width = shape.length < 2 ? 32 : bits
  return (elements(shape) * width) / 8
}

/** 4-bit weights of gpt-oss, two in a byte, and the byte that scales 32 of them. */
export function isPacked(name: string): boolean {
  return /_(?:blocks|scales)$/.test(name)
}

/** Vocabulary, merges and template: 13 MB for the 201,088 tokens of gpt-oss. */
const HEADER_BYTES = 16 * 2 ** 20

/**
 * What a file of `type` can take at the most, before llama-quantize says it exactly. The digit of the type's
 * name is its bits; scales take up to 0.6 of a bit more, and mixtures such as Q4_K_M keep some tensors in 6
 * bits, where rows do not fit 8. Never more than the 16-bit file it is made of.
 */
export function quantizedBytesAtMost(sixteenBitBytes: number, type: string): number {
  const digit = Number(/\d/.exec(type)?.[0] ?? '16')
  return Math.min(sixteenBitBytes, (sixteenBitBytes * (digit + MIXTURE_BITS)) / 16)
}

const MIXTURE_BITS = 2

/** Python with PyTorch and the tokenizers. */
const CONVERT_BASE_BYTES = 900 * 2 ** 20

/**
 * The converter holds one tensor at a time: as it is stored, as 32-bit numbers, a copy of those while it
 * rounds them, and the result. Experts that are stored one by one are joined to one tensor first.
 */
export function convertMemoryBytes(tensors: readonly TensorShape[]): number {
  const joined = new Map<string, { bytes: number; elements: number }>()
  for (const { name, shape, bytes } of tensors) {
    const key = name.replace(/\.experts\.\d+\./, '.experts.')
    const known = joined.get(key) ?? { bytes: 0, elements: 0 }
    joined.set(key, {
      bytes: known.bytes + bytes,
      elements: known.elements + (isPacked(name) ? 0 : elements(shape)),
    })
  }
  const peaks = [...joined.values()].map((tensor) => tensor.bytes + tensor.elements * 6)
  return CONVERT_BASE_BYTES + largestOf(peaks)
}

function elements(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1)
}

function largestOf(values: readonly number[]): number {
  return values.reduce((largest, value) => Math.max(largest, value), 0)
}
