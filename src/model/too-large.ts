/** Says of a model that is larger than the memory why that is so, and what gets a smaller one. Pure. */
import { formatBytes } from '../units.ts'
import type { GgufHeader } from './gguf-header.ts'
import { isMostlySixteenBit } from './model-facts.ts'

export interface TooLarge {
  readonly message: string
  readonly hint: string
}

/** null when its weights alone fit into `usableBytes`; context and the rest come on top. */
export function judgeSize(
  path: string,
  header: Pick<GgufHeader, 'tensors' | 'architecture'>,
  usableBytes: number,
): TooLarge | null {
  const bytes = header.tensors.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  if (bytes <= usableBytes) return null
  const isWide = isMostlySixteenBit(header)
  const kind = isWide ? 'it is a 16-bit GGUF, not quantized: its' : 'its'
  const message = `Cannot use the model ${path}: ${kind} weights take ${formatBytes(bytes)}, the memory for models is ${formatBytes(usableBytes)}`
  return { message, hint: isWide ? wideHint(path, header) : OTHER }
}

const OTHER =
  'Get a smaller form of it: oss20bd pull OWNER/REPO:Q4_K_M; oss20bd plan tells what fits'

function wideHint(path: string, { architecture }: Pick<GgufHeader, 'architecture'>): string {
  return architecture === 'gpt-oss'
    ? 'Run `oss20bd pull`: it gets gpt-oss-20b in MXFP4, the form it was published in (11.3 GiB)'
    : `Make it smaller: oss20bd quantize ${JSON.stringify(path)} NEW.gguf q4`
}
