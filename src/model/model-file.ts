/** Tells whether a model file is there, whole, and a GGUF that the engine can read. */
import { open, stat, type FileHandle } from 'node:fs/promises'
import { errnoOf, messageOf } from '../errors.ts'
import { readGgufHeader } from './gguf-header.ts'
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

interface ModelFileProblem {
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

const GET_A_MODEL = 'Run `oss20bd up` to get a model, or set model.path to a GGUF file'
const GET_IT_AGAIN = 'Download it again, or run `oss20bd up` to get a model'
const CONVERT =
  'Get it as GGUF version 3, or convert it with the scripts of llama.cpp, or run `oss20bd up` to get a model'

/** Old formats of ggml by their first four bytes. */
const LEGACY: ReadonlyMap<string, string> = new Map([
  ['tjgg', 'GGJT'],
  ['lmgg', 'GGML'],
  ['fmgg', 'GGMF'],
  ['algg', 'GGLA'],
])

/** Reads the header alone (13 MB for the real model); all that a file can be wrong in is a value, not an error. */
export async function checkModelFile(path: string): Promise<ModelFileCheck> {
  let file: FileHandle | undefined
  try {
    const found = await stat(path)
    if (found.isDirectory()) {
      return problem(path, 'folder', 'it is a folder, a GGUF file is needed', GET_A_MODEL)
    }
    // Before open, which would wait for ever on a pipe.
    if (!found.isFile()) {
      return problem(path, 'unreadable', 'it is not a regular file, one is needed', GET_A_MODEL)
    }
    if (found.size === 0) {
      return problem(path, 'empty', 'it is empty, a GGUF file is needed', GET_IT_AGAIN)
    }
    file = await open(path, 'r')
    return await checkContent(path, file, found.size)
  } catch (error) {
    return problemOf(path, error)
  } finally {
    await file?.close()
  }
}

async function checkContent(
  path: string,
  file: FileHandle,
  sizeBytes: number,
): Promise<ModelFileCheck> {
  const start = Buffer.alloc(8)
  const { bytesRead } = await file.read(start, 0, 8, 0)
  const wrong = startProblem(path, start.subarray(0, bytesRead))
  if (wrong !== null) return wrong
  const reader = new HeaderReader(file, sizeBytes)
  reader.skip(8)
  const facts = await readGgufHeader(reader, sizeBytes)
  return { kind: 'ok', sizeBytes, ...facts, testModel: facts.name === TEST_MODEL_NAME }
}

function startProblem(path: string, start: Buffer): ModelFileProblem | null {
  const magic = start.toString('latin1', 0, 4)
  const legacy = LEGACY.get(magic)
  if (legacy !== undefined) {
    return problem(path, 'legacy', `it has the old ${legacy} format, GGUF is needed`, CONVERT)
  }
  if (magic === 'vers') {
    const what = 'it seems to be a Git LFS pointer, the file it points to is needed'
    return problem(path, 'not-gguf', what, 'Run `git lfs pull` in its folder')
  }
  if (magic !== 'GGUF' && !'GGUF'.startsWith(magic)) {
    const shown = JSON.stringify(magic.replaceAll(/[^\x20-\x7e]/g, '?'))
    return problem(
      path,
      'not-gguf',
      `it begins with ${shown}, a GGUF file begins with "GGUF"`,
      GET_A_MODEL,
    )
  }
  if (start.length < 8) throw new CutShortError('the file ends in its first bytes')
  return versionProblem(path, start.readUInt32LE(4), start.readUInt32BE(4))
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

function problemOf(path: string, error: unknown): ModelFileProblem {
  if (error instanceof CutShortError) {
    return problem(path, 'cut-short', 'it is cut short, the whole file is needed', GET_IT_AGAIN)
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

function problem(
  path: string,
  kind: ModelFileProblem['kind'],
  what: string,
  hint: string,
): ModelFileProblem {
  return { kind, message: `Cannot use the model ${path}: ${what}`, hint }
}
