/** Walks a GGUF header: keeps the few facts we need and checks that all tensors lie in the file. */
import { BadHeaderError, CutShortError, type HeaderReader } from './header-reader.ts'

// Our own and not @huggingface/gguf: that keeps every token and merge in memory, believes any count it
// reads and reads on past the end of a cut file; here each length is held against the file first.

export interface GgufFacts {
  readonly name: string | null
  readonly architecture: string
}

const MAX_TEXT_BYTES = 4096
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
}

/**
 * Reads on from behind magic and version. Throws `CutShortError` when the file ends before what the
 * header announces and `BadHeaderError` when the bytes make no sense.
 */
export async function readGgufHeader(reader: HeaderReader, sizeBytes: number): Promise<GgufFacts> {
  const tensorCount = await reader.u64()
  const valueCount = await reader.u64()
  const kept: Kept = { name: null, architecture: null, alignment: 32 }
  for (let done = 0; done < valueCount; done += 1) await readValue(reader, kept)
  let dataBytes = 0
  for (let done = 0; done < tensorCount; done += 1) {
    dataBytes = Math.max(dataBytes, await readTensorEnd(reader))
  }
  const dataStart = Math.ceil(reader.position / kept.alignment) * kept.alignment
  if (dataStart + dataBytes > sizeBytes) throw new CutShortError('tensors are missing')
  // Also what a file looks like whose content a download has not filled in yet: zero values, zero tensors.
  if (kept.architecture === null) throw new BadHeaderError('it names no architecture')
  return { name: kept.name, architecture: kept.architecture }
}

async function readValue(reader: HeaderReader, kept: Kept): Promise<void> {
  const key = await reader.text(MAX_TEXT_BYTES)
  const type = await reader.u32()
  if (key === 'general.name' && type === STRING) kept.name = await reader.text(MAX_TEXT_BYTES)
  else if (key === 'general.architecture' && type === STRING) {
    kept.architecture = await reader.text(MAX_TEXT_BYTES)
  } else if (key === 'general.alignment' && type === UINT32) {
    kept.alignment = await readAlignment(reader)
  } else if (type === ARRAY) {
    const elementType = await reader.u32()
    await skipValues(reader, elementType, await reader.u64())
  } else await skipValues(reader, type, 1)
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

/** Where the tensor ends, counted from the start of the data. */
async function readTensorEnd(reader: HeaderReader): Promise<number> {
  await reader.skipTexts(1)
  const dimensions = await reader.u32()
  if (dimensions > MAX_DIMENSIONS) throw new BadHeaderError('a tensor has too many dimensions')
  let elements = 1
  for (let done = 0; done < dimensions; done += 1) elements *= await reader.u64()
  const block = BLOCKS.get(await reader.u32())
  // A type that came after this table: the engine will judge it, here only its start can be checked.
  const bytes = block === undefined ? 0 : (elements / block[0]) * block[1]
  return (await reader.u64()) + bytes
}
