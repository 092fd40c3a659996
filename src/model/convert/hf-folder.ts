/** Looks whether a folder is a whole Hugging Face model that can be converted, and what is in it. */
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { errnoOf, fileError, Oss20bdError } from '../../errors.ts'
import { readSafetensors } from './safetensors.ts'
import { isPacked, type TensorShape } from './sizes.ts'

export interface HfFolder {
  readonly path: string
  /** `LlamaForCausalLM`; null when its configuration does not say. */
  readonly architecture: string | null
  /** Of all files; those of PyTorch are taken for one tensor of 16 bits, for their shapes are not known. */
  readonly tensors: readonly TensorShape[]
  /** gpt-oss as it was published: its experts have 4 bits already. */
  readonly isMxfp4: boolean
  /** It brings Python code of its own, which the converter may run. */
  readonly hasOwnCode: boolean
}

const Config = z.looseObject({
  architectures: z.array(z.string()).nullish(),
  text_config: z.looseObject({ architectures: z.array(z.string()).nullish() }).nullish(),
  quantization_config: z.looseObject({ quant_method: z.string().nullish() }).nullish(),
  auto_map: z.unknown().optional(),
})

/** Throws `model-unusable` with what is wrong with it, `usage` when it is not there. */
export async function readHfFolder(path: string): Promise<HfFolder> {
  const names = await namesIn(path)
  refuseOtherThings(path, names)
  const config = await readConfig(path)
  const files = await weightFiles(path, names)
  const tensors = await readTensors(path, files)
  const tokenizer = await readTokenizerConfig(path)
  const architecture = config.text_config?.architectures?.[0] ?? config.architectures?.[0] ?? null
  return {
    path,
    architecture,
    tensors,
    isMxfp4:
      config.quantization_config?.quant_method === 'mxfp4' &&
      tensors.some(({ name }) => isPacked(name)),
    hasOwnCode:
      names.some((name) => name.endsWith('.py')) &&
      (config.auto_map !== undefined || tokenizer.auto_map !== undefined),
  }
}

async function namesIn(path: string): Promise<readonly string[]> {
  try {
    return (await readdir(path)).toSorted()
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === 'ENOENT') throw usage(path, 'there is no such folder')
    if (errno === 'ENOTDIR') {
      throw usage(
        path,
        'it is a file, a folder of a Hugging Face model is needed',
        /\.gguf$/i.test(path) ? `It is a GGUF already: oss20bd quantize IN OUT q4` : NAME_FOLDER,
      )
    }
    throw fileError('read the model', path, error)
  }
}

const NAME_FOLDER = 'Name the folder that holds config.json and the weights'

function refuseOtherThings(path: string, names: readonly string[]): void {
  if (names.includes('adapter_config.json')) {
    throw unusable(
      path,
      'it is a LoRA adapter, changes to a model and no model',
      'Join it to its model first, in Python: model.merge_and_unload().save_pretrained(FOLDER)',
    )
  }
  const gguf = names.find((name) => /\.gguf$/i.test(name))
  if (gguf !== undefined && !names.includes('config.json')) {
    const file = JSON.stringify(join(path, gguf))
    throw unusable(path, 'it holds a GGUF, which need not be converted', `Use ${file} as it is`)
  }
  if (names.includes('config.json')) return
  throw unusable(path, 'it has no config.json, so it is no Hugging Face model', NAME_FOLDER)
}

async function readConfig(path: string): Promise<z.infer<typeof Config>> {
  const read = Config.safeParse(await readJson(join(path, 'config.json')))
  if (read.success) return read.data
  throw unusable(path, 'its config.json is not the one of a model', AGAIN)
}

const TOKENIZERS = [
  'tokenizer.json',
  'tokenizer.model',
  'vocab.json',
  'tiktoken.model',
  'vocab.txt',
]
const AGAIN = 'Download the whole folder again'

async function readTokenizerConfig(path: string): Promise<{ readonly auto_map?: unknown }> {
  const names = await namesIn(path)
  if (!TOKENIZERS.some((name) => names.includes(name)) && !names.some(isTiktoken)) {
    throw unusable(path, 'it has no tokenizer (tokenizer.json or tokenizer.model)', AGAIN)
  }
  const read = z
    .looseObject({ auto_map: z.unknown().optional() })
    .safeParse(await readJson(join(path, 'tokenizer_config.json')))
  return read.success ? read.data : {}
}

function isTiktoken(name: string): boolean {
  return name.endsWith('.tiktoken')
}

/** The files as the converter chooses them: those of the index, or all that are called like weights. */
async function weightFiles(path: string, names: readonly string[]): Promise<readonly string[]> {
  for (const [whole, pattern] of WEIGHTS) {
    const indexed = await filesOfIndex(join(path, `${whole}.index.json`))
    const found = names.filter((name) => pattern.test(name))
    const files = indexed ?? withGaps(found)
    const missing = files.find((name) => !names.includes(name))
    if (missing !== undefined) {
      const what = `its weights are in ${files.length} files, and ${missing} is not there`
      throw unusable(path, what, 'Download the missing file into the folder')
    }
    if (files.length > 0) return files
  }
  throw unusable(path, 'it has no weights (model.safetensors)', AGAIN)
}

const WEIGHTS: readonly (readonly [whole: string, pattern: RegExp])[] = [
  ['model.safetensors', /^model.*\.safetensors$/],
  ['pytorch_model.bin', /^pytorch_model.*\.bin$/],
]

async function filesOfIndex(file: string): Promise<readonly string[] | null> {
  const index = z
    .object({ weight_map: z.record(z.string(), z.string()) })
    .safeParse(await readJson(file))
  return index.success ? [...new Set(Object.values(index.data.weight_map))].toSorted() : null
}

/** Names all the parts of which one is there: `model-00002-of-00003.safetensors`. Pure. */
function withGaps(names: readonly string[]): readonly string[] {
  const [, start, first, count, end] = /^(.*-)(\d{5})-of-(\d{5})(\..+)$/.exec(names[0] ?? '') ?? []
  if (start === undefined || count === undefined || end === undefined) return names
  // OpenAI counts from 0 to the last number, everybody else from 1.
  const from = first === '00000' ? 0 : 1
  return Array.from(
    { length: Number(count) + 1 - from },
    (_, index) => `${start}${String(index + from).padStart(5, '0')}-of-${count}${end}`,
  )
}

async function readTensors(
  path: string,
  files: readonly string[],
): Promise<readonly TensorShape[]> {
  const all: TensorShape[] = []
  for (const name of files) {
    const file = join(path, name)
    if (!name.endsWith('.safetensors')) {
      const { size } = await stat(file)
      all.push({ name, shape: [2, size / 4], bytes: size })
      continue
    }
    const read = await readSafetensors(file)
    if (read.kind === 'bad') throw unusable(path, read.problem, AGAIN_FILE)
    all.push(...read.tensors)
  }
  return all
}

const AGAIN_FILE = 'Download that file again'

async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, 'utf8'))
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || error instanceof SyntaxError) return null
    throw fileError('read the model', file, error)
  }
}

function unusable(path: string, what: string, hint: string): Oss20bdError {
  return new Oss20bdError('model-unusable', `Cannot convert ${path}: ${what}`, { hint })
}

function usage(path: string, what: string, hint = NAME_FOLDER): Oss20bdError {
  return new Oss20bdError('usage', `Cannot convert ${path}: ${what}`, { hint })
}
