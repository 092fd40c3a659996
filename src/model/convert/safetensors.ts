/** Reads what tensors a safetensors file holds, from its header alone, and whether all of them are there. */
import { type FileHandle, open } from 'node:fs/promises'
import { basename } from 'node:path'
import { z } from 'zod'
import { formatBytes } from '../../units.ts'
import { recognise, START_BYTES } from '../foreign-format.ts'
import type { TensorShape } from './sizes.ts'

/** `problem` says what the file is instead, as a clause. */
export type Safetensors =
  | { readonly kind: 'ok'; readonly tensors: readonly TensorShape[] }
  | { readonly kind: 'bad'; readonly problem: string }

const Tensor = z.object({
  dtype: z.string(),
  shape: z.array(z.number().int().nonnegative()),
  data_offsets: z.tuple([z.number().int().nonnegative(), z.number().int().nonnegative()]),
})

/** The format's own limit (its README). */
const MAX_HEADER_BYTES = 100_000_000
/** Before the header stands its length. */
const LENGTH_BYTES = 8

/** Rejects when the file cannot be read. */
export async function readSafetensors(path: string): Promise<Safetensors> {
  await using file = await open(path, 'r')
  const { size } = await file.stat()
  const start = await readAt(file, 0, Math.min(size, START_BYTES))
  const length = start.length < LENGTH_BYTES ? 0 : Number(start.readBigUInt64LE(0))
  if (length < 2 || length > MAX_HEADER_BYTES) return bad(path, notOne(start))
  if (size < LENGTH_BYTES + length) return bad(path, cutShort(size, LENGTH_BYTES + length))
  const tensors = parseHeader(await readAt(file, LENGTH_BYTES, length))
  if (tensors === null) return bad(path, notOne(start))
  const dataBytes = tensors.reduce((last, { end }) => Math.max(last, end), 0)
  const neededBytes = LENGTH_BYTES + length + dataBytes
  if (size < neededBytes) return bad(path, cutShort(size, neededBytes))
  return { kind: 'ok', tensors: tensors.map(({ shape }) => shape) }
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length)
  const { bytesRead } = await file.read(buffer, 0, length, position)
  return buffer.subarray(0, bytesRead)
}

interface PlacedTensor {
  readonly shape: TensorShape
  /** From the start of the data. */
  readonly end: number
}

function parseHeader(bytes: Buffer): readonly PlacedTensor[] | null {
  try {
    const header: unknown = JSON.parse(bytes.toString('utf8'))
    const entries = Object.entries(z.record(z.string(), z.unknown()).parse(header))
    return entries
      .filter(([name]) => name !== '__metadata__')
      .map(([name, value]) => {
        const { shape, data_offsets: offsets } = Tensor.parse(value)
        return { shape: { name, shape, bytes: offsets[1] - offsets[0] }, end: offsets[1] }
      })
  } catch {
    return null
  }
}

/** Git LFS pointers and web pages are what half downloads leave there. */
function notOne(start: Buffer): string {
  return recognise(start)?.what ?? 'its header is no safetensors header'
}

function cutShort(size: number, neededBytes: number): string {
  return `it is cut short: ${formatBytes(size)} of ${formatBytes(neededBytes)} are there`
}

function bad(path: string, problem: string): Safetensors {
  return { kind: 'bad', problem: `${basename(path)}: ${problem}` }
}
