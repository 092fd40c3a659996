/** The note beside a model of where it came from and what its checksum is: `<model>.origin.json`. */
import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import { errnoOf, fileError } from '../errors.ts'

export interface Origin {
  /** The address it was downloaded from; null for a file that was put there by hand. */
  readonly source: string | null
  readonly sizeBytes: number
  /** Lower-case hexadecimal. */
  readonly sha256: string
  /** `published`: the sum was held against the publisher's; `first-use`: it is what the first look found. */
  readonly checked: 'published' | 'first-use'
  /** ISO 8601. */
  readonly at: string
}

function originFile(model: string): string {
  return `${model}.origin.json`
}

/** null when there is no note, or none that can be read as one. */
export async function readOrigin(model: string): Promise<Origin | null> {
  try {
    return parseOrigin(JSON.parse(await readFile(originFile(model), 'utf8')))
  } catch (error) {
    if (error instanceof SyntaxError || errnoOf(error) === 'ENOENT') return null
    throw fileError('read the origin of the model', originFile(model), error)
  }
}

export async function writeOrigin(model: string, origin: Origin): Promise<void> {
  const file = originFile(model)
  const temporary = `${file}.${process.pid}.tmp`
  try {
    await writeFile(temporary, `${JSON.stringify(origin, undefined, 2)}\n`)
    await rename(temporary, file)
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined)
    throw fileError('note the origin of the model', file, error)
  }
}

export function removeOrigin(model: string): Promise<void> {
  return rm(originFile(model), { force: true })
}

function parseOrigin(value: unknown): Origin | null {
  if (typeof value !== 'object' || value === null) return null
  const { source, sizeBytes, sha256, checked, at }: Partial<Record<keyof Origin, unknown>> = value
  if (typeof sizeBytes !== 'number' || typeof sha256 !== 'string') return null
  return {
    source: typeof source === 'string' ? source : null,
    sizeBytes,
    sha256,
    checked: checked === 'published' ? 'published' : 'first-use',
    at: typeof at === 'string' ? at : '',
  }
}
