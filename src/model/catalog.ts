/** The model files we know how to get, with their sizes and checksums. Pure. */
import { Oss20bdError } from '../errors.ts'

export interface ExpectedFile {
  readonly bytes: number
  /** Lower-case hexadecimal. */
  readonly sha256: string
}

export interface CatalogModel {
  readonly name: string
  readonly repository: string
  readonly file: string
  /** Any of these is the model. */
  readonly expected: readonly ExpectedFile[]
}

const DEFAULT_HF_ENDPOINT = 'https://huggingface.co'

/** Both files were published by ggml-org: the present one and the one under its older name. */
export const GPT_OSS_20B: CatalogModel = {
  name: 'gpt-oss-20b',
  repository: 'ggml-org/gpt-oss-20b-GGUF',
  file: 'gpt-oss-20b-MXFP4.gguf',
  expected: [
    {
      bytes: 12_109_566_624,
      sha256: '27cd6c432c7672cb812a92f611cf3ba7bbc35928262bb1e1253ff4ee6ae35901',
    },
    {
      bytes: 12_109_566_560,
      sha256: 'be37a636aca0fc1aae0d32325f82f6b4d21495f06823b5fbc1898ae0303e9935',
    },
  ],
}

/** The known model that a checksum belongs to. */
export function knownModel(sha256: string): CatalogModel | null {
  return GPT_OSS_20B.expected.some((file) => file.sha256 === sha256) ? GPT_OSS_20B : null
}

/** The address of the hub without a slash at its end; throws `usage` when it is not an http(s) address. */
export function hubEndpoint(text: string | undefined): string {
  const endpoint = text === undefined || text === '' ? DEFAULT_HF_ENDPOINT : text
  const url = URL.canParse(endpoint) ? new URL(endpoint) : null
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:')) {
    throw new Oss20bdError(
      'usage',
      `Cannot use HF_ENDPOINT: it is ${JSON.stringify(endpoint)}, an http or https address is needed`,
      { hint: `Unset HF_ENDPOINT to use ${DEFAULT_HF_ENDPOINT}` },
    )
  }
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}`
}
