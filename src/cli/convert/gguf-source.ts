/** The GGUF that is quantized: one file or all parts of a split one, and what stands in their headers. */
import { stat } from 'node:fs/promises'
import { Oss20bdError } from '../../errors.ts'
import type { GgufHeader } from '../../model/gguf-header.ts'
import { readModelHeader } from '../../model/model-file.ts'

export interface GgufSource {
  /** The file to name to a tool: the first part. */
  readonly file: string
  readonly architecture: string
  readonly tensors: GgufHeader['tensors']
  /** All parts together. */
  readonly sizeBytes: number
}

/** Throws `model-unusable` for what is no model, for a LoRA adapter, and when a part is missing. */
export async function readGgufSource(named: string): Promise<GgufSource> {
  const files = partsOf(named)
  const missing = await findMissing(files)
  if (missing !== null && files.length > 1) {
    throw new Oss20bdError(
      'model-unusable',
      `Cannot quantize ${named}: it is one of ${files.length} parts, and ${missing} is not there`,
      { hint: 'Put all parts into one folder, under the names they were published with' },
    )
  }
  const parts = []
  for (const file of files) parts.push(await readPart(file))
  const [first] = parts
  const header = first?.header
  if (header === undefined) throw new Error('a model has at least one part')
  refuseAdapter(named, header)
  return {
    file: files[0] ?? named,
    architecture: header.architecture,
    tensors: parts.flatMap((part) => part.header.tensors),
    sizeBytes: parts.reduce((sum, part) => sum + part.sizeBytes, 0),
  }
}

/** `model-00002-of-00003.gguf` stands for all three; any other name for itself. Pure. */
export function partsOf(file: string): readonly string[] {
  const [, start, count] = /^(.*-)\d{5}-of-(\d{5})\.gguf$/s.exec(file) ?? []
  if (start === undefined || count === undefined || Number(count) === 0) return [file]
  return Array.from(
    { length: Number(count) },
    (_, index) => `${start}${String(index + 1).padStart(5, '0')}-of-${count}.gguf`,
  )
}

async function findMissing(files: readonly string[]): Promise<string | null> {
  for (const file of files) if ((await stat(file).catch(() => null)) === null) return file
  return null
}

async function readPart(file: string): Promise<{ header: GgufHeader; sizeBytes: number }> {
  const read = await readModelHeader(file)
  if (read.kind === 'ok') return read
  throw new Oss20bdError('model-unusable', read.message, { hint: read.hint })
}

function refuseAdapter(file: string, { texts }: GgufHeader): void {
  const kind = texts.get('general.type') ?? 'model'
  if (kind === 'model') return
  const what =
    kind === 'adapter'
      ? 'it is a LoRA adapter, changes to a model and no model'
      : `it is not a language model but a part beside one (${kind})`
  throw new Oss20bdError('model-unusable', `Cannot quantize ${file}: ${what}`, {
    hint: 'Name the model that it belongs to',
  })
}
