/** Reads log files from their end, newest line first, in bounded memory, across rotated files. */
import { open } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { join, parse } from 'node:path'
import { errnoOf, fileError } from './errors.ts'

const CHUNK_BYTES = 65_536
/** A longer line is cut: one such line must not fill the memory. */
export const MAX_LINE_BYTES = 1_048_576
const NEWLINE = 10

/** What Node and the shim print: kept by `oss20bd start` and by launchd, which never bound a file themselves. */
export const PRINTED = { background: 'daemon.out', launchd: 'launchd.err' } as const

/** The file being written; `daemon1.log` is the one before it, `daemon2.log` before that. Without an ending it is a `.log`. */
export function logFile(folder: string, name: string, age = 0): string {
  const { name: stem, ext } = parse(name)
  return join(folder, `${stem}${age === 0 ? '' : age}${ext === '' ? '.log' : ext}`)
}

/** The file that is being written now, up to its last complete line: where a tail ends and following begins. */
export interface LogEnd {
  /** `daemon`, `engine`, `journal`, `launchd.err` … */
  readonly name: string
  /** null when nothing has been written yet. */
  readonly file: FileHandle | null
  readonly endBytes: number
}

/** Opens the newest file of a log; the caller closes it. Throws `state-folder`. */
export async function openLogEnd(folder: string, name: string): Promise<LogEnd> {
  const file = await openIfThere(logFile(folder, name))
  const endBytes = file === null ? 0 : await completeBytes(file)
  return { name, file, endBytes }
}

export async function closeLogEnd(end: LogEnd): Promise<void> {
  await end.file?.close()
}

/** The complete lines of one log before `end`, newest first, until the oldest file is used up. */
export async function* readBackwards(folder: string, end: LogEnd): AsyncGenerator<string> {
  const newest = await end.file?.stat()
  if (end.file !== null) yield* linesBackwards(end.file, end.endBytes)
  for (let age = 1; ; age += 1) {
    const file = await openIfThere(logFile(folder, end.name, age))
    if (file === null) return
    try {
      const { ino, size } = await file.stat()
      // Rotated since `end` was opened: this is the file just read.
      if (ino !== newest?.ino) yield* linesBackwards(file, size)
    } finally {
      await file.close()
    }
  }
}

/** Opens for reading; null when there is no such file. Throws `state-folder`. */
export async function openIfThere(path: string): Promise<FileHandle | null> {
  try {
    return await open(path, 'r')
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return null
    throw fileError('read the logs', path, error)
  }
}

/** How long the file is without a last line that is still being written. */
async function completeBytes(file: FileHandle): Promise<number> {
  let position = (await file.stat()).size
  while (position > 0) {
    const start = Math.max(0, position - CHUNK_BYTES)
    const chunk = await readAt(file, start, position - start)
    const at = chunk.lastIndexOf(NEWLINE)
    if (at !== -1) return start + at + 1
    position = start
  }
  return 0
}

/** The lines before `endBytes`, newest first; what follows the last newline there is left out. */
async function* linesBackwards(file: FileHandle, endBytes: number): AsyncGenerator<string> {
  let position = endBytes
  // The beginning of a line that goes on after what has been read; null until the first newline is seen.
  let pending: Buffer | null = null
  while (position > 0) {
    const size = Math.min(CHUNK_BYTES, position)
    position -= size
    let chunk = await readAt(file, position, size)
    for (let at = chunk.lastIndexOf(NEWLINE); at !== -1; at = chunk.lastIndexOf(NEWLINE)) {
      if (pending !== null) yield textOf(chunk.subarray(at + 1), pending)
      pending = Buffer.alloc(0)
      chunk = chunk.subarray(0, at)
    }
    if (pending !== null) pending = Buffer.concat([chunk, pending]).subarray(0, MAX_LINE_BYTES)
  }
  if (pending !== null && pending.length > 0) yield pending.toString('utf8')
}

async function readAt(file: FileHandle, position: number, size: number): Promise<Buffer> {
  const { bytesRead, buffer } = await file.read(Buffer.alloc(size), 0, size, position)
  return buffer.subarray(0, bytesRead)
}

function textOf(start: Buffer, end: Buffer): string {
  return Buffer.concat([start, end]).toString('utf8')
}
