/** Says what a folder is that was given instead of a GGUF file. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** What it is and what to do, as clauses. */
export interface FolderVerdict {
  readonly what: string
  readonly hint: string
}

/** A file of a folder that grows beyond this is no configuration. */
const MAX_CONFIG_BYTES = 4 * 2 ** 20

/** Reads the names, and config.json when there is one. Rejects when the folder cannot be read. */
export async function lookIntoFolder(path: string): Promise<FolderVerdict> {
  const names = await readdir(path)
  const config = names.includes('config.json') ? await readConfig(join(path, 'config.json')) : null
  return judgeFolder(path, names, config)
}

export interface FolderConfig {
  /** `gpt_oss`; null when it does not say. */
  readonly modelType: string | null
  readonly architecture: string | null
}

/** Pure. */
export function judgeFolder(
  path: string,
  names: readonly string[],
  config: FolderConfig | null,
): FolderVerdict {
  const ggufs = names.filter((name) => /\.gguf$/i.test(name))
  const [gguf] = ggufs
  if (gguf !== undefined) {
    const hint = `Name the file in it: ${JSON.stringify(join(path, gguf))}`
    return {
      what: `it is a folder with ${count(ggufs.length, 'GGUF file')}, the file is needed`,
      hint,
    }
  }
  const weights = weightsIn(names)
  if (weights === null) {
    const hint = 'Run `oss20bd pull` to get gpt-oss-20b, or set model.path to a GGUF file'
    return { what: 'it is a folder, a GGUF file is needed', hint }
  }
  const of = config?.architecture ?? config?.modelType ?? null
  const model = of === null ? '' : ` of ${of}`
  const what = `it is a folder of ${weights}${model}, weights for Python, which llama.cpp cannot read`
  return { what, hint: wayToGguf(path, names, config?.modelType ?? null) }
}

function weightsIn(names: readonly string[]): string | null {
  if (names.some((name) => name.endsWith('.safetensors'))) return 'safetensors'
  if (names.some((name) => /^(pytorch_model|consolidated).*\.(bin|pth)$/.test(name)))
    return 'PyTorch files'
  if (names.includes('model.bin')) return 'model.bin with its configuration'
  return null
}

/** The published GGUF of gpt-oss is what a conversion would give. */
function wayToGguf(path: string, names: readonly string[], modelType: string | null): string {
  if (modelType === 'gpt_oss') return 'Run `oss20bd pull`: it gets gpt-oss-20b as GGUF (11.3 GiB)'
  const canConvert = names.includes('config.json') && names.some((name) => CONVERTIBLE.test(name))
  return canConvert
    ? `Convert it: oss20bd convert ${JSON.stringify(path)} NEW.gguf`
    : 'Get it as GGUF, which most models are published in as well: oss20bd pull OWNER/REPO-GGUF'
}

/** The names under which the converter looks for weights. */
const CONVERTIBLE = /^(?:model.*\.safetensors|pytorch_model.*\.bin)$/

async function readConfig(file: string): Promise<FolderConfig | null> {
  const text = await readFile(file, 'utf8').catch(() => '')
  if (text.length > MAX_CONFIG_BYTES) return null
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value !== 'object' || value === null) return null
    const { model_type: type, architectures }: Readonly<Record<string, unknown>> = { ...value }
    const [first]: unknown[] = Array.isArray(architectures) ? architectures : []
    return { modelType: textOrNull(type), architecture: textOrNull(first) }
  } catch {
    return null
  }
}

/** What a file says of itself is shown to a person: short, and without control characters. */
function textOrNull(value: unknown): string | null {
  return typeof value === 'string' && /^[\w.-]{1,80}$/.test(value) ? value : null
}

function count(amount: number, what: string): string {
  return `${amount} ${what}${amount === 1 ? '' : 's'}`
}
