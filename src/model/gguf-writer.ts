/** Lays out metadata and tensors as the bytes of a GGUF v3 file. Pure. */

export type GgufValue =
  | { readonly kind: 'u32' | 'f32'; readonly value: number }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'i32s'; readonly value: readonly number[] }
  | { readonly kind: 'strings'; readonly value: readonly string[] }

export interface GgufTensor {
  readonly name: string
  /** Fastest dimension first, as ggml counts them. */
  readonly shape: readonly number[]
  readonly type: keyof typeof TENSOR_TYPE_IDS
  readonly data: Buffer
}

/** A tensor without its content. */
export interface GgufTensorPlace extends Omit<GgufTensor, 'data'> {
  readonly sizeBytes: number
}

const TENSOR_TYPE_IDS = { F32: 0, Q8_0: 8, MXFP4: 39 } as const
const VALUE_TYPE_IDS = { u32: 4, i32: 5, f32: 6, string: 8, array: 9 } as const
const ALIGNMENT = 32

/** The whole file; metadata and tensors keep their order. `data` is trusted to match shape and type. */
export function writeGguf(
  metadata: ReadonlyMap<string, GgufValue>,
  tensors: readonly GgufTensor[],
): Buffer {
  const places = tensors.map(({ data, ...tensor }) => ({ ...tensor, sizeBytes: data.length }))
  const { header } = layOutGguf(metadata, places)
  return Buffer.concat([header, ...tensors.map((tensor) => padded(tensor.data))])
}

/** What stands before the tensors, and how long the file is with them: for a file without their content. */
export function layOutGguf(
  metadata: ReadonlyMap<string, GgufValue>,
  tensors: readonly GgufTensorPlace[],
): { readonly header: Buffer; readonly fileBytes: number } {
  const parts = [Buffer.from('GGUF'), u32(3), u64(tensors.length), u64(metadata.size)]
  for (const [key, value] of metadata) parts.push(text(key), valueBytes(value))
  let offset = 0
  for (const tensor of tensors) {
    parts.push(tensorInfo(tensor, offset))
    offset += tensor.sizeBytes + gapAfter(tensor.sizeBytes)
  }
  const header = padded(Buffer.concat(parts))
  return { header, fileBytes: header.length + offset }
}

function tensorInfo(tensor: GgufTensorPlace, offset: number): Buffer {
  return Buffer.concat([
    text(tensor.name),
    u32(tensor.shape.length),
    ...tensor.shape.map(u64),
    u32(TENSOR_TYPE_IDS[tensor.type]),
    u64(offset),
  ])
}

function valueBytes(value: GgufValue): Buffer {
  switch (value.kind) {
    case 'u32':
      return Buffer.concat([u32(VALUE_TYPE_IDS.u32), u32(value.value)])
    case 'f32':
      return Buffer.concat([u32(VALUE_TYPE_IDS.f32), f32(value.value)])
    case 'string':
      return Buffer.concat([u32(VALUE_TYPE_IDS.string), text(value.value)])
    case 'i32s':
      return arrayBytes(VALUE_TYPE_IDS.i32, value.value.map(i32))
    case 'strings':
      return arrayBytes(VALUE_TYPE_IDS.string, value.value.map(text))
  }
}

function arrayBytes(elementType: number, elements: readonly Buffer[]): Buffer {
  return Buffer.concat([
    u32(VALUE_TYPE_IDS.array),
    u32(elementType),
    u64(elements.length),
    ...elements,
  ])
}

function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc(gapAfter(bytes.length))])
}

function gapAfter(length: number): number {
  return (ALIGNMENT - (length % ALIGNMENT)) % ALIGNMENT
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value)
  return Buffer.concat([u64(bytes.length), bytes])
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}

function i32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32LE(value)
  return bytes
}

function f32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeFloatLE(value)
  return bytes
}

function u64(value: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(BigInt(value))
  return bytes
}
