/** Recognises what old guides and half downloads leave where a GGUF file should be, by its first bytes. Pure. */
import { formatBytes } from '../units.ts'

/** What a file is, why it does not work, and what gets a right one: clauses for a person. */
export interface Foreign {
  readonly kind: 'legacy' | 'not-gguf'
  readonly what: string
  readonly hint: string
}

/** So many first bytes are enough to recognise anything. */
export const START_BYTES = 512

const PULL = 'oss20bd pull'
const GET_GGUF = `Run \`${PULL}\` for gpt-oss-20b, or \`${PULL} OWNER/REPO\` for another model as GGUF`
const AS_GGUF = `Run \`${PULL}\` for gpt-oss-20b, or convert the folder that it is in: oss20bd convert FOLDER NEW.gguf`
const AGAIN = `Download the file itself: \`${PULL}\` gets gpt-oss-20b and checks it`

/** null for a GGUF, and for bytes that are nothing known. */
export function recognise(start: Buffer): Foreign | null {
  return (
    ggml(start) ??
    metal(start) ??
    lfsPointer(start) ??
    webAnswer(start) ??
    safetensors(start) ??
    pytorch(start) ??
    cTranslate2(start) ??
    byMagic(start)
  )
}

/** The formats of ggml before GGUF, by their first four bytes as they are in the file. */
const GGML: ReadonlyMap<string, string> = new Map([
  ['lmgg', 'GGML'],
  ['fmgg', 'GGMF'],
  ['tjgg', 'GGJT'],
  ['algg', 'GGLA'],
])

/** llama.cpp's numbers for the quantization of a whole file, as they were in 2023. */
const GGML_TYPES: ReadonlyMap<number, string> = new Map([
  [0, 'F32'],
  [1, 'F16'],
  [2, 'Q4_0'],
  [3, 'Q4_1'],
  [7, 'Q8_0'],
  [8, 'Q5_0'],
  [9, 'Q5_1'],
  [10, 'Q2_K'],
  [11, 'Q3_K_S'],
  [12, 'Q3_K_M'],
  [13, 'Q3_K_L'],
  [14, 'Q4_K_S'],
  [15, 'Q4_K_M'],
  [16, 'Q5_K_S'],
  [17, 'Q5_K_M'],
  [18, 'Q6_K'],
])

function ggml(start: Buffer): Foreign | null {
  const name = GGML.get(start.toString('latin1', 0, 4))
  if (name === undefined) return null
  const versioned = name === 'GGJT' || name === 'GGMF'
  const version = versioned && start.length >= 8 ? ` version ${start.readUInt32LE(4)}` : ''
  const shape = llamaShape(start, versioned ? 8 : 4)
  const what = `it has the old ${name} format${version}${shape}, which llama.cpp gave up in August 2023 for GGUF`
  return { kind: 'legacy', what, hint: `It cannot be used any more. ${GET_GGUF}` }
}

/** `(32 layers, Q4_0)` when the seven numbers that LLaMA files have there make sense, else nothing. */
function llamaShape(start: Buffer, at: number): string {
  if (start.length < at + 28) return ''
  const [vocabulary = 0, , , heads = 0, layers = 0, , type = 0] = Array.from(
    { length: 7 },
    (_, index) => start.readUInt32LE(at + index * 4),
  )
  const plausible = vocabulary > 1000 && vocabulary < 1e6 && heads > 0 && heads < 1000
  // Later files carry the version of the quantization in the thousands.
  const quantization = GGML_TYPES.get(type % 1000)
  if (!plausible || layers === 0 || layers > 1000 || quantization === undefined) return ''
  return ` (${layers} layers, ${quantization})`
}

/** openai/gpt-oss-20b holds it as metal/model.bin. */
function metal(start: Buffer): Foreign | null {
  if (start.toString('latin1', 0, 10) !== 'GPT-OSS v1') return null
  const what =
    "it is gpt-oss in the format of OpenAI's own Metal program (metal/model.bin), which llama.cpp cannot read"
  return { kind: 'not-gguf', what, hint: `Run \`${PULL}\`: it gets the same model as GGUF` }
}

function lfsPointer(start: Buffer): Foreign | null {
  const text = start.toString('latin1')
  if (!text.startsWith('version https://git-lfs')) return null
  const bytes = /\nsize (\d+)/.exec(text)?.[1]
  const size = bytes === undefined ? '' : ` of ${formatBytes(Number(bytes))}`
  const what = `it is a Git LFS pointer, a few lines of text that stand for the file${size}`
  const hint = `Run \`git lfs pull\` in its folder, or \`${PULL}\` for gpt-oss-20b`
  return { kind: 'not-gguf', what, hint }
}

/** What `curl -o` saves when the server did not send the file. */
function webAnswer(start: Buffer): Foreign | null {
  const text = start.toString('latin1').replace(/^ï»¿/, '').trimStart()
  if (/^<(!doctype|html|head|body|!--)/i.test(text)) {
    const what = 'it is a web page: the server sent an error or a login instead of the file'
    return { kind: 'not-gguf', what, hint: AGAIN }
  }
  if (/^<(\?xml|error)/i.test(text)) {
    const what = 'it is an XML answer: the server sent an error instead of the file'
    return { kind: 'not-gguf', what, hint: AGAIN }
  }
  if (/^\{\s*"(error|message|detail)"/i.test(text)) {
    const what = 'it is a JSON answer: the server sent an error instead of the file'
    return { kind: 'not-gguf', what, hint: AGAIN }
  }
  if (/^(invalid username or password|entry not found|access to model)/i.test(text)) {
    const what = 'it is an error message: the server sent it instead of the file'
    return { kind: 'not-gguf', what, hint: AGAIN }
  }
  if (/^\{\s*"/.test(text)) {
    const what = 'it is a JSON text, for example the config.json of a model, and not the model'
    return { kind: 'not-gguf', what, hint: GET_GGUF }
  }
  return null
}

/** A length of 8 bytes, then a JSON object. */
function safetensors(start: Buffer): Foreign | null {
  if (start.length < 10 || !/^\{\s*["}]/.test(start.toString('latin1', 8, 16))) return null
  const length = start.readBigUInt64LE(0)
  if (length < 2n || length > 100_000_000n) return null
  const what = 'it is a safetensors file, weights for Python (transformers, MLX, vLLM)'
  return { kind: 'not-gguf', what, hint: AS_GGUF }
}

/** The number with which `torch.save` began before it wrote zip archives, as a pickle spells it. */
const OLD_TORCH = Buffer.from('80028a0a6cfc9c46f920', 'hex')

function pytorch(start: Buffer): Foreign | null {
  const zip = start.toString('latin1', 0, 4) === 'PK\x03\x04'
  const inZip = zip && /\/(data\.pkl|version|byteorder)/.test(start.toString('latin1'))
  const pickle = start[0] === 0x80 && start[1] !== undefined && start[1] >= 2 && start[1] <= 5
  if (!inZip && !pickle) return null
  const old = start.subarray(0, OLD_TORCH.length).equals(OLD_TORCH)
  const form = inZip ? 'zip' : old ? 'old' : 'pickle'
  const what = `it is a PyTorch file (${form} format, as pytorch_model.bin or consolidated.00.pth), weights for Python`
  return { kind: 'not-gguf', what, hint: AS_GGUF }
}

/** A version, then the name of what it holds as length and text. */
function cTranslate2(start: Buffer): Foreign | null {
  if (start.length < 16 || start.readUInt32LE(0) > 32) return null
  const length = start.readUInt16LE(4)
  const name = start.toString('latin1', 6, 6 + Math.min(length, 64))
  if (!/^\w+Spec\0?$/.test(name)) return null
  const what = 'it is a model.bin of CTranslate2, another engine with its own format'
  return { kind: 'not-gguf', what, hint: GET_GGUF }
}

const UNPACK = 'Unpack it, then use the .gguf file in it'

const MAGICS: readonly (readonly [magic: string, at: number, what: string, hint: string])[] = [
  ['PK\x03\x04', 0, 'it is a zip archive', UNPACK],
  ['\x1f\x8b', 0, 'it is compressed with gzip', UNPACK],
  ['\xfd7zXZ', 0, 'it is compressed with xz', UNPACK],
  ['\x28\xb5\x2f\xfd', 0, 'it is compressed with zstd', UNPACK],
  ['7z\xbc\xaf', 0, 'it is a 7-Zip archive', UNPACK],
  ['ustar', 257, 'it is a tar archive', UNPACK],
  ['\x89HDF', 0, 'it is an HDF5 file, weights for Keras or TensorFlow', GET_GGUF],
  ['\x93NUMPY', 0, 'it is a NumPy array', GET_GGUF],
  ['TFL3', 4, 'it is a TensorFlow Lite model', GET_GGUF],
]

function byMagic(start: Buffer): Foreign | null {
  const text = start.toString('latin1')
  const found = MAGICS.find(([magic, at]) => text.startsWith(magic, at))
  if (found !== undefined) return { kind: 'not-gguf', what: found[2], hint: found[3] }
  if (start.length >= 64 && start.every((byte) => byte === 0)) {
    const what = 'it begins with zeros: room was made for it, and its download was never finished'
    return { kind: 'not-gguf', what, hint: AGAIN }
  }
  return null
}
