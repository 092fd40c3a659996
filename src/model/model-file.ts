/** Tells whether a model file is there, whole, and a GGUF that the engine can read. */
import { open, stat, type FileHandle } from 'node:fs/promises'
import { errnoOf, messageOf } from '../errors.ts'
import { formatBytes } from '../units.ts'
import { lookIntoFolder } from './foreign-folder.ts'
import { recognise, START_BYTES } from './foreign-format.ts'
import { type GgufHeader, readGgufHeader } from './gguf-header.ts'
import { BadHeaderError, CutShortError, HeaderReader } from './header-reader.ts'
import { TEST_MODEL_NAME } from './test-model.ts'

export type ModelFileCheck =
  | {
      readonly kind: 'ok'
      readonly sizeBytes: number
      readonly name: string | null
      readonly architecture: string
      /** It is the built-in test model, known by its content, not its file name. */
      readonly testModel: boolean
    }
  | ModelFileProblem

export interface ModelFileProblem {
  readonly kind:
    | 'missing'
    | 'folder'
    | 'empty'
    | 'not-gguf'
    | 'legacy'
    | 'cut-short'
    | 'unreadable'
    | 'shortage'
  readonly message: string
  readonly hint: string
}

const GET_A_MODEL = 'Run `oss20bd pull` to get gpt-oss-20b, or set model.path to a GGUF file'
const GET_IT_AGAIN = 'Download it again: `oss20bd pull` gets gpt-oss-20b and checks every byte'
const CONVERT =
  'Get it as GGUF version 3: `oss20bd pull` gets gpt-oss-20b, `oss20bd pull OWNER/REPO` another model'

/** What `readModelHeader` gives when the file is whole. */
export type ModelHeader =
  | { readonly kind: 'ok'; readonly sizeBytes: number; readonly header: GgufHeader }
  | ModelFileProblem

/** Whether the engine can load it; all that a file can be wrong in is a value, not an error. */
export async function checkModelFile(path: string): Promise<ModelFileCheck> {
  const read = await readModelHeader(path)
  if (read.kind !== 'ok') return read
  const { name, architecture } = read.header
  const testModel = name === TEST_MODEL_NAME
  return { kind: 'ok', sizeBytes: read.sizeBytes, name, architecture, testModel }
}

/** Reads the header alone (13 MB for the real model), as strictly as `checkModelFile`. */
export async function readModelHeader(path: string): Promise<ModelHeader> {
  let file: FileHandle | undefined
  let sizeBytes = 0
  try {
    const found = await stat(path)
    sizeBytes = found.size
    if (found.isDirectory()) {
      const { what, hint } = await lookIntoFolder(path)
      return problem(path, 'folder', what, hint)
    }
    // Before open, which would wait for ever on a pipe.
    if (!found.isFile()) {
      return problem(path, 'unreadable', 'it is not a regular file, one is needed', GET_A_MODEL)
    }
    if (found.size === 0) {
      return problem(path, 'empty', 'it is empty, a GGUF file is needed', GET_IT_AGAIN)
    }
    file = await open(path, 'r')
    return await readContent(path, file, found.size)
  } catch (error) {
    return problemOf(path, sizeBytes, error)
  } finally {
    await file?.close()
  }
}

async function readContent(
  path: string,
  file: FileHandle,
  sizeBytes: number,
): Promise<ModelHeader> {
  const start = Buffer.alloc(START_BYTES)
  const { bytesRead } = await file.read(start, 0, START_BYTES, 0)
  const wrong = checkModelStart(path, start.subarray(0, bytesRead))
  if (wrong !== null) return wrong
  if (bytesRead < 8) throw new CutShortError('the file ends in its first bytes')
  const reader = new HeaderReader(file, sizeBytes)
  reader.skip(8)
  return { kind: 'ok', sizeBytes, header: await readGgufHeader(reader, sizeBytes) }
}

/** What the first bytes of a file or download say already; null while it may be a good GGUF. Pure. */
export function checkModelStart(path: string, start: Buffer): ModelFileProblem | null {
  const magic = start.toString('latin1', 0, 4)
  if ('GGUF'.startsWith(magic)) {
    return start.length < 8
      ? null
      : versionProblem(path, start.readUInt32LE(4), start.readUInt32BE(4))
  }
  const foreign = recognise(start)
  if (foreign !== null) return problem(path, foreign.kind, foreign.what, foreign.hint)
  const shown = JSON.stringify(magic.replaceAll(/[^\x20-\x7e]/g, '?'))
  const what = `it begins with ${shown}, a GGUF file begins with "GGUF"`
  return problem(path, 'not-gguf', what, GET_A_MODEL)
}

function versionProblem(path: string, version: number, swapped: number): ModelFileProblem | null {
  if (version === 2 || version === 3) return null
  if (version === 1) {
    return problem(path, 'legacy', 'it is GGUF version 1, version 2 or 3 is needed', CONVERT)
  }
  const found =
    version % 65_536 === 0 && swapped > 0 && swapped < 65_536
      ? `it is a big-endian GGUF, a little-endian one is needed`
      : `it is GGUF version ${version}, version 2 or 3 is needed`
  return problem(path, 'not-gguf', found, GET_A_MODEL)
}

function problemOf(path: string, sizeBytes: number, error: unknown): ModelFileProblem {
  if (error instanceof CutShortError) {
    return cutShort(path, sizeBytes, error.neededBytes)
  }
  if (error instanceof BadHeaderError) {
    return problem(path, 'not-gguf', `${error.message}, a valid GGUF file is needed`, GET_IT_AGAIN)
  }
  const errno = errnoOf(error)
  if (errno === 'ENOENT' || errno === 'ENOTDIR') {
    return problem(path, 'missing', 'there is no such file, a GGUF file is needed', GET_A_MODEL)
  }
  if (errno === 'EACCES' || errno === 'EPERM') {
    const hint = `Make it readable: chmod u+r ${JSON.stringify(path)}`
    return problem(
      path,
      'unreadable',
      'there is no permission to read it, it must be readable',
      hint,
    )
  }
  if (errno === 'EMFILE' || errno === 'ENFILE' || errno === 'ENOMEM' || errno === 'EAGAIN') {
    const what = `the system has nothing to spare to open it with (${errno})`
    return problem(path, 'shortage', what, 'Close other apps')
  }
  return problem(path, 'unreadable', messageOf(error), GET_A_MODEL)
}

/** Endings that browsers and tools give to downloads that are not finished. */
const UNFINISHED: readonly (readonly [ending: string, tool: string])[] = [
  ['.part', 'oss20bd, curl or Firefox'],
  ['.crdownload', 'Chrome'],
  ['.download', 'Safari'],
  ['.incomplete', 'the Hugging Face tools'],
  ['.partial', 'wget or Edge'],
]

function cutShort(path: string, sizeBytes: number, neededBytes: number | null): ModelFileProblem {
  const tool = UNFINISHED.find(([ending]) => path.endsWith(ending))?.[1]
  const is =
    tool === undefined ? 'it is cut short' : `it is a download of ${tool} that is not finished`
  const there = neededBytes === null ? 'all' : formatBytes(neededBytes)
  const what = `${is}: ${formatBytes(sizeBytes)} of ${there} are there, the whole file is needed`
  return problem(path, 'cut-short', what, GET_IT_AGAIN)
}

function problem(
  path: string,
  kind: ModelFileProblem['kind'],
  what: string,
  hint: string,
): ModelFileProblem {
  return { kind, message: `Cannot use the model ${path}: ${what}`, hint }
}
