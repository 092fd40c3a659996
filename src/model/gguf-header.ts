/** Walks a GGUF header: keeps what memory plans and names are made of and checks that all tensors lie in the file. */
import { BadHeaderError, CutShortError, type HeaderReader } from './header-reader.ts'

// Our own and not @huggingface/gguf: that keeps every token and merge in memory, believes any count it
// reads and reads on past the end of a cut file; here each length is held against the file first.

export interface GgufHeader {
  readonly name: string | null
  readonly architecture: string
  /** Numbers and truth values by key; true is 1. A short list of them keeps its order. */
  readonly numbers: ReadonlyMap<string, number | readonly number[]>
  /** Texts by key, among them the chat template; one that is too long is left out. */
  readonly texts: ReadonlyMap<string, string>
  /** The lengths of all lists by key, whatever they hold. */
  readonly lengths: ReadonlyMap<string, number>
  readonly tensors: readonly GgufTensorInfo[]
}

interface GgufTensorInfo {
  readonly name: string
  /** ggml's number of the type: 0 F32, 8 Q8_0, 39 MXFP4. */
  readonly type: number
  /** Fastest dimension first. */
  readonly shape: readonly number[]
  /** From the start of the data, not of the file. */
  readonly offsetBytes: number
  /** 0 for a type that came after this version of oss20bd. */
  readonly sizeBytes: number
}

const MAX_TEXT_BYTES = 4096
/** The chat template of gpt-oss has 16 KB. */
const MAX_KEPT_TEXT_BYTES = 256 * 1024
/** Lists longer than that are vocabularies; one value per layer is shorter. */
const MAX_KEPT_LIST = 1024
/** The real file has 35 and 459. Far beyond, keeping them would take more memory than a daemon may. */
const MAX_VALUES = 10_000
const MAX_TENSORS = 100_000
const STRING = 8
const ARRAY = 9
const UINT32 = 4
/** Bytes of a value by its GGUF type; strings and arrays have their own rules. */
const VALUE_BYTES: readonly (number | null)[] = [1, 1, 2, 2, 4, 4, 4, 1, null, null, 8, 8, 8]
const MAX_DIMENSIONS = 4
/** By ggml type: how many elements a block has and how many bytes it takes (ggml.c, type_traits). */
const BLOCKS: ReadonlyMap<number, readonly [elements: number, bytes: number]> = new Map([
  [0, [1, 4]],
  [1, [1, 2]],
  [2, [32, 18]],
  [3, [32, 20]],
  [6, [32, 22]],
  [7, [32, 24]],
  [8, [32, 34]],
  [9, [32, 36]],
  [10, [256, 84]],
  [11, [256, 110]],
  [12, [256, 144]],
  [13, [256, 176]],
  [14, [256, 210]],
  [15, [256, 292]],
  [16, [256, 66]],
  [17, [256, 74]],
  [18, [256, 98]],
  [19, [256, 50]],
  [20, [32, 18]],
  [21, [256, 110]],
  [22, [256, 82]],
  [23, [256, 136]],
  [24, [1, 1]],
  [25, [1, 2]],
  [26, [1, 4]],
  [27, [1, 8]],
  [28, [1, 8]],
  [29, [256, 56]],
  [30, [1, 2]],
  [34, [256, 54]],
  [35, [256, 66]],
  [39, [32, 17]],
  [40, [64, 36]],
  [41, [128, 18]],
  [42, [64, 18]],
])

interface Kept {
  name: string | null
  architecture: string | null
  alignment: number
  readonly numbers: Map<string, number | readonly number[]>
  readonly texts: Map<string, string>
  readonly lengths: Map<string, number>
}

/**
 * Reads on from behind magic and version. Throws `CutShortError` when the file ends before what the
 * header announces and `BadHeaderError` when the bytes make no sense.
 */
export async function readGgufHeader(reader: HeaderReader, sizeBytes: number): Promise<GgufHeader> {
  const tensorCount = await reader.u64()
  const valueCount = await reader.u64()
  const numbers = new Map<string, number | readonly number[]>()
  const texts = new Map<string, string>()
  const lengths = new Map<string, number>()
  const kept: Kept = { name: null, architecture: null, alignment: 32, numbers, texts, lengths }
  for (let done = 0; done < valueCount; done += 1) await readValue(reader, kept)
  const tensors: GgufTensorInfo[] = []
  let dataBytes = 0
  for (let done = 0; done < tensorCount; done += 1) {
    const tensor = await readTensor(reader)
    if (tensors.length === MAX_TENSORS) throw new BadHeaderError('it has too many tensors')
    tensors.push(tensor)
    dataBytes = Math.max(dataBytes, tensor.offsetBytes + tensor.sizeBytes)
  }
  const dataStart = Math.ceil(reader.position / kept.alignment) * kept.alignment
  if (dataStart + dataBytes > sizeBytes) {
    throw new CutShortError('tensors are missing', dataStart + dataBytes)
  }
  // Also what a file looks like whose content a download has not filled in yet: zero values, zero tensors.
  if (kept.architecture === null) throw new BadHeaderError('it names no architecture')
  return { name: kept.name, architecture: kept.architecture, numbers, texts, lengths, tensors }
}

async function readValue(reader: HeaderReader, kept: Kept): Promise<void> {
  const key = await reader.text(MAX_TEXT_BYTES)
  const type = await reader.u32()
  if (key === 'general.name' && type === STRING) kept.name = await reader.text(MAX_TEXT_BYTES)
  else if (key === 'general.architecture' && type === STRING) {
    kept.architecture = await reader.text(MAX_TEXT_BYTES)
  } else if (key === 'general.alignment' && type === UINT32) {
    kept.alignment = await readAlignment(reader)
  } else if (type === ARRAY) await readList(reader, key, kept)
  else if (type === STRING) keepText(kept, key, await reader.text(MAX_KEPT_TEXT_BYTES))
  else {
    const [value] = await readNumbers(reader, type, 1)
    if (key !== null && value !== undefined) keepNumber(kept, key, value)
  }
}

async function readList(reader: HeaderReader, key: string | null, kept: Kept): Promise<void> {
  const type = await reader.u32()
  const length = await reader.u64()
  if (key !== null && kept.lengths.size < MAX_VALUES) kept.lengths.set(key, length)
  if (type === STRING || length > MAX_KEPT_LIST) return skipValues(reader, type, length)
  const values = await readNumbers(reader, type, length)
  if (key !== null) keepNumber(kept, key, values)
}

function keepNumber(kept: Kept, key: string, value: number | readonly number[]): void {
  if (kept.numbers.size === MAX_VALUES) throw new BadHeaderError('it has too many values')
  kept.numbers.set(key, value)
}

function keepText(kept: Kept, key: string | null, text: string | null): void {
  if (key !== null && text !== null && kept.texts.size < MAX_VALUES) kept.texts.set(key, text)
}

async function readNumbers(reader: HeaderReader, type: number, count: number): Promise<number[]> {
  const width = VALUE_BYTES[type]
  if (typeof width !== 'number') throw new BadHeaderError('it has a value of an unknown type')
  const bytes = await reader.bytes(width * count)
  return Array.from({ length: count }, (_, index) => numberAt(bytes, type, index * width))
}

/** By GGUF's numbers of its types; those above 2^53 lose their last digits. */
function numberAt(bytes: Buffer, type: number, at: number): number {
  switch (type) {
    case 1:
      return bytes.readInt8(at)
    case 2:
      return bytes.readUInt16LE(at)
    case 3:
      return bytes.readInt16LE(at)
    case 4:
      return bytes.readUInt32LE(at)
    case 5:
      return bytes.readInt32LE(at)
    case 6:
      return bytes.readFloatLE(at)
    case 10:
      return Number(bytes.readBigUInt64LE(at))
    case 11:
      return Number(bytes.readBigInt64LE(at))
    case 12:
      return bytes.readDoubleLE(at)
    // 0 and 7: a byte and a truth value.
    default:
      return bytes.readUInt8(at)
  }
}

async function readAlignment(reader: HeaderReader): Promise<number> {
  const alignment = await reader.u32()
  if (!Number.isInteger(Math.log2(alignment))) throw new BadHeaderError('its alignment is not one')
  return alignment
}

async function skipValues(reader: HeaderReader, type: number, count: number): Promise<void> {
  const bytes = VALUE_BYTES[type]
  if (type === STRING) await reader.skipTexts(count)
  else if (typeof bytes === 'number') reader.skip(bytes * count)
  else throw new BadHeaderError('it has a value of an unknown type')
}

async function readTensor(reader: HeaderReader): Promise<GgufTensorInfo> {
  const name = (await reader.text(MAX_TEXT_BYTES)) ?? ''
  const dimensions = await reader.u32()
  if (dimensions > MAX_DIMENSIONS) throw new BadHeaderError('a tensor has too many dimensions')
  const shape: number[] = []
  for (let done = 0; done < dimensions; done += 1) shape.push(await reader.u64())
  const type = await reader.u32()
  const block = BLOCKS.get(type)
  const elements = shape.reduce((product, length) => product * length, 1)
  // A type that came after this table: the engine will judge it, here only its start can be checked.
  const sizeBytes = block === undefined ? 0 : (elements / block[0]) * block[1]
  return { name, type, shape, offsetBytes: await reader.u64(), sizeBytes }
}
